"""Convolutions over time with kernels of three widths side by side (Ismail Fawaz et al. 2020, InceptionTime).

It knows shapes, not how it is taught.
"""

from __future__ import annotations

import copy

import torch
from torch import nn
from torch.nn import functional

from salus.learners.graphs import GraphBuilder
from salus.learners.networks.nodes import convolution_nodes, folded_convolution

RESIDUAL_EVERY = 3  # modules between two short ways around them


class Module(nn.Module):
    """x_BCT -> (B, 4 x width, T): a bottleneck, three convolutions of it, and a max-pool of the input, side by side."""

    def __init__(self, inputs: int, width: int, kernels: tuple[int, ...]):
        super().__init__()
        self.bottleneck = nn.Conv1d(inputs, width, 1, bias=False) if inputs > 1 else None
        narrow = width if inputs > 1 else inputs
        self.wide = nn.ModuleList(nn.Conv1d(narrow, width, k, padding=k // 2, bias=False) for k in kernels)
        self.pooled = nn.Conv1d(inputs, width, 1, bias=False)
        self.norms = nn.ModuleList(nn.BatchNorm1d(width) for _ in range(len(kernels) + 1))

    def forward(self, x_BCT: torch.Tensor) -> torch.Tensor:
        narrow = x_BCT if self.bottleneck is None else self.bottleneck(x_BCT)
        pooled = self.pooled(functional.max_pool1d(x_BCT, 3, stride=1, padding=1))
        parts = [convolution(narrow) for convolution in self.wide] + [pooled]
        return functional.relu(torch.cat([norm(part) for norm, part in zip(self.norms, parts, strict=True)], dim=1))

    def fold(self) -> None:
        """Puts the norms into the convolutions."""
        layers = [*self.wide, self.pooled]
        folded = [_folded(layer, norm) for layer, norm in zip(layers, self.norms, strict=True)]
        self.wide, self.pooled = nn.ModuleList(folded[:-1]), folded[-1]
        self.norms = nn.ModuleList(nn.Identity() for _ in folded)

    def nodes(self, builder: GraphBuilder, value: str) -> str:
        narrow = value if self.bottleneck is None else convolution_nodes(builder, self.bottleneck, value)
        pooled = builder.node("MaxPool", value, kernel_shape=[3], strides=[1], pads=[1, 1])
        parts = [convolution_nodes(builder, layer, narrow) for layer in self.wide if isinstance(layer, nn.Conv1d)]
        return builder.node(
            "Relu", builder.node("Concat", *parts, convolution_nodes(builder, self.pooled, pooled), axis=1)
        )


class Shortcut(nn.Module):
    """x_BCT -> (B, outputs, T): what is added after some modules."""

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.convolution = nn.Conv1d(inputs, outputs, 1, bias=False)
        self.norm: nn.Module = nn.BatchNorm1d(outputs)

    def forward(self, x_BCT: torch.Tensor) -> torch.Tensor:
        added: torch.Tensor = self.norm(self.convolution(x_BCT))
        return added

    def fold(self) -> None:
        self.convolution, self.norm = _folded(self.convolution, self.norm), nn.Identity()


class InceptionNetwork(nn.Module):
    """x_WCT (standardised) -> scores_WK, a linear head over the means of the features (W, F, T)."""

    def __init__(self, channels: int, outputs: int, width: int, depth: int, kernels: tuple[int, ...]):
        super().__init__()
        sizes = [channels] + [4 * width] * depth
        self.modules_ = nn.ModuleList(Module(sizes[i], width, kernels) for i in range(depth))
        self.shortcuts = nn.ModuleList(
            Shortcut(sizes[i], sizes[-1]) for i in range(0, depth - RESIDUAL_EVERY + 1, RESIDUAL_EVERY)
        )
        self.head = nn.Linear(sizes[-1], outputs)

    def forward(self, x_WCT: torch.Tensor) -> torch.Tensor:
        scores: torch.Tensor = self.head(self.features(x_WCT).mean(dim=2))
        return scores

    def features(self, x_WCT: torch.Tensor) -> torch.Tensor:
        x, before = x_WCT, x_WCT
        for index, module in enumerate(self.modules_):
            x = module(x)
            if index % RESIDUAL_EVERY == RESIDUAL_EVERY - 1:
                x = functional.relu(x + self.shortcuts[index // RESIDUAL_EVERY](before))
                before = x
        return x

    def folded(self) -> InceptionNetwork:
        """A copy without batch norm, as it is exported."""
        network = copy.deepcopy(self).eval()
        for part in (*network.modules_, *network.shortcuts):
            assert isinstance(part, Module | Shortcut)
            part.fold()
        return network

    def feature_nodes(self, builder: GraphBuilder, value: str) -> str:
        """`features` of a folded network as nodes."""
        x, before = value, value
        for index, module in enumerate(self.modules_):
            assert isinstance(module, Module)
            x = module.nodes(builder, x)
            if index % RESIDUAL_EVERY == RESIDUAL_EVERY - 1:
                shortcut = self.shortcuts[index // RESIDUAL_EVERY]
                assert isinstance(shortcut, Shortcut)
                added = convolution_nodes(builder, shortcut.convolution, before)
                x = before = builder.node("Relu", builder.node("Add", x, added))
        return x


def _folded(layer: nn.Module, norm: nn.Module) -> nn.Conv1d:
    assert isinstance(layer, nn.Conv1d) and isinstance(norm, nn.BatchNorm1d)
    folded = folded_convolution(layer, norm)
    assert isinstance(folded, nn.Conv1d)
    return folded
