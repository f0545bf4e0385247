"""The layouts there are, in the order they are asked. Adding one is one file and one name in `SOURCES`."""

from __future__ import annotations

import importlib
from pathlib import Path

from salus.core.errors import SalusError
from salus.data.sources.base import Source

SOURCES: list[str] = [
    "salus.data.sources.bundled:Bundled",
    "salus.data.sources.splits_folder:SplitsFolder",
    "salus.data.sources.class_folders:ClassFolders",
    "salus.data.sources.parquet:Parquet",
    "salus.data.sources.csv_table:CsvTable",
]


def source_for(path: Path) -> Source:
    """The source that claims the path; a folder with one table in it is that table. `unknown_layout` otherwise."""
    for address in SOURCES:
        module, _, attribute = address.partition(":")
        source = getattr(importlib.import_module(module), attribute)()
        assert isinstance(source, Source)
        if source.claims(path):
            return source
    found = "a folder" if path.is_dir() else f"'{path.name}'" if path.exists() else "nothing"
    raise SalusError("unknown_layout", where=path.name, found=found)
