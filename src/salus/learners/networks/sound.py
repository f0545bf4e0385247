"""Networks over log-mel frames: convolutions, then a GRU both ways that answers at every step, or a mean that answers once.

Frames behind the end of a sound are held at zero after every layer and are not read by the GRU, so that they change no answer. It knows
shapes, not how it is taught. The graph is written node by node, since the exporter of torch knows no sequences of many lengths.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import nn
from torch.nn import functional
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from salus.learners.graphs import GraphBuilder
from salus.learners.networks.nodes import convolution_nodes, folded_convolution, mapped_nodes, recurrent_weights

STRIDES = ((1, 2), (2, 2), (1, 2))  # of time and of bands
STEP_FRAMES = 2  # frames that one answer covers
SILENCE = 10.0  # the score of the blank behind the end


class Trunk(nn.Module):
    """x_BFM (frames, and 1 where there is sound in the last place) -> features (B, t, D), and where there is sound (B, t)."""

    def __init__(self, mels: int, width: int):
        super().__init__()
        sizes = [1, width, 2 * width, 2 * width]
        self.convolutions = nn.ModuleList(
            nn.Conv2d(before, after, 3, stride=stride, padding=1)
            for before, after, stride in zip(sizes[:-1], sizes[1:], STRIDES, strict=True)
        )
        self.norms = nn.ModuleList(nn.BatchNorm2d(after) for after in sizes[1:])
        bands = mels
        for _ in STRIDES:
            bands = -(-bands // 2)
        self.features = sizes[-1] * bands

    def forward(self, x_BFM: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        there, x = x_BFM[:, :, -1], x_BFM[:, None, :, :-1]
        for place, (layer, stride) in enumerate(zip(self.convolutions, STRIDES, strict=True)):
            x = layer(x)
            if len(self.norms):
                x = self.norms[place](x)
            there = there[:, :: stride[0]]
            x = functional.relu(x) * there[:, None, :, None]
        return x.permute(0, 2, 1, 3).flatten(2), there

    def fold(self) -> None:
        """Into convolutions alone."""
        pairs = zip(self.convolutions, self.norms, strict=True)
        self.convolutions = nn.ModuleList(folded_convolution(layer, norm) for layer, norm in pairs)  # type: ignore[arg-type]
        self.norms = nn.ModuleList()

    def nodes(self, builder: GraphBuilder, value: str) -> tuple[str, str]:
        """(B, t, D), and where there is sound (B, t, 1); after `fold`."""
        last, end, axis = (builder.constant([number], np.int64) for number in (-1, 2**31 - 1, 2))
        there = builder.node("Slice", value, last, end, axis)
        frames = builder.node("Slice", value, builder.constant([0], np.int64), last, axis)
        x = builder.node("Unsqueeze", frames, builder.constant([1], np.int64))
        for layer, stride in zip(self.convolutions, STRIDES, strict=True):
            assert isinstance(layer, nn.Conv2d)
            if stride[0] > 1:
                begin, step = builder.constant([0], np.int64), builder.constant([stride[0]], np.int64)
                there = builder.node("Slice", there, begin, end, builder.constant([1], np.int64), step)
            x = builder.node("Relu", convolution_nodes(builder, layer, x))
            x = builder.node("Mul", x, builder.node("Unsqueeze", there, builder.constant([1], np.int64)))
        x = builder.node("Transpose", x, perm=[0, 2, 1, 3])
        return builder.node("Reshape", x, builder.constant([0, 0, self.features], np.int64)), there


class PathNetwork(nn.Module):
    """x_BFM -> logits (B, t, K) of every step, the first one of the blank; behind the end nothing but blanks."""

    def __init__(self, mels: int, outputs: int, width: int):
        super().__init__()
        self.trunk = Trunk(mels, width)
        self.hidden = 4 * width
        self.recurrent = nn.GRU(self.trunk.features, self.hidden, batch_first=True, bidirectional=True)
        self.head = nn.Linear(2 * self.hidden, outputs)

    def forward(self, x_BFM: torch.Tensor) -> torch.Tensor:
        x, there = self.trunk(x_BFM)
        lengths = there.sum(dim=1).clamp(min=1).long().cpu()
        packed, _ = self.recurrent(pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False))
        states, _ = pad_packed_sequence(packed, batch_first=True, total_length=x.shape[1])
        silence = functional.one_hot(torch.zeros((), dtype=torch.long), self.head.out_features).to(x) * SILENCE
        logits: torch.Tensor = torch.where(there[:, :, None] > 0, self.head(states), silence)
        return logits

    def nodes(self, builder: GraphBuilder, value: str) -> str:
        x, there = self.trunk.nodes(builder, value)
        counted = builder.node("ReduceSum", there, builder.constant([1, 2], np.int64), keepdims=0)
        lengths = builder.node("Cast", builder.node("Max", counted, builder.constant([1.0])), to=6)
        x = builder.node("Transpose", x, perm=[1, 0, 2])
        states = builder.node(
            "GRU",
            x,
            *recurrent_weights(builder, self.recurrent),
            lengths,
            hidden_size=self.hidden,
            direction="bidirectional",
            linear_before_reset=1,
        )  # (t, 2, B, hidden)
        states = builder.node("Transpose", states, perm=[2, 0, 1, 3])
        states = builder.node("Reshape", states, builder.constant([0, 0, 2 * self.hidden], np.int64))
        scores = mapped_nodes(builder, self.head, states)
        silence = builder.constant(np.eye(1, self.head.out_features) * SILENCE)
        return builder.node("Where", builder.node("Greater", there, builder.constant(0.0)), scores, silence)


class MeanNetwork(nn.Module):
    """x_BFM -> scores (B, K): one more convolution over time, and the mean of what there is of the sound."""

    def __init__(self, mels: int, outputs: int, width: int):
        super().__init__()
        self.trunk = Trunk(mels, width)
        self.over_time = nn.Conv1d(self.trunk.features, 4 * width, 5, padding=2)
        self.head = nn.Linear(4 * width, outputs)

    def forward(self, x_BFM: torch.Tensor) -> torch.Tensor:
        x, there = self.trunk(x_BFM)
        x = functional.relu(self.over_time(x.transpose(1, 2))) * there[:, None]
        scores: torch.Tensor = self.head(x.sum(dim=2) / there.sum(dim=1).clamp(min=1)[:, None])
        return scores

    def nodes(self, builder: GraphBuilder, value: str) -> str:
        x, there = self.trunk.nodes(builder, value)
        x = builder.node("Transpose", x, perm=[0, 2, 1])
        x = builder.node("Relu", convolution_nodes(builder, self.over_time, x))
        x = builder.node("Mul", x, builder.node("Transpose", there, perm=[0, 2, 1]))
        total = builder.node("ReduceSum", x, builder.constant([2], np.int64), keepdims=0)
        count = builder.node("ReduceSum", there, builder.constant([1], np.int64), keepdims=0)
        means = builder.node("Div", total, builder.node("Max", count, builder.constant([1.0])))
        return mapped_nodes(builder, self.head, means)
