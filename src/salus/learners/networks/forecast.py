"""Networks that forecast one trace at a time: a transformer over patches (Nie et al. 2023, PatchTST), and a GRU over segments that says all
segments ahead at once (Lin et al. 2023, SegRNN). Small ones: a trace has few free values.

Every trace is brought to mean 0 and deviation 1, and what is said is brought back (Kim et al. 2022). Knows shapes and ONNX nodes, not
how it is taught: x_NT (N, T) to (N, H), both in deviations of the channel.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from salus.learners.graphs import GraphBuilder
from salus.learners.networks.nodes import convolution_nodes, mapped_nodes, norm_nodes, plain, recurrent_weights

STILL = 1e-2  # variance that is added to that of a trace


class TraceNetwork(nn.Module):
    """Levels a trace, asks `body`, and puts the level back."""

    def forward(self, x_NT: torch.Tensor) -> torch.Tensor:
        mean = x_NT.mean(dim=1, keepdim=True)
        deviation = torch.sqrt(x_NT.var(dim=1, keepdim=True, unbiased=False) + STILL)
        said: torch.Tensor = self.body((x_NT - mean) / deviation)
        return said * deviation + mean

    def body(self, x_NT: torch.Tensor) -> torch.Tensor:
        raise NotImplementedError

    def nodes(self, builder: GraphBuilder, x: str) -> str:
        """The same for a value (N, T)."""
        second = builder.constant([1], np.int64)
        mean = builder.node("ReduceMean", x, second, keepdims=1)
        centred = builder.node("Sub", x, mean)
        square = builder.node("ReduceMean", builder.node("Mul", centred, centred), second, keepdims=1)
        deviation = builder.node("Sqrt", builder.node("Add", square, builder.constant(np.float32(STILL))))
        said = self.body_nodes(builder, builder.node("Div", centred, deviation))
        return builder.node("Add", builder.node("Mul", said, deviation), mean)

    def body_nodes(self, builder: GraphBuilder, x: str) -> str:
        raise NotImplementedError


class PatchTransformer(TraceNetwork):
    """Patches of a trace are tokens; attention among them; one linear map from all of them to all steps ahead."""

    def __init__(
        self, steps: int, horizon: int, patch: int, stride: int, width: int, layers: int, heads: int, dropout: float
    ) -> None:
        super().__init__()
        self.embedding = nn.Conv1d(1, width, patch, stride=stride)
        tokens = (steps - patch) // stride + 1
        self.places = nn.Parameter(torch.randn(tokens, width) * 0.02)
        self.layers = nn.ModuleList(Attending(width, heads, dropout) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(tokens * width, horizon)

    def body(self, x_NT: torch.Tensor) -> torch.Tensor:
        tokens_NLD = self.dropout(self.embedding(x_NT[:, None]).transpose(1, 2) + self.places)
        for layer in self.layers:
            tokens_NLD = layer(tokens_NLD)
        said: torch.Tensor = self.head(self.dropout(self.norm(tokens_NLD).flatten(1)))
        return said

    def body_nodes(self, builder: GraphBuilder, x: str) -> str:
        trace = builder.node("Unsqueeze", x, builder.constant([1], np.int64))
        embedded = builder.node("Transpose", convolution_nodes(builder, self.embedding, trace), perm=[0, 2, 1])
        tokens = builder.node("Add", embedded, builder.constant(plain(self.places)))
        for layer in self.layers:
            assert isinstance(layer, Attending)
            tokens = layer.nodes(builder, tokens)
        flat = builder.node("Reshape", norm_nodes(builder, self.norm, tokens), builder.constant([0, -1], np.int64))
        return mapped_nodes(builder, self.head, flat)


class Attending(nn.Module):
    """One layer: attention, then two linear maps, each added to what it was given."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads, self.size = heads, width // heads
        self.before, self.between = nn.LayerNorm(width), nn.LayerNorm(width)
        self.asking = nn.Linear(width, 3 * width)
        self.answering = nn.Linear(width, width)
        self.wide, self.narrow = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x_NLD: torch.Tensor) -> torch.Tensor:
        rows, tokens, width = x_NLD.shape
        asked = self.asking(self.before(x_NLD)).view(rows, tokens, 3, self.heads, self.size).permute(2, 0, 3, 1, 4)
        seen = functional.scaled_dot_product_attention(asked[0], asked[1], asked[2])
        x_NLD = x_NLD + self.dropout(self.answering(seen.transpose(1, 2).reshape(rows, tokens, width)))
        hidden = functional.relu(self.wide(self.between(x_NLD)))
        said: torch.Tensor = x_NLD + self.dropout(self.narrow(self.dropout(hidden)))
        return said

    def nodes(self, builder: GraphBuilder, x: str) -> str:
        """The same for a value (N, L, D)."""
        asked = mapped_nodes(builder, self.asking, norm_nodes(builder, self.before, x))
        shape = builder.constant([0, 0, 3, self.heads, self.size], np.int64)
        parts = builder.node("Transpose", builder.node("Reshape", asked, shape), perm=[2, 0, 3, 1, 4])
        query, key, value = (
            builder.node("Gather", parts, builder.constant(place, np.int64), axis=0) for place in range(3)
        )
        scores = builder.node("MatMul", query, builder.node("Transpose", key, perm=[0, 1, 3, 2]))
        scaled = builder.node("Mul", scores, builder.constant(np.float32(1 / math.sqrt(self.size))))
        seen = builder.node("MatMul", builder.node("Softmax", scaled, axis=-1), value)
        joined = builder.node("Transpose", seen, perm=[0, 2, 1, 3])
        joined = builder.node("Reshape", joined, builder.constant([0, 0, self.heads * self.size], np.int64))
        x = builder.node("Add", x, mapped_nodes(builder, self.answering, joined))
        hidden = builder.node("Relu", mapped_nodes(builder, self.wide, norm_nodes(builder, self.between, x)))
        return builder.node("Add", x, mapped_nodes(builder, self.narrow, hidden))


