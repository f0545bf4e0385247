"""A small network that says how much each sentence of a text is worth: what shows of it, its n-grams, its neighbours, the whole text.

Every n-gram has a few numbers, whose sum over the square root of their count stands for the sentence (Joulin et al. 2016, but for the
root, which leaves longer sentences more weight). Knows tensors. Does not know texts.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from salus.learners.graphs import GraphBuilder

NEIGHBOURS = 3  # sentences that are seen together


class PickingNetwork(nn.Module):
    """Takes (B, S, F + G) float32: features, the first of which is 1 where there is a sentence, then rows of the table of n-grams,
    0 for none. Gives (B, S)."""

    mean: torch.Tensor
    deviation: torch.Tensor

    def __init__(
        self, mean: np.ndarray, deviation: np.ndarray, grams: int, dimensions: int, width: int, dropout: float
    ):
        super().__init__()
        self.features, self.dropout = len(mean), dropout
        self.register_buffer("mean", torch.from_numpy(mean.astype(np.float32)))
        self.register_buffer("deviation", torch.from_numpy(deviation.astype(np.float32)))
        self.grams = nn.EmbeddingBag(grams, dimensions, mode="sum", padding_idx=0)
        nn.init.normal_(self.grams.weight, std=0.02)
        with torch.no_grad():
            self.grams.weight[0] = 0
        self.inner = nn.Linear(self.features + dimensions, width)
        self.beside = nn.Conv1d(width, width, NEIGHBOURS, padding=NEIGHBOURS // 2)
        self.worth = nn.Linear(2 * width, 1)

    def forward(self, packed_BSC: torch.Tensor) -> torch.Tensor:
        features = packed_BSC[:, :, : self.features]
        ids = packed_BSC[:, :, self.features :].long()
        rows, sentences, width = ids.shape
        present = features[:, :, :1]
        summed = self.grams(ids.reshape(rows * sentences, width)).reshape(rows, sentences, -1)
        counted = (ids > 0).sum(dim=2, keepdim=True).clamp(min=1).float()
        seen = torch.cat([(features - self.mean) / self.deviation, summed / counted.sqrt()], dim=2)
        own = functional.relu(self.inner(self._dropped(seen)))
        own = self._dropped(own) * present
        whole = own.sum(dim=1, keepdim=True) / present.sum(dim=1, keepdim=True).clamp(min=1)
        around = functional.relu(self.beside(own.transpose(1, 2)).transpose(1, 2) + whole)
        scores: torch.Tensor = self.worth(torch.cat([own, self._dropped(around)], dim=2))[:, :, 0]
        return scores

    def _dropped(self, values: torch.Tensor) -> torch.Tensor:
        return functional.dropout(values, self.dropout, self.training)

    def nodes(self, builder: GraphBuilder, features: str, ids: str) -> str:
        """The same of features (B, S, F) and rows of the table int64 (B, S, G)."""

        def weight(parameter: torch.Tensor | None) -> np.ndarray:
            assert parameter is not None, "every layer has a bias"
            return parameter.detach().numpy()

        second, third = builder.constant([1], np.int64), builder.constant([2], np.int64)
        present = builder.node("Slice", features, builder.constant([0], np.int64), second, third)
        rows = builder.node("Gather", builder.constant(weight(self.grams.weight)), ids, axis=0)
        summed = builder.node("ReduceSum", rows, third, keepdims=0)
        some = builder.node("Cast", builder.node("Greater", ids, builder.constant(0, np.int64)), to=1)
        counted = builder.node("Max", builder.node("ReduceSum", some, third, keepdims=1), builder.constant(1.0))
        summed = builder.node("Div", summed, builder.node("Sqrt", counted))
        centred = builder.node("Sub", features, builder.constant(weight(self.mean)))
        scaled = builder.node("Div", centred, builder.constant(weight(self.deviation)))
        seen = builder.node("Concat", scaled, summed, axis=2)
        product = builder.node("MatMul", seen, builder.constant(weight(self.inner.weight).T))
        own = builder.node("Relu", builder.node("Add", product, builder.constant(weight(self.inner.bias))))
        own = builder.node("Mul", own, present)
        count = builder.node("Max", builder.node("ReduceSum", present, second, keepdims=1), builder.constant(1.0))
        whole = builder.node("Div", builder.node("ReduceSum", own, second, keepdims=1), count)
        beside = builder.node(
            "Conv",
            builder.node("Transpose", own, perm=[0, 2, 1]),
            builder.constant(weight(self.beside.weight)),
            builder.constant(weight(self.beside.bias)),
            pads=[NEIGHBOURS // 2] * 2,
        )
        around = builder.node("Add", builder.node("Transpose", beside, perm=[0, 2, 1]), whole)
        both = builder.node("Concat", own, builder.node("Relu", around), axis=2)
        scores = builder.node("MatMul", both, builder.constant(weight(self.worth.weight).T))
        scores = builder.node("Add", scores, builder.constant(weight(self.worth.bias)))
        return builder.node("Squeeze", scores, third)
