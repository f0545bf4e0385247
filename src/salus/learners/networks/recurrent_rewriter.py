"""A text into another text: a GRU both ways reads one (Cho et al. 2014), a GRU writes the other and looks back with attention.

At every piece the state of the writer looks for the places of the source that matter (Bahdanau et al. 2015, in the simpler order of
Luong et al. 2015: the state first, then the look). Knows shapes: B rows, S places of the source, T of the answer, D width, V pieces.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import nn
from torch.nn import functional
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from salus.data.pieces import PAD
from salus.learners.graphs import GraphBuilder
from salus.learners.networks.attention import HIDDEN, Attention
from salus.learners.networks.nodes import mapped_nodes, plain, recurrent_weights
from salus.learners.networks.seq2seq import Rewriter


class RecurrentRewriter(Rewriter):
    """The last layer's weights are those of the answer's pieces (Press and Wolf 2017)."""

    def __init__(self, read_pieces: int, written_pieces: int, width: int, dropout: float):
        super().__init__()
        self.width = width
        self.scale = math.sqrt(width)  # pieces are small numbers, for the last layer; a GRU wants some of size one
        self.read_pieces = nn.Embedding(read_pieces, width, padding_idx=PAD)
        self.written_pieces = nn.Embedding(written_pieces, width, padding_idx=PAD)
        for table in (self.read_pieces, self.written_pieces):
            nn.init.normal_(table.weight, std=width**-0.5)
        self.reader = nn.GRU(width, width // 2, batch_first=True, bidirectional=True)
        self.writer = nn.GRU(width, width, batch_first=True)
        self.first, self.look, self.both = nn.Linear(width, width), Attention(width, 1), nn.Linear(2 * width, width)
        self.bias = nn.Parameter(torch.zeros(written_pieces))
        self.drop = nn.Dropout(dropout)

    def read(self, source_BS: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        lengths = (source_BS != PAD).sum(dim=1).clamp(min=1)
        embedded = self.drop(self.read_pieces(source_BS) * self.scale)
        packed, _ = self.reader(pack_padded_sequence(embedded, lengths.cpu(), batch_first=True, enforce_sorted=False))
        states, _ = pad_packed_sequence(packed, batch_first=True, total_length=source_BS.shape[1])
        return states, (source_BS == PAD)[:, None, None, :] * HIDDEN

    def write(self, written_BT: torch.Tensor, memory_BSD: torch.Tensor, mask_B11S: torch.Tensor) -> torch.Tensor:
        seen_BS1 = (mask_B11S[:, 0, 0, :, None] == 0).to(memory_BSD.dtype)
        mean = (memory_BSD * seen_BS1).sum(dim=1) / seen_BS1.sum(dim=1).clamp(min=1)
        first = torch.tanh(self.first(mean))
        states, _ = self.writer(self.drop(self.written_pieces(written_BT) * self.scale), first[None].contiguous())
        looked = self.look(states, memory_BSD, mask_B11S)
        said = torch.tanh(self.both(torch.cat([states, looked], dim=2)))
        return functional.linear(self.drop(said), self.written_pieces.weight, self.bias)

    def encoder_graph(self) -> bytes:
        builder = GraphBuilder()
        pieces = builder.feed("pieces", np.int32, ("rows", 1, "places"))
        source = builder.node("Cast", builder.node("Squeeze", pieces, builder.constant([1], np.int64)), to=7)
        there = builder.node(
            "Cast", builder.node("Not", builder.node("Equal", source, builder.constant(PAD, np.int64))), to=1
        )
        hidden = builder.node("Mul", builder.node("Sub", builder.constant(1.0), there), builder.constant(HIDDEN))
        mask = builder.node("Unsqueeze", hidden, builder.constant([1, 2], np.int64))
        counted = builder.node("ReduceSum", there, builder.constant([1], np.int64), keepdims=1)
        counts = builder.node("Max", counted, builder.constant([1.0]))  # (B, 1)
        x = builder.node("Gather", builder.constant(plain(self.read_pieces.weight) * self.scale), source, axis=0)
        states = builder.node(
            "GRU",
            builder.node("Transpose", x, perm=[1, 0, 2]),
            *recurrent_weights(builder, self.reader),
            builder.node("Cast", builder.node("Squeeze", counts, builder.constant([1], np.int64)), to=6),
            hidden_size=self.width // 2,
            direction="bidirectional",
            linear_before_reset=1,
        )  # (S, 2, B, D / 2)
        side_by_side = builder.node("Transpose", states, perm=[2, 0, 1, 3])
        memory = builder.node("Reshape", side_by_side, builder.constant([0, 0, self.width], np.int64))
        # What the mask hides is zero already: a GRU writes nothing behind the end of a row.
        total = builder.node("ReduceSum", memory, builder.constant([1], np.int64), keepdims=0)
        first = builder.node("Tanh", mapped_nodes(builder, self.first, builder.node("Div", total, counts)))
        shape: tuple[int | str, ...] = ("rows", 1, "places", self.width)
        key, kept = self.look.keys_and_values(builder, memory)
        return builder.finish_all(
            {
                "memory_mask": (mask, ("rows", 1, 1, "places")),
                "memory_key": (key, shape),
                "memory_kept": (kept, shape),
                "cache_state": (first, ("rows", self.width)),
            }
        )

    def step_graph(self) -> bytes:
        builder = GraphBuilder()
        token = builder.feed("token", np.int64, ("rows", 1))
        mask = builder.feed("memory_mask", np.float32, ("rows", 1, 1, "places"))
        shape: tuple[int | str, ...] = ("rows", 1, "places", self.width)
        key, kept = (builder.feed(f"memory_{name}", np.float32, shape) for name in ("key", "kept"))
        state = builder.feed("cache_state", np.float32, ("rows", self.width))
        over, across = builder.constant([0], np.int64), builder.constant([1], np.int64)
        x = builder.node("Gather", builder.constant(plain(self.written_pieces.weight) * self.scale), token, axis=0)
        _, after = builder.several(
            "GRU",
            2,
            builder.node("Transpose", x, perm=[1, 0, 2]),
            *recurrent_weights(builder, self.writer),
            "",
            builder.node("Unsqueeze", state, over),
            hidden_size=self.width,
            linear_before_reset=1,
        )
        after = builder.node("Squeeze", after, over)  # (B, D)
        queries = builder.node("Unsqueeze", after, across)
        looked = builder.node("Squeeze", self.look.nodes(builder, queries, key, kept, mask), across)
        both = builder.node("Concat", after, looked, axis=1)
        said = builder.node("Tanh", mapped_nodes(builder, self.both, both))
        product = builder.node("MatMul", said, builder.constant(plain(self.written_pieces.weight).T))
        logits = builder.node("Add", product, builder.constant(plain(self.bias)))
        return builder.finish_all(
            {
                "logits": (logits, ("rows", self.written_pieces.num_embeddings)),
                "next_state": (after, ("rows", self.width)),
            }
        )
