"""Files of a person to an upload of the service: piece by piece, resumable by offset.

Knows which files of a folder belong to an upload. Does not read what is in them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from salus.core.errors import SalusError

if TYPE_CHECKING:
    from salus.sdk.client import Client

PIECE_BYTES = 2**20
Progress = Callable[[int, int], None]  # bytes sent, bytes in all


@dataclass(frozen=True)
class LocalFile:
    path: Path
    name: str  # relative, with '/'
    size: int


def local_files(path: Path) -> list[LocalFile]:
    """The file itself, or every regular file below a folder; hidden ones and links are left out."""
    if path.is_file():
        return [LocalFile(path, path.name, path.stat().st_size)]
    if not path.is_dir():
        raise SalusError("path_missing", where=str(path))
    found = sorted(p for p in path.rglob("*") if p.is_file() and not p.is_symlink())
    files = [
        LocalFile(p, p.relative_to(path).as_posix(), p.stat().st_size)
        for p in found
        if not any(part.startswith(".") for part in p.relative_to(path).parts)
    ]
    if not files:
        raise SalusError("folder_empty", where=str(path))
    return files


def send(client: Client, path: Path, progress: Progress | None = None) -> str:
    """Uploads everything and completes the upload; gives its id."""
    files = local_files(path)
    total = sum(file.size for file in files)
    upload = str(client.request("POST", "/uploads", json={})["id"])
    sent = 0
    for index, file in enumerate(files):
        _send_file(client, upload, index, file)
        sent += file.size
        if progress is not None:
            progress(sent, total)
    client.request("POST", f"/uploads/{upload}/complete")
    return upload


def _send_file(client: Client, upload: str, index: int, file: LocalFile) -> dict[str, Any]:
    address = f"/uploads/{upload}/files/{index}?name={quote(file.name, safe='')}&offset=0"
    answer: dict[str, Any] = client.request("PUT", address, content=_pieces(file.path))
    return answer


def _pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb") as stream:
        while piece := stream.read(PIECE_BYTES):
            yield piece
