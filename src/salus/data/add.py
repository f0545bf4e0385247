"""Files to an immutable data version: read, recognise, check, write, publish. The version appears whole or not at all.

The rows pass by twice, part by part, and never lie in memory together: once to recognise the kinds from all of them, once to be
checked and written. What is remembered of them is bounded, so that memory stays the same whatever the size.
"""

from __future__ import annotations

import json
import secrets
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from salus.core.context import Context
from salus.core.disk import full_disk_named
from salus.core.durable import publish_folder
from salus.core.nouns import Finding, Schema
from salus.core.specs import DataSpec
from salus.data.findings import Checker
from salus.data.preview import Preview
from salus.data.profile import Profiler
from salus.data.recordings import to_recordings
from salus.data.row_groups import evened, grouped
from salus.data.schema import recognise, typed
from salus.data.shards import ShardWriter
from salus.data.sources import read_data
from salus.data.sources.base import Read
from salus.data.sources.told import told
from salus.data.version import DataVersion

TOLD_EVERY_S = 2.0


def add(path: Path, spec: DataSpec, output: Path, context: Context) -> DataVersion:
    """Reads `path` (a file, a folder, or 'sklearn:NAME') and publishes the version at the folder `output`."""
    with full_disk_named(output.parent):
        _publish(path, spec, output, context)
    version = DataVersion.open_folder(output)
    context.event("added", version=version.hash, rows=version.rows)
    return version


def _publish(path: Path, spec: DataSpec, output: Path, context: Context) -> None:
    read = read_data(path, spec)
    context.event("reading", source=read.facts["format"])
    said = told(read.facts)
    if spec.recording is not None:
        read, spec, recorded = to_recordings(read, spec, Told(context, "put_together"))
        said += recorded
    if read.roles:  # what a person says wins
        spec = spec.model_copy(update={"roles": {**read.roles, **spec.roles}})
    schema, found = recognise(evened(read.parts()), spec, read.kinds, Told(context, "looked_at"))
    temporary = output.with_name(f".{output.name}.{secrets.token_hex(6)}")
    try:
        _write(temporary, read, schema, [*said, *found], context)
        publish_folder(temporary, output)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


class Told:
    """Says how many rows have passed, at most every `TOLD_EVERY_S`; stops when asked to."""

    def __init__(self, context: Context, event: str) -> None:
        self.context = context
        self.event = event
        self.last = time.monotonic()

    def __call__(self, rows: int) -> None:
        self.context.stop_if_asked("adding")
        if time.monotonic() - self.last >= TOLD_EVERY_S:
            self.last = time.monotonic()
            self.context.event(self.event, rows=rows)


def _write(folder: Path, read: Read, schema: Schema, found: list[Finding], context: Context) -> None:
    """All files of the version, in one pass over the rows."""
    checker = Checker(schema, lambda: context.stop_if_asked("adding"))
    told = Told(context, "written")
    profiler, preview, writer = Profiler(schema), Preview(schema), ShardWriter(folder / "shards", schema)
    try:
        for group in grouped(_typed(read, schema)):
            group = _without(group, checker.part(group))
            profiler.part(group)
            preview.part(group)
            writer.part(group)
            told(profiler.rows)
    finally:
        writer.close()
    context.event("read", rows=profiler.rows, columns=len(schema.columns))
    findings = [*found, *checker.finish()]
    _json(folder / "schema.json", schema.model_dump(mode="json"))
    _json(folder / "findings.json", [finding.model_dump(mode="json") for finding in findings])
    _json(folder / "profile.json", profiler.result())
    _json(folder / "preview.json", {"rows": preview.rows}, indent=None)
    _json(folder / "source.json", {**read.facts, "rows": profiler.rows})


def _typed(read: Read, schema: Schema) -> Iterator[pa.Table]:
    for part in evened(read.parts()):
        yield typed(part, schema)


def _without(table: pa.Table, broken: dict[str, list[int]]) -> pa.Table:
    """Pictures that cannot be decoded become missing."""
    for name, places in broken.items():
        good = np.ones(table.num_rows, dtype=bool)
        good[places] = False
        column = pc.if_else(pa.array(good), table.column(name), pa.scalar(None, table.column(name).type))
        table = table.set_column(table.column_names.index(name), name, column)
    return table


def _json(path: Path, value: Any, indent: int | None = 1) -> None:
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, indent=indent, allow_nan=False)
    path.write_text(text, encoding="utf-8")
