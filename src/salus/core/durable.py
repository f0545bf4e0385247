"""Write, sync, rename, sync the folder: a file or a folder appears whole or not at all."""

from __future__ import annotations

import os
import secrets
import shutil
from pathlib import Path


def write_file(path: Path, content: bytes, mode: int = 0o600) -> None:
    """Puts `content` at `path`, durable when this returns; a reader sees the old bytes or the new ones."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(6)}.part")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.rename(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def publish_folder(temporary: Path, final: Path) -> None:
    """Renames a finished folder to its place after syncing every file in it. An existing `final` is kept."""
    for folder, _, names in os.walk(temporary):
        for name in names:
            sync_file(Path(folder) / name)
        sync_folder(Path(folder))
    if final.exists():
        shutil.rmtree(temporary)
        return
    temporary.rename(final)
    sync_folder(final.parent)


def sync_file(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_folder(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
