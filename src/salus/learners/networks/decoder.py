"""A text that goes on: a transformer that sees what was written before, and its three graphs.

Layers look at the last WINDOW pieces; where a piece stands is told by turning queries and keys (rotary embedding, Su et al. 2021).
Squared ReLU between linear layers (So et al. 2021). Knows shapes: B rows, T places, D width, H heads, E = D / H, V pieces.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from salus.learners.graphs import GraphBuilder
from salus.learners.networks.attention import HIDDEN, head_nodes, in_heads, looked, looked_nodes
from salus.learners.networks.nodes import mapped_nodes, nats_nodes, next_nodes, norm_nodes, plain, rows_nodes
from salus.tasks.continuing import WINDOW

BASE = 10_000.0


@dataclass(frozen=True)
class Size:
    layers: int
    width: int
    heads: int
    inner: int
    dropout: float


class Layer(nn.Module):
    """Attention to what is before, then two linear layers; norms first."""

    def __init__(self, size: Size):
        super().__init__()
        self.heads = size.heads
        self.norms = nn.ModuleList(nn.LayerNorm(size.width) for _ in range(2))
        self.query, self.key, self.value = (nn.Linear(size.width, size.width) for _ in range(3))
        self.out, self.first = nn.Linear(size.width, size.width), nn.Linear(size.width, size.inner)
        self.second = nn.Linear(size.inner, size.width)
        self.drop = nn.Dropout(size.dropout)

    def forward(self, x_BTD: torch.Tensor, turn_TE: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
        normed = self.norms[0](x_BTD)
        query, key = (turned(in_heads(part(normed), self.heads), turn_TE) for part in (self.query, self.key))
        value = in_heads(self.value(normed), self.heads)
        x = x_BTD + self.drop(self.out(looked((query, key, value), causal=True)))
        inner = functional.relu(self.first(self.norms[1](x))) ** 2
        said: torch.Tensor = x + self.drop(self.second(inner))
        return said

    def parts_nodes(self, builder: GraphBuilder, value: str, turn: tuple[str, str]) -> tuple[str, str, str]:
        """Queries and keys, turned, and values: (B, H, T, E) each."""
        normed = norm_nodes(builder, self.norms[0], value)
        parts = [
            head_nodes(builder, mapped_nodes(builder, part, normed), self.heads)
            for part in (self.query, self.key, self.value)
        ]
        return turn_nodes(builder, parts[0], turn), turn_nodes(builder, parts[1], turn), parts[2]

    def rest_nodes(self, builder: GraphBuilder, value: str, parts: tuple[str, str, str], mask: str | None) -> str:
        """What the layer gives, of queries, keys and values."""
        flat = looked_nodes(builder, parts, mask, self.query.out_features // self.heads)
        x = builder.node("Add", value, mapped_nodes(builder, self.out, flat))
        inner = builder.node("Relu", mapped_nodes(builder, self.first, norm_nodes(builder, self.norms[1], x)))
        return builder.node("Add", x, mapped_nodes(builder, self.second, builder.node("Mul", inner, inner)))


class Decoder(nn.Module):
    """pieces int64 (B, T) -> logits (B, T, V) of the piece after each. The last layer's weights are those of the pieces."""

    sees = WINDOW

    def __init__(self, pieces: int, size: Size):
        super().__init__()
        self.size = size
        self.pieces = nn.Embedding(pieces, size.width)
        nn.init.normal_(self.pieces.weight, std=0.02)
        self.layers = nn.ModuleList(Layer(size) for _ in range(size.layers))
        for layer in self.layers:
            assert isinstance(layer, Layer)
            for last in (layer.out, layer.second):
                nn.init.normal_(last.weight, std=0.02 / math.sqrt(2 * size.layers))
        self.norm, self.drop = nn.LayerNorm(size.width), nn.Dropout(size.dropout)
        cosines, sines = turns(np.arange(WINDOW), size.width // size.heads)
        self.register_buffer("cosines", torch.from_numpy(cosines), persistent=False)
        self.register_buffer("sines", torch.from_numpy(sines), persistent=False)

    def forward(self, pieces_BT: torch.Tensor) -> torch.Tensor:
        assert isinstance(self.cosines, torch.Tensor) and isinstance(self.sines, torch.Tensor)
        places = pieces_BT.shape[1]
        turn = self.cosines[:places], self.sines[:places]
        x = self.drop(self.pieces(pieces_BT))
        for layer in self.layers:
            x = layer(x, turn)
        return functional.linear(self.norm(x), self.pieces.weight)

    def begin_graph(self) -> bytes:
        """Empty caches for as many rows as `pieces` has, and the place 0."""
        builder, size = GraphBuilder(), self.size
        pieces = builder.feed("pieces", np.int32, ("rows", 2, "places"))
        rows = rows_nodes(builder, pieces)
        depth = size.width // size.heads
        sizes = builder.node("Concat", rows, builder.constant([size.heads, 0, depth], np.int64), axis=0)
        nothing = builder.node("Expand", builder.constant(np.zeros((1, 1, 0, 1))), sizes)
        first = builder.node(
            "Expand", builder.constant([[0.0]]), builder.node("Concat", rows, builder.constant([1], np.int64), axis=0)
        )
        shape: tuple[int | str, ...] = ("rows", size.heads, 0, depth)
        outputs: dict[str, tuple[str, tuple[int | str, ...]]] = {"cache_place": (first, ("rows", 1))}
        for index in range(size.layers):
            outputs |= {f"cache_{name}_{index}": (nothing, shape) for name in ("key", "kept")}
        return builder.finish_all(outputs)

    def step_graph(self) -> bytes:
        builder, size = GraphBuilder(), self.size
        depth = size.width // size.heads
        token = builder.feed("token", np.int64, ("rows", 1))
        place = builder.feed("cache_place", np.float32, ("rows", 1))
        angles = builder.node("Mul", place, builder.constant(_rates(depth)[None]))
        over_heads = builder.constant([1, 2], np.int64)
        turn = tuple(builder.node("Unsqueeze", builder.node(wave, angles), over_heads) for wave in ("Cos", "Sin"))
        x = builder.node("Gather", builder.constant(plain(self.pieces.weight)), token, axis=0)
        cached, more = ("rows", size.heads, "written", depth), ("rows", size.heads, "more", depth)
        outputs: dict[str, tuple[str, tuple[int | str, ...]]] = {}
        for index, layer in enumerate(self.layers):
            assert isinstance(layer, Layer)
            query, *new = layer.parts_nodes(builder, x, (turn[0], turn[1]))
            kept = []
            for name, one in zip(("key", "kept"), new, strict=True):
                old = builder.feed(f"cache_{name}_{index}", np.float32, cached)
                all_ = builder.node("Concat", old, one, axis=2)
                ends = ([-WINDOW], [2**62], [2])
                kept.append(builder.node("Slice", all_, *(builder.constant(end, np.int64) for end in ends)))
                outputs[f"next_{name}_{index}"] = (kept[-1], more)
            x = layer.rest_nodes(builder, x, (query, kept[0], kept[1]), None)
        outputs["next_place"] = (builder.node("Add", place, builder.constant(1.0)), ("rows", 1))
        last = builder.node("Squeeze", self._logit_nodes(builder, x), builder.constant([1], np.int64))
        return builder.finish_all({"logits": (last, ("rows", self.pieces.num_embeddings)), **outputs})

    def score_graph(self) -> bytes:
        builder, size = GraphBuilder(), self.size
        tokens = builder.feed("tokens", np.int64, ("rows", "places"))
        read, wanted = next_nodes(builder, tokens)
        one = [builder.constant([at], np.int64) for at in (0, 1)]
        end = builder.node("Slice", builder.node("Shape", read), one[1], builder.constant([2], np.int64))
        cosines, sines = turns(np.arange(WINDOW), size.width // size.heads)
        turn = tuple(builder.node("Slice", builder.constant(table), one[0], end, one[0]) for table in (cosines, sines))
        hidden = builder.constant(np.triu(np.full((WINDOW, WINDOW), HIDDEN), 1))
        both = builder.node("Concat", end, end, axis=0)
        mask = builder.node(
            "Slice", hidden, builder.constant([0, 0], np.int64), both, builder.constant([0, 1], np.int64)
        )
        x = builder.node("Gather", builder.constant(plain(self.pieces.weight)), read, axis=0)
        for layer in self.layers:
            assert isinstance(layer, Layer)
            x = layer.rest_nodes(builder, x, layer.parts_nodes(builder, x, (turn[0], turn[1])), mask)
        nats = nats_nodes(builder, self._logit_nodes(builder, x), wanted)
        return builder.finish_all({"nats": (nats, ("rows", "scored"))})

    def _logit_nodes(self, builder: GraphBuilder, value: str) -> str:
        weights = builder.constant(plain(self.pieces.weight).T)
        return builder.node("MatMul", norm_nodes(builder, self.norm, value), weights)


def _rates(depth: int) -> np.ndarray:
    return np.asarray(BASE ** (-np.arange(0, depth, 2) / depth), dtype=np.float32)


def turns(places: np.ndarray, depth: int) -> tuple[np.ndarray, np.ndarray]:
    """Cosines and sines float32 (T, E / 2) by which places are turned."""
    angles = places[:, None].astype(np.float32) * _rates(depth)
    return np.cos(angles), np.sin(angles)


def turned(x_BHTE: torch.Tensor, turn_TE: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
    """Every pair of numbers turned by the angle of its place."""
    cosines, sines = (part.to(x_BHTE.dtype) for part in turn_TE)
    left, right = x_BHTE.chunk(2, dim=-1)
    return torch.cat([left * cosines - right * sines, right * cosines + left * sines], dim=-1)


def turn_nodes(builder: GraphBuilder, value: str, turn: tuple[str, str]) -> str:
    left, right = builder.several("Split", 2, value, axis=-1, num_outputs=2)
    cosines, sines = turn
    first = builder.node("Sub", builder.node("Mul", left, cosines), builder.node("Mul", right, sines))
    second = builder.node("Add", builder.node("Mul", right, cosines), builder.node("Mul", left, sines))
    return builder.node("Concat", first, second, axis=-1)