class SegmentGru(TraceNetwork):
    """Segments of a trace are read one after the other; from the last state every segment ahead is said by itself, told its place."""

    def __init__(self, steps: int, horizon: int, segment: int, width: int, dropout: float) -> None:
        super().__init__()
        self.horizon, self.width = horizon, width
        self.ahead = -(-horizon // segment)
        self.embedding = nn.Conv1d(1, width, segment, stride=segment)
        self.skipped = steps % segment  # the oldest steps, which fill no segment
        self.recurrent = nn.GRU(width, width, batch_first=True)
        self.places = nn.Parameter(torch.randn(self.ahead, width) * 0.02)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(width, segment)

    def body(self, x_NT: torch.Tensor) -> torch.Tensor:
        read = functional.relu(self.embedding(x_NT[:, None, self.skipped :])).transpose(1, 2)
        _, state = self.recurrent(read)
        rows = len(x_NT)
        states = state[0][:, None].expand(rows, self.ahead, self.width).reshape(1, -1, self.width).contiguous()
        places = self.places[None].expand(rows, self.ahead, self.width).reshape(-1, 1, self.width)
        said, _ = self.recurrent(places, states)
        ahead: torch.Tensor = self.head(self.dropout(said[:, 0])).view(rows, -1)
        return ahead[:, : self.horizon]

    def body_nodes(self, builder: GraphBuilder, x: str) -> str:
        trace = builder.node("Unsqueeze", x, builder.constant([1], np.int64))
        axis = builder.constant([2], np.int64)
        if self.skipped:
            first, end = builder.constant([self.skipped], np.int64), builder.constant([2**31], np.int64)
            trace = builder.node("Slice", trace, first, end, axis)
        read = builder.node("Relu", convolution_nodes(builder, self.embedding, trace))
        steps_first = builder.node("Transpose", read, perm=[2, 0, 1])
        state = builder.several(
            "GRU", 2, steps_first, *recurrent_weights(builder, self.recurrent), **self._attributes()
        )[1]
        every = builder.node("Unsqueeze", state, axis)  # (1, N, 1, D)
        flat = builder.constant([1, -1, self.width], np.int64)
        spread = builder.constant(np.zeros((1, 1, self.ahead, self.width)))
        states = builder.node("Reshape", builder.node("Add", every, spread), flat)
        nothing = builder.node("Mul", every, builder.constant(np.float32(0)))
        places = builder.node("Add", nothing, builder.constant(plain(self.places)[None, None]))
        asked = builder.node("Reshape", places, flat)
        said = builder.several(
            "GRU", 2, asked, *recurrent_weights(builder, self.recurrent), "", states, **self._attributes()
        )[1]
        ahead = mapped_nodes(builder, self.head, builder.node("Squeeze", said, builder.constant([0], np.int64)))
        segment = self.head.out_features
        rows = builder.node("Reshape", ahead, builder.constant([-1, self.ahead * segment], np.int64))
        first, end = builder.constant([0], np.int64), builder.constant([self.horizon], np.int64)
        return builder.node("Slice", rows, first, end, builder.constant([1], np.int64))

    def _attributes(self) -> dict[str, int]:
        return {"hidden_size": self.width, "linear_before_reset": 1}
