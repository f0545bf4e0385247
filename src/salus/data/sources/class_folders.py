"""Pictures or sounds in folders named by their class, below train and test folders or not: columns `image` or `audio`, `label` (and `split`)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from salus.core.errors import SalusError
from salus.core.nouns import Split
from salus.core.specs import DataSpec
from salus.data.sources.base import Read, Source
from salus.data.sources.files import folders, is_media, is_picture, is_sound, with_bytes
from salus.data.split import side_of

LABELS = {"label": "category"}  # a folder named 007 is a label, not the number 7


class ClassFolders(Source):
    name = "class-folders"

    def claims(self, path: Path) -> bool:
        return path.is_dir() and any(any(map(is_media, folder.iterdir())) for _, folder in _classes(path))

    def read(self, path: Path, spec: DataSpec) -> Read:
        heard = not any(any(map(is_picture, folder.iterdir())) for _, folder in _classes(path))
        kind, wanted = ("audio", is_sound) if heard else ("image", is_picture)
        found = [
            (file, (folder.name, side.value if side else None))
            for side, folder in _classes(path)
            for file in sorted(filter(wanted, folder.iterdir()))
        ]
        if not found:
            raise SalusError("no_rows", where=path.name)
        official = {Split.TRAIN.value, Split.TEST.value} <= {side for _, (_, side) in found}

        def parts() -> Iterator[pa.Table]:
            for held in with_bytes(found):
                columns = {kind: pa.array([content for content, _ in held], pa.large_binary())}
                columns["label"] = pa.array([label for _, (label, _) in held], pa.string())
                if official:
                    columns["split"] = pa.array([side for _, (_, side) in held], pa.string())
                yield pa.table(columns)

        return Read(
            parts,
            {"format": "class-folders", "files": [f"{len(found)} {'sounds' if heard else 'pictures'}"]},
            {kind: kind, **LABELS},
        )


def _classes(path: Path) -> list[tuple[Split | None, Path]]:
    """Every class folder with its side."""
    found: list[tuple[Split | None, Path]] = []
    for folder in folders(path):
        side = side_of(folder.name)
        if side is None:
            found.append((None, folder))
        else:
            found += [(side, below) for below in folders(folder)]
    return found
