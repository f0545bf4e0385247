"""What is found in a column of numbers by itself: infinity, impossible values, zeros and codes that mean missing, mixed units, epochs.

Knows the name, all values as they pass by, and a sample of them with their rows. What a column measures is taken from its name.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from salus.core.nouns import Finding, Severity
from salus.data.findings_columns import PlainCheck
from salus.data.findings_made import FirstRows
from salus.data.names import about_moments
from salus.data.physical_limits import mixed_units, quantity_of
from salus.data.sketches import MOST_KEYS

SAMPLED = 2**15
SENTINELS = (-9.0, -99.0, -999.0, -9999.0, -99999.0, 99.0, 999.0, 9999.0, 99999.0, 999999.0)
EPOCHS = (("seconds", 1.0), ("milliseconds", 1e3), ("microseconds", 1e6), ("nanoseconds", 1e9))
EPOCH_FROM, EPOCH_TO = 6.3e8, 2.3e9  # 1990 to 2042 in seconds
MOSTLY = 0.2  # so much of a column beyond the limits is another unit, not a mistake


class Sample:
    """Every value of a short column, every second, fourth, ... of a longer one, with their rows."""

    def __init__(self, most: int = SAMPLED) -> None:
        self.most = most
        self.stride = 1
        self.pieces: list[tuple[np.ndarray, np.ndarray]] = []
        self.kept = 0

    def add(self, values: np.ndarray, first_row: int) -> None:
        skipped = -first_row % self.stride
        taken = values[skipped :: self.stride].copy()
        self.pieces.append((taken, first_row + skipped + self.stride * np.arange(len(taken))))
        self.kept += len(taken)
        while self.kept > self.most:
            self.stride *= 2
            thinner = [(rows % self.stride == 0) for _, rows in self.pieces]
            self.pieces = [(v[good], r[good]) for (v, r), good in zip(self.pieces, thinner, strict=True)]
            self.kept = sum(len(rows) for _, rows in self.pieces)

    def all(self) -> tuple[np.ndarray, np.ndarray]:
        """Values and their rows, in order."""
        values = np.concatenate([np.zeros(0), *(values for values, _ in self.pieces)])
        return values, np.concatenate([np.zeros(0, dtype=np.int64), *(rows for _, rows in self.pieces)])


class NumberCheck(PlainCheck):
    """A column of numbers."""

    def __init__(self, name: str, max_keys: int = MOST_KEYS) -> None:
        super().__init__(name, max_keys)
        self.quantity = quantity_of(name)
        self.infinite, self.zeros, self.impossible = FirstRows(), FirstRows(), FirstRows()
        self.worst: float | None = None
        self.sample = Sample(min(SAMPLED, max(256, max_keys // 8)))

    def part(self, column: pa.ChunkedArray, first_row: int) -> None:
        super().part(column, first_row)
        values = pc.fill_null(column, float("nan")).to_numpy()
        infinite = np.isinf(values)
        if infinite.any():
            self.infinite.add(first_row + np.flatnonzero(infinite))
            values = np.where(infinite, np.nan, values)
        self.zeros.add(first_row + np.flatnonzero(values == 0))
        if self.quantity is not None:
            wrong = (values < self.quantity.low) | (values > self.quantity.high)
            if self.quantity.zero_is_missing:
                wrong &= values != 0
            if wrong.any():
                self.impossible.add(first_row + np.flatnonzero(wrong))
                if self.worst is None:
                    self.worst = float(values[np.argmax(wrong)])
        self.sample.add(values, first_row)

    def findings(self) -> list[Finding]:
        found = super().findings()
        if self.infinite.count:
            found.append(
                self.found("infinite_values", Severity.WARNING, self.infinite.first, found=self.infinite.count)
            )
        values, rows = self.sample.all()
        finite = np.isfinite(values)
        values, rows = values[finite], rows[finite]
        if len(values) < 2 or values.min() == values.max():
            return found
        return [
            *found,
            *self._limits(values),
            *self._units(values, rows),
            *self._missing_marks(values, rows),
            *self._epoch(values),
        ]

    def _limits(self, values: np.ndarray) -> list[Finding]:
        present = self.rows - self.missing.count - self.infinite.count
        standardised = abs(values.mean()) < 0.1 * values.std() and values.min() < 0
        if self.quantity is None or not self.impossible.count or standardised:
            return []
        limits = f"{self.quantity.name} {self.quantity.low:g} … {self.quantity.high:g}"
        if self.impossible.count > MOSTLY * present:
            return [self.found("unlikely_unit", Severity.INFO, expected=limits, found=f"{self.worst:g}")]
        said = {"expected": limits, "found": self.impossible.count, "example": f"{self.worst:g}"}
        return [self.found("impossible_values", Severity.WARNING, self.impossible.first, **said)]

    def _units(self, values: np.ndarray, rows: np.ndarray) -> list[Finding]:
        mixed = mixed_units(values, self.quantity) if self.quantity is not None else None
        if mixed is None:
            return []
        units, rarer = mixed
        said = {"expected": units, "found": int(rarer.sum()) * self.sample.stride}
        return [self.found("mixed_units", Severity.WARNING, rows[rarer], **said)]

    def _missing_marks(self, values: np.ndarray, rows: np.ndarray) -> list[Finding]:
        """Zeros and numbers like -999 that stand apart from all others."""
        found = []
        named = self.quantity is not None and self.quantity.zero_is_missing and _measured(values)
        if self.zeros.count and (named or _zeros_stand_apart(values)):
            said = {"found": self.zeros.count}
            severity = Severity.WARNING if named else Severity.INFO
            found.append(self.found("zeros_as_missing", severity, self.zeros.first, **said))
        mark = _sentinel(values)
        if mark is not None:
            where = rows[values == mark]
            said = {"found": len(where) * self.sample.stride}
            found.append(self.found("missing_mark", Severity.WARNING, where, expected=f"{mark:g}", **said))
        return found

    def _epoch(self, values: np.ndarray) -> list[Finding]:
        for unit, scale in EPOCHS:
            inside = (values >= EPOCH_FROM * scale) & (values <= EPOCH_TO * scale)
            if inside.mean() < 0.99:
                continue
            rising = float(np.mean(np.diff(values) >= 0))
            if about_moments(self.name) or rising > 0.9 or np.ptp(values) > 0.3 * scale * 86400 * 365 * 10:
                return [self.found("epoch_numbers", Severity.WARNING, expected=unit)]
        return []


def _measured(values: np.ndarray) -> bool:
    """Zeros among measurements, not a flag or a level."""
    return float(np.mean(values == 0)) < 0.5 and len(np.unique(values)) > 10 and bool(values.min() >= 0)


def _zeros_stand_apart(values: np.ndarray) -> bool:
    """Whether all others are measurements far from zero: many different ones, none near it."""
    others = values[values != 0]
    zeros = len(values) - len(others)
    if zeros < 3 or zeros > 0.6 * len(values) or others.min() < 0:
        return False
    levels = np.unique(others)
    return (
        len(levels) >= 15
        and bool(levels[0] >= 0.2 * np.median(others))
        and bool(levels[0] > 5 * np.median(np.diff(levels)))
    )


def _sentinel(values: np.ndarray) -> float | None:
    """The number of nines that is repeated and far from all others."""
    for mark in SENTINELS:
        same = values == mark
        if same.sum() < 2 or same.mean() > 0.6:
            continue
        others = values[~same]
        low, high = float(others.min()), float(others.max())
        spread = max(high - low, 1e-12)
        if (mark < low and low - mark > spread and low >= 0) or (mark > high and mark - high > spread):
            return mark
    return None
