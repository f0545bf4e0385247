"""Rows as Parquet files of bounded size, with the feature metadata that Hugging Face's readers know."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from salus.core.nouns import Schema

SHARD_BYTES = 256 * 2**20
GROUP_ROWS = 10_000


def write_shards(folder: Path, table: pa.Table, schema: Schema) -> None:
    """`00000.parquet` and so on: the rows in their order."""
    folder.mkdir(parents=True)
    features = {"info": {"features": {column.name: _feature(column.kind) for column in schema.columns}}}
    table = table.replace_schema_metadata({"huggingface": json.dumps(features)})
    rows = max(1, int(table.num_rows * min(1.0, SHARD_BYTES / max(1, table.nbytes))))
    for index, start in enumerate(range(0, table.num_rows, rows)):
        file = folder / f"{index:05d}.parquet"
        pq.write_table(table.slice(start, rows), file, compression="zstd", row_group_size=GROUP_ROWS)


def _feature(kind: str) -> dict[str, Any]:
    """The Hugging Face name of a kind."""
    if kind == "image":
        return {"_type": "Image"}
    if kind == "series":
        return {"_type": "List", "feature": {"_type": "Value", "dtype": "float32"}}
    return {"_type": "Value", "dtype": "float64" if kind == "number" else "large_string"}
