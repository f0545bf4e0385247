"""A small network that says of every place of a picture what is there and how far its edges are.

Residual blocks on four sizes of maps, and a way back from the smallest to the one whose cells are 8 pixels wide (Lin et al. 2017, feature
pyramids), since where a thing is shows in the large maps and what it is in the small ones. One head without anchors (Tian et al. 2019,
FCOS; Liu et al. 2020, training-time-friendly). It knows shapes, not how it is taught.
"""

from __future__ import annotations

import copy
import math
from itertools import pairwise

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from salus.learners.graphs import GraphBuilder
from salus.learners.networks.nodes import convolution_nodes, folded_convolution

STRIDE = 8  # pixels from one place to the next
STEM_STRIDE = 4
GROWTH = (1, 2, 4, 6)  # channels of the maps of strides 4, 8, 16 and 32, in widths
DEPTHS = (1, 2, 2, 1)  # blocks on them
NORM_MOMENTUM = 0.05
FIRST_SHARE = 0.01  # of places that hold something, as a new network guesses


class Unit(nn.Module):
    """Convolution, batch norm, ReLU where `active`."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1, active: bool = True):
        super().__init__()
        self.convolution = nn.Conv2d(inputs, outputs, kernel, stride, padding=(kernel - 1) // 2, bias=False)
        self.norm: nn.Module = nn.BatchNorm2d(outputs, momentum=NORM_MOMENTUM)
        self.active = active

    def forward(self, x_BCHW: torch.Tensor) -> torch.Tensor:
        x: torch.Tensor = self.norm(self.convolution(x_BCHW))
        return functional.relu(x) if self.active else x

    def fold(self) -> None:
        """Puts the norm into the convolution."""
        assert isinstance(self.norm, nn.BatchNorm2d)
        folded = folded_convolution(self.convolution, self.norm)
        assert isinstance(folded, nn.Conv2d)
        self.convolution, self.norm = folded, nn.Identity()

    def nodes(self, builder: GraphBuilder, value: str) -> str:
        x = convolution_nodes(builder, self.convolution, value)
        return builder.node("Relu", x) if self.active else x


class Residual(nn.Module):
    """Two convolutions and a short way around them (He et al. 2016)."""

    def __init__(self, channels: int):
        super().__init__()
        self.first = Unit(channels, channels, 3)
        self.second = Unit(channels, channels, 3, active=False)

    def forward(self, x_BCHW: torch.Tensor) -> torch.Tensor:
        return functional.relu(x_BCHW + self.second(self.first(x_BCHW)))

    def nodes(self, builder: GraphBuilder, value: str) -> str:
        inner = self.second.nodes(builder, self.first.nodes(builder, value))
        return builder.node("Relu", builder.node("Add", value, inner))


class Trunk(nn.Module):
    """x_BCHW (0 to 255) -> maps of strides 8, 16 and 32 with `sizes` channels."""

    sizes: tuple[int, int, int]

    def maps(self, x_BCHW: torch.Tensor) -> list[torch.Tensor]:
        raise NotImplementedError

    def map_nodes(self, builder: GraphBuilder, value: str) -> list[str]:
        """`maps` of the folded trunk as nodes."""
        raise NotImplementedError


class SmallTrunk(Trunk):
    """Residual blocks, all of it learned anew."""

    def __init__(self, channels: int, width: int, mean: float, deviation: float):
        super().__init__()
        self.mean, self.deviation = mean, deviation
        sizes = [width * growth for growth in GROWTH]
        self.sizes = (sizes[1], sizes[2], sizes[3])
        self.stem = Unit(channels, sizes[0], 2 * STEM_STRIDE - 1, STEM_STRIDE)
        self.down = nn.ModuleList(Unit(before, size, 3, 2) for before, size in pairwise(sizes))
        self.stages = nn.ModuleList(
            nn.Sequential(*(Residual(size) for _ in range(depth))) for size, depth in zip(sizes, DEPTHS, strict=True)
        )

    def maps(self, x_BCHW: torch.Tensor) -> list[torch.Tensor]:
        x = x_BCHW.float().sub(self.mean).div(self.deviation).contiguous(memory_format=torch.channels_last)
        x = self.stages[0](self.stem(x))
        found = []
        for down, stage in zip(self.down, list(self.stages)[1:], strict=True):
            x = stage(down(x))
            found.append(x)
        return found

    def map_nodes(self, builder: GraphBuilder, value: str) -> list[str]:
        centred = builder.node("Sub", value, builder.constant(self.mean))
        x = self.stem.nodes(builder, builder.node("Div", centred, builder.constant(self.deviation)))
        x = _nodes(builder, self.stages[0], x)
        found = []
        for down, stage in zip(self.down, list(self.stages)[1:], strict=True):
            x = _nodes(builder, stage, _nodes(builder, down, x))
            found.append(x)
        return found


class DetectionNetwork(nn.Module):
    """x_BCHW (0 to 255; sides are multiples of 32) -> (B, K + 4, H / 8, W / 8): logits of the categories, and the logarithms of the
    distances to the left, upper, right and lower edge, in units that the learner chooses. wide: channels of the way back."""

    def __init__(self, trunk: Trunk, categories: int, wide: int):
        super().__init__()
        self.trunk = trunk
        self.lateral = nn.ModuleList(Unit(size, wide, 1, active=False) for size in trunk.sizes)
        self.merged = nn.ModuleList(Unit(wide, wide, 3) for _ in range(2))
        last_what, last_where = nn.Conv2d(wide, categories, 1), nn.Conv2d(wide, 4, 1)
        self.what = nn.Sequential(Unit(wide, wide, 3), last_what)
        self.where = nn.Sequential(Unit(wide, wide, 3), last_where)
        assert last_what.bias is not None and last_where.bias is not None
        nn.init.constant_(last_what.bias, -math.log((1 - FIRST_SHARE) / FIRST_SHARE))
        nn.init.zeros_(last_where.bias)
        nn.init.normal_(last_where.weight, std=0.01)

    def forward(self, x_BCHW: torch.Tensor) -> torch.Tensor:
        maps = self.trunk.maps(x_BCHW)
        seen = self.lateral[2](maps[2])
        for level, merged in zip((1, 0), self.merged, strict=True):
            larger = functional.interpolate(seen, scale_factor=2.0, mode="nearest")
            seen = merged(self.lateral[level](maps[level]) + larger)
        return torch.cat([self.what(seen), self.where(seen)], dim=1)

    def folded(self) -> DetectionNetwork:
        """A copy without batch norm, as it is exported."""
        network = copy.deepcopy(self).eval()
        for module in network.modules():
            if isinstance(module, Unit):
                module.fold()
        return network

    def nodes(self, builder: GraphBuilder, value: str) -> str:
        """`forward` of the folded network."""
        maps = self.trunk.map_nodes(builder, value)
        seen = _nodes(builder, self.lateral[2], maps[2])
        for level, merged in zip((1, 0), self.merged, strict=True):
            beside = _nodes(builder, self.lateral[level], maps[level])
            seen = _nodes(builder, merged, builder.node("Add", beside, _twice(builder, seen)))
        return builder.node("Concat", _nodes(builder, self.what, seen), _nodes(builder, self.where, seen), axis=1)


def _twice(builder: GraphBuilder, value: str) -> str:
    """Every cell four times."""
    scales = builder.constant([1.0, 1.0, 2.0, 2.0], np.float32)
    options = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    return builder.node("Resize", value, "", scales, **options)


def _nodes(builder: GraphBuilder, module: nn.Module, value: str) -> str:
    if isinstance(module, Unit | Residual):
        return module.nodes(builder, value)
    if isinstance(module, nn.Conv2d):
        return convolution_nodes(builder, module, value)
    assert isinstance(module, nn.Sequential)
    for part in module:
        value = _nodes(builder, part, value)
    return value
