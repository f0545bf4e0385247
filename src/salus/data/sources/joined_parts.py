"""Several files of one table, one after the other, as parts of one schema; the side that each is of becomes a column."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from salus.core.errors import SalusError
from salus.core.nouns import Split
from salus.data.sources.base import Read

PROSE_LETTERS = 20  # a column with longer texts than this is no label


@dataclass(frozen=True)
class Part:
    """What one file gave. `side`: None where it has none."""

    side: Split | None
    file: str
    read: Read


@dataclass(frozen=True)
class _Look:
    """What must be known of a file before its rows are read."""

    schema: pa.Schema
    prose: frozenset[str]  # columns of long texts

    @classmethod
    def at(cls, read: Read) -> _Look:
        table = next(iter(read.parts()))
        return cls(table.schema, frozenset(name for name in table.column_names if _is_prose(table.column(name))))


def joined_parts(parts: Sequence[Part], layout: str, where: str) -> Read:
    """All rows. A column that is numbers in one file and text in another is text. An official split is taken only when train
    and test are both there. Raises `columns_differ`, `duplicate_column`."""
    official = {Split.TRAIN, Split.TEST} <= {part.side for part in parts}
    looks = [_Look.at(part.read) for part in parts]
    names = looks[0].schema.names
    renamed: list[dict[str, str]] = []
    for part, look in zip(parts, looks, strict=True):
        if official and "split" in look.schema.names:
            raise SalusError("duplicate_column", where=part.file, found="split")
        renamed.append(_same_prose(looks[0], look))
        if {renamed[-1].get(name, name) for name in look.schema.names} != set(names):
            found = ", ".join(look.schema.names)[:200]
            raise SalusError("columns_differ", where=part.file, expected=parts[0].file, found=found)
    empty = [_ordered(look.schema.empty_table(), names, old) for look, old in zip(looks, renamed, strict=True)]
    schema = _schema([table.schema for table in empty], where)

    def rows() -> Iterator[pa.Table]:
        for part, other in zip(parts, renamed, strict=True):
            for table in part.read.parts():
                table = _ordered(table, names, other).cast(schema)
                side = part.side.value if part.side else None
                yield table.append_column("split", pa.array([side] * len(table), pa.string())) if official else table

    facts: dict[str, Any] = {"format": layout, "files": [part.file for part in parts]}
    facts = {**{key: value for key, value in parts[0].read.facts.items() if key not in facts}, **facts}
    if any(renamed):
        facts["renamed"] = {old: new for other in renamed for old, new in other.items()}
    kinds = {name: kind for part in reversed(parts) for name, kind in part.read.kinds.items() if name in names}
    return Read(rows, facts, kinds)


def _same_prose(first: _Look, other: _Look) -> dict[str, str]:
    """One column of prose that has another name in another file, at the same place, is the same column; no label ever is."""
    ours, theirs = set(first.schema.names) - set(other.schema.names), set(other.schema.names) - set(first.schema.names)
    if len(ours) != 1 or len(theirs) != 1:
        return {}
    new, old = ours.pop(), theirs.pop()
    if first.schema.names.index(new) != other.schema.names.index(old):
        return {}
    return {old: new} if new in first.prose and old in other.prose else {}


def _is_prose(column: pa.ChunkedArray) -> bool:
    if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        return False
    letters = pc.mean(pc.utf8_length(column)).as_py()
    return letters is not None and letters > PROSE_LETTERS


def _ordered(table: pa.Table, names: list[str], renamed: dict[str, str]) -> pa.Table:
    return table.rename_columns([renamed.get(name, name) for name in table.column_names]).select(names)


def _schema(schemas: list[pa.Schema], where: str) -> pa.Schema:
    """The types that hold the values of all."""
    found = []
    for name in schemas[0].names:
        types = {schema.field(name).type for schema in schemas}
        texts = {kind for kind in types if pa.types.is_string(kind) or pa.types.is_large_string(kind)}
        simple = all(pa.types.is_primitive(kind) or pa.types.is_null(kind) for kind in types - texts)
        if texts and not simple:
            raise SalusError("columns_differ", where=where, expected="the first part", found=name)
        found.append([(name, max(texts, key=str))] if texts else [(name, kind) for kind in types])
    try:
        columns = [
            pa.unify_schemas([pa.schema([one]) for one in kinds], promote_options="permissive") for kinds in found
        ]
    except (pa.ArrowTypeError, pa.ArrowInvalid) as error:
        expected, reason = "the first part", str(error).split("\n")[0][:120]
        raise SalusError("columns_differ", where=where, expected=expected, found=reason) from None
    return pa.schema([column.field(0) for column in columns])
