"""Recordings: a list of numbers a row and channel, cut into windows of one length.

All series columns of a row are channels of one recording, so they have one length.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from salus.core.errors import SalusError
from salus.data.kinds.base import Arrays, Kind, State, Values
from salus.data.windows import choose_window, cut, starts

MAX_STEPS = 5_000_000


class Series(Kind):
    name = "series"
    storage = "numbers"

    def recognise(self, values: Sequence[Any]) -> float:
        present = [value for value in values if value is not None]
        return 0.95 if present and all(isinstance(value, list | tuple | np.ndarray) for value in present) else 0.0

    def read(self, raw: Any, where: str) -> Any:
        if raw is None:
            return None
        if not isinstance(raw, list | tuple | np.ndarray):
            raise SalusError("not_a_series", where=where, found=type(raw).__name__)
        if len(raw) > MAX_STEPS:
            raise SalusError("series_too_long", where=where, expected=MAX_STEPS, found=len(raw))
        if isinstance(raw, np.ndarray) and raw.dtype.kind == "f":
            values = raw.astype(np.float32)
        else:
            if any(isinstance(item, bool) or not isinstance(item, int | float | None) for item in raw):
                raise SalusError("not_a_series", where=where, found="an item that is no number")
            with np.errstate(over="ignore"):
                values = np.array([np.nan if item is None else item for item in raw], dtype=np.float64).astype(
                    np.float32
                )
        if len(values) == 0:
            raise SalusError("series_empty", where=where)
        values[~np.isfinite(values)] = np.nan
        return values

    def fit(self, values: Values, options: Mapping[str, Any]) -> State:
        present = [value for value in values if value is not None]
        window, stride = choose_window([len(value) for value in present])
        finite = np.concatenate([value[np.isfinite(value)] for value in present]) if present else np.zeros(0)
        spread = (float(finite.mean()), float(finite.std())) if len(finite) else (0.0, 1.0)
        return {"window_steps": window, "stride_steps": stride, "mean": spread[0], "deviation": spread[1]}

    def encode(self, values: Values, state: State) -> Arrays:
        window, stride = state["window_steps"], state["stride_steps"]
        empty = np.zeros(1, dtype=np.float32)
        lengths = np.array([-1 if value is None else len(value) for value in values], dtype=np.int64)
        recordings = [empty if value is None else value for value in values]
        windows = [cut(recording, window, stride) for recording in recordings]
        return {"windows": np.concatenate(windows), "lengths": lengths}

    def join(self, encoded: Mapping[str, Arrays], states: Mapping[str, State]) -> Arrays:
        first = next(iter(states.values()))
        window, stride = first["window_steps"], first["stride_steps"]
        lengths = np.stack([arrays["lengths"] for arrays in encoded.values()], axis=1)
        longest = lengths.max(axis=1)
        for row, of_row in enumerate(lengths):
            if len({length for length in of_row if length >= 0}) > 1:
                raise SalusError("series_unequal", where=f"recording {row}", found=", ".join(map(str, of_row)))
        counts = np.array([len(starts(max(1, length), window, stride)) for length in longest], dtype=np.int64)
        channels = [_aligned(a["windows"], a["lengths"], counts, window, stride) for a in encoded.values()]
        return {"series": np.stack(channels, axis=1), "series_rows": _averaging(counts)}

    def json_schema(self, state: State) -> dict[str, Any]:
        return {"type": ["array", "null"], "items": {"type": ["number", "null"]}, "minItems": 1}

    def synthetic(self, state: State, count: int, generator: np.random.Generator) -> list[Any]:
        window = state["window_steps"]
        values: list[Any] = []
        for row in range(count):
            steps = (window, window * 2 + 3, max(1, window // 2))[row % 3]
            trace = np.asarray(generator.normal(state["mean"], state["deviation"] or 1.0, steps))
            trace = np.asarray(np.convolve(trace, np.ones(3) / 3, mode="same"), dtype=np.float32)
            values.append([None if row % 5 == 4 and step % 17 == 0 else float(item) for step, item in enumerate(trace)])
        return values


def _averaging(counts: np.ndarray) -> np.ndarray:
    """(B, W): every row averages its own windows."""
    matrix = np.zeros((len(counts), int(counts.sum())), dtype=np.float32)
    end = np.cumsum(counts)
    for row, (count, stop) in enumerate(zip(counts, end, strict=True)):
        matrix[row, stop - count : stop] = 1.0 / count
    return matrix


def _aligned(windows: np.ndarray, lengths: np.ndarray, counts: np.ndarray, window: int, stride: int) -> np.ndarray:
    """Zeros where a channel is missing, so that all channels have the windows of the whole recording."""
    if not np.any(lengths < 0):
        return windows
    pieces, at = [], 0
    for length, count in zip(lengths, counts, strict=True):
        own = len(starts(max(1, length), window, stride)) if length >= 0 else 1
        pieces.append(windows[at : at + own] if length >= 0 else np.zeros((count, window), dtype=np.float32))
        at += own
    return np.concatenate(pieces)
