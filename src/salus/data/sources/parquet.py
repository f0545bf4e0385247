"""Parquet files, a few rows at a time. Extension types (which may carry code) and nested records are refused."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from salus.core.errors import SalusError
from salus.core.specs import DataSpec
from salus.data.sources.base import Read, Source
from salus.data.sources.columns import Features, checked_schema, plain_table
from salus.data.sources.csv_table import the_table

SUFFIXES = (".parquet",)
BATCH_BYTES = 2**25  # of a part, as the file's own sizes tell


class Parquet(Source):
    name = "parquet"

    def claims(self, path: Path) -> bool:
        return the_table(path, SUFFIXES) is not None

    def read(self, path: Path, spec: DataSpec) -> Read:
        file = the_table(path, SUFFIXES)
        assert file is not None
        return read_parquet(file)


def read_parquet(file: Path) -> Read:
    """The rows; pictures as the Hugging Face layout keeps them ({bytes, path}) become plain bytes, codes of classes their names."""
    with _opened(file) as parquet:
        schema = parquet.schema_arrow
        features = Features.of(schema)
        checked_schema(schema, file)
        rows = parquet.metadata.num_rows
    if rows == 0:
        raise SalusError("no_rows", where=file.name)

    def parts() -> Iterator[pa.Table]:
        with _opened(file) as parquet:
            total = sum(parquet.metadata.row_group(i).total_byte_size for i in range(parquet.metadata.num_row_groups))
            size = max(1, min(2**17, BATCH_BYTES * rows // max(1, total)))
            batches = parquet.iter_batches(batch_size=size, use_threads=False)
            while (batch := _next(batches, file)) is not None:
                yield plain_table(pa.Table.from_batches([batch]), features, file)

    next(parts())  # what no column can be is refused now
    return Read(parts, {"format": "parquet", "files": [file.name]}, features.kinds)


class _opened:
    """The file, or `parquet_malformed`."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def __enter__(self) -> pq.ParquetFile:
        try:
            self._parquet = pq.ParquetFile(self._file, arrow_extensions_enabled=False)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError, OSError, EOFError) as error:
            raise malformed(self._file, error) from None
        return self._parquet

    def __exit__(self, *_: object) -> None:
        self._parquet.close()


def _next(batches: Iterator[pa.RecordBatch], file: Path) -> pa.RecordBatch | None:
    try:
        return next(batches, None)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, OSError, EOFError) as error:
        raise malformed(file, error) from None


def malformed(file: Path, error: Exception) -> SalusError:
    return SalusError("parquet_malformed", where=file.name, found=str(error).split("\n")[0][:120])
