"""Raw JSON rows to values of columns, or one error that lists what does not fit, with a JSON pointer each.

Knows schemas and kinds. Does not know graphs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from salus.core.errors import SalusError
from salus.core.nouns import Column, Role, Schema
from salus.data.encoding import encode_columns
from salus.data.kinds import kind_named
from salus.data.kinds.base import Kind, Values
from salus.data.kinds.number import out_of_bounds
from salus.inference.plans import CategoryPlan, NumberPlan

MAX_DIFFERENCES = 20
MOST_TOLD = 160  # characters of one difference
MISSING = "no such field in the row"
WRONG_TYPE = frozenset({"not_a_number", "not_a_category", "not_a_series", "not_a_time", "not_a_text"})


@dataclass(frozen=True)
class Difference:
    """One field that does not fit. error: what its kind said, None when the field is missing or unknown."""

    pointer: str
    found: str
    error: SalusError | None = None


class RowReader:
    """Reads the rows of one schema. Roles that are neither input nor target may be sent; they are not looked at."""

    def __init__(self, schema: Schema) -> None:
        self.inputs = schema.inputs
        self._columns: list[tuple[str, Kind]] = [(column.name, kind_named(column.kind)) for column in schema.inputs]
        numbers = [column for column in schema.inputs if column.kind == "number"]
        categories = [column for column in schema.inputs if column.kind == "category"]
        self._numbers = NumberPlan(numbers) if numbers else None
        self._categories = CategoryPlan(categories) if categories else None
        self._other_columns = tuple(c for c in schema.inputs if c.kind not in ("number", "category"))
        self._names = frozenset(name for name, _ in self._columns)
        self._bounded = [column for column in numbers if "bounds" in (column.state or {})]
        self._optional = dict.fromkeys(column.name for column in schema.inputs if column.options.get("optional"))
        self._ignored = frozenset(c.name for c in schema.columns if c.role not in (Role.INPUT, Role.TARGET))

    def read(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, Values]:
        """The values of these rows by column, or `schema_mismatch`, `not_finite`, `number_not_allowed`, or what a kind says of a value."""
        try:
            if self._optional:
                rows = [self._optional | row if isinstance(row, dict) else row for row in rows]
            with np.errstate(over="ignore"):  # what is too large for float32 is told below
                values = self._values(rows)
        except (SalusError, KeyError, TypeError, AttributeError, OverflowError):
            differences = self.differences(rows)
            if not differences:
                raise
            raise _error(differences) from None
        for column in self._bounded:
            _check_bounds(column, values[column.name])
        return values

    def encode(self, values: Mapping[str, Values]) -> dict[str, np.ndarray]:
        """The feeds of these values; what only their content shows (a damaged picture, channels of different lengths)
        is told with the row's pointer."""
        feeds: dict[str, np.ndarray] = {}
        if self._numbers is not None:
            feeds["numbers"] = self._numbers.encode(values)
        if self._categories is not None:
            feeds["categories"] = self._categories.encode(values)
        if self._other_columns:
            try:
                feeds |= encode_columns(self._other_columns, values)
            except SalusError:
                self._locate(values)
                raise
        return feeds

    def _locate(self, values: Mapping[str, Values]) -> None:
        """Raises again for the first row that fails alone, naming it."""
        for row in range(len(next(iter(values.values())))):
            for columns in (*((column,) for column in self._other_columns), self._other_columns):
                try:
                    encode_columns(columns, {c.name: values[c.name][row : row + 1] for c in columns})
                except SalusError as error:
                    where = f"/rows/{row}" + (f"/{_escaped(columns[0].name)}" if len(columns) == 1 else "")
                    raise SalusError(error.code, **{**error.parameters, "where": where}) from None

    def differences(self, rows: Any) -> list[Difference]:
        """Everything that does not fit, at most `MAX_DIFFERENCES`."""
        if not isinstance(rows, list | tuple):
            return [Difference("/rows", f"{type(rows).__name__} instead of a list of rows")]
        found: list[Difference] = []
        for index, row in enumerate(rows):
            for difference in self._of_row(row, f"/rows/{index}"):
                found.append(difference)
                if len(found) == MAX_DIFFERENCES:
                    return found
        return found

    def _values(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, Values]:
        """The fast way, for rows that fit: a column at a time."""
        values: dict[str, Values] = (self._numbers.read(rows) or {}) if self._numbers is not None and rows else {}
        for name, kind in self._columns:
            if name in values:
                continue
            raws = [row[name] for row in rows]
            read = kind.column_values(raws, name)
            for raw, value in zip(raws, read, strict=True):
                if raw is not None and _not_finite(raw, value):
                    raise SalusError("not_finite", where=name, found="NaN or infinity")
            values[name] = read
        expected = len(self._columns)
        for row in rows:
            if len(row) != expected and not self._ignored.issuperset(row.keys() - self._names):
                raise KeyError
        return values

    def _of_row(self, row: Any, pointer: str) -> Iterator[Difference]:
        if not isinstance(row, Mapping):
            yield Difference(pointer, f"{type(row).__name__} instead of an object")
            return
        for name, _ in self._columns:
            if name not in row:
                yield Difference(f"{pointer}/{_escaped(name)}", MISSING)
        for name in row:
            if name not in self._names and name not in self._ignored:
                yield Difference(f"{pointer}/{_escaped(str(name))}", "a field that the model does not know")
        for name, kind in self._columns:
            if name in row:
                where = f"{pointer}/{_escaped(name)}"
                try:
                    _check_value(kind, row[name], where)
                except SalusError as error:
                    told = error.detail("en").removeprefix(f"{where}: ").rstrip(".")
                    yield Difference(where, told, error)


