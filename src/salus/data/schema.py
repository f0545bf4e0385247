"""Columns of any type to columns of a kind: recognised from names and all values, or as the person said.

Also brings each column to the one Arrow type of its kind's storage, so that everything behind it sees four types only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from salus.core.errors import SalusError
from salus.core.nouns import Column, Finding, Role, Schema, Severity, Split
from salus.core.specs import DataSpec
from salus.data.column_facts import ColumnFacts, as_numbers, sort_of
from salus.data.kinds import KINDS, kind_named
from salus.data.kinds.category import label_of
from salus.data.names import words_of
from salus.data.split import side_of

ARROW_TYPES = {  # of `Kind.storage`
    "number": pa.float64(),
    "text": pa.large_string(),
    "bytes": pa.large_binary(),
    "numbers": pa.large_list(pa.float32()),
}
ID_WORDS = {"id", "index", "nr", "number", "key"}
ID_ROWS = 20  # fewer differ by chance
SPOKEN_OF = ("rate_hz", "window_s", "stride_s")  # of all recordings


def recognise(
    parts: Iterable[pa.Table], spec: DataSpec, told: Mapping[str, str], tick: Callable[[int], None]
) -> tuple[Schema, list[Finding]]:
    """The schema, and what was found on the way, from all rows. `told`: kinds that the source knows. `tick` is told
    how many rows have passed."""
    names: list[str] = []
    facts: dict[str, ColumnFacts] = {}
    rows = 0
    for part in parts:
        if not facts:
            names = part.column_names
            _check_names(spec, names)
            facts = {name: ColumnFacts(len(names)) for name in names}
        for name in names:
            facts[name].part(part.column(name), rows)
        rows += part.num_rows
        tick(rows)
    if not rows:
        raise SalusError("no_rows", where="the data")
    columns, findings = [], []
    known = {**told, **spec.kinds}
    for name in names:
        column, found = _column(name, facts[name], known.get(name), spec)
        columns.append(column)
        findings += found
    return Schema(columns=tuple(columns)), findings


def typed(part: pa.Table, schema: Schema) -> pa.Table:
    """The rows in the Arrow types of the kinds."""
    return pa.table(
        {column.name: as_kind(part.column(column.name), column.kind, column.name) for column in schema.columns}
    )


def as_kind(array: pa.ChunkedArray, kind: str, name: str) -> pa.ChunkedArray:
    """The column in the Arrow type of the kind; `bad_spec` when its values are of another sort."""
    if kind not in KINDS:
        raise SalusError(
            "bad_spec", where=f"kind of column '{name}'", expected=f"one of {', '.join(KINDS)}", found=kind
        )
    try:
        if sort_of(array.type) in ("moment", "clock"):
            array = _written(array)
        if kind == "number":
            return as_numbers(array)
        if kind == "series":
            return _recordings(array.cast(ARROW_TYPES["numbers"]))
        if kind == "category" and (pa.types.is_floating(array.type) or pa.types.is_decimal(array.type)):
            return _labels(as_numbers(array))
        return array.cast(ARROW_TYPES[kind_named(kind).storage])
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        raise SalusError(
            "bad_spec", where=f"column '{name}'", expected=f"values of kind {kind}", found=str(array.type)
        ) from None


def _check_names(spec: DataSpec, names: list[str]) -> None:
    """What a person said must be about columns that are there."""
    for where, said in (("kinds", spec.kinds), ("roles", spec.roles), ("units", spec.units)):
        for name in said:
            if name not in names:
                raise SalusError("no_such_column", where=where, expected=", ".join(names)[:300], found=name)
    for name, role in spec.roles.items():
        if role not in list(Role):
            expected = f"one of {', '.join(Role)}"
            raise SalusError("bad_spec", where=f"role of column '{name}'", expected=expected, found=role[:60])


def _column(name: str, facts: ColumnFacts, known: str | None, spec: DataSpec) -> tuple[Column, list[Finding]]:
    kind = known or facts.kind()
    findings = _mixed(facts, name) if known is None and kind == "category" else []
    if name in spec.roles:
        role = Role(spec.roles[name])
    else:
        role = _role(name, kind, facts, known is not None)
        if role is Role.IGNORE and name.lower() != "split":
            parameters = {"where": name}
            findings.append(Finding(code="id_column", severity=Severity.INFO, columns=(name,), parameters=parameters))
    return Column(name=name, kind=kind, role=role, options=_options(name, kind, spec)), findings


def _options(name: str, kind: str, spec: DataSpec) -> dict[str, Any]:
    """What the person said about this column."""
    said: dict[str, Any] = {"unit": spec.units[name]} if name in spec.units else {}
    if kind == "series":
        said |= {option: getattr(spec, option) for option in SPOKEN_OF if getattr(spec, option) is not None}
    return said


def _written(array: pa.ChunkedArray) -> pa.ChunkedArray:
    """Moments as texts; those with a zone in UTC, which needs no table of zones."""
    if not (pa.types.is_timestamp(array.type) and array.type.tz):
        return array.cast(pa.large_string())
    plain = array.cast(pa.timestamp(array.type.unit)).cast(pa.large_string())
    return pc.binary_join_element_wise(plain, pa.scalar("Z", pa.large_string()), pa.scalar("", pa.large_string()))


def _labels(numbers: pa.ChunkedArray) -> pa.ChunkedArray:
    """Numbers as the labels that a request would give them; an infinite one is no label."""
    codes = pc.dictionary_encode(numbers.combine_chunks())
    levels = [label_of(level) if np.isfinite(level) else None for level in codes.dictionary.to_pylist()]
    return pa.chunked_array([pa.array(levels, pa.large_string()).take(codes.indices)])


def _recordings(array: pa.ChunkedArray) -> pa.ChunkedArray:
    """A recording without a sample is a missing one."""
    empty = pc.equal(pc.list_value_length(array), 0)
    return pc.if_else(pc.fill_null(empty, False), pa.scalar(None, array.type), array)


def _mixed(facts: ColumnFacts, name: str) -> list[Finding]:
    """Text among numbers: one typing mistake makes a measurement a label."""
    texts = facts.texts
    if facts.sorts != {"text"} or not texts.others or texts.others * 2 > facts.rows:
        return []
    parameters = {"where": name, "found": texts.others, "expected": texts.example}
    return [
        Finding(
            code="mixed_types",
            severity=Severity.WARNING,
            columns=(name,),
            rows=tuple(texts.first_others),
            count=texts.others,
            parameters=parameters,
        )
    ]


def _role(name: str, kind: str, facts: ColumnFacts, known: bool) -> Role:
    """What a column is for, as far as it shows: an official split, an id, else an input."""
    if name.lower() == "split" and kind == "category" and facts.texts.labels:
        sides = {side_of(label) for label in facts.texts.labels}
        if None not in sides:
            return Role.SPLIT if {Split.TRAIN, Split.TEST} <= sides else Role.IGNORE
    return Role.IGNORE if not known and _is_id(facts, kind, name) else Role.INPUT


def _is_id(facts: ColumnFacts, kind: str, name: str) -> bool:
    """Text that is different in (nearly) every row; or whole numbers that only count the rows."""
    if facts.rows < ID_ROWS:
        return False
    if kind == "category":
        return facts.texts.distinct.share > 0.9
    if kind != "number" or not facts.numbers.all_different:
        return False
    named = bool(ID_WORDS & set(words_of(name))) or name.lower().endswith("id")
    return named or facts.numbers.counting
