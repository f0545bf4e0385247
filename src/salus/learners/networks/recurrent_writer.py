"""A text that goes on: long short-term memories (Hochreiter and Schmidhuber 1997) one over the other, and their three graphs.

The state of each layer is all that is kept of what was read. Knows shapes: B rows, T places, D width, V pieces; not how it is taught.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from salus.learners.graphs import GraphBuilder
from salus.learners.networks.nodes import nats_nodes, next_nodes, norm_nodes, plain, recurrent_weights, rows_nodes

EVERYTHING = 2**31


class RecurrentWriter(nn.Module):
    """pieces int64 (B, T) -> logits (B, T, V) of the piece after each. The last layer's weights are those of the pieces (Press and
    Wolf 2017)."""

    sees = EVERYTHING

    def __init__(self, pieces: int, width: int, layers: int, dropout: float):
        super().__init__()
        self.width, self.depth = width, layers
        self.pieces = nn.Embedding(pieces, width)
        nn.init.normal_(self.pieces.weight, std=width**-0.5)
        self.recurrent = nn.LSTM(width, width, layers, batch_first=True, dropout=dropout if layers > 1 else 0.0)
        self.norm, self.drop = nn.LayerNorm(width), nn.Dropout(dropout)
        self.bias = nn.Parameter(torch.zeros(pieces))

    def forward(self, pieces_BT: torch.Tensor) -> torch.Tensor:
        states, _ = self.recurrent(self.drop(self.pieces(pieces_BT)))
        return functional.linear(self.drop(self.norm(states)), self.pieces.weight, self.bias)

    def begin_graph(self) -> bytes:
        """States of zeros for as many rows as `pieces` has."""
        builder = GraphBuilder()
        pieces = builder.feed("pieces", np.int32, ("rows", 2, "places"))
        rows = rows_nodes(builder, pieces)
        sizes = builder.node("Concat", rows, builder.constant([self.width], np.int64), axis=0)
        nothing = builder.node("Expand", builder.constant([[0.0]]), sizes)
        shape: tuple[int | str, ...] = ("rows", self.width)
        return builder.finish_all({f"cache_{name}": (nothing, shape) for name in self._names()})

    def step_graph(self) -> bytes:
        builder = GraphBuilder()
        token = builder.feed("token", np.int64, ("rows", 1))
        shape: tuple[int | str, ...] = ("rows", self.width)
        states = {name: builder.feed(f"cache_{name}", np.float32, shape) for name in self._names()}
        steps = builder.node("Transpose", self._piece_nodes(builder, token), perm=[1, 0, 2])  # (1, B, D)
        steps, after = self._layer_nodes(builder, steps, states)
        last = builder.node("Squeeze", steps, builder.constant([0], np.int64))
        outputs = {f"next_{name}": (value, shape) for name, value in after.items()}
        logits = self._logit_nodes(builder, last)
        return builder.finish_all({"logits": (logits, ("rows", self.pieces.num_embeddings)), **outputs})

    def score_graph(self) -> bytes:
        builder = GraphBuilder()
        tokens = builder.feed("tokens", np.int64, ("rows", "places"))
        read, wanted = next_nodes(builder, tokens)
        steps = builder.node("Transpose", self._piece_nodes(builder, read), perm=[1, 0, 2])
        steps, _ = self._layer_nodes(builder, steps, None)
        logits = self._logit_nodes(builder, builder.node("Transpose", steps, perm=[1, 0, 2]))
        return builder.finish_all({"nats": (nats_nodes(builder, logits, wanted), ("rows", "scored"))})

    def _names(self) -> list[str]:
        return [f"{name}_{layer}" for layer in range(self.depth) for name in ("state", "cell")]

    def _piece_nodes(self, builder: GraphBuilder, pieces: str) -> str:
        return builder.node("Gather", builder.constant(plain(self.pieces.weight)), pieces, axis=0)

    def _layer_nodes(
        self, builder: GraphBuilder, steps: str, states: dict[str, str] | None
    ) -> tuple[str, dict[str, str]]:
        """steps (T, B, D) and the states (B, D) that the layers begin with, zeros where none -> their steps, and the states after."""
        over, after = builder.constant([0], np.int64), dict[str, str]()
        for layer in range(self.depth):
            names = [f"{name}_{layer}" for name in ("state", "cell")]
            first = [""] if states is None else ["", *(builder.node("Unsqueeze", states[name], over) for name in names)]
            weights = recurrent_weights(builder, self.recurrent, layer)
            found, *ends = builder.several("LSTM", 3, steps, *weights, *first, hidden_size=self.width)
            steps = builder.node("Squeeze", found, builder.constant([1], np.int64))
            after |= {name: builder.node("Squeeze", end, over) for name, end in zip(names, ends, strict=True)}
        return steps, after

    def _logit_nodes(self, builder: GraphBuilder, value: str) -> str:
        product = builder.node(
            "MatMul", norm_nodes(builder, self.norm, value), builder.constant(plain(self.pieces.weight).T)
        )
        return builder.node("Add", product, builder.constant(plain(self.bias)))
