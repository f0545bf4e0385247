"""A folder with one table a side: train, test and validation files of one format. The side becomes a column `split`.

A file is called by its side alone (train.csv), or by one name and its side (Motions_TRAIN.ts, Motions_TEST.ts). An official
split is taken only when train and test are both there; without both, the rows are simply joined.
"""

from __future__ import annotations

import importlib
import re
from pathlib import Path

from salus.core.nouns import Split
from salus.core.specs import DataSpec
from salus.data.sources import TABLE_FILES, claiming
from salus.data.sources.base import Read, Source
from salus.data.sources.joined_parts import Part, joined_parts
from salus.data.sources.stream import suffix_of
from salus.data.split import side_of

ENDING = re.compile(r"(.+)[-_.]([A-Za-z]+)")


class SplitsFolder(Source):
    name = "splits-folder"

    def claims(self, path: Path) -> bool:
        return len(_sides(path)) >= 2

    def read(self, path: Path, spec: DataSpec) -> Read:
        sides = _sides(path)
        order = [side for side in (Split.TRAIN, Split.VALIDATION, Split.TEST) if side in sides]
        parts = [Part(side, sides[side].name, _reader(sides[side]).read(sides[side], spec)) for side in order]
        return joined_parts(parts, "splits-folder", path.name)


def _reader(file: Path) -> Source:
    source = claiming(file, TABLE_FILES)
    assert source is not None, f"no source for {file.suffix}"
    return source


def _suffixes() -> set[str]:
    return {suffix for address in TABLE_FILES for suffix in importlib.import_module(address.partition(":")[0]).SUFFIXES}


def _sides(path: Path) -> dict[Split, Path]:
    """The file of each side; nothing when two files say they are the same side, or when their names have no more in common."""
    if not path.is_dir():
        return {}
    known = _suffixes()
    found: dict[Split, Path] = {}
    stems: set[tuple[str, str]] = set()
    for file in sorted(path.iterdir()):
        if not file.is_file() or file.name.startswith(".") or suffix_of(file) not in known:
            continue
        stem, side = _stem(file)
        if side is not None:
            if side in found:
                return {}
            found[side] = file
            stems.add((stem, suffix_of(file)))
    return found if len({stem for stem, _ in stems}) <= 1 else {}


def _stem(file: Path) -> tuple[str, Split | None]:
    """(what the name says besides the side, the side)."""
    name = file.name[: -len(".gz")] if file.name.lower().endswith(".gz") else file.name
    stem = Path(name).stem
    if (side := side_of(stem)) is not None:
        return "", side
    match = ENDING.fullmatch(stem)
    return (match[1], side_of(match[2])) if match else (stem, None)
