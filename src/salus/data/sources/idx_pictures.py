"""A folder of IDX files as MNIST and its kin are published: pictures and labels of one side each, also in gzip.

Pictures become PNG bytes (column `image`), codes become labels as text (column `label`); `t10k` is the test side.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa

from salus.core.errors import SalusError
from salus.core.nouns import Split
from salus.core.specs import DataSpec
from salus.data.sources.base import Read, Source
from salus.data.sources.stream import unpacked
from salus.data.split import side_of

NAME = re.compile(r"(?:(.*?)[-_.])?(images|labels)[-_.]idx\d(?:[-_.]ubyte)?(?:\.gz)?", re.I)
ALONE = ""  # the side of files whose name tells none
UBYTE = 8
PART_PICTURES = 4000
MAX_PICTURE_BYTES = 2**27
PNG_MAGIC = b"\x89PNG\r\n\x1a\n"
COLOURS = {1: 0, 3: 2, 4: 6}  # channels -> PNG's colour type
KINDS = {"image": "image", "label": "category"}


class IdxPictures(Source):
    name = "idx"

    def claims(self, path: Path) -> bool:
        return path.is_dir() and any(what == "images" for _, what in _files(path))

    def read(self, path: Path, spec: DataSpec) -> Read:
        files = _files(path)
        sides = [side for side in ("train", "validation", "test", ALONE) if (side, "images") in files]
        labelled = all((side, "labels") in files for side in sides)
        if not labelled and any(what == "labels" for _, what in files):
            lacking = next(side for side in sides if (side, "labels") not in files)
            raise SalusError("file_missing", where=files[lacking, "images"].name, expected="its labels")
        official = {Split.TRAIN.value, Split.TEST.value} <= set(sides)
        used = [file for key, file in sorted(files.items()) if key[0] in sides]
        for side in sides:
            _check_counts(files[side, "images"], files.get((side, "labels")))

        def parts() -> Iterator[pa.Table]:
            for side in sides:
                for table in _side(files[side, "images"], files.get((side, "labels"))):
                    yield table.append_column("split", pa.array([side] * len(table))) if official else table

        kinds = KINDS if labelled else {"image": "image"}
        return Read(parts, {"format": "idx", "files": [file.name for file in used]}, kinds)


def _files(path: Path) -> dict[tuple[str, str], Path]:
    """The file of every (side, images or labels)."""
    found: dict[tuple[str, str], Path] = {}
    for file in sorted(path.iterdir()):
        match = NAME.fullmatch(file.name) if file.is_file() and not file.is_symlink() else None
        if match:
            word = (match[1] or ALONE).lower()
            side = Split.TEST if word == "t10k" else side_of(word)
            found[side.value if side else ALONE, match[2].lower()] = file
    return found


class _Values:
    """The values of one IDX file, a few at a time."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self._blocks = unpacked(file)
        self._rest = b""
        zeros, kind, dimensions = struct.unpack(">HBB", self._bytes(4))
        if zeros or kind != UBYTE or not 1 <= dimensions <= 4:
            raise self._malformed(
                "unsigned bytes in one to four dimensions", f"the marks {zeros}, {kind}, {dimensions}"
            )
        self.shape = struct.unpack(f">{dimensions}I", self._bytes(4 * dimensions))
        self.size = int(np.prod(self.shape[1:], dtype=np.float64))
        if not 0 < self.size <= MAX_PICTURE_BYTES:
            raise self._malformed(f"pictures up to {MAX_PICTURE_BYTES} bytes", f"{self.size}")

    def take(self, count: int) -> np.ndarray:
        """uint8 (count, ...)."""
        content = self._bytes(count * self.size)
        return np.frombuffer(content, dtype=np.uint8).reshape(count, *self.shape[1:])

    def _bytes(self, count: int) -> bytes:
        pieces, held = [self._rest], len(self._rest)
        while held < count:
            block = next(self._blocks, None)
            if block is None:
                raise self._malformed("as many values as its head says", "the end")
            pieces.append(block)
            held += len(block)
        content = b"".join(pieces)
        self._rest = content[count:]
        return content[:count]

    def _malformed(self, expected: str, found: str) -> SalusError:
        return SalusError("format_malformed", where=self.file.name, expected=expected, found=found)


def _check_counts(images: Path, labels: Path | None) -> None:
    pictures = _Values(images)
    if len(pictures.shape) < 3 or (len(pictures.shape) == 4 and pictures.shape[3] not in (3, 4)):
        raise SalusError("format_malformed", where=images.name, expected="pictures", found=str(pictures.shape))
    if pictures.shape[0] == 0:
        raise SalusError("no_rows", where=images.name)
    if labels is not None and (shape := _Values(labels).shape) != pictures.shape[:1]:
        expected = f"{pictures.shape[0]} labels"
        raise SalusError("format_malformed", where=labels.name, expected=expected, found=str(shape))


def _side(images: Path, labels: Path | None) -> Iterator[pa.Table]:
    pictures = _Values(images)
    codes = _Values(labels) if labels is not None else None
    step = max(1, min(PART_PICTURES, 2**26 // pictures.size))
    for start in range(0, pictures.shape[0], step):
        count = min(step, pictures.shape[0] - start)
        columns = {"image": pa.array(_pngs(pictures.take(count)), pa.large_binary())}
        if codes is not None:
            columns["label"] = pa.array([str(code) for code in codes.take(count)])
        yield pa.table(columns)


def _pngs(pictures: np.ndarray) -> list[bytes]:
    """Of uint8 (B, H, W) or (B, H, W, C): the plainest PNG, many times faster to make than with a picture library."""
    count, height, width = pictures.shape[:3]
    channels = pictures.shape[3] if pictures.ndim == 4 else 1
    lines = np.zeros((count, height, 1 + width * channels), dtype=np.uint8)  # a line begins with its filter, 0 is none
    lines[:, :, 1:] = pictures.reshape(count, height, width * channels)
    head = struct.pack(">IIBBBBB", width, height, 8, COLOURS[channels], 0, 0, 0)
    above, below = PNG_MAGIC + _chunk(b"IHDR", head), _chunk(b"IEND", b"")
    return [above + _chunk(b"IDAT", zlib.compress(picture.tobytes(), 1)) + below for picture in lines]


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(content, zlib.crc32(name)))
