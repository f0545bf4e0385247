"""What is found in a column of times by itself: zones that only some have, days and months in two orders."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from salus.core.nouns import Finding, Severity
from salus.data.findings_columns import PlainCheck
from salus.data.findings_made import FirstRows
from salus.data.sketches import MOST_KEYS

ZONED = r"(?:Z|UTC|GMT|:\d{2}(?:\.\d+)?\s*[+-]\d{2}:?\d{2})\s*$"
A_NUMBER = r"^\s*[+-]?\d+(?:\.\d*)?\s*$"  # seconds since 1970, in UTC
DAY_FIRST = r"^\s*(?:1[3-9]|2\d|3[01])[/-]\d{1,2}[/-]"
MONTH_FIRST = r"^\s*\d{1,2}[/-](?:1[3-9]|2\d|3[01])[/-]"


class TimeCheck(PlainCheck):
    """A column of times, as texts."""

    def __init__(self, name: str, max_keys: int = MOST_KEYS) -> None:
        super().__init__(name, max_keys)
        self.zoned, self.local = FirstRows(), FirstRows()
        self.day_first, self.month_first = FirstRows(), FirstRows()

    def part(self, column: pa.ChunkedArray, first_row: int) -> None:
        super().part(column, first_row)
        present = pc.is_valid(column).to_numpy()
        zoned = _matches(column, ZONED) | _matches(column, A_NUMBER)
        found = (zoned, present & ~zoned, _matches(column, DAY_FIRST), _matches(column, MONTH_FIRST))
        for rows, mask in zip((self.zoned, self.local, self.day_first, self.month_first), found, strict=True):
            rows.add(first_row + np.flatnonzero(mask))

    def findings(self) -> list[Finding]:
        found = super().findings()
        if self.zoned.count and self.local.count:
            fewer = min(self.zoned, self.local, key=lambda rows: rows.count)
            found.append(self.found("time_zone_mixed", Severity.WARNING, fewer.first, found=self.local.count))
        if self.day_first.count and self.month_first.count:
            fewer = min(self.day_first, self.month_first, key=lambda rows: rows.count)
            said = {"expected": "one order of day and month", "found": fewer.count}
            found.append(self.found("time_order_mixed", Severity.WARNING, fewer.first, **said))
        return found


def _matches(column: pa.ChunkedArray, pattern: str) -> np.ndarray:
    matches: np.ndarray = pc.fill_null(pc.match_substring_regex(column, pattern), False).to_numpy()
    return matches
