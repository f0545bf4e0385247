"""Pictures changed so that they stay what they are: mirrored, moved, turned. Whole batches, by tensor operations.

What a picture is moved away from is filled with its nearest pixels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional


@dataclass(frozen=True)
class Augmentation:
    """flip: mirror left and right. shift: most share of a side to move by. rotation_degrees: most to turn by. cutout: side of a square, as a share,
    that is filled with `blank` (DeVries and Taylor 2017)."""

    flip: bool
    shift: float
    rotation_degrees: float
    seed: int
    cutout: float = 0.0
    blank: int = 128

    def apply(
        self, pixels_NHWC: torch.Tensor, rows: np.ndarray, epoch: int, generator: np.random.Generator
    ) -> torch.Tensor:
        """The pictures of `rows`, changed: (B, C, H, W), channels last in memory; uint8, or float32 0 to 255 when turned."""
        changed = self._placed(pixels_NHWC, rows, epoch, generator)
        return self._cut(changed, generator) if self.cutout > 0 else changed

    def _placed(
        self, pixels_NHWC: torch.Tensor, rows: np.ndarray, epoch: int, generator: np.random.Generator
    ) -> torch.Tensor:
        mirrored = self._mirrored(rows, epoch)
        if self.rotation_degrees > 0:
            picked = pixels_NHWC[torch.from_numpy(rows)].permute(0, 3, 1, 2).float()
            return self._turned(picked, mirrored, generator)
        if not self.flip and self.shift == 0:
            return pixels_NHWC[torch.from_numpy(rows)].permute(0, 3, 1, 2)
        return self._moved(pixels_NHWC, rows, mirrored, generator).permute(0, 3, 1, 2)

    def _mirrored(self, rows: np.ndarray, epoch: int) -> np.ndarray:
        """Whether each picture is mirrored: by chance in the first epoch, then in turn, so that both sides are seen equally often."""
        if not self.flip:
            return np.zeros(len(rows), dtype=bool)
        mixed = (rows.astype(np.uint64) + np.uint64(self.seed * 2 + 1)) * np.uint64(0x9E3779B97F4A7C15)
        coin = (mixed >> np.uint64(40)) & np.uint64(1)
        return np.asarray((coin + np.uint64(epoch)) % np.uint64(2) == 1)

    def _moved(
        self, pixels_NHWC: torch.Tensor, rows: np.ndarray, mirrored: np.ndarray, generator: np.random.Generator
    ) -> torch.Tensor:
        """One gather of whole pixels for mirror and move."""
        _, height, width, channels = pixels_NHWC.shape
        down, right = (round(self.shift * height), round(self.shift * width))
        top = generator.integers(-down, down + 1, len(rows))
        left = generator.integers(-right, right + 1, len(rows))
        ys = np.clip(np.arange(height) + top[:, None], 0, height - 1)
        xs = np.clip(np.arange(width) + left[:, None], 0, width - 1)
        xs = np.where(mirrored[:, None], width - 1 - xs, xs)
        flat = (rows[:, None] * height + ys)[:, :, None] * width + xs[:, None, :]
        table = pixels_NHWC.view(-1, channels)
        return table.index_select(0, torch.from_numpy(flat.reshape(-1))).view(len(rows), height, width, channels)

    def _turned(self, picked_BCHW: torch.Tensor, mirrored: np.ndarray, generator: np.random.Generator) -> torch.Tensor:
        count, _, height, width = picked_BCHW.shape
        angles = np.deg2rad(generator.uniform(-self.rotation_degrees, self.rotation_degrees, count))
        moves = generator.uniform(-self.shift, self.shift, (2, count)) * 2  # the grid is 2 wide
        sign = np.where(mirrored, -1.0, 1.0)
        ratio = height / width
        theta = np.empty((count, 2, 3))
        theta[:, 0] = np.stack([np.cos(angles) * sign, -np.sin(angles) * ratio, moves[0]], axis=1)
        theta[:, 1] = np.stack([np.sin(angles) * sign / ratio, np.cos(angles), moves[1]], axis=1)
        grid = functional.affine_grid(torch.from_numpy(theta).float(), list(picked_BCHW.shape), align_corners=False)
        turned = functional.grid_sample(picked_BCHW, grid, padding_mode="border", align_corners=False)
        return turned.contiguous(memory_format=torch.channels_last)

    def _cut(self, picked_BCHW: torch.Tensor, generator: np.random.Generator) -> torch.Tensor:
        """One square of every picture blanked; its middle lies anywhere, so that it may reach over the edge."""
        count, _, height, width = picked_BCHW.shape
        covered = []
        for side in (height, width):
            half = self.cutout * side / 2
            middles = generator.uniform(0, side, count)[:, None]
            covered.append(np.abs(np.arange(side) + 0.5 - middles) < half)
        square = torch.from_numpy(covered[0][:, :, None] & covered[1][:, None, :])
        return picked_BCHW.masked_fill(square[:, None], self.blank)
