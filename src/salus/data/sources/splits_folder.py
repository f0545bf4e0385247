"""A folder with one table a side: train, test and validation files of one format. The side becomes a column `split`.

An official split is taken only when train and test are both there; without both, the rows are simply joined.
"""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from salus.core.errors import SalusError
from salus.core.nouns import Split
from salus.core.specs import DataSpec
from salus.data.sources.base import Read, Source
from salus.data.sources.csv_table import CsvTable
from salus.data.sources.parquet import Parquet
from salus.data.split import side_of

SUFFIXES = (".parquet", ".csv", ".tsv")


class SplitsFolder(Source):
    name = "splits-folder"

    def claims(self, path: Path) -> bool:
        return len(_parts(path)) >= 2

    def read(self, path: Path, spec: DataSpec) -> Read:
        parts = _parts(path)
        official = {Split.TRAIN, Split.TEST} <= set(parts)
        tables: list[pa.Table] = []
        files: list[Path] = []
        for side in (Split.TRAIN, Split.VALIDATION, Split.TEST):
            if side not in parts:
                continue
            file = parts[side]
            table = _reader(file).read(file, spec).table
            if official:
                if "split" in table.column_names:
                    raise SalusError("duplicate_column", where=file.name, found="split")
                table = table.append_column("split", pa.array([side.value] * table.num_rows))
            if tables and set(table.column_names) != set(tables[0].column_names):
                names = ", ".join(table.column_names)[:200]
                raise SalusError("columns_differ", where=file.name, expected=files[0].name, found=names)
            tables.append(table.select(tables[0].column_names) if tables else table)
            files.append(file)
        facts = {"format": "splits-folder", "files": [file.name for file in files]}
        return Read.of(_joined(tables, path), facts)


def _reader(file: Path) -> Source:
    return Parquet() if file.suffix.lower() == ".parquet" else CsvTable()


def _joined(tables: list[pa.Table], path: Path) -> pa.Table:
    """All rows; a column that is numbers on one side and text on another is text."""
    for name in tables[0].column_names:
        kinds = {pa.types.is_string(table.schema.field(name).type) for table in tables}
        if len(kinds) > 1:
            tables = [_as_text(table, name, path) for table in tables]
    try:
        return pa.concat_tables(tables, promote_options="permissive")
    except (pa.ArrowTypeError, pa.ArrowInvalid) as error:
        found = str(error).split("\n")[0][:120]
        raise SalusError("columns_differ", where=path.name, expected="the first part", found=found) from None


def _as_text(table: pa.Table, name: str, path: Path) -> pa.Table:
    index = table.column_names.index(name)
    try:
        return table.set_column(index, name, table.column(index).cast(pa.string()))
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        raise SalusError("columns_differ", where=path.name, expected="the first part", found=name) from None


def _parts(path: Path) -> dict[Split, Path]:
    """The file of each side; nothing when two files say they are the same side."""
    if not path.is_dir():
        return {}
    found: dict[Split, Path] = {}
    for file in sorted(path.iterdir()):
        side = side_of(file.stem) if file.is_file() and file.suffix.lower() in SUFFIXES else None
        if side is not None:
            if side in found:
                return {}
            found[side] = file
    return found
