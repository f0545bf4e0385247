"""When the newest value of a history was measured: a moment of which nothing may be lost, and its place in the day, week and year.

The moment goes through the graph as whole days and seconds, which float32 holds exactly, so that an answer can say to which
moments it belongs. It may be missing; then the answer counts steps only.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from salus.data.kinds.base import Arrays, State, Values
from salus.data.kinds.time import DAY_S, MONDAY_DAYS, WEEK_DAYS, YEAR_DAYS, Time

STAMP_PARTS = (
    "days",
    "seconds",
    "day_sine",
    "day_cosine",
    "week_sine",
    "week_cosine",
    "year_sine",
    "year_cosine",
    "weekday",
)
UNKNOWN_DAY = -1e6  # days since 1970 of a moment that nobody said
MOST_DAYS = 2**22  # beyond it float32 would round


class Stamp(Time):
    name = "stamp"

    def recognise(self, values: Any) -> float:
        return 0.0  # columns of a file are never stamps: they are made when a horizon is asked for

    def encode(self, values: Values, state: State) -> Arrays:
        return {"stamp": stamp_parts(super().encode(values, state)["seconds"])}

    def join(self, encoded: Mapping[str, Arrays], states: Mapping[str, State]) -> Arrays:
        """`stamp` float32 (B, STAMP_PARTS) of the only column of this kind."""
        return {"stamp": next(iter(encoded.values()))["stamp"]}


def stamp_parts(seconds_B: np.ndarray) -> np.ndarray:
    """Float32 (B, STAMP_PARTS) of seconds since 1970, NaN where unknown: then 0 but for the day."""
    known = np.isfinite(seconds_B) & (np.abs(seconds_B) < MOST_DAYS * DAY_S)
    settled = np.where(known, seconds_B, 0.0)
    days = np.floor(settled / DAY_S)
    seconds = settled - days * DAY_S
    day, week = seconds / DAY_S, ((days - MONDAY_DAYS) % WEEK_DAYS + seconds / DAY_S) / WEEK_DAYS
    turns = 2 * np.pi * np.stack([day, week, (settled / DAY_S / YEAR_DAYS) % 1.0], axis=1)
    waves = np.stack([np.sin(turns), np.cos(turns)], axis=2).reshape(len(settled), -1)
    weekday = (days - MONDAY_DAYS) % WEEK_DAYS
    parts = np.concatenate([np.stack([days, seconds], axis=1), waves, weekday[:, None]], axis=1)
    parts[~known] = 0.0
    parts[~known, 0] = UNKNOWN_DAY
    return parts.astype(np.float32)
