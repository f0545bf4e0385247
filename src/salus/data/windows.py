"""Recordings to windows of one length. A window never crosses a recording; a short recording is padded with its last value."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from salus.core.errors import SalusError

WHOLE_STEPS = 512  # recordings of equal length up to this are one window
WINDOW_STEPS = 256
SHORTEST_STEPS = 8
SHORT_SHARE = 0.05  # of recordings may be shorter than the window
MAX_WINDOWS = 64  # a recording gives at most this many, evenly spread


def window_steps(lengths: list[int], options: Mapping[str, Any]) -> tuple[int, int]:
    """Window and stride in steps for recordings of these lengths: as said in seconds (`window_s`, `stride_s`, and the `rate_hz`
    that they need), else as fits."""
    window, stride = choose_window(lengths)
    said = {name: options[name] for name in ("window_s", "stride_s") if options.get(name) is not None}
    if not said:
        return window, stride
    rate_hz = options.get("rate_hz")
    if rate_hz is None:
        raise SalusError("series_rate_missing", where=", ".join(said))
    if "window_s" in said:
        window = max(1, min(round(said["window_s"] * rate_hz), max(lengths, default=1)))
        stride = max(1, window // 2)
    if "stride_s" in said:
        stride = max(1, round(said["stride_s"] * rate_hz))
    return window, stride


def choose_window(lengths: list[int]) -> tuple[int, int]:
    """Window and stride in steps, for recordings of these lengths."""
    if not lengths:
        return 1, 1
    shortest, longest = min(lengths), max(lengths)
    if shortest == longest and longest <= WHOLE_STEPS:
        return longest, longest
    # A few short ones are padded; they shall not make the windows of all others short.
    typical = int(np.quantile(lengths, SHORT_SHARE))
    window = max(min(SHORTEST_STEPS, longest), min(WINDOW_STEPS, typical))
    return window, max(1, window // 2)


def starts(length: int, window: int, stride: int, most: int = MAX_WINDOWS) -> np.ndarray:
    """Where the windows of a recording begin, at most `most` of them."""
    if length <= window:
        return np.zeros(1, dtype=np.int64)
    every = np.arange(0, length - window + 1, stride, dtype=np.int64)
    if len(every) > most:
        every = every[np.round(np.linspace(0, len(every) - 1, most)).astype(np.int64)]
    return every


def cut(recording: np.ndarray, window: int, begins: np.ndarray) -> np.ndarray:
    """One channel (T,) to its windows (W, window) that begin there, padded at the end and without NaN."""
    filled = fill(recording)
    if len(filled) < window:
        filled = np.pad(filled, (0, window - len(filled)), mode="edge")
    windows: np.ndarray = np.lib.stride_tricks.sliding_window_view(filled, window)[begins]
    return windows


def fill(recording: np.ndarray) -> np.ndarray:
    """The last value before a gap fills it; before the first value, the first one; all missing is 0."""
    values = np.asarray(recording, dtype=np.float32)
    good = np.isfinite(values)
    if good.all() and len(values):
        return values
    if not good.any():
        return np.zeros(max(1, len(values)), dtype=np.float32)
    last = np.maximum.accumulate(np.where(good, np.arange(len(values)), -1))
    last[last < 0] = int(np.argmax(good))
    return values[last]
