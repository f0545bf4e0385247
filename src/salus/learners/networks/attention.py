"""Layers that attend, in torch and as nodes of a graph: what transformers are made of (Vaswani et al. 2017), norms first.

Knows shapes (B rows, T places of the answer, S places of the source, D width, H heads). A graph made of `*_nodes` computes what the
layer of the same name does in torch. Does not know what the numbers stand for.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from salus.learners.graphs import GraphBuilder
from salus.learners.networks.nodes import mapped_nodes, norm_nodes

HIDDEN = -1e9  # added to the score of a place that must not be seen


class Attention(nn.Module):
    """Multi-head attention; `queries` look at `seen`."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads = heads
        self.query, self.key, self.value, self.out = (nn.Linear(width, width) for _ in range(4))

    def forward(
        self,
        queries_BTD: torch.Tensor,
        seen_BSD: torch.Tensor,
        mask_B11S: torch.Tensor | None = None,
        causal: bool = False,
    ) -> torch.Tensor:
        query = in_heads(self.query(queries_BTD), self.heads)
        key, value = in_heads(self.key(seen_BSD), self.heads), in_heads(self.value(seen_BSD), self.heads)
        joined: torch.Tensor = self.out(looked((query, key, value), mask_B11S, causal))
        return joined

    def keys_and_values(self, builder: GraphBuilder, seen: str) -> tuple[str, str]:
        """(B, H, S, D / H) each."""
        key = head_nodes(builder, mapped_nodes(builder, self.key, seen), self.heads)
        return key, head_nodes(builder, mapped_nodes(builder, self.value, seen), self.heads)

    def nodes(self, builder: GraphBuilder, queries: str, key: str, value: str, mask: str | None = None) -> str:
        """As `forward`, of keys and values that are there; mask: added to the scores."""
        query = head_nodes(builder, mapped_nodes(builder, self.query, queries), self.heads)
        depth = self.query.out_features // self.heads
        return mapped_nodes(builder, self.out, looked_nodes(builder, (query, key, value), mask, depth))


class Forward(nn.Module):
    """Two linear layers with a ReLU between."""

    def __init__(self, width: int, inner: int):
        super().__init__()
        self.first, self.second = nn.Linear(width, inner), nn.Linear(inner, width)

    def forward(self, x_BTD: torch.Tensor) -> torch.Tensor:
        changed: torch.Tensor = self.second(functional.relu(self.first(x_BTD)))
        return changed

    def nodes(self, builder: GraphBuilder, value: str) -> str:
        return mapped_nodes(builder, self.second, builder.node("Relu", mapped_nodes(builder, self.first, value)))


class ReadingLayer(nn.Module):
    """A layer that sees all places of a text."""

    def __init__(self, width: int, heads: int, inner: int, dropout: float):
        super().__init__()
        self.own, self.forth = Attention(width, heads), Forward(width, inner)
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(2))
        self.drop = nn.Dropout(dropout)

    def forward(self, x_BSD: torch.Tensor, mask_B11S: torch.Tensor | None) -> torch.Tensor:
        normed = self.norms[0](x_BSD)
        x = x_BSD + self.drop(self.own(normed, normed, mask_B11S))
        seen: torch.Tensor = x + self.drop(self.forth(self.norms[1](x)))
        return seen

    def nodes(self, builder: GraphBuilder, value: str, mask: str) -> str:
        normed = norm_nodes(builder, self.norms[0], value)
        key, kept = self.own.keys_and_values(builder, normed)
        x = builder.node("Add", value, self.own.nodes(builder, normed, key, kept, mask))
        return builder.node("Add", x, self.forth.nodes(builder, norm_nodes(builder, self.norms[1], x)))


@dataclass(frozen=True)
class Step:
    """Graph values of one step of a layer: what it gives, and the keys and values with those of the step."""

    value: str
    key: str
    kept: str


