"""A few figures a column: what is missing, range, mean and quantiles, the most frequent labels. Knows nothing of roles.

Gathered group by group in bounded memory; quantiles of many rows are those of a sample of them, and distinct labels beyond some
ten thousand are estimated (`about`: true).
"""

from __future__ import annotations

import math
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from salus.core.nouns import Schema
from salus.data.row_keys import value_keys
from salus.data.sketches import (
    FEWEST_KEYS,
    FEWEST_SAMPLED,
    MOST_KEYS,
    MOST_SAMPLED,
    DistinctSample,
    LabelCounts,
    RowSample,
    shared,
)

TOP_LABELS = 10
QUANTILES = {"p5": 0.05, "p25": 0.25, "median": 0.5, "p75": 0.75, "p95": 0.95}


class Figures(Protocol):
    """Of one column, from all that passed by."""

    def part(self, present: pa.ChunkedArray) -> None: ...

    def figures(self) -> dict[str, Any]: ...


class Profiler:
    """Takes the rows in the types of the kinds, group by group in their order."""

    def __init__(self, schema: Schema) -> None:
        self.rows = 0
        self.schema = schema
        count = len(schema.columns)
        self.missing = {column.name: 0 for column in schema.columns}
        self.columns = {column.name: _figures_of(column.kind, count) for column in schema.columns}
        self.sample = RowSample(shared(count, FEWEST_SAMPLED, MOST_SAMPLED))

    def part(self, table: pa.Table) -> None:
        kept, new = self.sample.add(self.rows, table.num_rows)
        for name, figures in self.columns.items():
            column = table.column(name)
            self.missing[name] += column.null_count
            if figures is not None:
                figures.part(column.drop_null())
            if isinstance(figures, NumberFigures):
                figures.sampled(column, kept, new)
        self.rows += table.num_rows

    def result(self) -> dict[str, Any]:
        """{"rows": n, "columns": {name: figures}}."""
        columns: dict[str, Any] = {}
        for column in self.schema.columns:
            columns[column.name] = {"kind": column.kind, "missing": self.missing[column.name]}
            figures = self.columns[column.name]
            if figures is not None and self.missing[column.name] < self.rows:
                columns[column.name] |= figures.figures()
        return {"rows": self.rows, "columns": columns}


class NumberFigures:
    """Range, mean, quantiles."""

    def __init__(self) -> None:
        self.low, self.high = math.inf, -math.inf
        self.sums: list[float] = []
        self.count = 0
        self.sample = np.zeros(0)

    def part(self, present: pa.ChunkedArray) -> None:
        if not len(present):
            return
        values = present.to_numpy()
        self.low, self.high = min(self.low, float(values.min())), max(self.high, float(values.max()))
        with np.errstate(all="ignore"):
            self.sums.append(float(values.sum()))
        self.count += len(values)

    def sampled(self, column: pa.ChunkedArray, kept: np.ndarray, new: np.ndarray) -> None:
        """The values of the rows that stand for all."""
        values = column.to_numpy()[new] if len(new) else np.zeros(0)
        self.sample = np.concatenate([self.sample[kept], values])

    def figures(self) -> dict[str, Any]:
        mean = math.fsum(self.sums) / self.count if all(map(math.isfinite, self.sums)) else math.inf
        found = {"min": _finite(self.low), "max": _finite(self.high), "mean": _finite(mean)}
        finite = self.sample[np.isfinite(self.sample)]
        if len(finite):
            places = np.quantile(finite, list(QUANTILES.values()))
            found |= {name: float(value) for name, value in zip(QUANTILES, places, strict=True)}
        return found


class LabelFigures:
    """How many labels, and which come most often."""

    def __init__(self, columns: int) -> None:
        self.labels = LabelCounts(shared(columns, 1000, 50_000))
        self.distinct = DistinctSample(shared(columns, FEWEST_KEYS, MOST_KEYS))

    def part(self, present: pa.ChunkedArray) -> None:
        counts = pc.value_counts(present)
        levels = counts.field("values")
        numbers = counts.field("counts").to_numpy()
        self.distinct.add(value_keys(pa.chunked_array([levels])), numbers)
        self.labels.add(dict(zip(levels.to_pylist(), numbers.tolist(), strict=True)))

    def figures(self) -> dict[str, Any]:
        found: dict[str, Any] = {"top": [list(item) for item in self.labels.top(TOP_LABELS)]}
        if self.labels.exact:
            return found | {"distinct": len(self.labels)}
        return found | {"distinct": self.distinct.distinct, "about": True}


class LengthFigures:
    """The shortest and the longest: steps of recordings, characters of texts."""

    def __init__(self) -> None:
        self.shortest: int | None = None
        self.longest = 0

    def part(self, present: pa.ChunkedArray) -> None:
        if not len(present):
            return
        text = pa.types.is_large_string(present.type)
        bounds = pc.min_max(pc.utf8_length(present) if text else pc.list_value_length(present)).as_py()
        self.shortest = bounds["min"] if self.shortest is None else min(self.shortest, bounds["min"])
        self.longest = max(self.longest, bounds["max"])

    def figures(self) -> dict[str, Any]:
        return {"shortest": self.shortest, "longest": self.longest}


def _figures_of(kind: str, columns: int) -> Figures | None:
    if kind == "number":
        return NumberFigures()
    if kind == "category":
        return LabelFigures(columns)
    return LengthFigures() if kind in ("series", "text") else None


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
