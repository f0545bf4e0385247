"""Files to an immutable data version: read, recognise, check, write, publish. The version appears whole or not at all."""

from __future__ import annotations

import json
import secrets
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from salus.core.context import Context
from salus.core.durable import publish_folder
from salus.core.nouns import Finding, Schema
from salus.core.specs import DataSpec
from salus.data.findings import Checker
from salus.data.preview import preview
from salus.data.profile import profile
from salus.data.schema import recognise
from salus.data.shards import write_shards
from salus.data.sources import read_data
from salus.data.version import DataVersion


def add(path: Path, spec: DataSpec, output: Path, context: Context) -> DataVersion:
    """Reads `path` (a file, a folder, or 'sklearn:NAME') and publishes the version at the folder `output`."""
    read = read_data(path, spec)
    context.event("reading", source=read.facts["format"])
    context.stop_if_asked("adding")
    schema, table, found = recognise(read.table, spec, read.kinds)
    context.event("read", rows=table.num_rows, columns=table.num_columns)
    checker = Checker(schema, lambda: context.stop_if_asked("adding"))
    checker.part(table)
    checked, broken = checker.finish()
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
    write_shards(folder / "shards", table, schema)
    _json(folder / "schema.json", schema.model_dump(mode="json"))
    _json(folder / "findings.json", [finding.model_dump(mode="json") for finding in findings])
    _json(folder / "profile.json", profile(table, schema))
    _json(folder / "preview.json", {"rows": preview(table, schema)}, indent=None)
    _json(folder / "source.json", {**facts, "rows": table.num_rows})


def _json(path: Path, value: Any, indent: int | None = 1) -> None:
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, indent=indent, allow_nan=False)
    path.write_text(text, encoding="utf-8")
