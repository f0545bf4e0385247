"""Arrow columns as other programs write them, brought to plain ones; what Hugging Face says about them is kept.

Pictures as {bytes, path} become bytes, dictionaries their values, codes of classes the names of the classes. Types that
may carry code, and records, are refused.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from salus.core.errors import SalusError
from salus.data.sources.csv_head import MAX_COLUMNS

TEXTS = (pa.string(), pa.large_string(), pa.binary(), pa.large_binary())
BROKEN = (pa.ArrowException, OSError, EOFError, UnicodeDecodeError)  # what pyarrow raises for a broken file


@dataclass(frozen=True)
class Features:
    """The names of the classes of a column of codes, and the kinds that are told."""

    classes: dict[str, list[str]] = field(default_factory=dict)
    kinds: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, schema: pa.Schema) -> Features:
        """What the metadata of an Arrow schema says, as Hugging Face writes it; nothing where it says nothing readable."""
        try:
            told = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))["info"]["features"]
        except (ValueError, KeyError, TypeError, RecursionError):
            return cls()
        return cls.told(told)

    @classmethod
    def told(cls, features: Any) -> Features:
        classes: dict[str, list[str]] = {}
        kinds: dict[str, str] = {}
        for name, told in features.items() if isinstance(features, dict) else ():
            kind = told.get("_type") if isinstance(told, dict) else None
            names = told.get("names") if isinstance(told, dict) else None
            if kind == "ClassLabel" and isinstance(names, list) and all(isinstance(one, str) for one in names):
                classes[name], kinds[name] = names, "category"
            elif kind in ("Image", "Audio"):
                kinds[name] = kind.lower()
        return cls(classes, kinds)


def checked_schema(schema: pa.Schema, file: Path) -> None:
    """Raises `too_many_columns`, `duplicate_column`."""
    if len(schema) > MAX_COLUMNS:
        raise SalusError("too_many_columns", where=file.name, expected=MAX_COLUMNS, found=len(schema))
    seen: set[str] = set()
    for name in schema.names:
        if name.strip() == "" or name in seen:
            raise SalusError("duplicate_column", where=file.name, found=name)
        seen.add(name)


def valid(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Offsets, codes and texts are used as a file gives them: a wrong one would be read from somebody else's memory."""
    batch.validate(full=True)
    return batch


def in_pieces(batch: pa.RecordBatch, most_bytes: int) -> Iterator[pa.RecordBatch]:
    """Rows after rows, about so many bytes when every row has its own copy of what a dictionary says once."""
    size = batch.nbytes
    for column in batch.columns:
        if isinstance(column, pa.DictionaryArray) and column.dictionary.type in TEXTS:
            size += pc.sum(pc.binary_length(column.dictionary).take(column.indices)).as_py() or 0
    step = max(1, batch.num_rows * most_bytes // max(1, size))
    for start in range(0, batch.num_rows, step):
        yield batch.slice(start, step)


def plain_table(table: pa.Table, features: Features, file: Path) -> pa.Table:
    """The table without the types that are refused, and without metadata."""
    for index, found in enumerate(table.schema):
        column = _plain(table.column(index), found, file)
        if found.name in features.classes:
            column = _named(column, features.classes[found.name], f"{file.name}, column '{found.name}'")
        table = table.set_column(index, found.name, column)
    return table.replace_schema_metadata(None)


def _plain(column: pa.ChunkedArray, found: pa.Field, file: Path) -> pa.ChunkedArray:
    where = f"{file.name}, column '{found.name}'"
    if pa.types.is_dictionary(found.type):
        return column.cast(found.type.value_type)
    if pa.types.is_struct(found.type) and {part.name for part in found.type} == {"bytes", "path"}:
        pictures = pc.struct_field(column, "bytes")
        paths = pc.struct_field(column, "path")
        if pictures.null_count == len(pictures) and paths.null_count < len(paths):
            raise SalusError("parquet_malformed", where=where, found="paths of pictures that lie elsewhere")
        return pictures
    if isinstance(found.type, pa.BaseExtensionType) or pa.types.is_struct(found.type) or pa.types.is_map(found.type):
        raise SalusError("parquet_malformed", where=where, found=f"the type {found.type}")
    return column


def _named(codes: pa.ChunkedArray, names: list[str], where: str) -> pa.ChunkedArray:
    """Class names for their codes; -1 is no class (as the convention is)."""
    if not pa.types.is_integer(codes.type):
        return codes
    codes = pc.if_else(pc.equal(codes, -1), pa.scalar(None, codes.type), codes)
    span = pc.min_max(codes).as_py()
    if span["max"] is not None and not (span["min"] >= 0 and span["max"] < len(names)):
        raise SalusError(
            "format_malformed", where=where, expected=f"codes of {len(names)} classes", found=str(span["max"])
        )
    return pa.chunked_array([pa.array(names).take(chunk) for chunk in codes.chunks], pa.string())
