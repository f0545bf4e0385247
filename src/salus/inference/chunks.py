"""Rows of a request, so many at a time that the memory of a pass stays bounded.

A short recording is padded to a whole window and a long one becomes many, so rows of recordings are counted by the windows that
they become. Knows values and schemas; runs nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from salus.core.nouns import Schema
from salus.data.kinds.base import Values
from salus.data.windows import MAX_WINDOWS, starts

MOST_CELLS = 2**22  # numbers of windows in one pass: 16 MiB
SOUNDS_AT_ONCE = 16  # a small file may hold half a minute of many channels


def rows_of(values: Mapping[str, Values]) -> int:
    """How many rows these columns have."""
    return len(next(iter(values.values())))


def chunks(values: Mapping[str, Values], schema: Schema, rows_at_once: int) -> Iterator[dict[str, Values]]:
    """The columns in parts of at most so many rows, and of windows of at most `MOST_CELLS` numbers where a row alone has no more."""
    count = rows_of(values)
    if any(column.kind == "audio" for column in schema.inputs):
        rows_at_once = min(rows_at_once, SOUNDS_AT_ONCE)
    cells = _cells(values, schema, count)
    start = 0
    while start < count:
        stop = min(count, start + rows_at_once)
        if cells is not None:
            of_rows = np.cumsum(cells[start:stop])
            stop = start + max(1, int(np.searchsorted(of_rows, MOST_CELLS, side="right")))
        yield {name: of_all[start:stop] for name, of_all in values.items()}
        start = stop


def _cells(values: Mapping[str, Values], schema: Schema, count: int) -> np.ndarray | None:
    """Numbers of the windows that each row becomes (B,); None without recordings."""
    columns = [column for column in schema.inputs if column.kind == "series" and column.state is not None]
    if not columns:
        return None
    state = min((column.state or {} for column in columns), key=lambda state: int(state["window_steps"]))
    window, stride, most = state["window_steps"], state["stride_steps"], state.get("most_windows", MAX_WINDOWS)
    windows: dict[int, int] = {}
    cells = np.zeros(count, dtype=np.int64)
    for row in range(count):
        lengths = [len(values[column.name][row]) for column in columns if values[column.name][row] is not None]
        length = max(lengths, default=1)
        if length not in windows:
            windows[length] = len(starts(length, window, stride, most))
        cells[row] = windows[length] * window * len(columns)
    return cells
