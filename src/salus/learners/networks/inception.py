"""Convolutions over time with kernels of three widths side by side (Ismail Fawaz et al. 2020, InceptionTime), and half as many steps
after every third module.

Time is the width of a picture that is one pixel high, channels last in memory: measured, a step takes a third of what convolutions
with one dimension take. It knows shapes, not how it is taught.
"""

from __future__ import annotations

import copy

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from salus.learners.graphs import GraphBuilder
from salus.learners.networks.nodes import convolution_nodes, folded_convolution

RESIDUAL_EVERY = 3  # modules between two short ways around them
FEWEST_STEPS = 32  # fewer are not halved


class Module(nn.Module):
    """x_BC1T -> (B, 4 x width, 1, T): a bottleneck, three convolutions of it, and a max-pool of the input, side by side."""

    def __init__(self, inputs: int, width: int, kernels: tuple[int, ...]):
        super().__init__()
        self.bottleneck = nn.Conv2d(inputs, width, 1, bias=False) if inputs > 1 else None
        narrow = width if inputs > 1 else inputs
        self.wide = nn.ModuleList(nn.Conv2d(narrow, width, (1, k), padding=(0, k // 2), bias=False) for k in kernels)
        self.pooled = nn.Conv2d(inputs, width, 1, bias=False)
        self.norms = nn.ModuleList(nn.BatchNorm2d(width) for _ in range(len(kernels) + 1))

    def forward(self, x_BC1T: torch.Tensor) -> torch.Tensor:
        narrow = x_BC1T if self.bottleneck is None else self.bottleneck(x_BC1T)
        pooled = self.pooled(functional.max_pool2d(x_BC1T, (1, 3), stride=1, padding=(0, 1)))
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
        pooled = builder.node("MaxPool", value, kernel_shape=[1, 3], strides=[1, 1], pads=[0, 1, 0, 1])
        parts = [convolution_nodes(builder, layer, narrow) for layer in self.wide if isinstance(layer, nn.Conv2d)]
        return builder.node(
            "Relu", builder.node("Concat", *parts, convolution_nodes(builder, self.pooled, pooled), axis=1)
        )


class Shortcut(nn.Module):
    """x_BC1T -> (B, outputs, 1, T): what is added after some modules."""

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.convolution = nn.Conv2d(inputs, outputs, 1, bias=False)
        self.norm: nn.Module = nn.BatchNorm2d(outputs)

    def forward(self, x_BC1T: torch.Tensor) -> torch.Tensor:
        added: torch.Tensor = self.norm(self.convolution(x_BC1T))
        return added

    def fold(self) -> None:
        self.convolution, self.norm = _folded(self.convolution, self.norm), nn.Identity()


class InceptionNetwork(nn.Module):
    """x_WCT (standardised) -> scores_WK, a linear head over the means of the features (W, F, t)."""

    def __init__(self, shape_CT: tuple[int, int], outputs: int, width: int, depth: int, kernels: tuple[int, ...]):
        super().__init__()
        channels, steps = shape_CT
        sizes = [channels] + [4 * width] * depth
        self.modules_ = nn.ModuleList(Module(sizes[i], width, kernels) for i in range(depth))
        self.shortcuts = nn.ModuleList(
            Shortcut(sizes[i], sizes[-1]) for i in range(0, depth - RESIDUAL_EVERY + 1, RESIDUAL_EVERY)
        )
        ends = [index for index in range(depth - 1) if index % RESIDUAL_EVERY == RESIDUAL_EVERY - 1]
        self.halved = {index for number, index in enumerate(ends) if steps >> number >= FEWEST_STEPS}
        self.head = nn.Linear(sizes[-1], outputs)

    def forward(self, x_WCT: torch.Tensor) -> torch.Tensor:
        scores: torch.Tensor = self.head(self.features(x_WCT).mean(dim=2))
        return scores

    def features(self, x_WCT: torch.Tensor) -> torch.Tensor:
        x = x_WCT.unsqueeze(2).contiguous(memory_format=torch.channels_last)
        before = x
        for index, module in enumerate(self.modules_):
            x = module(x)
            if index % RESIDUAL_EVERY == RESIDUAL_EVERY - 1:
                x = functional.relu(x + self.shortcuts[index // RESIDUAL_EVERY](before))
                x = before = functional.max_pool2d(x, (1, 2)) if index in self.halved else x
        return x.squeeze(2)

    def folded(self) -> InceptionNetwork:
        """A copy without batch norm, as it is exported."""
        network = copy.deepcopy(self).eval()
        for part in (*network.modules_, *network.shortcuts):
            assert isinstance(part, Module | Shortcut)
            part.fold()
        return network

    def feature_nodes(self, builder: GraphBuilder, value: str) -> str:
        """`features` of a folded network as nodes."""
        high = builder.constant([2], np.int64)
        x = before = builder.node("Unsqueeze", value, high)
        for index, module in enumerate(self.modules_):
            assert isinstance(module, Module)
            x = module.nodes(builder, x)
            if index % RESIDUAL_EVERY == RESIDUAL_EVERY - 1:
                shortcut = self.shortcuts[index // RESIDUAL_EVERY]
                assert isinstance(shortcut, Shortcut)
                added = convolution_nodes(builder, shortcut.convolution, before)
                x = builder.node("Relu", builder.node("Add", x, added))
                if index in self.halved:
                    x = builder.node("MaxPool", x, kernel_shape=[1, 2], strides=[1, 2])
                before = x
        return builder.node("Squeeze", x, high)


def _folded(layer: nn.Module, norm: nn.Module) -> nn.Conv2d:
    assert isinstance(layer, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d)
    folded = folded_convolution(layer, norm)
    assert isinstance(folded, nn.Conv2d)
    return folded
