"""Parquet files, a few rows at a time. Extension types (which may carry code) and nested records are refused."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from salus.core.errors import SalusError
from salus.core.specs import DataSpec
from salus.data.sources.base import Read, Source
from salus.data.sources.columns import BROKEN, Features, checked_schema, in_pieces, plain_table, valid
from salus.data.sources.csv_table import the_table

SUFFIXES = (".parquet",)
BATCH_BYTES = 2**25  # of a part, as the first rows tell: what a file says of its size may be wrong
FIRST_ROWS, MAX_ROWS = 256, 2**17


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
    with _Opened(file) as parquet:
        schema = parquet.schema_arrow
        features = Features.of(schema)
        checked_schema(schema, file)
        rows = parquet.metadata.num_rows
    if rows == 0:
        raise SalusError("no_rows", where=file.name)

    def parts() -> Iterator[pa.Table]:
        with _Opened(file) as parquet:
            first = _first(parquet, file)
            size = max(1, min(MAX_ROWS, BATCH_BYTES * first.num_rows // max(1, first.nbytes)))
            batches = parquet.iter_batches(batch_size=size, use_threads=False)
            while (batch := _next(batches, file)) is not None:
                for piece in in_pieces(batch, 2 * BATCH_BYTES):
                    yield plain_table(pa.Table.from_batches([piece]), features, file)

    with _Opened(file) as parquet:  # what no column can be is refused now
        plain_table(pa.Table.from_batches([_first(parquet, file)]), features, file)
    return Read(parts, {"format": "parquet", "files": [file.name]}, features.kinds)


def _first(parquet: pq.ParquetFile, file: Path) -> pa.RecordBatch:
    batch = _next(parquet.iter_batches(batch_size=FIRST_ROWS, use_threads=False), file)
    if batch is None or not batch.num_rows:
        raise malformed(file, EOFError("fewer rows than it says"))
    return batch


class _Opened:
    """The file, or `parquet_malformed`."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def __enter__(self) -> pq.ParquetFile:
        try:
            self._parquet = pq.ParquetFile(self._file, arrow_extensions_enabled=False)
        except BROKEN as error:
            raise malformed(self._file, error) from None
        return self._parquet

    def __exit__(self, *_: object) -> None:
        self._parquet.close()


def _next(batches: Iterator[pa.RecordBatch], file: Path) -> pa.RecordBatch | None:
    try:
        batch = next(batches, None)
        return batch if batch is None else valid(batch)
    except BROKEN as error:
        raise malformed(file, error) from None


def malformed(file: Path, error: Exception) -> SalusError:
    return SalusError("parquet_malformed", where=file.name, found=str(error).split("\n")[0][:120])
