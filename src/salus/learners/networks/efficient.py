"""EfficientNet-Lite0 (Tan and Le 2019; the Lite form without squeeze and with ReLU6), with its norms already put into the convolutions.

It is used with weights that were learned before: `Backbone.of` takes them by the names that its published files use. It knows shapes, not
how it is taught further.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from salus.core.errors import SalusError
from salus.learners.graphs import GraphBuilder
from salus.learners.networks.nodes import MeanHead, plain

NAME = "efficientnet-lite0"
# (blocks, kernel, stride, expansion, channels)
STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
STEM, LAST = 32, 1280
BLOCKS = sum(stage[0] for stage in STAGES)
EPSILON = 1e-3
MEAN, DEVIATION = 127.0, 128.0  # of pixels, as it was taught


class Layer(nn.Module):
    """A convolution whose output has ceil(side / stride) places a side, and a ReLU6 where `active`."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1, active: bool = True):
        super().__init__()
        self.convolution = nn.Conv2d(inputs, outputs, kernel, stride, groups=groups)
        self.kernel, self.stride, self.active = kernel, stride, active

    def forward(self, x_BCHW: torch.Tensor) -> torch.Tensor:
        if self.kernel > 1:
            pads = [self._margin(side) for side in x_BCHW.shape[:1:-1]]  # width, then height
            x_BCHW = functional.pad(x_BCHW, [size for pair in pads for size in pair])
        x: torch.Tensor = self.convolution(x_BCHW)
        return functional.relu6(x) if self.active else x

    def _margin(self, side: int) -> tuple[int, int]:
        total = max((-(-side // self.stride) - 1) * self.stride + self.kernel - side, 0)
        return total // 2, total - total // 2

    def nodes(self, builder: GraphBuilder, value: str) -> str:
        layer = self.convolution
        assert layer.bias is not None
        x = builder.node(
            "Conv",
            value,
            builder.constant(plain(layer.weight)),
            builder.constant(plain(layer.bias)),
            kernel_shape=list(layer.kernel_size),
            strides=list(layer.stride),
            group=layer.groups,
            auto_pad="SAME_UPPER",
        )
        return builder.node("Clip", x, builder.constant(0.0), builder.constant(6.0)) if self.active else x


class Block(nn.Module):
    """Wide, each channel by itself, narrow; and a short way around where the shapes are the same."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, expansion: int):
        super().__init__()
        wide = inputs * expansion
        layers = [Layer(inputs, wide, 1)] if expansion > 1 else []
        layers += [Layer(wide, wide, kernel, stride, groups=wide), Layer(wide, outputs, 1, active=False)]
        self.layers = nn.Sequential(*layers)
        self.around = stride == 1 and inputs == outputs

    def forward(self, x_BCHW: torch.Tensor) -> torch.Tensor:
        x: torch.Tensor = self.layers(x_BCHW)
        return x + x_BCHW if self.around else x

    def nodes(self, builder: GraphBuilder, value: str) -> str:
        x = value
        for layer in self.layers:
            assert isinstance(layer, Layer)
            x = layer.nodes(builder, x)
        return builder.node("Add", x, value) if self.around else x


class Tail(MeanHead):
    """The last blocks, which are taught further, and a new head: maps (B, C, h, w) -> scores_BK."""

    def __init__(self, parts: nn.Sequential, outputs: int):
        super().__init__()
        self.parts = parts
        self.head = nn.Linear(LAST, outputs)

    def features(self, x_BCHW: torch.Tensor) -> torch.Tensor:
        features: torch.Tensor = self.parts(x_BCHW.float().contiguous(memory_format=torch.channels_last))
        return features

    def feature_nodes(self, builder: GraphBuilder, value: str) -> str:
        return nodes_of(builder, self.parts, value)


class Body(nn.Module):
    """x_BCHW (0 to 255, 1 or 3 channels) -> maps (B, C, h, w). enlarge: by how much small pictures are made larger first."""

    def __init__(self, parts: nn.Sequential, enlarge: int):
        super().__init__()
        self.parts, self.enlarge = parts, enlarge

    def forward(self, x_BCHW: torch.Tensor) -> torch.Tensor:
        x = x_BCHW.float().sub(MEAN).div(DEVIATION)
        if x.shape[1] != 3:
            x = x.mean(dim=1, keepdim=True).expand(-1, 3, -1, -1)
        if self.enlarge > 1:
            x = functional.interpolate(x, scale_factor=float(self.enlarge), mode="bilinear", align_corners=False)
        maps: torch.Tensor = self.parts(x.contiguous(memory_format=torch.channels_last))
        return maps

    def nodes(self, builder: GraphBuilder, value: str, channels: int) -> str:
        x = builder.node("Div", builder.node("Sub", value, builder.constant(MEAN)), builder.constant(DEVIATION))
        if channels != 3:
            mean = builder.node("ReduceMean", x, builder.constant([1], np.int64), keepdims=1)
            x = builder.node("Concat", mean, mean, mean, axis=1)
        if self.enlarge > 1:
            scales = builder.constant([1.0, 1.0, self.enlarge, self.enlarge])
            x = builder.node("Resize", x, "", scales, mode="linear", coordinate_transformation_mode="half_pixel")
        return nodes_of(builder, self.parts, x)


class Whole(MeanHead):
    """Body and tail as they answer."""

    def __init__(self, body: Body, tail: Tail, channels: int):
        super().__init__()
        self.body, self.tail, self.channels = body, tail, channels
        self.head = tail.head

    def features(self, x_BCHW: torch.Tensor) -> torch.Tensor:
        return self.tail.features(self.body(x_BCHW))

    def feature_nodes(self, builder: GraphBuilder, value: str) -> str:
        return self.tail.feature_nodes(builder, self.body.nodes(builder, value, self.channels))

    def folded(self) -> Whole:
        """As it is exported."""
        return self


def backbone(tensors: Mapping[str, np.ndarray], where: str) -> list[nn.Module]:
    """Stem, blocks and last layer in order, filled; `weights_bad` when a tensor is missing or has another shape."""
    parts: list[nn.Module] = [_filled(Layer(3, STEM, 3, 2), tensors, "_conv_stem", "_bn0", where)]
    sizes = [(STEM, 0, 0, 0)] + [
        (channels, kernel, stride if number == 0 else 1, expansion)
        for count, kernel, stride, expansion, channels in STAGES
        for number in range(count)
    ]
    for index, (before, (outputs, kernel, stride, expansion)) in enumerate(pairwise(sizes)):
        block = Block(before[0], outputs, kernel, stride, expansion)
        names = [("_expand_conv", "_bn0")] if expansion > 1 else []
        names += [("_depthwise_conv", "_bn1"), ("_project_conv", "_bn2")]
        for layer, (convolution, norm) in zip(block.layers, names, strict=True):
            _filled(layer, tensors, f"_blocks.{index}.{convolution}", f"_blocks.{index}.{norm}", where)
        parts.append(block)
    return [*parts, _filled(Layer(sizes[-1][0], LAST, 1), tensors, "_conv_head", "_bn1", where)]


def _filled(layer: nn.Module, tensors: Mapping[str, np.ndarray], convolution: str, norm: str, where: str) -> nn.Module:
    """The layer with a published convolution and the batch norm behind it."""
    assert isinstance(layer, Layer) and layer.convolution.bias is not None
    weight = _tensor(tensors, f"{convolution}.weight", tuple(layer.convolution.weight.shape), where)
    size = (layer.convolution.out_channels,)
    scale, shift, mean, variance = (
        _tensor(tensors, f"{norm}.{name}", size, where) for name in ("weight", "bias", "running_mean", "running_var")
    )
    factor = scale / np.sqrt(np.maximum(variance, 0) + EPSILON)
    with torch.no_grad():
        layer.convolution.weight.copy_(torch.from_numpy(weight * factor[:, None, None, None]))
        layer.convolution.bias.copy_(torch.from_numpy(shift - mean * factor))
    return layer


def _tensor(tensors: Mapping[str, np.ndarray], name: str, shape: tuple[int, ...], where: str) -> np.ndarray:
    found = tensors.get(name)
    if found is None or found.shape != shape or not np.isfinite(found).all():
        said = "nothing" if found is None else f"shape {found.shape}"
        raise SalusError("weights_bad", where=where, expected=NAME, found=f"{name}: {said}")
    return found.astype(np.float64)


def nodes_of(builder: GraphBuilder, parts: nn.Sequential, value: str) -> str:
    """Layers and blocks, one after the other."""
    for part in parts:
        assert isinstance(part, Layer | Block)
        value = part.nodes(builder, value)
    return value
