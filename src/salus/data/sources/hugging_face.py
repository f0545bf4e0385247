"""A Hugging Face data set as it lies on a disk: Parquet or Arrow shards named SIDE-00000-of-00001 (in the folder or in `data`), or
what `save_to_disk` writes (dataset_info.json beside data-00000-of-00001.arrow, a folder a side). Several shards a side."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from salus.core.errors import SalusError
from salus.core.nouns import Split
from salus.core.specs import DataSpec
from salus.data.sources.arrow_file import read_arrow
from salus.data.sources.base import Read, Source
from salus.data.sources.columns import Features
from salus.data.sources.files import folders
from salus.data.sources.joined_parts import Part, joined_parts
from salus.data.sources.parquet import read_parquet
from salus.data.split import side_of

SHARD = re.compile(r"(?:.*[-_.])?([A-Za-z]+)-(\d{5})-of-(\d{5})(?:-[0-9a-f]+)?\.(parquet|arrow)")
MAX_INFO_BYTES = 2**22

Shards = list[tuple[Split | None, Path]]


class HuggingFace(Source):
    name = "hugging-face"

    def claims(self, path: Path) -> bool:
        return path.is_dir() and bool(_shards(path))

    def read(self, path: Path, spec: DataSpec) -> Read:
        shards = _shards(path)
        _check_whole(shards)
        parts = []
        for side, file in shards:
            read = read_parquet(file) if file.suffix == ".parquet" else read_arrow(file, _told(file.parent))
            parts.append(Part(side, file.relative_to(path).as_posix(), read))
        return joined_parts(parts, "hugging-face", path.name)


def _shards(path: Path) -> Shards:
    """Every shard with its side, in order: those in the folder, else in its `data`, else in the folders of the sides."""
    below = {folder.name: folder for folder in folders(path)}
    for folder in (path, *([below["data"]] if "data" in below else [])):
        found = [(side_of(match[1]), file) for file, match in _files(folder)]
        if found:
            return _in_order(found)
    sides = [(side_of(name), folder) for name, folder in below.items() if side_of(name)]
    return _in_order([(side, file) for side, folder in sides for file, _ in _files(folder)])


def _files(folder: Path) -> list[tuple[Path, re.Match[str]]]:
    files = sorted(file for file in folder.iterdir() if file.is_file() and not file.is_symlink())
    return [(file, match) for file in files if (match := SHARD.fullmatch(file.name))]


def _in_order(shards: Shards) -> Shards:
    order = [Split.TRAIN, Split.VALIDATION, Split.TEST, None]
    return sorted(shards, key=lambda shard: order.index(shard[0]))


def _check_whole(shards: Shards) -> None:
    """Raises `file_missing` where a shard that others count is not there."""
    groups: dict[tuple[Path, str, str], set[int]] = {}
    for _, file in shards:
        match = SHARD.fullmatch(file.name)
        assert match is not None
        groups.setdefault((file.parent, match[1], match[3]), set()).add(int(match[2]))
    for (_, name, count), numbers in groups.items():
        lacking = next((number for number in range(int(count)) if number not in numbers), None)
        if lacking is not None:
            shard = f"{name}-{lacking:05d}-of-{count}"
            raise SalusError("file_missing", where=shards[0][1].name, expected=shard)


def _told(folder: Path) -> Features:
    """What dataset_info.json says of the columns; a file that is not readable says nothing."""
    file = next((one for one in folder.iterdir() if one.name == "dataset_info.json" and one.is_file()), None)
    if file is None or file.is_symlink() or file.stat().st_size > MAX_INFO_BYTES:
        return Features()
    try:
        told: Any = json.loads(file.read_bytes())
        return Features.told(told.get("features"))
    except (ValueError, AttributeError, RecursionError):
        return Features()
