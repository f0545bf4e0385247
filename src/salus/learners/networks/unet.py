"""A small U-Net that says in which direction a noisy picture becomes a real one, given the time and the labels.

The U-Net of Ronneberger et al. 2015 as diffusion models use it (Ho et al. 2020), made for plain processors: a picture is first folded
into patches, most of the work is done on the smallest maps with the most channels, and a block has one norm. It knows shapes, not how
it is taught.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional

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
