"""What was measured of one channel up to now: the last values of a regular series, the newest last.

A row of forecasting data has one for every channel. It may be of any length: of a longer one the newest values count. A shorter one
is begun with what is known: its own earliest season repeated backwards where it has a whole one, else its first value. A gap
is filled with the value before it. Knows nothing of stamps; see `stamp`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from salus.data.kinds.base import Arrays, State, Values
from salus.data.kinds.series import Series
from salus.data.windows import fill

MOST_STEPS = 512


class History(Series):
    name = "history"
    storage = "numbers"

    def recognise(self, values: Sequence[Any]) -> float:
        return 0.0  # columns of a file are never histories: they are made when a horizon is asked for

    def fit(self, values: Values, options: Mapping[str, Any]) -> State:
        longest = max((len(value) for value in values if value is not None), default=1)
        steps = int(options.get("steps") or min(MOST_STEPS, longest))
        mean, deviation = _spread(values)
        return {"steps": steps, "season": int(options.get("season") or 1), "mean": mean, "deviation": deviation}

    def encode(self, values: Values, state: State) -> Arrays:
        steps, season = int(state["steps"]), int(state["season"])
        history_BT = np.empty((len(values), steps), dtype=np.float32)
        for row, value in enumerate(values):
            if value is None or not np.isfinite(value).any():
                history_BT[row] = state["mean"]
            else:
                history_BT[row] = lengthened(fill(value[-steps:]), steps, season)
        return {"history": history_BT}

    def join(self, encoded: Mapping[str, Arrays], states: Mapping[str, State]) -> Arrays:
        """`history` float32 (B, C, T), the newest value last."""
        return {"history": np.stack([arrays["history"] for arrays in encoded.values()], axis=1)}

    def json_schema(self, state: State) -> dict[str, Any]:
        told = (
            f"the last values, oldest first, newest last; the model looks at {state['steps']}; null for a missing one"
        )
        return {
            "type": ["array", "null"],
            "items": {"type": ["number", "null"]},
            "minItems": 1,
            "description": told,
        }

    def synthetic(self, state: State, count: int, generator: np.random.Generator) -> list[Any]:
        steps = int(state["steps"])
        values: list[Any] = []
        for row in range(count):
            length = (steps, steps + 3, max(1, steps // 2), 1)[row % 4]
            wave = np.sin(2 * np.pi * (np.arange(length) / max(2, state["season"]) + generator.random()))
            trace = state["mean"] + state["deviation"] * (wave + generator.normal(0, 0.5, length))
            trace = np.full(length, state["mean"]) if row % 7 == 6 else trace  # nothing moves
            items = np.asarray(trace, dtype=np.float32).tolist()
            values.append([None if row % 5 == 4 and step % 17 == 3 else item for step, item in enumerate(items)])
        if count > 9:
            values[9] = None
        return values


def lengthened(values: np.ndarray, steps: int, season: int) -> np.ndarray:
    """Values without gaps (L,) with L at most `steps`, begun so that there are `steps` of them."""
    lacking = steps - len(values)
    if lacking <= 0:
        return values
    if 1 < season <= len(values):
        # The places of the earliest season, counted backwards from its end.
        places = (np.arange(-lacking, 0) % season).astype(np.int64)
        return np.concatenate([values[places], values])
    return np.concatenate([np.full(lacking, values[0], dtype=values.dtype), values])


def _spread(values: Values) -> tuple[float, float]:
    """Mean and deviation of the newest value of every row, which together are the series itself."""
    newest = np.array([value[-1] for value in values if value is not None and len(value)], dtype=np.float64)
    newest = newest[np.isfinite(newest)]
    return (float(newest.mean()), float(newest.std())) if len(newest) else (0.0, 1.0)
