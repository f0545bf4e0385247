"""Several small networks for tables, side by side, that share the embeddings of categories.

Knows torch. Does not know what the columns mean or how they were scaled.
"""

from __future__ import annotations

import itertools

import torch
from torch import nn
from torch.nn import functional


class TableNetwork(nn.Module):
    """`members` networks of `layers` hidden layers, each with weights of its own; one table of embeddings for all categories.

    Takes x (B, D + M): D numbers, then M positions in the table of embeddings. Gives (B, members, outputs).
    """

    def __init__(
        self,
        numbers: int,
        categories: int,
        positions: int,
        embedding: int,
        hidden: int,
        layers: int,
        members: int,
        outputs: int,
        dropout: float,
    ):
        super().__init__()
        self.numbers, self.members, self.dropout = numbers, members, dropout
        self.embeddings = nn.Parameter(torch.randn(positions, embedding) * 0.3)
        widths = [numbers + categories * embedding, *([hidden] * layers), outputs]
        self.weights, self.biases = nn.ParameterList(), nn.ParameterList()
        for before, after in itertools.pairwise(widths):
            bound = max(before, 1) ** -0.5
            self.weights.append(nn.Parameter(torch.empty(members, before, after).uniform_(-bound, bound)))
            self.biases.append(nn.Parameter(torch.empty(members * after).uniform_(-bound, bound)))

    def forward(self, x_BF: torch.Tensor) -> torch.Tensor:
        numbers_BD, positions_BM = x_BF[:, : self.numbers], x_BF[:, self.numbers :].long()
        embedded = functional.embedding(positions_BM, self.embeddings).flatten(1)
        value = torch.cat([numbers_BD, embedded], dim=1).expand(self.members, -1, -1)
        for place, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            value = torch.baddbmm(bias.view(self.members, 1, -1), value, weight)
            if place + 1 < len(self.weights):
                value = functional.dropout(functional.relu(value), self.dropout, self.training)
        return value.transpose(0, 1)
