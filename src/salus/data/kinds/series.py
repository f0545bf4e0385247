"""Recordings: a list of numbers a row and channel, cut into windows of one length, as a person said in seconds or as fits them.

All series columns of a row are channels of one recording, so they have one length.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from salus.core.errors import SalusError
from salus.data.kinds.base import Arrays, Kind, State, Values
from salus.data.windows import MAX_WINDOWS, cut, starts, window_steps

MAX_STEPS = 5_000_000
WANTED_PAIRS = 2**27  # of rows and windows, whose matrix averages windows into rows; many rows have fewer windows each
MOST_PAIRS = 2**29  # 2 GiB of float32


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
            if not all(kind is not bool and issubclass(kind, int | float | None) for kind in set(map(type, raw))):
                raise SalusError("not_a_series", where=where, found="an item that is no number")
            with np.errstate(over="ignore"):
                values = np.array(raw, dtype=np.float64).astype(np.float32)  # None becomes NaN
        if len(values) == 0:
            raise SalusError("series_empty", where=where)
        values[~np.isfinite(values)] = np.nan
        return values

    def fit(self, values: Values, options: Mapping[str, Any]) -> State:
        present = [value for value in values if value is not None]
        window, stride = window_steps([len(value) for value in present], options)
        finite = np.concatenate([value[np.isfinite(value)] for value in present]) if present else np.zeros(0)
        spread = (float(finite.mean()), float(finite.std())) if len(finite) else (0.0, 1.0)
        most = max(1, min(MAX_WINDOWS, WANTED_PAIRS // max(1, len(values) ** 2)))
        state = {"window_steps": window, "stride_steps": stride, "most_windows": most}
        return state | {"mean": spread[0], "deviation": spread[1]}

    def encode(self, values: Values, state: State) -> Arrays:
        lengths = np.array([-1 if value is None else len(value) for value in values], dtype=np.int64)
        present = [np.asarray(value, dtype=np.float32) for value in values if value is not None]
        return {"samples": np.concatenate([np.zeros(0, dtype=np.float32), *present]), "lengths": lengths}

    def join(self, encoded: Mapping[str, Arrays], states: Mapping[str, State]) -> Arrays:
        # Channels lie side by side, so they share the window of the one with the shortest: a missing channel changes nothing.
        first = min(states.values(), key=lambda state: int(state["window_steps"]))
        window, stride = first["window_steps"], first["stride_steps"]
        most = first.get("most_windows", MAX_WINDOWS)
        lengths = np.stack([arrays["lengths"] for arrays in encoded.values()], axis=1)
        longest = np.maximum(lengths.max(axis=1), 1)
        for row in np.flatnonzero(np.any((lengths >= 0) & (lengths != longest[:, None]), axis=1)):
            raise SalusError("series_unequal", where=f"recording {row}", found=", ".join(map(str, lengths[row])))
        begins = {length: starts(length, window, stride, most) for length in np.unique(longest).tolist()}
        counts = np.array([len(begins[length]) for length in longest.tolist()], dtype=np.int64)
        pairs = len(counts) * int(counts.sum())
        if pairs > MOST_PAIRS:
            raise SalusError("series_too_many_windows", where="the recordings", expected=MOST_PAIRS, found=pairs)
        windows_WCT = np.zeros((int(counts.sum()), len(encoded), window), dtype=np.float32)
        for channel, arrays in enumerate(encoded.values()):
            ends, at = np.cumsum(np.maximum(arrays["lengths"], 0)), 0
            for length, end, own, count in zip(arrays["lengths"], ends, longest.tolist(), counts, strict=True):
                if length > 0:
                    samples = arrays["samples"][end - length : end]
                    windows_WCT[at : at + count, channel] = cut(samples, window, begins[own])
                at += count
        return {"series": windows_WCT, "series_rows": _averaging(counts)}

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
