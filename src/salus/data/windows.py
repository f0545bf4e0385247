"""Recordings to windows of one length. A window never crosses a recording; a short recording is padded with its last value."""

from __future__ import annotations

import numpy as np

WHOLE_STEPS = 512  # recordings of equal length up to this are one window
WINDOW_STEPS = 256
MAX_WINDOWS = 64  # a recording gives at most this many, evenly spread


def choose_window(lengths: list[int]) -> tuple[int, int]:
    """Window and stride in steps, for recordings of these lengths."""
    if not lengths:
        return 1, 1
    shortest, longest = min(lengths), max(lengths)
    if shortest == longest and longest <= WHOLE_STEPS:
        return longest, longest
    window = max(8, min(WINDOW_STEPS, shortest))
    return window, max(1, window // 2)


def starts(length: int, window: int, stride: int) -> np.ndarray:
    """Where the windows of a recording begin."""
    if length <= window:
        return np.zeros(1, dtype=np.int64)
    every = np.arange(0, length - window + 1, stride, dtype=np.int64)
    if len(every) > MAX_WINDOWS:
        every = every[np.round(np.linspace(0, len(every) - 1, MAX_WINDOWS)).astype(np.int64)]
    return every


def cut(recording: np.ndarray, window: int, stride: int) -> np.ndarray:
    """One channel (T,) to its windows (W, window), padded at the end and without NaN."""
    filled = fill(recording)
    if len(filled) < window:
        filled = np.pad(filled, (0, window - len(filled)), mode="edge")
    return np.stack([filled[start : start + window] for start in starts(len(filled), window, stride)])


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
