"""A text into another text: a transformer that reads one and writes the other (Vaswani et al. 2017), and its two graphs.

Knows numbers of pieces and shapes: B rows, S places of the source, T of the answer, D width, V pieces. Does not know words, nor how it
is taught.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from salus.data.pieces import PAD
from salus.learners.graphs import GraphBuilder
from salus.learners.networks.attention import HIDDEN, ReadingLayer, WritingLayer, waves
from salus.learners.networks.nodes import norm_nodes, plain, rows_nodes

LONGEST = 1024  # places that are told apart


@dataclass(frozen=True)
class Size:
    """Layers of each side, width, heads, inner width of the linear layers."""

    layers: int
    width: int
    heads: int
    inner: int
    dropout: float


class Rewriter(nn.Module):
    """packed int64 (B, 1 + S + T) -> logits (B, T, V). The first column says S; then follow the source and what was written before
    each piece of the answer."""

    def forward(self, packed: torch.Tensor) -> torch.Tensor:
        places = int(packed[0, 0])
        source, written = packed[:, 1 : 1 + places], packed[:, 1 + places :]
        longest = max(1, int((source != PAD).sum(dim=1).max()))
        memory, mask = self.read(source[:, :longest])
        return self.write(written, memory, mask)

    @abstractmethod
    def read(self, source_BS: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """(B, S, D), and what is added to the scores of its places (B, 1, 1, S)."""

    @abstractmethod
    def write(self, written_BT: torch.Tensor, memory_BSD: torch.Tensor, mask_B11S: torch.Tensor) -> torch.Tensor:
        """Logits (B, T, V)."""

    @abstractmethod
    def encoder_graph(self) -> bytes:
        """`pieces` int32 (B, 1, S) -> `memory_*`, which every step sees, and `cache_*`, with which the first one begins."""

    @abstractmethod
    def step_graph(self) -> bytes:
        """`token` int64 (B, 1), memories and caches -> `logits` (B, V) and the caches of the next step, `next_*`."""


class Seq2Seq(Rewriter):
    """A transformer. The last layer's weights are those of the answer's pieces (Press and Wolf 2017)."""

    def __init__(self, read_pieces: int, written_pieces: int, size: Size):
        super().__init__()
        self.size = size
        self.read_pieces = nn.Embedding(read_pieces, size.width, padding_idx=PAD)
        self.written_pieces = nn.Embedding(written_pieces, size.width, padding_idx=PAD)
        for table in (self.read_pieces, self.written_pieces):
            nn.init.normal_(table.weight, std=size.width**-0.5)
        parts = (size.width, size.heads, size.inner, size.dropout)
        self.reading = nn.ModuleList(ReadingLayer(*parts) for _ in range(size.layers))
        self.writing = nn.ModuleList(WritingLayer(*parts, remembers=True) for _ in range(size.layers))
        self.norms = nn.ModuleList(nn.LayerNorm(size.width) for _ in range(2))
        self.bias = nn.Parameter(torch.zeros(written_pieces))
        self.drop = nn.Dropout(size.dropout)
        self.register_buffer("waves", torch.from_numpy(waves(LONGEST, size.width)), persistent=False)

    def read(self, source_BS: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """(B, S, D), and what is added to the scores of its places (B, 1, 1, S)."""
        mask = (source_BS == PAD)[:, None, None, :] * HIDDEN
        x = self._placed(self.read_pieces, source_BS)
        for layer in self.reading:
            x = layer(x, mask)
        return self.norms[0](x), mask

    def write(self, written_BT: torch.Tensor, memory_BSD: torch.Tensor, mask_B11S: torch.Tensor) -> torch.Tensor:
        x = self._placed(self.written_pieces, written_BT)
        for layer in self.writing:
            x = layer(x, memory_BSD, mask_B11S)
        return functional.linear(self.norms[1](x), self.written_pieces.weight, self.bias)

    def _placed(self, table: nn.Embedding, pieces_BT: torch.Tensor) -> torch.Tensor:
        assert isinstance(self.waves, torch.Tensor)
        x = table(pieces_BT) * math.sqrt(self.size.width) + self.waves[: pieces_BT.shape[1]]
        dropped: torch.Tensor = self.drop(x)
        return dropped

    def encoder_graph(self) -> bytes:
        """`pieces` int32 (B, 1, S) -> keys, values and the mask of the memory, and empty caches."""
        builder, size = GraphBuilder(), self.size
        pieces = builder.feed("pieces", np.int32, ("rows", 1, "places"))
        source = builder.node("Cast", builder.node("Squeeze", pieces, builder.constant([1], np.int64)), to=7)
        empty = builder.node("Equal", source, builder.constant(PAD, np.int64))
        hidden = builder.node("Mul", builder.node("Cast", empty, to=1), builder.constant(HIDDEN))
        mask = builder.node("Unsqueeze", hidden, builder.constant([1, 2], np.int64))
        x = self._placed_nodes(builder, self.read_pieces, source, builder.constant([0], np.int64))
        for layer in self.reading:
            assert isinstance(layer, ReadingLayer)
            x = layer.nodes(builder, x, mask)
        memory = norm_nodes(builder, self.norms[0], x)
        outputs: dict[str, tuple[str, tuple[int | str, ...]]] = {"memory_mask": (mask, ("rows", 1, 1, "places"))}
        shape: tuple[int | str, ...] = ("rows", size.heads, "places", size.width // size.heads)
        rows = rows_nodes(builder, source)
        sizes = builder.constant([size.heads, 0, size.width // size.heads], np.int64)
        nothing = builder.node(
            "Expand", builder.constant(np.zeros((1, 1, 0, 1))), builder.node("Concat", rows, sizes, axis=0)
        )
        for index, layer in enumerate(self.writing):
            assert isinstance(layer, WritingLayer) and layer.memory is not None
            for name, value in zip(("key", "kept"), layer.memory.keys_and_values(builder, memory), strict=True):
                outputs[f"memory_{name}_{index}"] = (value, shape)
                outputs[f"cache_{name}_{index}"] = (nothing, (*shape[:2], 0, shape[3]))
        return builder.finish_all(outputs)

    def step_graph(self) -> bytes:
        """`token` int64 (B, 1), memories and caches -> `logits` (B, V) and the caches with one place more."""
        builder, size = GraphBuilder(), self.size
        depth = size.width // size.heads
        token = builder.feed("token", np.int64, ("rows", 1))
        mask = builder.feed("memory_mask", np.float32, ("rows", 1, 1, "places"))
        remembered, cached = ("rows", size.heads, "places", depth), ("rows", size.heads, "written", depth)
        caches = [
            tuple(builder.feed(f"cache_{name}_{index}", np.float32, cached) for name in ("key", "kept"))
            for index in range(size.layers)
        ]
        axis = [builder.constant([at], np.int64) for at in (2, 3)]
        place = builder.node("Slice", builder.node("Shape", caches[0][0]), *axis)
        x = self._placed_nodes(builder, self.written_pieces, token, place)
        outputs: dict[str, tuple[str, tuple[int | str, ...]]] = {}
        for index, layer in enumerate(self.writing):
            assert isinstance(layer, WritingLayer)
            memory = [builder.feed(f"memory_{name}_{index}", np.float32, remembered) for name in ("key", "kept")]
            step = layer.step_nodes(builder, x, (caches[index][0], caches[index][1]), (memory[0], memory[1], mask))
            x = step.value
            more = ("rows", size.heads, "more", depth)
            outputs |= {f"next_key_{index}": (step.key, more), f"next_kept_{index}": (step.kept, more)}
        last = builder.node("Squeeze", norm_nodes(builder, self.norms[1], x), builder.constant([1], np.int64))
        said = builder.node("MatMul", last, builder.constant(plain(self.written_pieces.weight).T))
        logits = builder.node("Add", said, builder.constant(plain(self.bias)))
        return builder.finish_all({"logits": (logits, ("rows", self.written_pieces.num_embeddings)), **outputs})

    def _placed_nodes(self, builder: GraphBuilder, table: nn.Embedding, pieces: str, first: str) -> str:
        """Pieces with where they are; first: the place of the first one (1,)."""
        assert isinstance(self.waves, torch.Tensor)
        scaled = builder.constant(plain(table.weight) * math.sqrt(self.size.width))
        places = builder.node(
            "Slice", builder.node("Shape", pieces), *(builder.constant([at], np.int64) for at in (1, 2))
        )
        end = builder.node("Add", first, places)
        where = builder.node("Slice", builder.constant(plain(self.waves)), first, end, builder.constant([0], np.int64))
        return builder.node("Add", builder.node("Gather", scaled, pieces, axis=0), where)
