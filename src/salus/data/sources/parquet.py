"""Parquet files. Extension types (which may carry code) and nested records are refused."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from salus.core.errors import SalusError
from salus.core.specs import DataSpec
from salus.data.sources.base import Read, Source
from salus.data.sources.csv_head import MAX_COLUMNS
from salus.data.sources.csv_table import the_table

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
        return Read.of(table, {"format": "parquet", "files": [file.name]})


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
    _check_names(table.column_names, file)
    for index, field in enumerate(table.schema):
        table = table.set_column(index, field.name, _plain(table.column(index), field, file))
    return table.replace_schema_metadata(None)


def _check_names(names: list[str], file: Path) -> None:
    seen: set[str] = set()
    for name in names:
        if name.strip() == "" or name in seen:
            raise SalusError("duplicate_column", where=file.name, found=name)
        seen.add(name)


def _plain(column: pa.ChunkedArray, field: pa.Field, file: Path) -> pa.ChunkedArray:
    """The column without the types that are refused."""
    where = f"{file.name}, column '{field.name}'"
    if pa.types.is_dictionary(field.type):
        return column.cast(field.type.value_type)
    if pa.types.is_struct(field.type) and {part.name for part in field.type} == {"bytes", "path"}:
        pictures = pc.struct_field(column, "bytes")
        paths = pc.struct_field(column, "path")
        if pictures.null_count == len(pictures) and paths.null_count < len(paths):
            raise SalusError("parquet_malformed", where=where, found="paths of pictures that lie elsewhere")
        return pictures
    if isinstance(field.type, pa.BaseExtensionType) or pa.types.is_struct(field.type) or pa.types.is_map(field.type):
        raise SalusError("parquet_malformed", where=where, found=f"the type {field.type}")
    return column
