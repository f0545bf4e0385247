"""Columns of any type to columns of a kind: recognised from names and values, or as the person said.

Also brings each column to the one Arrow type of its kind, so that everything behind it sees four types only.
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from salus.core.errors import SalusError
from salus.core.nouns import Column, Finding, Role, Schema, Severity, Split
from salus.core.specs import DataSpec
from salus.data.kinds import KINDS, kind_named

SAMPLE_ROWS = 2000
ARROW_TYPES = {
    "number": pa.float64(),
    "category": pa.large_string(),
    "image": pa.large_binary(),
    "series": pa.large_list(pa.float32()),
}
TEXT = pa.large_string()  # of every other kind
SPLIT_VALUES = {split.value for split in Split}


def recognise(table: pa.Table, spec: DataSpec) -> tuple[Schema, pa.Table, list[Finding]]:
    """The schema, the table in the types of the kinds, and what was found on the way."""
    for name in spec.kinds:
        if name not in table.column_names:
            raise SalusError("no_such_column", where="kinds", expected=", ".join(table.column_names)[:300], found=name)
    columns: list[Column] = []
    arrays: list[pa.ChunkedArray] = []
    findings: list[Finding] = []
    for name in table.column_names:
        kind = spec.kinds.get(name) or _kind_of(table.column(name))
        array = as_kind(table.column(name), kind, name)
        role = Role.INPUT
        if name == "split" and kind == "category" and _is_split(array):
            role = Role.SPLIT
        elif name not in spec.kinds and _is_id(array, kind, name):
            role = Role.IGNORE
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
        if kind == "category" and pa.types.is_floating(array.type):
            whole = pc.all(pc.equal(pc.round(array), array)).as_py()
            array = array.cast(pa.int64()) if whole else array
        return array.cast(ARROW_TYPES.get(kind, TEXT))
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        raise SalusError(
            "bad_spec", where=f"column '{name}'", expected=f"values of kind {kind}", found=str(array.type)
        ) from None


def _kind_of(array: pa.ChunkedArray) -> str:
    """The kind that recognises a sample most surely; a column of nothing is a number that is missing."""
    if pa.types.is_boolean(array.type) or pa.types.is_temporal(array.type):
        return "category"
    if pa.types.is_integer(array.type) or pa.types.is_floating(array.type) or pa.types.is_decimal(array.type):
        return "number"
    sample = array.drop_null().slice(0, SAMPLE_ROWS).to_pylist()
    confidence = {kind: kind_named(kind).recognise(sample) for kind in KINDS}
    best = max(confidence, key=lambda kind: confidence[kind])
    return best if confidence[best] > 0 else "number" if pa.types.is_null(array.type) else "category"


def _is_split(array: pa.ChunkedArray) -> bool:
    values = set(pc.unique(array).to_pylist()) - {None}
    return bool(values) and values <= SPLIT_VALUES


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
    words = name.lower().replace("-", "_").split("_")
    named = bool({"id", "index", "nr", "number", "key"} & set(words)) or name.lower().endswith("id")
    differences = pc.unique(pc.pairwise_diff(present.combine_chunks(), 1).drop_null())
    return named or len(differences) == 1
