"""Bytes under their hash: written once, never changed, found again by what they are.

Knows files; not who refers to them. Two processes use it: the control plane for uploads, and a job's process for what
it made.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import shutil
import time
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable
from pathlib import Path

from salus.core.durable import sync_file, sync_folder
from salus.core.errors import SalusError

DIGEST = re.compile(r"[0-9a-f]{64}")
PIECE_BYTES = 2**20


class Blobs(ABC):
    """The contract of a place for bytes. It may assume that nobody else changes its place. It must keep: when a `put` returns, the bytes
    survive a loss of power; the same bytes twice are one blob; `open` gives a path that can be mapped."""

    @abstractmethod
    def put_file(self, path: Path) -> str:
        """Copies a file in; its digest."""

    @abstractmethod
    def put_stream(self, pieces: Iterable[bytes]) -> str:
        """Writes pieces as they come; the digest of all."""

    @abstractmethod
    def has(self, digest: str) -> bool:
        """Whether the bytes are here."""

    @abstractmethod
    def open(self, digest: str) -> Path:
        """A file of these bytes that nobody may write, or `blob_missing`."""

    @abstractmethod
    def delete(self, digest: str) -> None:
        """Forgets the bytes; nothing happens when they are not here."""


class LocalBlobs(Blobs):
    """Files `<root>/aa/<digest>`, mode 0400."""

    def __init__(self, root: Path):
        self.root = root
        root.mkdir(parents=True, exist_ok=True, mode=0o700)

    def put_file(self, path: Path) -> str:
        with path.open("rb") as stream:
            return self.put_stream(iter(lambda: stream.read(PIECE_BYTES), b""))

    def put_stream(self, pieces: Iterable[bytes]) -> str:
        temporary = self.root / f".{secrets.token_hex(8)}.part"
        hasher = hashlib.sha256()
        try:
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
            with os.fdopen(descriptor, "wb") as stream:
                for piece in pieces:
                    hasher.update(piece)
                    stream.write(piece)
            self.adopt(temporary, hasher.hexdigest())
        finally:
            temporary.unlink(missing_ok=True)
        return hasher.hexdigest()

    def adopt(self, path: Path, digest: str) -> None:
        """Moves a file of this disk in. `digest` must be that of its bytes."""
        final = self._place(digest)
        if final.exists():
            os.utime(final)  # its grace time begins again: somebody is about to refer to it
            path.unlink()
            return
        sync_file(path)
        path.chmod(0o400)
        if not final.parent.exists():
            final.parent.mkdir(mode=0o700, exist_ok=True)
            sync_folder(self.root)
        path.rename(final)
        sync_folder(final.parent)

    def has(self, digest: str) -> bool:
        return DIGEST.fullmatch(digest) is not None and self._place(digest).exists()

    def open(self, digest: str) -> Path:
        if not self.has(digest):
            raise SalusError("blob_missing", found=digest[:80])
        return self._place(digest)

    def delete(self, digest: str) -> None:
        self._place(digest).unlink(missing_ok=True)

    def sweep(self, kept: Collection[str], grace_s: float) -> int:
        """Deletes what is not in `kept` and was not put within the grace time; how many. Half-written files of the dead go too."""
        swept = 0
        for path in [*self.root.glob("[0-9a-f][0-9a-f]/*"), *self.root.glob(".*.part")]:
            if path.name not in kept and path.stat().st_mtime < time.time() - grace_s:
                path.unlink(missing_ok=True)
                swept += 1
        return swept

    def _place(self, digest: str) -> Path:
        assert DIGEST.fullmatch(digest), "a digest is 64 hexadecimal digits"
        return self.root / digest[:2] / digest


def require_space(path: Path, floor_bytes: int) -> None:
    """Raises `storage_low` when the disk has less than the floor."""
    free = shutil.disk_usage(path).free
    if free < floor_bytes:
        raise SalusError("storage_low", where="the disk of the home", expected=floor_bytes, found=free)