def _check_value(kind: Kind, raw: Any, where: str) -> None:
    try:
        with np.errstate(over="ignore"):
            value = kind.read(raw, where)
    except OverflowError:
        raise SalusError("not_finite", where=where, found="a number that no float can hold") from None
    if raw is not None and _not_finite(raw, value):
        raise SalusError("not_finite", where=where, found="NaN or infinity")


def _check_bounds(column: Column, values: Values) -> None:
    state = column.state or {}
    array = np.asarray(values, dtype=np.float64)
    row = out_of_bounds(array, state)
    if row is not None:
        least, most = state["bounds"]
        expected = f"a {'whole ' if state['integer'] else ''}number from {least:.15g} to {most:.15g}"
        where = f"/rows/{row}/{_escaped(column.name)}"
        raise SalusError("number_not_allowed", where=where, expected=expected, found=f"{array[row]:.15g}")


def _not_finite(raw: Any, value: Any) -> bool:
    """Whether a value is missing although the request wrote something else than null for it."""
    if isinstance(value, float):
        return value != value
    if isinstance(value, np.ndarray) and isinstance(raw, list | tuple):
        return int(np.count_nonzero(np.isnan(value))) != raw.count(None)
    return False


def _error(differences: list[Difference]) -> SalusError:
    """One error for all differences: the kind's own words when there is one bad value, else the list."""
    first = differences[0].error
    told = sorted(differences, key=lambda difference: difference.found == MISSING)  # what is there and wrong tells most
    if first is not None and first.code not in WRONG_TYPE and all(d.error is not None for d in differences):
        return SalusError(first.code, **{**first.parameters, "where": differences[0].pointer})
    return SalusError(
        "schema_mismatch",
        where=differences[0].pointer,
        expected="the columns of the model's request schema",
        count=f"{len(differences)} or more" if len(differences) == MAX_DIFFERENCES else len(differences),
        found="; ".join(f"{d.pointer}: {d.found[:MOST_TOLD]}" for d in told),
    )


def _escaped(name: str) -> str:
    """A name in a JSON pointer (RFC 6901)."""
    return name.replace("~", "~0").replace("/", "~1")
