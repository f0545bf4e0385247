"""What is found in a channel of recordings."""

from __future__ import annotations

import pyarrow as pa

from salus.core.nouns import Finding, Severity
from salus.data.findings_made import FirstRows, finding


class SeriesCheck:
    """One channel; a row is a recording."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.missing = FirstRows()

    def part(self, column: pa.ChunkedArray, first_row: int) -> None:
        if column.null_count:
            self.missing.add(first_row + column.is_null().to_numpy().nonzero()[0])

    def findings(self) -> list[Finding]:
        if not self.missing.count:
            return []
        where = {"where": self.name, "found": self.missing.count}
        return [finding("missing_values", Severity.INFO, columns=(self.name,), rows=self.missing.first, **where)]
