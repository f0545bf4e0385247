"""What is found in any plain column by itself: what is missing, what never changes, what by its name is about people."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pyarrow as pa

from salus.core.nouns import Finding, Severity
from salus.data.findings_made import FirstRows, finding
from salus.data.names import about_people
from salus.data.row_keys import value_keys
from salus.data.sketches import MOST_KEYS, DistinctSample

MAX_PEOPLE = 1_000_000  # more distinct values are no people who come back


class PlainCheck:
    """Any column."""

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
            found.append(self.found("empty_column", Severity.WARNING))
        elif self.missing.count:
            found.append(self.found("missing_values", Severity.INFO, self.missing.first, found=self.missing.count))
        elif self.rows > 1 and self.distinct.distinct == 1:
            found.append(self.found("constant_column", Severity.WARNING))
        people = about_people(self.name) and 2 <= self.distinct.distinct <= MAX_PEOPLE
        if people and self.distinct.share < 1:
            found.append(self.found("possible_group", Severity.INFO, found=self.distinct.distinct))
        return found

    def found(self, code: str, severity: Severity, rows: Iterable[int] = (), **said: object) -> Finding:
        """A finding about this column."""
        return finding(code, severity, (self.name,), rows, where=self.name, **said)
