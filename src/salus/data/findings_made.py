"""The one way in which a finding is made: its first rows, its count, plain parameters."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

import numpy as np

from salus.core.nouns import Finding, Severity

SHOWN_ROWS = 20
MOST_ALIKE = 20  # findings of one code; a wide table has thousands of columns


def finding(
    code: str, severity: Severity, columns: Iterable[str] = (), rows: Iterable[int] = (), **parameters: Any
) -> Finding:
    """`rows`: all of them, or the first ones. `found`, when it is a number, is the count."""
    plain = {name: value.item() if isinstance(value, np.generic) else value for name, value in parameters.items()}
    count = plain.get("found", 0)
    shown = [int(row) for row, _ in zip(rows, range(SHOWN_ROWS), strict=False)]
    return Finding(
        code=code,
        severity=severity,
        columns=tuple(columns),
        rows=tuple(shown),
        count=count if isinstance(count, int) else 0,
        parameters=plain,
    )


class FirstRows:
    """Counts rows and remembers the first ones."""

    def __init__(self) -> None:
        self.count = 0
        self.first: list[int] = []

    def add(self, rows: np.ndarray) -> None:
        """`rows`: numbers in ascending order."""
        self.count += len(rows)
        self.first += [int(row) for row in rows[: SHOWN_ROWS - len(self.first)]]


def gathered(findings: list[Finding]) -> list[Finding]:
    """The first findings of each code, and how many more there are."""
    seen: Counter[str] = Counter()
    kept = []
    for found in findings:
        seen[found.code] += 1
        if seen[found.code] <= MOST_ALIKE:
            kept.append(found)
    more = {code: count - MOST_ALIKE for code, count in seen.items() if count > MOST_ALIKE}
    return kept + [finding("more_alike", Severity.INFO, where=code, found=count) for code, count in more.items()]
