"""Pictures with a table beside them (metadata.csv or metadata.jsonl, as Hugging Face's ImageFolder has it), below train and test
folders or not. The column `file_name` names the picture from the table's own folder; its bytes become the column `image`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from salus.core.errors import SalusError
from salus.core.nouns import Split
from salus.core.specs import DataSpec
from salus.data.sources.base import Read, Source
from salus.data.sources.csv_table import CsvTable
from salus.data.sources.files import folders, is_media, is_sound, with_bytes
from salus.data.sources.joined_parts import Part, joined_parts
from salus.data.sources.json_lines import JsonLines
from salus.data.split import side_of

NAMES = ("metadata.csv", "metadata.jsonl")
FILE_NAME = "file_name"


class MetadataFolder(Source):
    name = "metadata-folder"

    def claims(self, path: Path) -> bool:
        return path.is_dir() and bool(_tables(path))

    def read(self, path: Path, spec: DataSpec) -> Read:
        parts = [Part(side, _shown(path, table), _with_pictures(table, spec)) for side, table in _tables(path)]
        return joined_parts(parts, "metadata-folder", path.name)


def _shown(path: Path, table: Path) -> str:
    return table.relative_to(path).as_posix()


def _tables(path: Path) -> list[tuple[Split | None, Path]]:
    """The table of each side: of the folder itself, or of the folders that are named by a side."""
    if (own := _table_in(path)) is not None:
        return [(None, own)]
    found = [(side_of(folder.name), _table_in(folder)) for folder in folders(path) if side_of(folder.name)]
    order = [Split.TRAIN, Split.VALIDATION, Split.TEST]
    tables = [(side, table) for side, table in found if side is not None and table is not None]
    return [*sorted(tables, key=lambda item: order.index(item[0]))]


def _table_in(folder: Path) -> Path | None:
    return next((file for file in sorted(folder.iterdir()) if file.name in NAMES and file.is_file()), None)


def _with_pictures(table: Path, spec: DataSpec) -> Read:
    source = CsvTable() if table.suffix == ".csv" else JsonLines()
    known = spec.model_copy(update={"kinds": {**spec.kinds, FILE_NAME: "category"}})
    read = source.read(table, known)
    first = next(iter(read.parts()))
    if FILE_NAME not in first.column_names:
        names = ", ".join(first.column_names)[:200]
        raise SalusError("no_such_column", where=table.name, expected=names, found=FILE_NAME)
    pictures = {_shown(table.parent, file): file for file in _pictures(table.parent)}
    heard = True
    for part in read.parts():
        for name in part.column(FILE_NAME).to_pylist():
            if name not in pictures:
                raise SalusError("file_missing", where=table.name, expected=str(name)[:100])
            heard = heard and is_sound(pictures[name])
    kind = "audio" if heard else "image"
    if kind in first.column_names:
        raise SalusError("duplicate_column", where=table.name, found=kind)

    def parts() -> Iterator[pa.Table]:
        for part in read.parts():
            start = 0
            named = ((pictures[name], None) for name in part.column(FILE_NAME).to_pylist())
            for held in with_bytes(named):
                images = pa.array([content for content, _ in held], pa.large_binary())
                rows = part.slice(start, len(held)).drop_columns([FILE_NAME])
                yield rows.add_column(0, kind, images)
                start += len(held)

    return Read(parts, read.facts, {**read.kinds, kind: kind})


def _pictures(folder: Path) -> Iterator[Path]:
    for file in folder.iterdir():
        if is_media(file):
            yield file
    for below in folders(folder):
        yield from _pictures(below)
