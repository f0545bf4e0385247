"""Columns of another table added by a column that both have: every row of the first stays, once, in its place."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from salus.core.errors import SalusError
from salus.core.specs import Join
from salus.data.sources.base import Read


def joined(read: Read, other: Read, join: Join, name: str) -> Read:
    """`read` with the columns of `other` (which is held in memory), empty where no key matches; `facts` count these rows.

    Raises `no_such_column`, `join_duplicate_keys`, `duplicate_column`.
    """
    right = other.table
    first = next(iter(read.parts())).column_names
    for where, names in (("the data", first), (name, right.column_names)):
        if join.on not in names:
            raise SalusError("no_such_column", where=where, expected=", ".join(names)[:300], found=join.on)
    added = [column for column in right.column_names if column != join.on]
    for column in added:
        if column in first:
            raise SalusError("duplicate_column", where=name, found=column)
    keys = _keys(right.column(join.on))
    _check_once(keys, join.on, name)
    unmatched = sum(
        pc.index_in(_keys(part.column(join.on)), value_set=keys, skip_nulls=True).null_count for part in read.parts()
    )

    def parts() -> Iterator[pa.Table]:
        for part in read.parts():
            places = pc.index_in(_keys(part.column(join.on)), value_set=keys, skip_nulls=True)
            for column in added:
                part = part.append_column(right.schema.field(column), right.column(column).take(places))
            yield part

    facts: dict[str, Any] = dict(read.facts)
    facts["joined"] = [*facts.get("joined", []), {"file": name, "on": join.on, "unmatched_rows": unmatched}]
    facts["files"] = [*facts["files"], name]
    return Read(parts, facts, {**{c: kind for c, kind in other.kinds.items() if c in added}, **read.kinds})


def _keys(column: pa.ChunkedArray) -> pa.Array:
    """Keys that compare alike whatever type a file gave them: 7, 7.0 and '7' are one person."""
    found = column.cast(pa.large_string()).combine_chunks()
    return found.combine_chunks() if isinstance(found, pa.ChunkedArray) else found


def _check_once(keys: pa.Array, on: str, name: str) -> None:
    counts = pc.value_counts(keys.drop_null())
    for entry in counts.filter(pc.greater(counts.field("counts"), 1))[:1]:
        raise SalusError("join_duplicate_keys", where=name, expected=on, found=f"'{entry['values'].as_py()}'"[:80])
