"""Networks that read texts: an embedding a piece, something that reads the row of them, and a linear head.

What reads is one of: the sum and a hidden layer (Joulin et al. 2016; Iyyer et al. 2015), convolutions with the maximum over
the places (Kim 2014), gated recurrent networks in both directions (Cho et al. 2014). Each writes its own nodes. An answer never
hangs on how many empty places follow a text. Knows shapes, not how it is taught.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from salus.learners.graphs import GraphBuilder
from salus.learners.networks.nodes import convolution_nodes, linear_nodes, plain, recurrent_weights

FAR = -1e4  # below what any feature is: a place that is empty is never the maximum


class Reader(nn.Module):
    """embedded_NLD, seen_NL1 (1.0 where there is a piece, else 0.0) -> features_NF. `width`: F."""

    width: int

    @abstractmethod
    def forward(self, embedded_NLD: torch.Tensor, seen_NL1: torch.Tensor) -> torch.Tensor: ...

    @abstractmethod
    def nodes(self, builder: GraphBuilder, embedded: str, seen: str) -> str:
        """The same as nodes."""


class TextNetwork(nn.Module):
    """ids_BCL (0: nothing there) of C text columns -> scores_BK.

    sizes: for each column one more than its largest id. lookup: where ids are not yet rows of the embedding, the row (0: none) of every id
    of the first column, then of the second, ...
    """

    lookup: torch.Tensor | None

    def __init__(
        self, sizes: Sequence[int], lookup: np.ndarray | None, dimensions: int, reader: Reader, outputs: int
    ) -> None:
        super().__init__()
        rows = int(lookup.max(initial=0)) + 1 if lookup is not None else sum(sizes)
        self.starts = [0, *np.cumsum(sizes)[:-1].tolist()]
        self.register_buffer("lookup", None if lookup is None else torch.from_numpy(lookup), persistent=False)
        self.embedding = nn.Embedding(rows, dimensions)
        nn.init.normal_(self.embedding.weight, std=0.1)
        self.reader = reader
        self.head = nn.Linear(reader.width * len(sizes), outputs)
        self.dropped_in, self.dropped_out = 0.0, 0.0

    def forward(self, ids_BCL: torch.Tensor) -> torch.Tensor:
        features = functional.dropout(self.features(ids_BCL), self.dropped_out, self.training)
        scores: torch.Tensor = self.head(features)
        return scores

    def features(self, ids_BCL: torch.Tensor) -> torch.Tensor:
        """(B, C * F)."""
        starts = torch.tensor(self.starts, dtype=ids_BCL.dtype)[:, None]
        ids = torch.where(ids_BCL > 0, ids_BCL + starts, 0).flatten(0, 1)
        if not self.training:
            ids = ids[:, : max(1, int(((ids > 0).any(dim=0) * torch.arange(1, ids.shape[1] + 1)).max()))]
        rows = ids if self.lookup is None else self.lookup[ids]
        seen = (rows > 0).unsqueeze(2).float()
        embedded = functional.dropout(self.embedding(rows), self.dropped_in, self.training) * seen
        features: torch.Tensor = self.reader(embedded, seen)
        return features.reshape(len(ids_BCL), -1)

    def score_nodes(self, builder: GraphBuilder, feed: str, length: int) -> str:
        """The graph value (rows, K)."""
        columns = len(self.starts)
        ids = builder.feed(feed, np.int32, ("rows", columns, length))
        if columns > 1:
            nothing = builder.constant(0, np.int32)
            starts = builder.constant(np.array(self.starts)[:, None], np.int32)
            there = builder.node("Greater", ids, nothing)
            ids = builder.node("Where", there, builder.node("Add", ids, starts), nothing)
        rows = trimmed_nodes(builder, builder.node("Reshape", ids, builder.constant([-1, length], np.int64)), length)
        if self.lookup is not None:
            rows = builder.node("Gather", builder.constant(self.lookup.numpy(), np.int32), rows)
        there = builder.node("Greater", rows, builder.constant(0, np.int32))
        seen = builder.node("Unsqueeze", builder.node("Cast", there, to=1), builder.constant([2], np.int64))
        table = builder.constant(plain(self.embedding.weight))
        embedded = builder.node("Mul", builder.node("Gather", table, rows), seen)
        features = self.reader.nodes(builder, embedded, seen)
        side_by_side = builder.constant([-1, columns * self.reader.width], np.int64)
        return linear_nodes(builder, self.head, builder.node("Reshape", features, side_by_side))


class BagReader(Reader):
    """The sum of what is there over the root of its count, as rows of TF-IDF have length one, then a hidden layer."""

    def __init__(self, dimensions: int, width: int) -> None:
        super().__init__()
        self.width = width
        self.hidden = nn.Linear(dimensions, width)

    def forward(self, embedded_NLD: torch.Tensor, seen_NL1: torch.Tensor) -> torch.Tensor:
        sums_ND = embedded_NLD.sum(dim=1) / seen_NL1.sum(dim=1).clamp_min(1.0).sqrt()
        return functional.relu(self.hidden(sums_ND))

    def nodes(self, builder: GraphBuilder, embedded: str, seen: str) -> str:
        axis = builder.constant([1], np.int64)
        counts = builder.node("Max", builder.node("ReduceSum", seen, axis, keepdims=0), builder.constant(1.0))
        sums = builder.node("Div", builder.node("ReduceSum", embedded, axis, keepdims=0), builder.node("Sqrt", counts))
        return builder.node("Relu", linear_nodes(builder, self.hidden, sums))


class ConvolutionReader(Reader):
    """Convolutions over 1, 3 and 5 places, the largest answer of each filter."""

    SPANS = (1, 3, 5)

    def __init__(self, dimensions: int, width: int) -> None:
        super().__init__()
        self.width = width * len(self.SPANS)
        self.layers = nn.ModuleList(nn.Conv1d(dimensions, width, span, padding=span // 2) for span in self.SPANS)

    def forward(self, embedded_NLD: torch.Tensor, seen_NL1: torch.Tensor) -> torch.Tensor:
        x_NDL, seen_N1L = embedded_NLD.transpose(1, 2), seen_NL1.transpose(1, 2)
        return torch.cat([(functional.relu(layer(x_NDL)) * seen_N1L).amax(dim=2) for layer in self.layers], dim=1)

    def nodes(self, builder: GraphBuilder, embedded: str, seen: str) -> str:
        x = builder.node("Transpose", embedded, perm=[0, 2, 1])
        seen_last = builder.node("Transpose", seen, perm=[0, 2, 1])
        axis, parts = builder.constant([2], np.int64), []
        for layer in self.layers:
            assert isinstance(layer, nn.Conv1d)
            found = builder.node("Mul", builder.node("Relu", convolution_nodes(builder, layer, x)), seen_last)
            parts.append(builder.node("ReduceMax", found, axis, keepdims=0))
        return builder.node("Concat", *parts, axis=1)


class RecurrentReader(Reader):
    """A GRU from the first piece to the last and one from the last to the first; of both the mean and the maximum over the places.

    The second reads the text turned round, so that empty places come behind it too.
    """

    def __init__(self, dimensions: int, width: int) -> None:
        super().__init__()
        self.width = 4 * width
        self.onward = nn.GRU(dimensions, width, batch_first=True)
        self.backward_ = nn.GRU(dimensions, width, batch_first=True)

    def forward(self, embedded_NLD: torch.Tensor, seen_NL1: torch.Tensor) -> torch.Tensor:
        parts = []
        for layer, x_NLD in ((self.onward, embedded_NLD), (self.backward_, turned(embedded_NLD, seen_NL1))):
            states, _ = layer(x_NLD)
            states = states.float()
            parts += [
                (states * seen_NL1).sum(dim=1) / seen_NL1.sum(dim=1).clamp_min(1.0),
                (states + (1 - seen_NL1) * FAR).amax(dim=1),
            ]
        return torch.cat(parts, dim=1)

    def nodes(self, builder: GraphBuilder, embedded: str, seen: str) -> str:
        axis, parts = builder.constant([1], np.int64), []
        counts = builder.node("ReduceSum", seen, builder.constant([1, 2], np.int64), keepdims=0)
        back = builder.node("ReverseSequence", embedded, builder.node("Cast", counts, to=7), batch_axis=0, time_axis=1)
        far = builder.node("Mul", builder.node("Sub", builder.constant(1.0), seen), builder.constant(FAR))
        for layer, value in ((self.onward, embedded), (self.backward_, back)):
            states = _recurrent_nodes(builder, layer, value)
            parts.append(mean_nodes(builder, builder.node("Mul", states, seen), seen))
            parts.append(builder.node("ReduceMax", builder.node("Add", states, far), axis, keepdims=0))
        return builder.node("Concat", *parts, axis=1)


def turned(x_NLD: torch.Tensor, seen_NL1: torch.Tensor) -> torch.Tensor:
    """Each text from its last piece to its first, what is empty stays behind."""
    places = torch.arange(x_NLD.shape[1]).expand(len(x_NLD), -1)
    counts = seen_NL1.sum(dim=1).long()
    order = torch.where(places < counts, counts - 1 - places, places)
    return x_NLD.gather(1, order.unsqueeze(2).expand_as(x_NLD))


def trimmed_nodes(builder: GraphBuilder, ids: str, length: int) -> str:
    """ids (N, length) without the places that are empty in every text: a short text is answered as quickly as it is short."""
    there = builder.node("Cast", builder.node("Greater", ids, builder.constant(0, np.int32)), to=7)
    places = builder.node("Mul", there, builder.constant(np.arange(1, length + 1), np.int64))
    last = builder.node("ReduceMax", places, keepdims=0)
    end = builder.node("Max", last, builder.constant(1, np.int64))
    first = builder.constant([0], np.int64)
    return builder.node("Slice", ids, first, builder.node("Unsqueeze", end, first), builder.constant([1], np.int64))


def mean_nodes(builder: GraphBuilder, value: str, seen: str) -> str:
    """(N, L, F) that is 0 where nothing is seen, to the mean (N, F) over the places that are seen."""
    axis = builder.constant([1], np.int64)
    counts = builder.node("Max", builder.node("ReduceSum", seen, axis, keepdims=0), builder.constant(1.0))
    return builder.node("Div", builder.node("ReduceSum", value, axis, keepdims=0), counts)


def _recurrent_nodes(builder: GraphBuilder, layer: nn.GRU, value: str) -> str:
    """(N, L, D) to the states (N, L, H)."""
    steps = builder.node("Transpose", value, perm=[1, 0, 2])
    found = builder.node(
        "GRU", steps, *recurrent_weights(builder, layer), hidden_size=layer.hidden_size, linear_before_reset=1
    )
    return builder.node("Transpose", builder.node("Squeeze", found, builder.constant([1], np.int64)), perm=[1, 0, 2])
