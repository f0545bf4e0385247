"""Changes of log-mel frames under which the same is said: quicker or slower, a higher or lower voice, bands and moments that are missing.

Speed follows Ko et al. 2015 and voices Jaitly and Hinton 2013 (vocal tract length), both on frames; what is missing follows Park et al. 2019
(SpecAugment). Every draw comes from the generator it is given.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional

SHORTEST_FRAMES = 8


@dataclass(frozen=True)
class SoundAugmentation:
    """speed: most share by which it is quicker or slower. voice: likewise of the bands. masks: how many strips of bands and of time
    are blanked. noise: deviation of what is added."""

    speed: float
    voice: float
    masks: int
    noise: float

    def apply(self, x_BFM: torch.Tensor, generator: np.random.Generator) -> torch.Tensor:
        """New frames (B, F', M); the last place of M says where there is sound."""
        counts = x_BFM[:, :, -1].sum(dim=1).long().clamp(min=1)
        x = x_BFM[:, : int(counts.max())]
        rows, frames, bands = x.shape[0], x.shape[1], x.shape[2] - 1
        speeds = torch.from_numpy(1 + generator.uniform(-self.speed, self.speed, rows)).float()
        voices = torch.from_numpy(1 + generator.uniform(-self.voice, self.voice, rows)).float()
        lengths = (counts / speeds).round().long().clamp(min=SHORTEST_FRAMES)
        longest = int(lengths.max())
        at = torch.arange(longest)[None] * (counts / lengths)[:, None]  # frame of the sound that stands here
        band = torch.arange(bands)[None] * voices[:, None]
        y = (2 * at / max(1, frames - 1) - 1)[:, :, None].expand(rows, longest, bands)
        z = (2 * band / max(1, bands - 1) - 1)[:, None].expand(rows, longest, bands)
        grid = torch.stack([z, y], dim=3)
        warped = functional.grid_sample(
            x[:, None, :, :-1].contiguous(), grid, padding_mode="border", align_corners=True
        )[:, 0]
        there = (torch.arange(longest)[None] < lengths[:, None]).float()
        if self.noise:
            drawn = generator.normal(0, self.noise, tuple(warped.shape)).astype(np.float32)
            warped = warped + torch.from_numpy(drawn)
        for _ in range(self.masks):
            warped = warped * _kept(torch.full((rows,), bands), bands, 0.2, generator)[:, None, :]
            warped = warped * _kept(lengths, longest, 0.15, generator)[:, :, None]
        return torch.cat([warped * there[:, :, None], there[:, :, None]], dim=2)


def _kept(lengths: torch.Tensor, size: int, most: float, generator: np.random.Generator) -> torch.Tensor:
    """(B, size): 0 on a strip of at most this share of each length, 1 elsewhere."""
    draws = torch.from_numpy(generator.uniform(size=(2, len(lengths)))).float()
    wide = draws[0] * most * lengths
    first = draws[1] * (lengths - wide)
    places = torch.arange(size)[None]
    return 1 - ((places >= first[:, None]) & (places < (first + wide)[:, None])).float()
