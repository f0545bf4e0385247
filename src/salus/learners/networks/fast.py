"""A small residual-free network made for plain processors: patches first, few wide convolutions on small maps.

The ideas are those of the CIFAR-10 speedruns: most time is spent where a map is 16 x 16 or smaller, batch norm after every
convolution, a small head. It knows shapes, not how it is taught.
"""

from __future__ import annotations

import copy

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from salus.learners.graphs import GraphBuilder
from salus.learners.networks.nodes import MeanHead, convolution_nodes, folded_convolution

NORM_MOMENTUM = 0.3
LARGEST_MAP = 24  # the stem cuts a picture into patches until no side is longer


class Block(nn.Module):
    """3 x 3 convolution, pooling where asked, batch norm, ReLU. The norm learns no scale: it stays positive, so that it
    commutes with the pooling and folds into the convolution."""

    def __init__(self, inputs: int, outputs: int, pool: bool):
        super().__init__()
        self.convolution = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
        norm = nn.BatchNorm2d(outputs, momentum=NORM_MOMENTUM)
        norm.weight.requires_grad_(False)
        self.norm: nn.Module = norm
        self.pool = pool

    def forward(self, x_BCHW: torch.Tensor) -> torch.Tensor:
        x = self.convolution(x_BCHW)
        if self.pool:
            x = functional.max_pool2d(x, 2)
        return functional.relu(self.norm(x))

    def fold(self) -> None:
        """Puts the norm into the convolution."""
        assert isinstance(self.norm, nn.BatchNorm2d)
        folded = folded_convolution(self.convolution, self.norm)
        assert isinstance(folded, nn.Conv2d)
        self.convolution, self.norm = folded, nn.Identity()


class FastNetwork(MeanHead):
    """x_BCHW (0 to 255) -> scores_BK. mean, deviation: of all pixels; one number each, since whole batches are scaled with it."""

    def __init__(
        self,
        shape_HWC: tuple[int, int, int],
        outputs: int,
        width: int,
        mean: float,
        deviation: float,
    ):
        super().__init__()
        height, width_px, channels = shape_HWC
        self.patch = 1
        while max(height, width_px) / self.patch > LARGEST_MAP:
            self.patch *= 2
        self.padding = [0, -width_px % self.patch, 0, -height % self.patch]
        self.mean, self.deviation = mean, deviation
        # Patches overlap by half: more accurate than patches side by side for almost no time.
        kernel, margin = (3, 1) if self.patch == 1 else (2 * self.patch, self.patch // 2)
        self.stem = nn.Conv2d(channels, width, kernel, stride=self.patch, padding=margin)
        side = -(-min(height, width_px) // self.patch)
        blocks, inputs = [], width
        for level in range(3):
            outputs_level = width * 2 ** (level + 1)
            pool = side >= 4
            blocks.append(Block(inputs, outputs_level, pool))
            side = side // 2 if pool else side
            inputs = outputs_level
        self.blocks = nn.Sequential(*blocks)
        self.head = nn.Linear(inputs, outputs)

    def features(self, x_BCHW: torch.Tensor) -> torch.Tensor:
        """(B, C, h, w), whose means the head reads."""
        x = x_BCHW.float().sub(self.mean).div(self.deviation)
        if any(self.padding):
            x = functional.pad(x, self.padding)
        features: torch.Tensor = self.blocks(functional.relu(self.stem(x)))
        return features

    def folded(self) -> FastNetwork:
        """A copy without batch norm, as it is exported."""
        network = copy.deepcopy(self).eval()
        for block in network.blocks:
            assert isinstance(block, Block)
            block.fold()
        return network

    def feature_nodes(self, builder: GraphBuilder, value: str) -> str:
        """`features` of a folded network as nodes."""
        centred = builder.node("Sub", value, builder.constant(self.mean))
        x = builder.node("Div", centred, builder.constant(self.deviation))
        if any(self.padding):
            ends = [0, 0, 0, 0, 0, 0, self.padding[3], self.padding[1]]
            x = builder.node("Pad", x, builder.constant(ends, np.int64))
        x = builder.node("Relu", convolution_nodes(builder, self.stem, x))
        for block in self.blocks:
            assert isinstance(block, Block)
            x = convolution_nodes(builder, block.convolution, x)
            if block.pool:
                x = builder.node("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2])
            x = builder.node("Relu", x)
        return x
