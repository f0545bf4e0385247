"""What a table learner sees of sounds: how loud each band is in the four quarters of the sound, how much it varies, and how long the sound is.

Knows graph nodes only; there is no second implementation.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from salus.learners.graphs import GraphBuilder

QUARTERS = 4


@dataclass(frozen=True)
class SoundFeatures:
    """Of the feed `feed` float32 (B, frames, bands + 1), made of the column `column`."""

    feed: str
    column: str
    frames: int
    bands: int

    @property
    def names(self) -> list[tuple[str, str]]:
        """(name, column it comes from) of every feature."""
        made = [f"{self.column}, quarter {part}, band {band}" for part in range(1, 5) for band in range(self.bands)]
        made += [f"{self.column}, spread of band {band}" for band in range(self.bands)]
        return [(name, self.column) for name in [*made, f"{self.column}, frames"]]

    def nodes(self, builder: GraphBuilder) -> str:
        """The graph value (rows, features)."""
        value = builder.feed(self.feed, np.float32, ("rows", self.frames, self.bands + 1))
        axis, first = builder.constant([2], np.int64), builder.constant([0], np.int64)
        last, end = builder.constant([self.bands], np.int64), builder.constant([self.bands + 1], np.int64)
        x, there = builder.node("Slice", value, first, last, axis), builder.node("Slice", value, last, end, axis)
        time = builder.constant([1], np.int64)
        count = builder.node("ReduceSum", there, time, keepdims=1)  # (B, 1, 1)
        counted = builder.node("Max", count, builder.constant([1.0]))
        place = builder.node("Div", builder.node("CumSum", there, builder.constant(1, np.int64)), counted)
        found = []
        for quarter in range(QUARTERS):
            after = builder.node("Greater", place, builder.constant(quarter / QUARTERS))
            until = builder.node("LessOrEqual", place, builder.constant((quarter + 1) / QUARTERS))
            inside = builder.node("Cast", builder.node("And", after, until), to=1)
            inside = builder.node("Mul", inside, there)
            size = builder.node("Max", builder.node("ReduceSum", inside, time, keepdims=0), builder.constant([1.0]))
            total = builder.node("ReduceSum", builder.node("Mul", x, inside), time, keepdims=0)
            found.append(builder.node("Div", total, size))
        squares = builder.node("ReduceSum", builder.node("Mul", x, x), time, keepdims=1)
        spread = builder.node("Sqrt", builder.node("Div", squares, counted))
        found += [builder.node("Squeeze", spread, time), builder.node("Squeeze", count, time)]
        return builder.node("Concat", *found, axis=1)
