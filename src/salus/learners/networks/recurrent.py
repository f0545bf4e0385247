"""Gated recurrent networks over time: GRU (Cho et al. 2014) or LSTM (Hochreiter and Schmidhuber 1997), one way or both ways.

A convolution in front makes at most 128 steps of a window. It knows shapes, not how it is taught.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from salus.learners.graphs import GraphBuilder
from salus.learners.networks.nodes import convolution_nodes, recurrent_weights

MOST_STEPS = 128


class RecurrentNetwork(nn.Module):
    """x_WCT (standardised) -> scores_WK, a linear head over the means of the hidden states (W, F, t)."""

    def __init__(self, channels: int, steps: int, outputs: int, width: int, layers: int, cell: str, both_ways: bool):
        super().__init__()
        stride = -(-steps // MOST_STEPS)
        self.stem = nn.Conv1d(channels, width, 2 * stride + 1, stride=stride, padding=stride)
        self.cell, self.width, self.layers, self.ways = cell, width, layers, 2 if both_ways else 1
        kind = nn.GRU if cell == "gru" else nn.LSTM
        self.recurrent = kind(width, width, layers, batch_first=True, bidirectional=both_ways)
        self.head = nn.Linear(width * self.ways, outputs)

    def forward(self, x_WCT: torch.Tensor) -> torch.Tensor:
        scores: torch.Tensor = self.head(self.features(x_WCT).mean(dim=2))
        return scores

    def features(self, x_WCT: torch.Tensor) -> torch.Tensor:
        x = functional.relu(self.stem(x_WCT))
        states, _ = self.recurrent(x.transpose(1, 2))
        features: torch.Tensor = states.transpose(1, 2)
        return features

    def folded(self) -> RecurrentNetwork:
        """As it is exported."""
        return self

    def feature_nodes(self, builder: GraphBuilder, value: str) -> str:
        """`features` of one window (1, C, T) as nodes."""
        x = builder.node("Relu", convolution_nodes(builder, self.stem, value))
        x = builder.node("Transpose", x, perm=[2, 0, 1])  # steps first
        for layer in range(self.layers):
            states = self._layer_nodes(builder, x, layer)  # (t, ways, 1, width)
            side_by_side = builder.node("Transpose", states, perm=[0, 2, 1, 3])
            x = builder.node("Reshape", side_by_side, builder.constant([0, 0, -1], np.int64))
        return builder.node("Transpose", x, perm=[1, 2, 0])

    def _layer_nodes(self, builder: GraphBuilder, value: str, layer: int) -> str:
        attributes: dict[str, Any] = {"linear_before_reset": 1} if self.cell == "gru" else {}
        return builder.node(
            self.cell.upper(),
            value,
            *recurrent_weights(builder, self.recurrent, layer),
            hidden_size=self.width,
            direction="bidirectional" if self.ways == 2 else "forward",
            **attributes,
        )
