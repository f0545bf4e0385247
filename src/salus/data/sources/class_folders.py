"""Pictures in folders named by their class, below train and test folders or not: columns `image`, `label` (and `split`)."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from salus.core.errors import SalusError
from salus.core.nouns import Split
from salus.core.specs import DataSpec
from salus.data.sources.base import Read, Source
from salus.data.split import side_of

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp")

KINDS = {"image": "image", "label": "category"}  # a folder named 007 is a label, not the number 7


class ClassFolders(Source):
    name = "class-folders"

    def claims(self, path: Path) -> bool:
        return path.is_dir() and any(_pictures(folder) for _, folder in _classes(path))

    def read(self, path: Path, spec: DataSpec) -> Read:
        images: list[bytes] = []
        labels: list[str] = []
        splits: list[str | None] = []
        for side, folder in _classes(path):
            for picture in _pictures(folder):
                images.append(picture.read_bytes())
                labels.append(folder.name)
                splits.append(side.value if side else None)
        if not images:
            raise SalusError("no_rows", where=path.name)
        columns = {"image": pa.array(images, pa.large_binary()), "label": pa.array(labels)}
        if {Split.TRAIN.value, Split.TEST.value} <= set(splits):
            columns["split"] = pa.array(splits)
        facts = {"format": "class-folders", "files": [f"{len(images)} pictures"]}
        return Read.of(pa.table(columns), facts, KINDS)


def _classes(path: Path) -> list[tuple[Split | None, Path]]:
    """Every class folder with its side."""
    found: list[tuple[Split | None, Path]] = []
    for folder in _folders(path):
        side = side_of(folder.name)
        if side is None:
            found.append((None, folder))
        else:
            found += [(side, below) for below in _folders(folder)]
    return found


def _folders(path: Path) -> list[Path]:
    return sorted(p for p in path.iterdir() if p.is_dir() and not p.is_symlink() and not p.name.startswith("."))


def _pictures(folder: Path) -> list[Path]:
    return sorted(p for p in folder.iterdir() if p.is_file() and not p.is_symlink() and p.suffix.lower() in SUFFIXES)
