"""What all layouts of pictures with boxes share: pictures found by name, sides, and rows of `image`, `boxes` and `split`.

A picture that a file names is looked for among those that are there, below the folder or in an archive of pictures beside the file; a
name is never put into a path. Knows no layout.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import pyarrow as pa

from salus.core.errors import SalusError
from salus.core.nouns import Split
from salus.data.kinds.boxes import Box, written
from salus.data.sources.archive import Unpacked, is_archive
from salus.data.sources.base import Read
from salus.data.sources.files import folders, is_picture, with_bytes

KINDS = {"image": "image", "boxes": "boxes"}
ARCHIVES = ("images.zip", "images.tar", "images.tar.gz", "images.tgz", "imgs.zip", "pictures.zip")
MAX_FILE_BYTES = 2**30
ORDER = (Split.TRAIN, Split.VALIDATION, Split.TEST, None)


@dataclass(frozen=True)
class BoxedPicture:
    """A picture and what lies in it; `boxes` None where nobody looked."""

    file: Path
    boxes: list[Box] | None
    side: Split | None = None


@dataclass
class Pictures:
    """The pictures below a folder, and those of an archive of pictures in it, which stays unpacked as long as this lives."""

    folder: Path
    below: dict[str, Path] = field(init=False)
    by_name: dict[str, list[Path]] = field(init=False)
    unpacked: Unpacked | None = None

    def __post_init__(self) -> None:
        self.below = {file.relative_to(self.folder).as_posix(): file for file in _pictures(self.folder)}
        archive = archive_in(self.folder)
        if archive is not None:
            self.unpacked = Unpacked(archive)
            inside = self.unpacked.folder
            self.below |= {file.relative_to(inside).as_posix(): file for file in _pictures(inside)}
        self.by_name = {}
        for name, file in self.below.items():
            self.by_name.setdefault(PurePosixPath(name).name, []).append(file)

    def named(self, name: str, near: str = "") -> Path | None:
        """The picture that is called so: from the folder `near` (below the top), from the top, or by its last part when only one is."""
        plain = "/".join(part for part in PurePosixPath(name.replace("\\", "/")).parts if part not in ("/", "."))
        found = self.below.get(f"{near}/{plain}" if near else plain) or self.below.get(plain)
        if found is not None:
            return found
        same = self.by_name.get(PurePosixPath(plain).name, [])
        beside = [file for file in same if near and near in file.parts]
        return same[0] if len(same) == 1 else beside[0] if len(beside) == 1 else None


def archive_in(folder: Path) -> Path | None:
    """The archive of pictures in a folder."""
    return next((folder / name for name in ARCHIVES if is_archive(folder / name)), None)


def has_pictures(folder: Path) -> bool:
    """Whether there is a picture below the folder, or an archive of some in it."""
    return archive_in(folder) is not None or next(_pictures(folder), None) is not None


def text_of(file: Path) -> bytes:
    """What a file of notes holds, within a limit."""
    if file.stat().st_size > MAX_FILE_BYTES:
        raise SalusError("format_malformed", where=file.name, expected=f"at most {MAX_FILE_BYTES} bytes", found="more")
    return file.read_bytes()


def read_of(
    rows: Sequence[BoxedPicture], pictures: Pictures, layout: str, files: Sequence[str], facts: dict[str, Any]
) -> Read:
    """The rows, side by side. An official split is taken only when train and test are both there."""
    if not rows:
        raise SalusError("no_rows", where=pictures.folder.name)
    official = {Split.TRAIN, Split.TEST} <= {row.side for row in rows}
    ordered = sorted(rows, key=lambda row: ORDER.index(row.side)) if official else list(rows)

    def parts() -> Iterator[pa.Table]:
        assert pictures.folder.is_dir()  # and what was unpacked stays as long as somebody can ask for the rows
        for held in with_bytes((row.file, row) for row in ordered):
            texts = [None if row.boxes is None else written(row.boxes) for _, row in held]
            columns = {"image": pa.array([content for content, _ in held], pa.large_binary())}
            columns["boxes"] = pa.array(texts, pa.large_string())
            if official:
                columns["split"] = pa.array([row.side.value if row.side else None for _, row in held], pa.string())
            yield pa.table(columns)

    return Read(parts, {"format": layout, "files": [*files, f"{len(rows)} pictures"], **facts}, dict(KINDS))


def _pictures(folder: Path) -> Iterator[Path]:
    for file in sorted(folder.iterdir()):
        if is_picture(file):
            yield file
    for inner in folders(folder):
        yield from _pictures(inner)
