"""Rows that Python read, as tables of one schema that each fit into memory. Knows nothing of files."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pyarrow as pa

from salus.core.errors import SalusError
from salus.data.sentences import ITEM
from salus.data.sources.csv_head import MAX_COLUMNS

PART_BYTES = 2**24
BOOL, WHOLE, NUMBER, TEXT, NUMBERS, TEXTS, EMPTY = "bool", "whole", "number", "text", "numbers", "texts", "empty list"
SIMPLE = {BOOL, WHOLE, NUMBER, TEXT}

Record = tuple[int, str, dict[str, Any]]  # its bytes in the file, where it stands, and its fields


def in_parts(rows: Iterator[tuple[int, Sequence[Any]]], schema: pa.Schema) -> Iterator[pa.Table]:
    """Tables of some megabytes from (bytes, values in the order of the schema)."""
    held: list[Sequence[Any]] = []
    size = 0
    for count, row in rows:
        held.append(row)
        size += count
        if size >= PART_BYTES:
            yield _table(held, schema)
            held, size = [], 0
    if held:
        yield _table(held, schema)


def _table(rows: list[Sequence[Any]], schema: pa.Schema) -> pa.Table:
    columns = zip(*rows, strict=True)
    return pa.table([pa.array(column, kind) for column, kind in zip(columns, schema.types, strict=True)], schema=schema)


def record_parts(
    records: Callable[[], Iterator[Record]], where: str, missing: tuple[str, ...]
) -> tuple[Callable[[], Iterator[pa.Table]], list[str]]:
    """(the parts, the columns whose lists of texts became one text each, with ITEM between) of records whose fields may come and go.

    A first pass decides one type a column. Raises `format_malformed` for objects in objects, `no_rows`, `too_many_columns`.
    """
    sorts: dict[str, set[str]] = {}
    any_row = False
    for _, place, record in records():
        any_row = True
        for name, value in record.items():
            found = sorts.setdefault(name, set())
            if value is not None and value not in missing:
                found.add(_sort_of(value, place, name))
        if len(sorts) > MAX_COLUMNS:
            raise SalusError("too_many_columns", where=where, expected=MAX_COLUMNS, found="more")
    if not any_row or not sorts:
        raise SalusError("no_rows", where=where)
    for name in sorts:
        if not name.strip():
            raise SalusError("duplicate_column", where=where, found=name)
    types = {name: _type_of(found, f"{where}, '{name}'") for name, found in sorts.items()}
    schema = pa.schema(types)
    lists = [name for name, found in sorts.items() if TEXTS in found]

    def parts() -> Iterator[pa.Table]:
        makers = [_maker(types[name], missing) for name in sorts]
        rows = (
            (size, [make(record.get(name)) for name, make in zip(sorts, makers, strict=True)])
            for size, _, record in records()
        )
        return in_parts(rows, schema)

    return parts, lists


def _sort_of(value: Any, place: str, name: str) -> str:
    if isinstance(value, bool):
        return BOOL
    if isinstance(value, int):
        return WHOLE if -(2**63) <= value < 2**63 else NUMBER
    if isinstance(value, float):
        return NUMBER
    if isinstance(value, str):
        return TEXT
    if isinstance(value, list):
        if not value:
            return EMPTY
        if all(isinstance(one, str) for one in value):
            return TEXTS
        if all(one is None or (isinstance(one, int | float) and not isinstance(one, bool)) for one in value):
            return NUMBERS
    found = f"{'an object' if isinstance(value, dict) else 'a list of other things'} in '{name}'"
    raise SalusError("format_malformed", where=place, expected="numbers, texts or lists of them", found=found)


def _type_of(sorts: set[str], where: str) -> pa.DataType:
    lists = sorts - SIMPLE
    if lists and (sorts & SIMPLE or {NUMBERS, TEXTS} <= sorts):
        found = " and ".join(sorted(sorts))
        raise SalusError("format_malformed", where=where, expected="values of one sort", found=found)
    if lists:
        return pa.large_string() if TEXTS in lists else pa.list_(pa.float64())
    if not sorts:
        return pa.null()
    if sorts == {BOOL}:
        return pa.bool_()
    return pa.int64() if sorts == {WHOLE} else pa.float64() if sorts <= {WHOLE, NUMBER} else pa.string()


def _maker(kind: pa.DataType, missing: tuple[str, ...]) -> Callable[[Any], Any]:
    """Brings a value of a record to the type of its column."""

    def make(value: Any) -> Any:
        if value is None or value in missing:
            return None
        if isinstance(value, list):
            if pa.types.is_large_string(kind):
                return ITEM.join(value)
            return [math.nan if one is None else _number(one) for one in value]
        if pa.types.is_floating(kind):
            return _number(value)
        if pa.types.is_string(kind) and not isinstance(value, str):
            return str(value).lower() if isinstance(value, bool) else str(value)
        return value

    return make


def _number(value: float) -> float:
    """An integer that no float can hold is infinite, as 1e400 is."""
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf
