"""What is found in a plain column by itself: numbers, labels and texts."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from salus.core.nouns import Finding, Severity
from salus.data.findings_made import FirstRows, finding
from salus.data.names import about_people
from salus.data.row_keys import value_keys
from salus.data.sketches import MOST_KEYS, DistinctSample

MAX_PEOPLE = 1_000_000  # more distinct values are no people who come back


class PlainCheck:
    """Any column: what is missing, what never changes."""

    def __init__(self, name: str, max_keys: int = MOST_KEYS) -> None:
        self.name = name
        self.rows = 0
        self.missing = FirstRows()
        self.distinct = DistinctSample(max_keys)

    def part(self, column: pa.ChunkedArray, first_row: int) -> None:
        self.rows += len(column)
        if column.null_count:
            self.missing.add(first_row + np.flatnonzero(column.is_null().to_numpy()))
        self.distinct.add(value_keys(column.drop_null()))

    def findings(self) -> list[Finding]:
        present = self.rows - self.missing.count
        found = []
        if self.rows > 1 and not present:
            found.append(finding("empty_column", Severity.WARNING, columns=(self.name,), where=self.name))
        elif self.missing.count:
            where = {"where": self.name, "found": self.missing.count}
            found.append(
                finding("missing_values", Severity.INFO, columns=(self.name,), rows=self.missing.first, **where)
            )
        elif self.rows > 1 and self.distinct.distinct == 1:
            found.append(finding("constant_column", Severity.WARNING, columns=(self.name,), where=self.name))
        if about_people(self.name) and 2 <= self.distinct.distinct <= MAX_PEOPLE and self.distinct.share < 1:
            found.append(
                finding(
                    "possible_group",
                    Severity.INFO,
                    columns=(self.name,),
                    where=self.name,
                    found=self.distinct.distinct,
                )
            )
        return found


class NumberCheck(PlainCheck):
    """A column of numbers."""

    def __init__(self, name: str, max_keys: int = MOST_KEYS) -> None:
        super().__init__(name, max_keys)
        self.infinite = FirstRows()

    def part(self, column: pa.ChunkedArray, first_row: int) -> None:
        super().part(column, first_row)
        infinite = pc.fill_null(pc.is_inf(column), False).to_numpy()
        self.infinite.add(first_row + np.flatnonzero(infinite))

    def findings(self) -> list[Finding]:
        found = super().findings()
        if self.infinite.count:
            where = {"where": self.name, "found": self.infinite.count}
            found.append(
                finding("infinite_values", Severity.WARNING, columns=(self.name,), rows=self.infinite.first, **where)
            )
        return found


class TextCheck(PlainCheck):
    """A column of labels or texts."""
