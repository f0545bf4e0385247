"""Files to an immutable data version: read, recognise, check, write, publish. The version appears whole or not at all."""

from __future__ import annotations

import base64
import io
import json
import secrets
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from PIL import Image as Pillow

from salus.core.context import Context
from salus.core.durable import publish_folder
from salus.core.nouns import Finding, Schema
from salus.core.specs import DataSpec
from salus.data.findings import find
from salus.data.schema import recognise
from salus.data.sources import source_for
from salus.data.version import DataVersion

SHARD_BYTES = 256 * 2**20
PREVIEW_ROWS = 20
PREVIEW_BYTES = 200_000  # a picture or recording longer than this is left out of the preview


def add(path: Path, spec: DataSpec, output: Path, context: Context) -> DataVersion:
    """Reads `path` (a file, a folder, or 'sklearn:NAME') and publishes the version at the folder `output`."""
    source = source_for(path)
    context.event("reading", source=source.name)
    read = source.read(path, spec)
    context.stop_if_asked("adding")
    schema, table, found = recognise(read.table, spec)
    context.event("read", rows=table.num_rows, columns=table.num_columns)
    checked, broken = find(table, schema)
    context.stop_if_asked("adding")
    for name, rows in broken.items():
        table = _without(table, name, rows)
    temporary = output.with_name(f".{output.name}.{secrets.token_hex(6)}")
    try:
        _write(temporary, table, schema, [*found, *checked], read.facts)
        publish_folder(temporary, output)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    version = DataVersion.open_folder(output)
    context.event("added", version=version.hash, rows=version.rows)
    return version


def _without(table: pa.Table, name: str, rows: list[int]) -> pa.Table:
    """Pictures that cannot be decoded become missing."""
    if not rows:
        return table
    good = np.ones(table.num_rows, dtype=bool)
    good[rows] = False
    column = pc.if_else(pa.array(good), table.column(name), pa.scalar(None, table.column(name).type))
    return table.set_column(table.column_names.index(name), name, column)


def _write(folder: Path, table: pa.Table, schema: Schema, findings: list[Finding], facts: dict[str, Any]) -> None:
    (folder / "shards").mkdir(parents=True)
    features = {"info": {"features": {c.name: _feature(c.kind) for c in schema.columns}}}
    table = table.replace_schema_metadata({"huggingface": json.dumps(features)})
    rows = max(1, int(table.num_rows * min(1.0, SHARD_BYTES / max(1, table.nbytes))))
    for index, start in enumerate(range(0, table.num_rows, rows)):
        pq.write_table(
            table.slice(start, rows),
            folder / "shards" / f"{index:05d}.parquet",
            compression="zstd",
            row_group_size=10_000,
        )
    _json(folder / "schema.json", schema.model_dump(mode="json"))
    _json(folder / "findings.json", [finding.model_dump(mode="json") for finding in findings])
    _json(folder / "profile.json", {"rows": table.num_rows, "columns": _profile(table, schema)})
    _json(folder / "preview.json", {"rows": _preview(table, schema)})
    _json(folder / "source.json", facts)


def _json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, ensure_ascii=False, sort_keys=True, indent=1), encoding="utf-8")


def _feature(kind: str) -> dict[str, Any]:
    """The Hugging Face name of a kind."""
    if kind == "image":
        return {"_type": "Image"}
    if kind == "series":
        return {"_type": "List", "feature": {"_type": "Value", "dtype": "float32"}}
    return {"_type": "Value", "dtype": "float64" if kind == "number" else "large_string"}


def _profile(table: pa.Table, schema: Schema) -> dict[str, Any]:
    """A few figures a column: missing, range and mean, or the most frequent labels."""
    found: dict[str, Any] = {}
    for column in schema.columns:
        array = table.column(column.name)
        facts: dict[str, Any] = {"kind": column.kind, "missing": array.null_count}
        present = array.drop_null()
        if column.kind == "number" and len(present):
            figures = {"min": pc.min(present), "max": pc.max(present), "mean": pc.mean(present)}
            facts |= {name: _finite(figure.as_py()) for name, figure in figures.items()}
        elif column.kind == "category":
            counts = sorted(pc.value_counts(present).to_pylist(), key=lambda item: -item["counts"])
            facts |= {"distinct": len(counts), "top": [[item["values"], item["counts"]] for item in counts[:10]]}
        elif column.kind == "series" and len(present):
            lengths = pc.list_value_length(present)
            facts |= {"shortest": pc.min(lengths).as_py(), "longest": pc.max(lengths).as_py()}
        found[column.name] = facts
    return found


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None


def _preview(table: pa.Table, schema: Schema) -> list[dict[str, Any]]:
    """The first rows as JSON that an endpoint would take."""
    rows = table.slice(0, PREVIEW_ROWS).to_pylist()
    kinds = {column.name: column.kind for column in schema.columns}
    return [{name: _shown(value, kinds[name]) for name, value in row.items()} for row in rows]


def _shown(value: Any, kind: str) -> Any:
    if isinstance(value, bytes):
        return {"base64": base64.b64encode(value if len(value) <= PREVIEW_BYTES else _small(value)).decode()}
    if isinstance(value, list):
        return [item if item is not None and item == item else None for item in value]
    if isinstance(value, float):
        if value != value or abs(value) == float("inf"):
            return None
        return int(value) if value == int(value) and abs(value) < 2**53 else value
    return value


def _small(content: bytes) -> bytes:
    with Pillow.open(io.BytesIO(content)) as picture:
        picture.thumbnail((256, 256))
        stream = io.BytesIO()
        picture.convert("RGB").save(stream, format="JPEG")
        return stream.getvalue()
