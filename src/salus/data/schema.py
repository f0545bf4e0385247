"""Columns of any type to columns of a kind: recognised from names and values, or as the person said.

Also brings each column to the one Arrow type of its kind, so that everything behind it sees four types only.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from salus.core.errors import SalusError
from salus.core.nouns import Column, Finding, Role, Schema, Severity, Split
from salus.core.specs import DataSpec
from salus.data.kinds import KINDS, kind_named
from salus.data.kinds.category import label_of
from salus.data.names import words_of
from salus.data.split import side_of

SAMPLE_ROWS = 2000
SHOWN_ROWS = 20
ARROW_TYPES = {  # of `Kind.storage`
    "number": pa.float64(),
    "text": pa.large_string(),
    "bytes": pa.large_binary(),
    "numbers": pa.large_list(pa.float32()),
}
A_NUMBER = r"^\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*$"
ZERO_LED = r"^\s*[+-]?0\d"  # 007 is a code, not a measurement
ID_WORDS = {"id", "index", "nr", "number", "key"}


def recognise(
    table: pa.Table, spec: DataSpec, told: Mapping[str, str] | None = None
) -> tuple[Schema, pa.Table, list[Finding]]:
    """The schema, the table in the types of the kinds, and what was found on the way. `told`: kinds that the source knows."""
    for name in spec.kinds:
        if name not in table.column_names:
            raise SalusError("no_such_column", where="kinds", expected=", ".join(table.column_names)[:300], found=name)
    known = {**(told or {}), **spec.kinds}
    columns: list[Column] = []
    arrays: list[pa.ChunkedArray] = []
    findings: list[Finding] = []
    for name in table.column_names:
        raw = table.column(name)
        kind = known.get(name) or _kind_of(raw)
        array = as_kind(raw, kind, name)
        if name not in known and kind == "category":
            findings += _mixed(raw, name)
        role = _role(name, kind, array, name in known)
        if role is Role.IGNORE and name.lower() != "split":
            findings.append(
                Finding(code="id_column", severity=Severity.INFO, columns=(name,), parameters={"where": name})
            )
        columns.append(Column(name=name, kind=kind, role=role))
        arrays.append(array)
    typed = pa.table(dict(zip(table.column_names, arrays, strict=True)))
    return Schema(columns=tuple(columns)), typed, findings


def as_kind(array: pa.ChunkedArray, kind: str, name: str) -> pa.ChunkedArray:
    """The column in the Arrow type of the kind; `bad_spec` when its values are of another sort."""
    if kind not in KINDS:
        raise SalusError(
            "bad_spec", where=f"kind of column '{name}'", expected=f"one of {', '.join(KINDS)}", found=kind
        )
    try:
        if pa.types.is_temporal(array.type):
            array = array.cast(pa.string())
        if kind == "number":
            return _numbers(array)
        if kind == "series":
            return _recordings(array.cast(ARROW_TYPES["numbers"]))
        if kind == "category" and (pa.types.is_floating(array.type) or pa.types.is_decimal(array.type)):
            return _labels(_numbers(array))
        return array.cast(ARROW_TYPES[kind_named(kind).storage])
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        raise SalusError(
            "bad_spec", where=f"column '{name}'", expected=f"values of kind {kind}", found=str(array.type)
        ) from None


def _numbers(array: pa.ChunkedArray) -> pa.ChunkedArray:
    """As float64, rounded where an integer is longer than that; not-a-number is missing."""
    if pa.types.is_string(array.type) or pa.types.is_large_string(array.type) or pa.types.is_string_view(array.type):
        array = pc.utf8_trim_whitespace(array.cast(pa.large_string()))
    found = array.cast(pa.float64(), safe=False)
    return pc.if_else(pc.is_nan(found), pa.scalar(None, pa.float64()), found)


def _labels(numbers: pa.ChunkedArray) -> pa.ChunkedArray:
    """Numbers as the labels that a request would give them; an infinite one is no label."""
    codes = pc.dictionary_encode(numbers.combine_chunks())
    levels = [label_of(level) if np.isfinite(level) else None for level in codes.dictionary.to_pylist()]
    return pa.chunked_array([pa.array(levels, pa.large_string()).take(codes.indices)])


def _recordings(array: pa.ChunkedArray) -> pa.ChunkedArray:
    """A recording without a sample is a missing one."""
    empty = pc.equal(pc.list_value_length(array), 0)
    return pc.if_else(pc.fill_null(empty, False), pa.scalar(None, array.type), array)


def _kind_of(array: pa.ChunkedArray) -> str:
    """The kind that recognises a sample most surely; a column of nothing is a number that is missing."""
    kind = array.type
    if pa.types.is_boolean(kind) or pa.types.is_temporal(kind):
        return "category"
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return "number"
    sample = array.drop_null().slice(0, SAMPLE_ROWS).to_pylist()
    confidence = {name: kind_named(name).recognise(sample) for name in KINDS}
    best = max(confidence, key=lambda name: confidence[name])
    if confidence[best] == 0:
        return "number" if pa.types.is_null(kind) else "category"
    return "category" if best == "number" and not _all_numbers(array) else best


def _all_numbers(array: pa.ChunkedArray) -> bool:
    """Whether every text of a column is a number as tables write it, not only those of the sample."""
    array = array.cast(pa.large_string())
    numbers = pc.all(pc.match_substring_regex(array, A_NUMBER)).as_py()
    return bool(numbers) and not pc.any(pc.match_substring_regex(array, ZERO_LED)).as_py()


def _mixed(array: pa.ChunkedArray, name: str) -> list[Finding]:
    """Text among numbers: one typing mistake makes a measurement a label."""
    if not (pa.types.is_string(array.type) or pa.types.is_large_string(array.type)):
        return []
    numbers = pc.fill_null(pc.match_substring_regex(array, A_NUMBER), True).to_numpy(zero_copy_only=False)
    others = np.flatnonzero(~numbers)
    if not len(others) or len(others) * 2 > len(array) - array.null_count:
        return []
    rows = tuple(int(row) for row in others[:SHOWN_ROWS])
    parameters = {"where": name, "found": len(others), "expected": str(array[rows[0]].as_py())[:60]}
    return [
        Finding(
            code="mixed_types",
            severity=Severity.WARNING,
            columns=(name,),
            rows=rows,
            count=len(others),
            parameters=parameters,
        )
    ]


def _role(name: str, kind: str, array: pa.ChunkedArray, known: bool) -> Role:
    """What a column is for, as far as it shows: an official split, an id, else an input."""
    if name.lower() == "split" and kind == "category":
        values = set(pc.unique(array).to_pylist()) - {None}
        sides = {side_of(value) for value in values}
        if values and None not in sides:
            return Role.SPLIT if {Split.TRAIN, Split.TEST} <= sides else Role.IGNORE
    return Role.IGNORE if not known and _is_id(array, kind, name) else Role.INPUT


def _is_id(array: pa.ChunkedArray, kind: str, name: str) -> bool:
    """Text that is different in (nearly) every row; or whole numbers that only count the rows."""
    present = array.drop_null()
    rows = len(present)
    if rows < 20:
        return False
    if kind == "category":
        return bool(pc.count_distinct(present).as_py() > 0.9 * rows)
    if (
        kind != "number"
        or pc.count_distinct(present).as_py() < rows
        or not pc.all(pc.equal(pc.round(present), present)).as_py()
    ):
        return False
    named = bool(ID_WORDS & set(words_of(name))) or name.lower().endswith("id")
    differences = pc.unique(pc.pairwise_diff(present.combine_chunks(), 1).drop_null()).to_pylist()
    return named or differences in ([1.0], [-1.0])
