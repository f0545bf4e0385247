"""Rows as Parquet files of bounded size, with the feature metadata that Hugging Face's readers know."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from salus.core.nouns import Schema
from salus.data.kinds import kind_named
from salus.data.row_groups import row_sizes
from salus.data.schema import ARROW_TYPES

SHARD_BYTES = 256 * 2**20  # of values


class ShardWriter:
    """Writes `00000.parquet` and so on into a new folder: the groups of rows in their order, each a row group."""

    def __init__(self, folder: Path, schema: Schema) -> None:
        folder.mkdir(parents=True)
        self.folder = folder
        storage = {column.name: kind_named(column.kind).storage for column in schema.columns}
        features = {"info": {"features": {column.name: _feature(column.kind) for column in schema.columns}}}
        fields = [(name, ARROW_TYPES[kept]) for name, kept in storage.items()]
        self.types = pa.schema(fields, {"huggingface": json.dumps(features)})
        # Pictures are packed already, and no two recordings are alike: neither gains from a dictionary.
        self.packed = {_path(name, kept): "none" if kept == "bytes" else "zstd" for name, kept in storage.items()}
        self.repeating = [name for name, kept in storage.items() if kept in ("number", "text")]
        self._writer: pq.ParquetWriter | None = None
        self._shards = self._bytes = 0

    def part(self, table: pa.Table) -> None:
        """One group of rows."""
        size = int(row_sizes(table).sum())
        if self._writer is not None and self._bytes + size > SHARD_BYTES:
            self.close()
        if self._writer is None:
            self._writer = pq.ParquetWriter(
                self.folder / f"{self._shards:05d}.parquet",
                self.types,
                compression=self.packed,
                use_dictionary=self.repeating,
                write_statistics=self.repeating,
            )
            self._shards, self._bytes = self._shards + 1, 0
        self._writer.write_table(table.cast(self.types), row_group_size=max(1, table.num_rows))
        self._bytes += size

    def close(self) -> None:
        if self._writer is not None:
            writer, self._writer = self._writer, None
            writer.close()


def _path(name: str, storage: str) -> str:
    """How Parquet calls the values of a column."""
    return f"{name}.list.element" if storage == "numbers" else name


def _feature(kind: str) -> dict[str, Any]:
    """The Hugging Face name of a kind."""
    if kind == "image":
        return {"_type": "Image"}
    if kind == "audio":
        return {"_type": "Audio"}
    if kind == "series":
        return {"_type": "List", "feature": {"_type": "Value", "dtype": "float32"}}
    return {"_type": "Value", "dtype": "float64" if kind == "number" else "large_string"}
