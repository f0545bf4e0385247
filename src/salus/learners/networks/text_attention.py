"""A transformer that reads texts (Vaswani et al. 2017): every piece looks at all pieces of its text, then goes through two layers.

Knows the layers in `attention`, and what a reader of texts must give. Knows no task.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from salus.learners.graphs import GraphBuilder
from salus.learners.networks.attention import HIDDEN, ReadingLayer
from salus.learners.networks.nodes import norm_nodes, plain
from salus.learners.networks.texts import FAR, Reader, mean_nodes


class AttentionReader(Reader):
    """Learned places added to the pieces, some layers, then the mean and the maximum over the places."""

    def __init__(self, width: int, heads: int, layers: int, longest: int, dropped: float) -> None:
        super().__init__()
        self.width = 2 * width
        self.places = nn.Parameter(0.02 * torch.randn(longest, width))
        self.layers = nn.ModuleList(ReadingLayer(width, heads, 2 * width, dropped) for _ in range(layers))
        self.norm = nn.LayerNorm(width)

    def forward(self, embedded_NLD: torch.Tensor, seen_NL1: torch.Tensor) -> torch.Tensor:
        x_NLD = embedded_NLD + self.places[: embedded_NLD.shape[1]]
        mask_N11L = ((1 - seen_NL1) * HIDDEN).transpose(1, 2).unsqueeze(1)
        for layer in self.layers:
            x_NLD = layer(x_NLD, mask_N11L)
        x_NLD = self.norm(x_NLD).float() * seen_NL1
        means = x_NLD.sum(dim=1) / seen_NL1.sum(dim=1).clamp_min(1.0)
        return torch.cat([means, (x_NLD + (1 - seen_NL1) * FAR).amax(dim=1)], dim=1)

    def nodes(self, builder: GraphBuilder, embedded: str, seen: str) -> str:
        value = builder.node("Add", embedded, first_places(builder, plain(self.places), embedded))
        mask = mask_nodes(builder, seen)
        for layer in self.layers:
            assert isinstance(layer, ReadingLayer)
            value = layer.nodes(builder, value, mask)
        value = builder.node("Mul", norm_nodes(builder, self.norm, value), seen)
        unseen = builder.node("Sub", builder.constant(1.0), seen)
        far = builder.node("Add", value, builder.node("Mul", unseen, builder.constant(FAR)))
        largest = builder.node("ReduceMax", far, builder.constant([1], np.int64), keepdims=0)
        return builder.node("Concat", mean_nodes(builder, value, seen), largest, axis=1)


def mask_nodes(builder: GraphBuilder, seen: str) -> str:
    """seen (N, L, 1) to what is added to the scores of the places (N, 1, 1, L)."""
    hidden = builder.node("Mul", builder.node("Sub", builder.constant(1.0), seen), builder.constant(HIDDEN))
    return builder.node("Unsqueeze", builder.node("Transpose", hidden, perm=[0, 2, 1]), builder.constant([1], np.int64))


def first_places(builder: GraphBuilder, places_LD: np.ndarray, like: str) -> str:
    """As many rows of the table as `like` (N, l, D) has places."""
    first = builder.constant([0], np.int64)
    return builder.node("Slice", builder.constant(places_LD), first, builder.node("Shape", like, start=1, end=2), first)
