"""Numbers: measurements, counts, ages. Missing is NaN; scaling and imputing are in the graph.

A number that a request asks with, such as a seed, may have bounds in its state: `bounds` [least, most], and is a whole one where `integer`.
Numbers that are large beside their differences (epoch seconds, long counters) are counted from a number near them, in float64:
float32 would make one of many.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from salus.core.errors import SalusError
from salus.data.kinds.base import Arrays, Kind, State, Values

FLOAT32_MAX = float(np.finfo(np.float32).max)
LARGE, FEW_TIMES = 1e6, 32  # this large, and this many times larger than the range: counted from the lowest


class Number(Kind):
    name = "number"
    storage = "number"

    def recognise(self, values: Sequence[Any]) -> float:
        present = [value for value in values if value is not None and value != ""]
        if not present:
            return 0.0
        good = sum(_number_of(value) is not None for value in present)
        return 0.9 if good == len(present) else 0.0

    def read(self, raw: Any, where: str) -> Any:
        if raw is None:
            return math.nan
        if isinstance(raw, bool) or not isinstance(raw, int | float | np.number):
            raise SalusError("not_a_number", where=where, found=_shown(raw))
        try:
            value = float(raw)
        except OverflowError:
            value = math.inf
        if math.isinf(value) or abs(value) > FLOAT32_MAX:
            raise SalusError("not_finite", where=where, found=_shown(raw))
        return value

    def column_values(self, raws: Sequence[Any], where: str) -> Values:
        if isinstance(raws, np.ndarray) and raws.dtype.kind in "fiub":
            return raws.astype(np.float64)
        return np.array([self.read(raw, f"{where}, row {row}") for row, raw in enumerate(raws)], dtype=np.float64)

    def fit(self, values: Values, options: Mapping[str, Any]) -> State:
        array = np.asarray(values, dtype=np.float64)
        finite = array[np.isfinite(array)]
        if not len(finite):
            return {"low": 0.0, "high": 0.0, "offset": 0.0, "integer": False, "missing": True}
        low, high = float(finite.min()), float(finite.max())
        size = max(abs(low), abs(high))
        return {
            "low": low,
            "high": high,
            "offset": float(np.floor(low)) if size > LARGE and size > FEW_TIMES * (high - low) else 0.0,
            "integer": bool(np.all(finite == np.round(finite))),
            "missing": bool(len(finite) < len(array)),
        }

    def encode(self, values: Values, state: State) -> Arrays:
        array = np.asarray(values, dtype=np.float64) - state.get("offset", 0.0)
        with np.errstate(over="ignore"):
            column = array.astype(np.float32)
        column[~np.isfinite(column)] = np.nan
        return {"column": column}

    def join(self, encoded: Mapping[str, Arrays], states: Mapping[str, State]) -> Arrays:
        return {"numbers": np.stack([arrays["column"] for arrays in encoded.values()], axis=1)}

    def json_schema(self, state: State) -> dict[str, Any]:
        if "bounds" in state:
            least, most = state["bounds"]
            whole = "integer" if state["integer"] else "number"
            return {"type": [whole, "null"], "minimum": least, "maximum": most}
        return {
            "type": ["number", "null"],
            "description": f"between {state['low']:g} and {state['high']:g} in training",
        }

    def synthetic(self, state: State, count: int, generator: np.random.Generator) -> list[Any]:
        low, high = state["low"], state["high"]
        drawn = generator.uniform(low, high if high > low else low + 1.0, count)
        if state["integer"]:
            drawn = np.round(drawn)
        values: list[Any] = [float(np.float32(value)) for value in drawn]
        span = (high - low) or 1.0
        for row in range(9, count, 10):
            values[row] = None
        for row in range(4, count, 20):
            values[row] = float(np.float32(high + 10 * span))
        for row in range(14, count, 20):
            values[row] = float(np.float32(low - 10 * span))
        least, most = state.get("bounds", (-math.inf, math.inf))
        return [None if value is None else min(most, max(least, value)) for value in values]


def out_of_bounds(values: np.ndarray, state: State) -> int | None:
    """The first row whose number may not be asked with; None where there is none."""
    if "bounds" not in state:
        return None
    least, most = state["bounds"]
    bad = (values < least) | (values > most)  # what is missing is neither
    if state["integer"]:
        bad |= np.isfinite(values) & (values != np.round(values))
    rows = np.flatnonzero(bad)
    return int(rows[0]) if len(rows) else None


def _number_of(value: Any) -> float | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float | np.number):
        return float(value)
    try:
        return float(value)
    except (TypeError, ValueError):
        return None


def _shown(raw: Any) -> str:
    return f"{type(raw).__name__} {raw!r}"[:80]
