"""What is found in a column of labels or texts by itself: formulas, one label in two spellings, marks of missing values, units.

Knows every value as it passes by, and the distinct ones as long as there are few.
"""

from __future__ import annotations

import re

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from salus.core.nouns import Finding, Severity
from salus.data.findings_columns import PlainCheck
from salus.data.findings_made import FirstRows
from salus.data.sketches import MOST_KEYS

MAX_LEVELS = 2000  # distinct labels that are held against one another
FORMULA = r"^\s*(=\s*[-+A-Za-z0-9($\"']|\+\s*[A-Za-z($]|\+\s*\d+\s*[-+*/(]|@\s*[A-Za-z]+\s*\(|#(REF|DIV/0|NAME|VALUE|NUM|NULL)[!?])"
MARKS = frozenset(
    {"?", "n/a", "na", "nan", "null", "-", "--", ".", "missing", "#n/a", "none given", "not available", "\\n"}
)
WITH_UNIT = re.compile(r"\s*[-+]?\d+(?:[.,]\d+)?\s*([A-Za-z°%\"'/]{1,8})\s*")
DECIMAL_COMMA = re.compile(r"\s*[-+]?\d+,\d+\s*")
MOST = 0.8


class TextCheck(PlainCheck):
    """A column of labels or texts."""

    def __init__(self, name: str, max_keys: int = MOST_KEYS) -> None:
        super().__init__(name, max_keys)
        self.formulas = FirstRows()
        self.most = min(MAX_LEVELS, max(50, max_keys // 128))
        self.levels: dict[str, tuple[int, int]] | None = {}  # label -> (rows, the first of them); None when too many

    def part(self, column: pa.ChunkedArray, first_row: int) -> None:
        super().part(column, first_row)
        odd = pc.fill_null(pc.match_substring_regex(column, FORMULA), False).to_numpy()
        self.formulas.add(first_row + np.flatnonzero(odd))
        if self.levels is None:
            return
        codes = column.combine_chunks().dictionary_encode()
        codes = codes.combine_chunks() if isinstance(codes, pa.ChunkedArray) else codes
        if len(codes.dictionary) > self.most:
            self.levels = None
            return
        index = pc.fill_null(codes.indices, -1).to_numpy(zero_copy_only=False)
        present = np.flatnonzero(index >= 0)
        found, first, counts = np.unique(index[present], return_index=True, return_counts=True)
        texts = codes.dictionary.to_pylist()
        for code, at, count in zip(found, first, counts, strict=True):
            before, row = self.levels.get(texts[code], (0, first_row + int(present[at])))
            self.levels[texts[code]] = (before + int(count), row)
        if len(self.levels) > self.most:
            self.levels = None

    def findings(self) -> list[Finding]:
        found = super().findings()
        if self.formulas.count:
            found.append(self.found("formulas", Severity.WARNING, self.formulas.first, found=self.formulas.count))
        if not self.levels:
            return found
        return [*found, *self._spellings(self.levels), *self._marks(self.levels), *self._units(self.levels)]

    def _spellings(self, levels: dict[str, tuple[int, int]]) -> list[Finding]:
        """Labels that differ only in case or blanks."""
        same: dict[str, list[str]] = {}
        for level in levels:
            same.setdefault(" ".join(level.casefold().split()), []).append(level)
        twice = [sorted(names, key=lambda name: -levels[name][0]) for names in same.values() if len(names) > 1]
        if not twice:
            return []
        rarer = [name for names in twice for name in names[1:]]
        rows = sorted(levels[name][1] for name in rarer)
        said = {"found": sum(levels[name][0] for name in rarer), "expected": f"'{twice[0][0]}', '{twice[0][1]}'"[:80]}
        return [self.found("label_spellings", Severity.WARNING, rows, **said)]

    def _marks(self, levels: dict[str, tuple[int, int]]) -> list[Finding]:
        marks = [level for level in levels if level.strip().casefold() in MARKS]
        if not marks or len(marks) == len(levels):
            return []
        rows = sorted(levels[mark][1] for mark in marks)
        said = {"found": sum(levels[mark][0] for mark in marks), "expected": ", ".join(marks)[:80]}
        return [self.found("missing_mark", Severity.WARNING, rows, **said)]

    def _units(self, levels: dict[str, tuple[int, int]]) -> list[Finding]:
        """Numbers with units or decimal commas, that are taken as labels."""
        units: dict[str, list[str]] = {}
        for level in levels:
            written = WITH_UNIT.fullmatch(level)
            if written:
                units.setdefault(written[1].casefold(), []).append(level)
        if len(levels) >= 5 and sum(map(len, units.values())) >= MOST * len(levels):
            counts = {unit: sum(levels[level][0] for level in of_unit) for unit, of_unit in units.items()}
            rarest = min(counts, key=lambda unit: counts[unit])
            rows = sorted(levels[level][1] for level in units[rarest])
            if len(units) > 1:
                said = {"expected": ", ".join(sorted(units))[:80], "found": counts[rarest]}
                return [self.found("mixed_units", Severity.WARNING, rows, **said)]
            return [self.found("numbers_as_text", Severity.WARNING, expected=next(iter(levels))[:40])]
        commas = [level for level in levels if DECIMAL_COMMA.fullmatch(level)]
        if len(commas) >= 5 and len(commas) >= 0.5 * len(levels):
            return [self.found("numbers_as_text", Severity.WARNING, expected=commas[0][:40])]
        return []
