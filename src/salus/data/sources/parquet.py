"""Parquet files. Extension types (which may carry code) and nested records are refused."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from salus.core.errors import SalusError
from salus.core.specs import DataSpec
from salus.data.sources.base import Read, Source
from salus.data.sources.csv_table import MAX_COLUMNS, the_table

SUFFIXES = (".parquet",)


class Parquet(Source):
    name = "parquet"

    def claims(self, path: Path) -> bool:
        return the_table(path, SUFFIXES) is not None

    def read(self, path: Path, spec: DataSpec) -> Read:
        file = the_table(path, SUFFIXES)
        assert file is not None
        table = read_parquet(file)
        if table.num_rows == 0:
            raise SalusError("no_rows", where=file.name)
        return Read(table, {"format": "parquet", "files": [file.name]})


def read_parquet(file: Path) -> pa.Table:
    """The table; pictures as the Hugging Face layout keeps them ({bytes, path}) become plain bytes."""
    try:
        with pq.ParquetFile(file, arrow_extensions_enabled=False) as parquet:
            if len(parquet.schema_arrow) > MAX_COLUMNS:
                raise SalusError(
                    "too_many_columns", where=file.name, expected=MAX_COLUMNS, found=len(parquet.schema_arrow)
                )
            table = parquet.read(use_threads=False)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, OSError, EOFError) as error:
        raise SalusError("parquet_malformed", where=file.name, found=str(error).split("\n")[0][:120]) from None
    for index, field in enumerate(table.schema):
        if pa.types.is_struct(field.type) and {part.name for part in field.type} == {"bytes", "path"}:
            plain = pa.chunked_array([chunk.field("bytes") for chunk in table.column(index).chunks], pa.binary())
            table = table.set_column(index, field.name, plain)
        elif (
            isinstance(field.type, pa.BaseExtensionType)
            or pa.types.is_struct(field.type)
            or pa.types.is_map(field.type)
        ):
            raise SalusError(
                "parquet_malformed", where=f"{file.name}, column '{field.name}'", found=f"the type {field.type}"
            )
        elif pa.types.is_dictionary(field.type):
            table = table.set_column(index, field.name, table.column(index).cast(field.type.value_type))
    return table.replace_schema_metadata(None)
