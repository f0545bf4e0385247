"""A small U-Net that says in which direction a noisy picture becomes a real one, given the time and the labels.

The U-Net of Ronneberger et al. 2015 as diffusion models use it (Ho et al. 2020), made for plain processors: a picture is first folded
into patches, most of the work is done on the smallest maps with the most channels, and a block has one norm. It knows shapes, not how
it is taught.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from salus.learners.graphs import GraphBuilder
from salus.learners.networks.nodes import convolution_nodes, linear_nodes, plain

FREQUENCIES = 32  # of the time
LARGEST_MAP = 20  # a picture is folded into patches until no side is longer
GROUP = 8  # channels that are normed together
TIME_SCALE = 100.0  # radians of the fastest wave between noise and picture


class Block(nn.Module):
    """Norm, two convolutions with the condition between them, and a short way around. It begins as the short way alone."""

    def __init__(self, inputs: int, outputs: int, condition: int):
        super().__init__()
        self.norm = nn.GroupNorm(inputs // GROUP, inputs)
        self.first = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.conditioned = nn.Linear(condition, 2 * outputs)
        self.second = nn.Conv2d(outputs, outputs, 3, padding=1)
        self.around = nn.Conv2d(inputs, outputs, 1) if inputs != outputs else nn.Identity()
        nn.init.zeros_(self.conditioned.weight)
        nn.init.zeros_(self.second.weight)

    def forward(self, x_BCHW: torch.Tensor, condition_BD: torch.Tensor) -> torch.Tensor:
        scale, shift = self.conditioned(condition_BD)[:, :, None, None].chunk(2, dim=1)
        h = self.first(functional.silu(self.norm(x_BCHW)))
        h = torch.addcmul(h + shift, h, scale)
        found: torch.Tensor = self.around(x_BCHW) + self.second(functional.silu(h))
        return found

    def nodes(self, builder: GraphBuilder, value: str, condition: str) -> str:
        said = linear_nodes(builder, self.conditioned, condition)
        maps = builder.node("Unsqueeze", said, builder.constant([2, 3], np.int64))
        scale, shift = builder.several("Split", 2, maps, axis=1, num_outputs=2)
        h = convolution_nodes(builder, self.first, _silu(builder, _norm_nodes(builder, self.norm, value)))
        h = builder.node("Add", builder.node("Mul", h, builder.node("Add", scale, builder.constant(1.0))), shift)
        around = convolution_nodes(builder, self.around, value) if isinstance(self.around, nn.Conv2d) else value
        return builder.node("Add", around, convolution_nodes(builder, self.second, _silu(builder, h)))


class Attention(nn.Module):
    """Every place of the smallest map looks at every other one (Vaswani et al. 2017)."""

    def __init__(self, channels: int, heads: int = 4):
        super().__init__()
        self.heads = heads
        self.norm = nn.GroupNorm(channels // GROUP, channels)
        self.asked = nn.Conv2d(channels, 3 * channels, 1)
        self.answered = nn.Conv2d(channels, channels, 1)
        nn.init.zeros_(self.answered.weight)

    def forward(self, x_BCHW: torch.Tensor) -> torch.Tensor:
        batch, channels, height, width = x_BCHW.shape
        parts = self.asked(self.norm(x_BCHW)).reshape(batch, 3, self.heads, channels // self.heads, height * width)
        query, key, value = parts.transpose(3, 4).unbind(1)  # (B, heads, places, channels of a head)
        weights = torch.softmax(query @ key.transpose(2, 3) * (channels // self.heads) ** -0.5, dim=3)
        seen = (weights @ value).transpose(2, 3).reshape(batch, channels, height, width)
        found: torch.Tensor = x_BCHW + self.answered(seen)
        return found

    def nodes(self, builder: GraphBuilder, value: str, size: tuple[int, int]) -> str:
        channels, places = self.answered.in_channels, size[0] * size[1]
        parts = convolution_nodes(builder, self.asked, _norm_nodes(builder, self.norm, value))
        split = [-1, 3, self.heads, channels // self.heads, places]
        parts = builder.node("Reshape", parts, builder.constant(split, np.int64))
        first = builder.constant([1], np.int64)
        query, key, value_ = (
            builder.node("Squeeze", part, first) for part in builder.several("Split", 3, parts, axis=1, num_outputs=3)
        )  # (B, heads, channels of a head, places)
        scale = builder.constant((channels // self.heads) ** -0.5)
        asked = builder.node("Mul", builder.node("Transpose", query, perm=[0, 1, 3, 2]), scale)
        weights = builder.node("Softmax", builder.node("MatMul", asked, key), axis=3)
        seen = builder.node("MatMul", value_, builder.node("Transpose", weights, perm=[0, 1, 3, 2]))
        seen = builder.node("Reshape", seen, builder.constant([-1, channels, *size], np.int64))
        return builder.node("Add", value, convolution_nodes(builder, self.answered, seen))


class UNet(nn.Module):
    """x_BCHW (about -1 to 1), t_B (0 noise, 1 picture), codes_BM of labels (0: any) -> velocity_BCHW.

    levels: codes of each label column. width: channels of the larger maps, a multiple of GROUP; the smaller ones have twice as many.
    """

    def __init__(self, shape_CHW: tuple[int, int, int], levels: Sequence[int], width: int, blocks: int):
        super().__init__()
        channels, height, width_px = shape_CHW
        self.patch = 1
        while max(height, width_px) / self.patch > LARGEST_MAP:
            self.patch *= 2
        whole = 2 * self.patch
        self.padding = [0, -width_px % whole, 0, -height % whole]
        self.shape_CHW = shape_CHW
        folded, condition = channels * self.patch**2, 4 * width
        self.frequencies: torch.Tensor
        self.register_buffer("frequencies", TIME_SCALE ** torch.linspace(0, 1, FREQUENCIES), persistent=False)
        self.time = nn.Sequential(nn.Linear(2 * FREQUENCIES, condition), nn.SiLU(), nn.Linear(condition, condition))
        self.labels = nn.ModuleList(nn.Embedding(count, condition) for count in levels)
        self.stem = nn.Conv2d(folded, width, 3, padding=1)
        self.going_in = nn.ModuleList(Block(width, width, condition) for _ in range(blocks))
        self.down = nn.Conv2d(width, 2 * width, 3, stride=2, padding=1)
        self.deep = nn.ModuleList(Block(2 * width, 2 * width, condition) for _ in range(blocks + 1))
        self.attention = Attention(2 * width)
        self.deep_last = Block(2 * width, 2 * width, condition)
        self.up = nn.Conv2d(2 * width, 4 * width, 1)
        self.coming_out = nn.ModuleList(
            Block(2 * width if place == 0 else width, width, condition) for place in range(blocks)
        )
        self.norm = nn.GroupNorm(width // GROUP, width)
        self.head = nn.Conv2d(width, folded, 3, padding=1)
        nn.init.zeros_(self.head.weight)

    def forward(self, x_BCHW: torch.Tensor, t_B: torch.Tensor, codes_BM: torch.Tensor) -> torch.Tensor:
        condition = self.condition(t_B, codes_BM)
        x = functional.pad(x_BCHW, self.padding) if any(self.padding) else x_BCHW
        x = functional.pixel_unshuffle(x, self.patch) if self.patch > 1 else x
        x = self.stem(x.contiguous(memory_format=torch.channels_last))
        for block in self.going_in:
            x = block(x, condition)
        kept, x = x, self.down(x)
        for block in self.deep:
            x = block(x, condition)
        x = self.deep_last(self.attention(x), condition)
        x = functional.pixel_shuffle(self.up(x), 2)
        x = torch.cat([x, kept], dim=1)
        for block in self.coming_out:
            x = block(x, condition)
        x = self.head(functional.silu(self.norm(x)))
        x = functional.pixel_shuffle(x, self.patch) if self.patch > 1 else x
        return x[:, :, : self.shape_CHW[1], : self.shape_CHW[2]]

    def condition(self, t_B: torch.Tensor, codes_BM: torch.Tensor) -> torch.Tensor:
        """(B, D): the time and the labels as one vector."""
        angles = t_B.float()[:, None] * self.frequencies
        found = self.time(torch.cat([torch.sin(angles), torch.cos(angles)], dim=1))
        for place, table in enumerate(self.labels):
            found = found + table(codes_BM[:, place])
        return functional.silu(found)

    def graph(self) -> bytes:
        """The network as one ONNX graph: `x`, `t` and, where there are labels, `categories` -> `velocity`."""
        channels, height, width = self.shape_CHW
        builder = GraphBuilder()
        x = builder.feed("x", np.float32, ("rows", channels, height, width))
        condition = self._condition_nodes(builder)
        if any(self.padding):
            ends = [0, 0, 0, 0, 0, 0, self.padding[3], self.padding[1]]
            x = builder.node("Pad", x, builder.constant(ends, np.int64))
        size = ((height + self.padding[3]) // self.patch, (width + self.padding[1]) // self.patch)
        x = _folded_nodes(builder, x, channels, self.patch, size)
        x = convolution_nodes(builder, self.stem, x)
        for block in self.going_in:
            x = block.nodes(builder, x, condition)  # type: ignore[operator]
        kept, x = x, convolution_nodes(builder, self.down, x)
        for block in self.deep:
            x = block.nodes(builder, x, condition)  # type: ignore[operator]
        x = self.attention.nodes(builder, x, (size[0] // 2, size[1] // 2))
        x = self.deep_last.nodes(builder, x, condition)
        x = builder.node("DepthToSpace", convolution_nodes(builder, self.up, x), blocksize=2, mode="CRD")
        x = builder.node("Concat", x, kept, axis=1)
        for block in self.coming_out:
            x = block.nodes(builder, x, condition)  # type: ignore[operator]
        x = convolution_nodes(builder, self.head, _silu(builder, _norm_nodes(builder, self.norm, x)))
        if self.patch > 1:
            x = builder.node("DepthToSpace", x, blocksize=self.patch, mode="CRD")
        if any(self.padding):
            cut = ([0, 0], [height, width], [2, 3])
            x = builder.node("Slice", x, *(builder.constant(part, np.int64) for part in cut))
        return builder.finish("velocity", x, channels, height, width)

    def _condition_nodes(self, builder: GraphBuilder) -> str:
        t = builder.node("Unsqueeze", builder.feed("t", np.float32, ("rows",)), builder.constant([1], np.int64))
        angles = builder.node("Mul", t, builder.constant(plain(self.frequencies)))
        waves = builder.node("Concat", builder.node("Sin", angles), builder.node("Cos", angles), axis=1)
        first, _, last = self.time
        assert isinstance(first, nn.Linear) and isinstance(last, nn.Linear)
        found = linear_nodes(builder, last, _silu(builder, linear_nodes(builder, first, waves)))
        for place, table in enumerate(self.labels):
            assert isinstance(table, nn.Embedding)
            codes = builder.feed("categories", np.int64, ("rows", len(self.labels)))
            code = builder.node("Gather", codes, builder.constant(place, np.int64), axis=1)
            found = builder.node("Add", found, builder.node("Gather", builder.constant(plain(table.weight)), code))
        return _silu(builder, found)


def _silu(builder: GraphBuilder, value: str) -> str:
    return builder.node("Mul", value, builder.node("Sigmoid", value))


def _norm_nodes(builder: GraphBuilder, norm: nn.GroupNorm, value: str) -> str:
    """Each group of channels normed by itself, whatever the size of the maps."""
    shape = builder.node("Shape", value)
    grouped = builder.node("Reshape", value, builder.constant([0, norm.num_groups, -1], np.int64))
    ones, zeros = np.ones(norm.num_groups), np.zeros(norm.num_groups)
    normed = builder.node(
        "InstanceNormalization", grouped, builder.constant(ones), builder.constant(zeros), epsilon=norm.eps
    )
    scale, shift = (builder.constant(plain(part)[:, None, None]) for part in (norm.weight, norm.bias))
    return builder.node("Add", builder.node("Mul", builder.node("Reshape", normed, shape), scale), shift)


def _folded_nodes(builder: GraphBuilder, value: str, channels: int, patch: int, size: tuple[int, int]) -> str:
    """Squares of patch x patch pixels as channels, as torch's pixel_unshuffle lays them."""
    if patch == 1:
        return value
    height, width = size
    parts = builder.node("Reshape", value, builder.constant([-1, channels, height, patch, width, patch], np.int64))
    parts = builder.node("Transpose", parts, perm=[0, 1, 3, 5, 2, 4])
    return builder.node("Reshape", parts, builder.constant([-1, channels * patch**2, height, width], np.int64))
