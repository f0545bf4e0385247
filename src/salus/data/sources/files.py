"""Pictures and sounds as files, by the million: their bytes in parts that fit into memory. Links are never followed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TypeVar

PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp")
SOUNDS = (".wav", ".flac", ".ogg", ".mp3")
PART_BYTES = 2**26

Item = TypeVar("Item")


def is_picture(file: Path) -> bool:
    return file.suffix.lower() in PICTURES and file.is_file() and not file.is_symlink()


def is_sound(file: Path) -> bool:
    return file.suffix.lower() in SOUNDS and file.is_file() and not file.is_symlink()


def is_media(file: Path) -> bool:
    return is_picture(file) or is_sound(file)


def folders(path: Path) -> list[Path]:
    return sorted(p for p in path.iterdir() if p.is_dir() and not p.is_symlink() and not p.name.startswith("."))


def with_bytes(items: Iterable[tuple[Path, Item]]) -> Iterator[list[tuple[bytes, Item]]]:
    """Lists of (what the file holds, what came with it), each list of some megabytes."""
    held: list[tuple[bytes, Item]] = []
    size = 0
    for file, item in items:
        content = file.read_bytes()
        held.append((content, item))
        size += len(content)
        if size >= PART_BYTES:
            yield held
            held, size = [], 0
    if held:
        yield held
