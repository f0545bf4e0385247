"""What a table learner sees of pictures: oriented gradients a cell (Dalal and Triggs 2005), and light and colour a cell.

Knows graph nodes only; there is no second implementation. Large pictures are made smaller first, so that a picture has the
same number of features whatever its size.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from salus.learners.graphs import GraphBuilder

SIDE = 64  # pixels of the longer side that are looked at, about
ORIENTATIONS = 9
FINE, COARSE = 8, 4  # cells a side
FEWEST_PIXELS = 3  # of a fine cell's side; small pictures have fewer cells
FAINT = 0.02  # a gradient below this share of white is no edge
GREY = (0.299, 0.587, 0.114)


@dataclass(frozen=True)
class PictureFeatures:
    """Of the feed `feed` uint8 (B, height, width, channels), made of the column `column`."""

    feed: str
    column: str
    height: int
    width: int
    channels: int

    @property
    def factor(self) -> int:
        """How many pixels a side become one."""
        return max(1, round(max(self.height, self.width) / SIDE))

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of what is looked at."""
        return max(1, self.height // self.factor), max(1, self.width // self.factor)

    def grid(self, cells: int, pixels: int) -> list[tuple[int, int, int]]:
        """(cells, pixels of one, pixels from one to the next) of height and width; cells overlap where they do not fit."""
        found = []
        for length in self.size:
            count = max(1, min(cells, length // pixels))
            kernel = -(-length // count)
            stride = (length - kernel) // (count - 1) if count > 1 else 1
            found.append((count, kernel, max(1, stride)))
        return found

    @property
    def names(self) -> list[tuple[str, str]]:
        """(name, column) of every feature."""
        fine, coarse = self.grid(FINE, FEWEST_PIXELS), self.grid(COARSE, 1)
        found = [
            f"edge {180 * turn // ORIENTATIONS} at {row}/{column}"
            for turn in range(ORIENTATIONS)
            for row in range(_count(fine, 0, self.size))
            for column in range(_count(fine, 1, self.size))
        ]
        found += [
            f"{what} {channel} at {row}/{column}"
            for what, grid in (("light", fine), ("contrast", coarse))
            for channel in range(self.channels)
            for row in range(_count(grid, 0, self.size))
            for column in range(_count(grid, 1, self.size))
        ]
        return [(f"{self.column}.{name}", self.column) for name in found]

    def nodes(self, builder: GraphBuilder) -> str:
        """The graph value (rows, features)."""
        shape = ("rows", self.height, self.width, self.channels)
        pixels = builder.node("Cast", builder.feed(self.feed, np.uint8, shape), to=1)
        light = builder.node("Div", pixels, builder.constant(255.0))
        x_BCHW = builder.node("Transpose", light, perm=[0, 3, 1, 2])
        if self.factor > 1:
            sides = [self.factor if length >= self.factor else length for length in (self.height, self.width)]
            x_BCHW = builder.node("AveragePool", x_BCHW, kernel_shape=sides, strides=sides)
        fine, coarse = self.grid(FINE, FEWEST_PIXELS), self.grid(COARSE, 1)
        means = _pooled(builder, x_BCHW, coarse)
        squares = _pooled(builder, builder.node("Mul", x_BCHW, x_BCHW), coarse)
        variance = builder.node("Relu", builder.node("Sub", squares, builder.node("Mul", means, means)))
        contrast = builder.node("Sqrt", builder.node("Add", variance, builder.constant(1e-4)))
        parts = [self._edges(builder, x_BCHW, fine), _pooled(builder, x_BCHW, fine), contrast]
        return builder.node("Concat", *(builder.node("Flatten", part) for part in parts), axis=1)

    def _edges(self, builder: GraphBuilder, x_BCHW: str, grid: list[tuple[int, int, int]]) -> str:
        """Gradients by orientation (B, ORIENTATIONS, rows, columns), each cell measured against its neighbours."""
        if self.channels == 3:
            x_BCHW = builder.node("Conv", x_BCHW, builder.constant(np.array(GREY).reshape(1, 3, 1, 1)))
        edged = builder.node("Pad", x_BCHW, builder.constant([0, 0, 1, 1, 0, 0, 1, 1], np.int64), mode="edge")
        across = np.zeros((2, 1, 3, 3))
        across[0, 0, 1], across[1, 0, :, 1] = (-1, 0, 1), (-1, 0, 1)
        slopes = builder.node("Conv", edged, builder.constant(across))
        square = builder.node("ReduceSum", builder.node("Mul", slopes, slopes), builder.constant([1], np.int64))
        strength = builder.node("Sqrt", builder.node("Add", square, builder.constant(1e-8)))
        turns = np.pi * np.arange(ORIENTATIONS) / ORIENTATIONS
        directions = np.stack([np.cos(turns), np.sin(turns)], axis=1)[:, :, None, None]
        along = builder.node("Abs", builder.node("Conv", slopes, builder.constant(directions)))
        # What lies nearer to a neighbouring orientation than to this one does not count for it.
        nearest = float(np.cos(np.pi / ORIENTATIONS))
        beyond = builder.node("Sub", along, builder.node("Mul", strength, builder.constant(nearest)))
        shares = builder.node("Div", builder.node("Relu", beyond), builder.constant(1 - nearest))
        cells = _pooled(builder, shares, grid)
        energy = builder.node("ReduceSum", builder.node("Mul", cells, cells), builder.constant([1], np.int64))
        around = builder.node("AveragePool", energy, kernel_shape=[3, 3], pads=[1, 1, 1, 1])
        level = builder.node("Sqrt", builder.node("Add", around, builder.constant(FAINT**2)))
        return builder.node("Sqrt", builder.node("Div", cells, level))


def _pooled(builder: GraphBuilder, values: str, grid: list[tuple[int, int, int]]) -> str:
    kernel, strides = [side[1] for side in grid], [side[2] for side in grid]
    return builder.node("AveragePool", values, kernel_shape=kernel, strides=strides)


def _count(grid: list[tuple[int, int, int]], axis: int, size: tuple[int, int]) -> int:
    """How many cells the pooling really gives."""
    _, kernel, stride = grid[axis]
    return (size[axis] - kernel) // stride + 1
