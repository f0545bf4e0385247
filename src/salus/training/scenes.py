"""Pictures with boxes, changed so that they stay what they are: zoomed, moved, mirrored, turned by quarters, four put together, recoloured.

Small sets of pictures are learned from by never showing one twice alike (Bochkovskiy et al. 2020, mosaic). The boxes go along: what
is mostly cut off is no longer there. Knows pixels and corners, no network; everything drawn follows from the generator.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional

FILLING = 114.0
SEEN_SHARE = 0.35  # of a box that must be left of it
LEAST_SIDE_PX = 2.0
STRETCH = 0.15  # in the logarithm of width to height
MOSAIC_ZOOM = 0.75  # times the zoom of a whole picture
CENTRE = (0.3, 0.7)  # where the four pictures of a mosaic meet


@dataclass(frozen=True)
class Scenes:
    """pictures: uint8 (N, H, W, C). boxes: a picture's (M, 4) corners, float64, in its pixels, and (M,) codes. zoom: factors.
    mosaic: how often four are put together. upright: whether pictures have an up; else they are also turned. colour: strength."""

    pictures: torch.Tensor
    boxes: Sequence[np.ndarray]
    codes: Sequence[np.ndarray]
    zoom: tuple[float, float]
    mosaic: float
    upright: bool
    colour: float

    def draw(
        self, rows: np.ndarray, generator: np.random.Generator, mosaic: bool
    ) -> tuple[torch.Tensor, list[np.ndarray], list[np.ndarray]]:
        """Pictures float32 (B, C, H, W), 0 to 255, with their boxes and codes. mosaic: whether there may be any."""
        _, height, width, channels = self.pictures.shape
        drawn = torch.full((len(rows), channels, height, width), FILLING)
        boxes, codes = [], []
        for place, row in enumerate(rows):
            parts = [(0, 0, width, height)]
            if mosaic and generator.random() < self.mosaic:
                x, y = (round(side * generator.uniform(*CENTRE)) for side in (width, height))
                parts = [(0, 0, x, y), (x, 0, width, y), (0, y, x, height), (x, y, width, height)]
            sources = [row, *generator.integers(0, len(self.pictures), len(parts) - 1)]
            found = [
                self._paint(drawn[place], int(source), part, len(parts) > 1, generator)
                for source, part in zip(sources, parts, strict=True)
            ]
            boxes.append(np.concatenate([one for one, _ in found]))
            codes.append(np.concatenate([one for _, one in found]))
        return self._coloured(drawn, generator), boxes, codes

    def _paint(
        self,
        canvas_CHW: torch.Tensor,
        source: int,
        part: tuple[int, int, int, int],
        small: bool,
        generator: np.random.Generator,
    ) -> tuple[np.ndarray, np.ndarray]:
        """A view of one picture in a part (left, top, right, bottom) of the canvas; the boxes that are seen in it."""
        left, top, right, bottom = part
        size = np.array([right - left, bottom - top], dtype=np.float64)
        matrix, offset = self._view(size, small, generator)
        pixels = self.pictures[source].permute(2, 0, 1)[None].float().sub_(FILLING)
        u, v = torch.arange(int(size[0])) + 0.5, torch.arange(int(size[1]))[:, None] + 0.5
        height, width = pixels.shape[2:]
        x = matrix[0, 0] * u + matrix[0, 1] * v + offset[0]
        y = matrix[1, 0] * u + matrix[1, 1] * v + offset[1]
        grid = torch.stack([x * (2 / width) - 1, y * (2 / height) - 1], dim=2)[None].float()
        seen = functional.grid_sample(pixels, grid, align_corners=False)[0]
        canvas_CHW[:, top:bottom, left:right] = seen.add_(FILLING)
        return _moved(self.boxes[source], self.codes[source], matrix, offset, size, (left, top))

    def _view(self, size: np.ndarray, small: bool, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """(2, 2) matrix and (2,) offset that lead from a place of the part to a place of the picture."""
        whole = np.array([self.pictures.shape[2], self.pictures.shape[1]], dtype=np.float64)
        zoom = np.exp(generator.uniform(*np.log(self.zoom))) * (MOSAIC_ZOOM if small else 1.0)
        stretch = np.exp(generator.uniform(-STRETCH, STRETCH) / 2)
        turned = not self.upright and generator.random() < 0.5
        mirrored = generator.random(2) < (0.5, 0.0 if self.upright else 0.5)
        scale = np.array([stretch, 1 / stretch]) / zoom * np.where(mirrored, -1, 1)
        matrix = np.diag(scale)[:, ::-1] if turned else np.diag(scale)
        window = np.abs(matrix) @ size  # what is seen of the picture, in its pixels
        room = whole - window
        low, high = np.minimum(room, 0), np.maximum(room, 0)
        corner = generator.uniform(low, high)
        return matrix, corner + np.where(mirrored, window, 0)

    def _coloured(self, drawn_BCHW: torch.Tensor, generator: np.random.Generator) -> torch.Tensor:
        """Brighter or darker, more or less contrast, paler or stronger, every channel a little by itself."""
        if self.colour <= 0:
            return drawn_BCHW
        count, channels = drawn_BCHW.shape[:2]
        size = self.colour
        gain = generator.uniform(1 - size, 1 + size, (count, 1)) * generator.uniform(
            1 - size / 2, 1 + size / 2, (count, channels)
        )
        shift = generator.uniform(-64 * size, 64 * size, (count, 1))
        pale = generator.uniform(-size, size, (count, 1, 1, 1)) if channels == 3 else np.zeros((count, 1, 1, 1))
        grey = drawn_BCHW.mean(dim=1, keepdim=True)
        drawn_BCHW = drawn_BCHW.lerp(grey, torch.from_numpy(pale).float())
        offset = 128 * (1 - gain) + shift
        changed = drawn_BCHW * torch.from_numpy(gain).float()[..., None, None]
        return (changed + torch.from_numpy(np.broadcast_to(offset, gain.shape).copy()).float()[..., None, None]).clamp_(
            0, 255
        )


def _moved(
    boxes: np.ndarray,
    codes: np.ndarray,
    matrix: np.ndarray,
    offset: np.ndarray,
    size: np.ndarray,
    corner: tuple[int, int],
) -> tuple[np.ndarray, np.ndarray]:
    """Boxes of the picture as they lie on the canvas, those that are seen enough."""
    if not len(boxes):
        return boxes.reshape(0, 4), codes
    inverse = np.linalg.inv(matrix)
    one, other = (boxes[:, :2] - offset) @ inverse.T, (boxes[:, 2:] - offset) @ inverse.T
    low, high = np.minimum(one, other), np.maximum(one, other)
    inside_low, inside_high = np.clip(low, 0, size), np.clip(high, 0, size)
    sides = inside_high - inside_low
    share = sides.prod(axis=1) / np.maximum((high - low).prod(axis=1), 1e-9)
    kept = (share >= SEEN_SHARE) & (sides.min(axis=1) >= LEAST_SIDE_PX)
    moved = np.concatenate([inside_low, inside_high], axis=1)[kept] + np.tile(corner, 2)
    return moved, codes[kept]
