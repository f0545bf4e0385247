"""Rows of several kinds: an encoder for the table, one for each picture, one for the recordings; what they say is joined by dense layers.

Each encoder is the network that learns its kind alone, its last layer as wide as the others'. A batch is one matrix: table, pictures, a
window of the recordings, side by side. It knows shapes, not how it is taught.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from salus.learners.graphs import GraphBuilder
from salus.learners.networks.fast import FastNetwork
from salus.learners.networks.inception import InceptionNetwork
from salus.learners.networks.nodes import linear_nodes, plain

SERIES_DEPTH = 3
LONGEST_KERNEL, SHORTEST_KERNEL = 39, 3


@dataclass(frozen=True)
class Sides:
    """What lies side by side in a batch. numbers, categories: columns of the table; positions: rows of its embeddings. pictures_HWC: shape, mean
    and deviation of pixels of each picture. window_CT: of a recording, if there are any."""

    numbers: int
    categories: int
    positions: int
    pictures_HWC: tuple[tuple[tuple[int, int, int], float, float], ...]
    window_CT: tuple[int, int] | None

    @property
    def widths(self) -> list[int]:
        """Columns of a batch: of the table, of each picture, of the window."""
        pictures = [math.prod(shape) for shape, _, _ in self.pictures_HWC]
        return [self.numbers + self.categories, *pictures, *([math.prod(self.window_CT)] if self.window_CT else [])]

    @property
    def encoders(self) -> int:
        return (self.widths[0] > 0) + len(self.pictures_HWC) + (self.window_CT is not None)


class FusionNetwork(nn.Module):
    """packed (B, sum of widths), or with (B, encoders * hidden) behind it that says how much of each value is kept -> scores_BK."""

    def __init__(self, sides: Sides, outputs: int, hidden: int, embedding: int, width: int):
        super().__init__()
        self.sides = sides
        self.table: nn.Linear | None = None
        if sides.widths[0]:
            self.embeddings = nn.Parameter(torch.randn(sides.positions, embedding) * 0.3)
            self.table = nn.Linear(sides.numbers + sides.categories * embedding, hidden)
        self.pictures = nn.ModuleList(
            FastNetwork(shape, hidden, width, mean, deviation) for shape, mean, deviation in sides.pictures_HWC
        )
        self.series: InceptionNetwork | None = None
        if sides.window_CT is not None:
            widest = min(LONGEST_KERNEL, max(SHORTEST_KERNEL, sides.window_CT[1]))
            kernels = tuple(max(SHORTEST_KERNEL, (widest // part - 1) // 2 * 2 + 1) for part in (1, 2, 4))
            self.series = InceptionNetwork(sides.window_CT, hidden, max(8, width // 2), SERIES_DEPTH, kernels)
        self.joining = nn.Linear(sides.encoders * hidden, hidden)
        self.head = nn.Linear(hidden, outputs)

    def forward(self, packed: torch.Tensor) -> torch.Tensor:
        *parts, kept = torch.split(packed, [*self.sides.widths, packed.shape[1] - sum(self.sides.widths)], dim=1)
        said = [self.of_table(parts[0])] if self.table is not None else []
        for network, part, (shape, _, _) in zip(self.pictures, parts[1:], self.sides.pictures_HWC, strict=False):
            said.append(network(part.reshape(-1, *shape).permute(0, 3, 1, 2)))
        if self.series is not None and self.sides.window_CT is not None:
            said.append(self.series(parts[-1].reshape(-1, *self.sides.window_CT)))
        return self.joined(said, kept)

    def of_table(self, x_BF: torch.Tensor) -> torch.Tensor:
        assert self.table is not None, "there are plain columns"
        numbers, positions = x_BF[:, : self.sides.numbers], x_BF[:, self.sides.numbers :].long()
        embedded = functional.embedding(positions, self.embeddings).flatten(1)
        found: torch.Tensor = self.table(torch.cat([numbers, embedded], dim=1))
        return found

    def joined(self, said: Sequence[torch.Tensor], kept: torch.Tensor | None = None) -> torch.Tensor:
        """What each encoder said of the rows (B, hidden) -> scores."""
        together = functional.relu(torch.cat([part.float() for part in said], dim=1))
        if kept is not None and kept.shape[1]:
            together = together * kept
        scores: torch.Tensor = self.head(functional.relu(self.joining(together)))
        return scores

    def folded(self) -> FusionNetwork:
        """As it is exported: norms put into convolutions. It is changed itself."""
        self.pictures = nn.ModuleList(network.folded() for network in self.pictures)  # type: ignore[operator]
        self.series = None if self.series is None else self.series.folded()
        return self.eval()

    def nodes(
        self,
        builder: GraphBuilder,
        table: Callable[[GraphBuilder, np.ndarray], str],
        pictures: Sequence[str],
        windows: str,
        rows: str,
    ) -> str:
        """Scores. table: makes the graph value of the table with these embeddings. pictures: values (B, C, H, W). windows: standardised (W, C,
        T), and `rows` (B, W) that averages them; empty without recordings."""
        said = []
        if self.table is not None:
            said.append(linear_nodes(builder, self.table, table(builder, plain(self.embeddings))))
        for network, picture in zip(self.pictures, pictures, strict=True):
            assert isinstance(network, FastNetwork)
            means = builder.node("Flatten", builder.node("GlobalAveragePool", network.feature_nodes(builder, picture)))
            said.append(linear_nodes(builder, network.head, means))
        if self.series is not None and self.sides.window_CT is not None:
            series = self.series

            def seen(inner: GraphBuilder, window: str) -> str:
                features = series.feature_nodes(inner, window)
                means = inner.node("ReduceMean", features, inner.constant([2], np.int64), keepdims=0)
                return linear_nodes(inner, series.head, means)

            of_windows = builder.each(windows, self.sides.window_CT, series.head.out_features, seen)
            said.append(builder.node("MatMul", rows, of_windows))
        together = said[0] if len(said) == 1 else builder.node("Concat", *said, axis=1)
        hidden = linear_nodes(builder, self.joining, builder.node("Relu", together))
        return linear_nodes(builder, self.head, builder.node("Relu", hidden))
