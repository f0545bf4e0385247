"""The layouts there are, in the order they are asked, and the door that reads any of them. Adding one is one file and one
name in `SOURCES`."""

from __future__ import annotations

import importlib
import itertools
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from salus.core.errors import SalusError
from salus.core.specs import DataSpec
from salus.data.sources.base import Read, Source
from salus.data.sources.files import PICTURES, SOUNDS

MOST_LOOKED_AT = 10_000  # files of a folder that is no layout

TABLE_FILES: list[str] = [  # one file that is a table; also one side of a folder of them
    "salus.data.sources.parquet:Parquet",
    "salus.data.sources.arrow_file:ArrowFile",
    "salus.data.sources.json_lines:JsonLines",
    "salus.data.sources.arff:Arff",
    "salus.data.sources.orange_tab:OrangeTab",
    "salus.data.sources.ts_series:TsSeries",
    "salus.data.sources.csv_table:CsvTable",
]
SOURCES: list[str] = [
    "salus.data.sources.bundled:Bundled",
    "salus.data.sources.idx_pictures:IdxPictures",
    "salus.data.sources.hugging_face:HuggingFace",
    "salus.data.sources.coco:Coco",
    "salus.data.sources.voc:Voc",
    "salus.data.sources.yolo:Yolo",
    "salus.data.sources.metadata_folder:MetadataFolder",
    "salus.data.sources.parallel_texts:ParallelTexts",
    "salus.data.sources.splits_folder:SplitsFolder",
    "salus.data.sources.class_folders:ClassFolders",
    "salus.data.sources.plain_text:PlainText",
    *TABLE_FILES,
]


def source_for(path: Path) -> Source:
    """The source that claims the path; a folder with one table in it is that table. `unknown_layout` otherwise."""
    source = claiming(path, SOURCES)
    if source is not None:
        return source
    if path.is_dir() and len(files := _tables(path)) > 1:
        raise SalusError("several_tables", where=path.name, found=", ".join(files[:10]))
    found = _held(path) if path.is_dir() else f"'{path.name}'" if path.exists() else "nothing"
    if path.suffix.lower() in (*PICTURES, *SOUNDS):
        raise SalusError("one_file_only", where=path.name)
    raise SalusError("unknown_layout", where=path.name, found=found)


def _held(folder: Path) -> str:
    """What is in a folder that is no layout, such as boxes whose pictures were forgotten."""
    files = itertools.islice((one for one in folder.rglob("*") if one.is_file()), MOST_LOOKED_AT)
    counts = Counter(one.suffix.lower()[:12] or "without a suffix" for one in files)
    told = ", ".join(f"{count} {suffix}" for suffix, count in counts.most_common(4))
    return f"a folder with these files: {told}" if told else "a folder without files"


def claiming(path: Path, addresses: Sequence[str]) -> Source | None:
    """The first of these sources that claims the path."""
    for address in addresses:
        module, _, attribute = address.partition(":")
        source = getattr(importlib.import_module(module), attribute)()
        assert isinstance(source, Source)
        if source.claims(path):
            return source
    return None


def read_data(path: Path, spec: DataSpec) -> Read:
    """The rows at `path`: a file, a folder, an archive, one member of them (also as PATH#MEMBER), or 'sklearn:NAME', with the
    columns of the files that `spec` joins."""
    from salus.data.sources.place import placed

    return placed(path, spec)


def _tables(path: Path) -> list[str]:
    """Files of a folder that would be read alone."""
    from salus.data.sources.csv_table import is_about

    found = sorted(file for file in path.iterdir() if file.is_file() and not is_about(file))
    return [file.name for file in found if claiming(file, SOURCES) is not None]
