"""Recordings as the runners of recordings read them: windows of four seconds, each half over the next, or the whole where all are short."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from exchange import Task

WINDOW_S = 4.0
WHOLE_STEPS = 512

Batch = tuple[np.ndarray, np.ndarray]


def read_windows(task: Task) -> Batch:
    """Windows (W, C, T) and the recording (W,) that each is of."""
    import pyarrow.parquet as parquet

    table = parquet.read_table(task.folder / "rows.parquet")
    left_out = {task.about["target"], task.about["group"], *task.about["ignore"]}
    channels = [table[name].to_pylist() for name in table.column_names if name not in left_out]
    lengths = [len(cells) for cells in channels[0]]
    window = min(lengths)
    if max(lengths) > window or window > WHOLE_STEPS:
        window = min(window, round(WINDOW_S * task.about["rate_hz"]))
    windows, recording = [], []
    for row, length in enumerate(lengths):
        values = np.array([cells[row] for cells in channels])
        for start in range(0, length - window + 1, max(1, window // 2)):
            windows.append(values[:, start : start + window])
            recording.append(row)
    return np.stack(windows), np.array(recording)


def averaged(
    windows: np.ndarray, recording: np.ndarray, scores: Callable[[np.ndarray], np.ndarray]
) -> tuple[Callable[[np.ndarray], Batch], Callable[[Any], np.ndarray]]:
    """batch and predict of an Answering, from what scores windows."""

    def batch(positions: np.ndarray) -> Batch:
        chosen = [np.flatnonzero(recording == position) for position in positions]
        return windows[np.concatenate(chosen)], np.repeat(np.arange(len(positions)), [len(each) for each in chosen])

    def predict(asked: Batch) -> np.ndarray:
        of_windows = scores(asked[0])
        sums = np.zeros((asked[1].max() + 1, of_windows.shape[1]))
        np.add.at(sums, asked[1], of_windows)
        return sums / np.bincount(asked[1])[:, None]

    return batch, predict
