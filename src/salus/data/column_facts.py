"""What the values of one raw column are like, gathered while parts of any number of rows pass by: enough to name its kind.

A kind that a sample suggests must hold for every row: one text that is no number, wherever it stands, makes labels of all. Knows
Arrow columns and asks the kinds; knows neither schemas nor roles. Memory is bounded.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from salus.data.kinds import KINDS, kind_named
from salus.data.row_keys import value_keys
from salus.data.sketches import FEWEST_KEYS, MOST_KEYS, DistinctSample, shared

SAMPLE_ROWS = 2000
SAMPLED_CELLS = 400_000  # of all columns
SAMPLE_CHARACTERS = 2000
SAMPLE_BYTES = 64  # enough to see what a file is
SAMPLE_STEPS = 8  # of a list
MAX_SHAPES = 200  # ways in which the texts of a column are written
MAX_LABELS = 100  # remembered of a column that may name splits
SHOWN_ROWS = 20
A_NUMBER = r"^\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*$"
ZERO_LED = r"^\s*[+-]?0\d"  # 007 is a code, not a measurement


def sort_of(kind: pa.DataType) -> str:
    """nothing, truth, number, moment, clock, text, bytes or list."""
    if pa.types.is_null(kind):
        return "nothing"
    if pa.types.is_boolean(kind):
        return "truth"
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return "number"
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        return "moment"
    if pa.types.is_temporal(kind):
        return "clock"
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return "text"
    return "bytes" if pa.types.is_binary(kind) or pa.types.is_large_binary(kind) else "list"


class ColumnFacts:
    """One raw column. `columns`: how many there are, which share the memory. `sorts`: of all its parts."""

    def __init__(self, columns: int) -> None:
        self.rows = 0
        self.sorts: set[str] = set()
        self.type: pa.DataType = pa.null()
        self.sample: list[Any] = []
        self.sample_rows = max(100, min(SAMPLE_ROWS, SAMPLED_CELLS // max(1, columns)))
        self.texts = TextFacts(columns)
        self.numbers = NumberFacts(columns)

    def part(self, column: pa.ChunkedArray, first_row: int) -> None:
        sort = sort_of(column.type)
        present = column.drop_null()
        self.rows += len(present)
        if not len(present):
            return
        self.type = column.type
        self.sorts.add(sort)
        if sort == "number":
            self.numbers.part(as_numbers(present))
        elif sort == "text":
            self.texts.part(column.cast(pa.large_string()), first_row)
            if self.texts.all_numbers:
                self.numbers.part(as_numbers(present))
        if len(self.sample) < self.sample_rows:
            self.sample += _sampled(present.slice(0, self.sample_rows - len(self.sample)), sort)

    def kind(self) -> str:
        """The kind that recognises the values most surely; a column of nothing is a number that is missing."""
        if not self.sorts:
            return "number"
        if self.sorts == {"number"}:
            return "number"
        if self.sorts == {"moment"} and "time" in KINDS:
            return "time"
        if self.sorts <= {"truth", "number", "moment", "clock"}:
            return "category"
        sample = [str(value) for value in self.sample] if len(self.sorts) > 1 else self.sample
        best = _best(sample)
        if best == "number" and not (self.sorts == {"text"} and self.texts.all_numbers):
            return "category"
        if best == "time" and not self.texts.moments:
            return _best([*sample, *self.texts.shapes.values()])
        return best


class TextFacts:
    """Texts: whether all are numbers or moments, which are not, how many are distinct."""

    def __init__(self, columns: int) -> None:
        self.all_numbers = True
        self.moments = True  # as the standard writes them
        self.shapes: dict[str, str] = {}  # of the other texts: digits as 0, letters as a -> one such text
        self.labels: set[str] = set()
        self.others = 0  # texts that are no numbers
        self.first_others: list[int] = []
        self.example = ""
        self.distinct = DistinctSample(shared(columns, FEWEST_KEYS, MOST_KEYS))

    def part(self, column: pa.ChunkedArray, first_row: int) -> None:
        codes = column.combine_chunks().dictionary_encode()
        codes = codes.chunk(0) if isinstance(codes, pa.ChunkedArray) else codes
        levels = codes.dictionary
        indices = codes.indices.drop_null().to_numpy(zero_copy_only=False)
        counts = np.bincount(indices, minlength=len(levels))
        self.distinct.add(value_keys(pa.chunked_array([levels])), counts)
        if len(self.labels) <= MAX_LABELS:
            self.labels |= set(levels.slice(0, MAX_LABELS + 1).to_pylist())
        number = pc.match_substring_regex(levels, A_NUMBER).to_numpy(zero_copy_only=False)
        if self.all_numbers:
            self.all_numbers = bool(number.all()) and not pc.any(pc.match_substring_regex(levels, ZERO_LED)).as_py()
        if not number.all():
            self._other(codes, ~number, counts, first_row)
        if self.moments:
            self.moments = _are_moments(levels)
        if not self.moments and len(self.shapes) < MAX_SHAPES:
            self._shape(levels)

    def _other(self, codes: pa.DictionaryArray, other: np.ndarray, counts: np.ndarray, first_row: int) -> None:
        self.others += int(counts[other].sum())
        if len(self.first_others) == SHOWN_ROWS:
            return
        indices = pc.fill_null(codes.indices, -1).to_numpy(zero_copy_only=False)
        rows = np.flatnonzero(np.append(other, False)[indices])
        self.example = self.example or str(codes.dictionary[int(indices[rows[0]])].as_py())[:60]
        self.first_others += [first_row + int(row) for row in rows[: SHOWN_ROWS - len(self.first_others)]]

    def _shape(self, levels: pa.Array) -> None:
        shapes = pc.replace_substring_regex(pc.utf8_slice_codeunits(levels, 0, 64), r"\d", "0")
        shapes = pc.replace_substring_regex(shapes, r"\pL", "a").dictionary_encode()
        first = np.unique(shapes.indices.to_numpy(), return_index=True)[1]
        for at in first[:MAX_SHAPES]:
            self.shapes.setdefault(shapes[int(at)].as_py(), levels[int(at)].as_py())


class NumberFacts:
    """Numbers: whether all are whole and different, and whether they only count the rows."""

    def __init__(self, columns: int) -> None:
        self.whole = True
        self.distinct = DistinctSample(shared(columns, FEWEST_KEYS, MOST_KEYS))
        self.steps: set[float] = set()
        self.last: float | None = None

    def part(self, present: pa.ChunkedArray) -> None:
        """Float64; missing ones are left out."""
        values = present.drop_null().to_numpy()
        if not self.whole or not len(values):
            return
        self.whole = bool(np.all(values == np.round(values)))
        if not self.whole:
            return  # a measurement: nothing else is asked of it
        self.distinct.add(value_keys(pa.chunked_array([pa.array(values)])))
        if len(self.steps) <= 1:
            with np.errstate(invalid="ignore"):  # of infinite ones
                steps = np.diff(values if self.last is None else np.concatenate([[self.last], values]))
            self.steps |= {float(step) for step in (steps.min(), steps.max())} if len(steps) else set()
        self.last = float(values[-1])

    @property
    def all_different(self) -> bool:
        return self.whole and self.distinct.share == 1.0

    @property
    def counting(self) -> bool:
        return self.steps in ({1.0}, {-1.0})


def as_numbers(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """As float64, rounded where an integer is longer than that; not-a-number is missing."""
    if sort_of(column.type) == "text":
        column = pc.utf8_trim_whitespace(column.cast(pa.large_string()))
    found = column.cast(pa.float64(), safe=False)
    return pc.if_else(pc.is_nan(found), pa.scalar(None, pa.float64()), found)


def _best(sample: list[Any]) -> str:
    confidence = {name: kind_named(name).recognise(sample) for name in KINDS}
    best = max(confidence, key=lambda name: confidence[name])
    return best if confidence[best] > 0 else "category"


def _sampled(present: pa.ChunkedArray, sort: str) -> list[Any]:
    """The beginnings of values, enough to tell a kind."""
    if sort == "text":
        return list(pc.utf8_slice_codeunits(present, 0, SAMPLE_CHARACTERS).to_pylist())
    if sort == "bytes":
        return list(pc.binary_slice(present, 0, SAMPLE_BYTES).to_pylist())
    if sort == "list":
        return [value.values.slice(0, SAMPLE_STEPS).to_pylist() for value in present.slice(0, SHOWN_ROWS)]
    return list(present.to_pylist())


def _are_moments(levels: pa.Array) -> bool:
    """Whether every text is a date, or a date and a time, as ISO 8601 writes them."""
    for zone in (None, "UTC"):
        try:
            levels.cast(pa.timestamp("us", zone))
        except pa.ArrowInvalid:
            continue
        return True
    return False
