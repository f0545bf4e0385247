"""What the owner of the data should know of the data by itself, found while the rows pass by once.

Knows parts of rows in their order, and remembers counts, samples and 64-bit keys of them, never the rows. What needs a target
or a split is in `findings_training`. Every finding is a row of the message catalogue.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from salus.core.nouns import Column, Finding, Role, Schema, Severity
from salus.data.findings_boxes import BoxesCheck
from salus.data.findings_columns import PlainCheck
from salus.data.findings_made import FirstRows, finding, gathered
from salus.data.findings_numbers import NumberCheck
from salus.data.findings_pictures import PictureCheck
from salus.data.findings_prose import ProseCheck
from salus.data.findings_series import SeriesCheck
from salus.data.findings_sounds import SoundCheck
from salus.data.findings_texts import TextCheck
from salus.data.findings_times import TimeCheck
from salus.data.findings_training import find_for_training, findings_of_labels, overlapping_rows
from salus.data.row_keys import RepeatFinder, row_keys
from salus.data.sketches import FEWEST_KEYS, MOST_KEYS, shared

__all__ = ["Checker", "find_for_training", "findings_of_labels", "overlapping_rows"]


class ColumnCheck(Protocol):
    """Looks at one column, part by part."""

    def part(self, column: pa.ChunkedArray, first_row: int) -> None: ...

    def findings(self) -> list[Finding]: ...


class Checker:
    """Takes each part of the rows, in the types of the kinds, in their order; then says what was found.

    `tick` is called all the while, and may raise. Memory is bounded however many rows there are.
    """

    def __init__(self, schema: Schema, tick: Callable[[], None] = lambda: None) -> None:
        self.schema = schema
        self.tick = tick
        self.rows = 0
        max_keys = shared(len(schema.columns), FEWEST_KEYS, MOST_KEYS)
        self.checks = {column.name: _check_of(column, tick, max_keys) for column in schema.columns}
        self.repeats = RepeatFinder()
        self.channels = [column.name for column in schema.columns if column.kind == "series"]
        self.unequal = FirstRows()
        self.pictures = [column.name for column in schema.columns if column.kind == "image"]
        self.said = [c.name for c in schema.columns if c.role not in (Role.SPLIT, Role.IGNORE)]
        if self.pictures:
            self.said = []  # pictures that repeat are found by themselves

    def part(self, table: pa.Table) -> dict[str, list[int]]:
        """The next rows; says which of them (0 is the first of `table`) are undecodable in each column of pictures or sounds."""
        broken: dict[str, list[int]] = {}
        for name, check in self.checks.items():
            self.tick()
            before = len(check.broken) if isinstance(check, PictureCheck | SoundCheck) else 0
            if isinstance(check, BoxesCheck) and len(self.pictures) == 1:
                check.beside(table.column(self.pictures[0]))
            check.part(table.column(name), self.rows)
            if isinstance(check, PictureCheck | SoundCheck) and len(check.broken) > before:
                broken[name] = [row - self.rows for row in check.broken[before:]]
        if self.said:
            rows = np.arange(self.rows, self.rows + table.num_rows)
            self.repeats.add(row_keys(table.select(self.said)), rows)
        if len(self.channels) > 1:
            self.unequal.add(self.rows + _unequal(table.select(self.channels)))
        self.rows += table.num_rows
        return broken

    def finish(self) -> list[Finding]:
        """What was found."""
        findings: list[Finding] = []
        for check in self.checks.values():
            self.tick()
            findings += check.findings()
        repeats = self.repeats.repeats()
        if repeats.count:
            code = "duplicate_rows" if repeats.one_in == 1 else "duplicate_rows_estimated"
            of = {"found": repeats.count, "expected": repeats.one_in}
            findings.append(finding(code, Severity.WARNING, (), repeats.rows, **of))
        if self.unequal.count:
            of = {"found": self.unequal.count}
            findings.append(finding("unequal_channels", Severity.WARNING, self.channels, self.unequal.first, **of))
        return gathered(findings)


def _unequal(channels: pa.Table) -> np.ndarray:
    """Rows whose channels differ in length; a missing channel has none."""
    lengths = np.stack([pc.fill_null(pc.list_value_length(c), -1).to_numpy() for c in channels.columns], axis=1)
    shortest = np.where(lengths < 0, lengths.max(axis=1, keepdims=True), lengths).min(axis=1)
    return np.flatnonzero(shortest != lengths.max(axis=1))


def _check_of(column: Column, tick: Callable[[], None], max_keys: int) -> ColumnCheck:
    if column.role is Role.SPLIT:
        return PlainCheck(column.name, max_keys)
    if column.kind == "image":
        return PictureCheck(column.name, tick)
    if column.kind == "audio":
        return SoundCheck(column.name, tick)
    if column.kind == "boxes":
        return BoxesCheck(column.name)
    if column.kind == "series":
        return SeriesCheck(column.name)
    if column.kind == "number":
        return NumberCheck(column.name, max_keys)
    if column.kind == "time":
        return TimeCheck(column.name, max_keys)
    if column.kind == "text":
        return ProseCheck(column.name, max_keys)
    if column.kind == "category":
        return TextCheck(column.name, max_keys)
    return PlainCheck(column.name, max_keys)
