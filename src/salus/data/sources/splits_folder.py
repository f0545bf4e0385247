"""A folder with one table a side: train and test (and validation) files of one format. The side becomes a column `split`.

An official split is taken only when train and test are both there.
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

SIDES = {
    "train": Split.TRAIN,
    "training": Split.TRAIN,
    "test": Split.TEST,
    "testing": Split.TEST,
    "validation": Split.VALIDATION,
    "valid": Split.VALIDATION,
    "val": Split.VALIDATION,
    "dev": Split.VALIDATION,
}


def side_of(name: str) -> Split | None:
    return SIDES.get(name.lower())


class SplitsFolder(Source):
    name = "splits-folder"

    def claims(self, path: Path) -> bool:
        return {Split.TRAIN, Split.TEST} <= set(_parts(path))

    def read(self, path: Path, spec: DataSpec) -> Read:
        tables: list[pa.Table] = []
        files: list[str] = []
        parts = _parts(path)
        for side in (Split.TRAIN, Split.VALIDATION, Split.TEST):
            if side not in parts:
                continue
            reader: Source = Parquet() if parts[side].suffix.lower() == ".parquet" else CsvTable()
            table = reader.read(parts[side], spec).table
            if "split" in table.column_names:
                raise SalusError("duplicate_column", where=parts[side].name, found="split")
            if tables and set(table.column_names) != set(tables[0].column_names) - {"split"}:
                raise SalusError(
                    "columns_differ",
                    where=parts[side].name,
                    expected=files[0],
                    found=", ".join(table.column_names)[:200],
                )
            tables.append(table.append_column("split", pa.array([side.value] * table.num_rows)))
            files.append(parts[side].name)
        joined = pa.concat_tables(
            [table.select(tables[0].column_names) for table in tables], promote_options="permissive"
        )
        return Read(joined, {"format": "splits-folder", "files": files})


def _parts(path: Path) -> dict[Split, Path]:
    """The file of each side; nothing when two files say they are the same side."""
    if not path.is_dir():
        return {}
    found: dict[Split, Path] = {}
    for file in sorted(path.iterdir()):
        side = side_of(file.stem) if file.is_file() and file.suffix.lower() in (".parquet", ".csv", ".tsv") else None
        if side is not None:
            if side in found:
                return {}
            found[side] = file
    return found