class WritingLayer(nn.Module):
    """A layer that sees the places written so far, and a memory where it has one."""

    def __init__(self, width: int, heads: int, inner: int, dropout: float, remembers: bool):
        super().__init__()
        self.own, self.forth = Attention(width, heads), Forward(width, inner)
        self.memory = Attention(width, heads) if remembers else None
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(3 if remembers else 2))
        self.drop = nn.Dropout(dropout)

    def forward(
        self, x_BTD: torch.Tensor, memory_BSD: torch.Tensor | None = None, mask_B11S: torch.Tensor | None = None
    ) -> torch.Tensor:
        normed = self.norms[0](x_BTD)
        x = x_BTD + self.drop(self.own(normed, normed, causal=True))
        if self.memory is not None:
            assert memory_BSD is not None, "a layer that remembers"
            x = x + self.drop(self.memory(self.norms[2](x), memory_BSD, mask_B11S))
        written: torch.Tensor = x + self.drop(self.forth(self.norms[1](x)))
        return written

    def step_nodes(
        self, builder: GraphBuilder, value: str, cache: tuple[str, str], memory: tuple[str, str, str] | None = None
    ) -> Step:
        """One place more. cache: keys and values so far. memory: keys, values and the mask of the memory."""
        normed = norm_nodes(builder, self.norms[0], value)
        new = self.own.keys_and_values(builder, normed)
        key, kept = (builder.node("Concat", old, one, axis=2) for old, one in zip(cache, new, strict=True))
        x = builder.node("Add", value, self.own.nodes(builder, normed, key, kept))
        if self.memory is not None:
            assert memory is not None, "a layer that remembers"
            looked = self.memory.nodes(builder, norm_nodes(builder, self.norms[2], x), *memory)
            x = builder.node("Add", x, looked)
        return Step(builder.node("Add", x, self.forth.nodes(builder, norm_nodes(builder, self.norms[1], x))), key, kept)


def in_heads(x_BTD: torch.Tensor, heads: int) -> torch.Tensor:
    """(B, H, T, D / H)."""
    rows, places, width = x_BTD.shape
    return x_BTD.view(rows, places, heads, width // heads).transpose(1, 2)


def head_nodes(builder: GraphBuilder, value: str, heads: int) -> str:
    """(B, T, D) to (B, H, T, D / H)."""
    parted = builder.node("Reshape", value, builder.constant([0, 0, heads, -1], np.int64))
    return builder.node("Transpose", parted, perm=[0, 2, 1, 3])


def looked(
    parts: tuple[torch.Tensor, torch.Tensor, torch.Tensor], mask_B11S: torch.Tensor | None = None, causal: bool = False
) -> torch.Tensor:
    """(B, T, D) of queries, keys and values (B, H, T, E) each. mask: added to the scores. causal: no place sees those behind it."""
    query, key, value = parts
    # Plain products: on processors some times as quick as the fused attention, forth and back, for as few places as these.
    scores = query @ key.transpose(-1, -2) * (1 / math.sqrt(query.shape[3]))
    if mask_B11S is not None:
        scores = scores + mask_B11S.to(scores.dtype)
    if causal:
        scores = scores + torch.full(scores.shape[2:], HIDDEN, dtype=scores.dtype).triu(1)
    found_BHTE = torch.softmax(scores, dim=-1).to(value.dtype) @ value
    return found_BHTE.transpose(1, 2).flatten(2)


def looked_nodes(builder: GraphBuilder, parts: tuple[str, str, str], mask: str | None, depth: int) -> str:
    """(B, T, D) of queries, keys and values (B, H, T, E) each, E = depth. mask: added to the scores."""
    query, key, value = parts
    scaled = builder.node("Mul", query, builder.constant(1 / math.sqrt(depth)))
    scores = builder.node("MatMul", scaled, builder.node("Transpose", key, perm=[0, 1, 3, 2]))
    if mask is not None:
        scores = builder.node("Add", scores, mask)
    found = builder.node("MatMul", builder.node("Softmax", scores, axis=-1), value)
    joined = builder.node("Transpose", found, perm=[0, 2, 1, 3])
    return builder.node("Reshape", joined, builder.constant([0, 0, -1], np.int64))


def waves(places: int, width: int) -> np.ndarray:
    """(places, width) float32: where a place is, as sines and cosines."""
    rates = np.exp(np.arange(0, width, 2) * (-math.log(10_000.0) / width))
    angles = np.arange(places)[:, None] * rates
    found = np.zeros((places, width), dtype=np.float32)
    found[:, 0::2], found[:, 1::2] = np.sin(angles), np.cos(angles)
    return found
