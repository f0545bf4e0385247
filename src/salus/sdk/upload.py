"""Files of a person to an upload of the service: piece by piece, resumable by offset.

Knows which files of a folder belong to an upload. Does not read what is in them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from salus.core.errors import SalusError
from salus.sdk.errors import LostError

if TYPE_CHECKING:
    from salus.sdk.client import Client

PIECE_BYTES = 2**20
ATTEMPTS = 6  # a file, before a connection that keeps breaking is given up
FIRST_PAUSE_S = 0.5
SEND_TIMEOUT_S = 300.0
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


def refuse_links(path: Path) -> None:
    """Raises `model_link_refused` for a link in a folder: what is sent is what lies in it, and nothing is left out in silence."""
    for found in sorted(path.rglob("*")) if path.is_dir() else ():
        if found.is_symlink():
            raise SalusError("model_link_refused", where=found.relative_to(path).as_posix())


def gathered(source: str, options: dict[str, Any]) -> tuple[Path, dict[str, Any], list[Path]]:
    """(what is sent, the options as the service understands them, files that are sent beside it): a member is told apart from its
    path, and files that are joined lie beside the first one."""
    path, options = Path(source), dict(options)
    if "#" in source and not path.exists():
        before, _, member = source.partition("#")
        if Path(before).exists():
            path, options["member"] = Path(before), member
    beside = []
    if path.is_file() and options.get("join"):
        joins = []
        for join in options["join"]:
            other = next((p for p in (path.parent / join["path"], Path(join["path"])) if p.is_file()), None)
            if other is None:
                raise SalusError("path_missing", where=str(join["path"]))
            beside.append(other)
            joins.append({**join, "path": other.name})
        options["join"] = joins
        options.setdefault("member", path.name)
    return path, options, beside


def send(
    client: Client,
    path: Path,
    progress: Progress | None = None,
    upload: str | None = None,
    beside: Sequence[Path] = (),
) -> str:
    """Uploads everything and completes the upload; gives its id.

    upload: an upload that was begun before, of the same path: only what is missing is sent. beside: other files that are sent along.
    """
    files = [*local_files(path), *(file for other in beside for file in local_files(other))]
    count = _Count(sum(file.size for file in files), progress)
    upload = upload or str(client.request("POST", "/uploads", json={})["id"])
    kept = received(client, upload)
    for index, file in enumerate(files):
        _send_file(client, upload, index, file, kept.get(index, 0), count)
    client.request("POST", f"/uploads/{quote(upload, safe='')}/complete", json={})
    return upload


def received(client: Client, upload: str) -> dict[int, int]:
    """How many bytes of each file (by its index) the service keeps already."""
    found = client.request("GET", f"/uploads/{quote(upload, safe='')}")
    return {int(file["index"]): int(file["received"]) for file in found.get("files", [])}


class _Count:
    """Bytes sent of all bytes; told after every piece."""

    def __init__(self, total: int, progress: Progress | None):
        self.total = total
        self.done = 0  # of the files that are whole
        self._progress = progress

    def tell(self, within_file: int) -> None:
        if self._progress is not None:
            self._progress(self.done + within_file, self.total)


def _send_file(client: Client, upload: str, index: int, file: LocalFile, offset: int, count: _Count) -> None:
    """Sends one file from `offset`; after a broken connection it goes on from what arrived."""
    part = quote(upload, safe="")
    for attempt in range(ATTEMPTS):
        if offset > file.size:  # another file of this name was sent before: begin anew
            offset = 0
        if offset == file.size and offset > 0:
            break
        address = f"/uploads/{part}/files/{index}?name={quote(file.name, safe='')}&offset={offset}"
        try:
            client.request("PUT", address, content=_pieces(file.path, offset, count), timeout=SEND_TIMEOUT_S)
            break
        except LostError:
            if attempt == ATTEMPTS - 1:
                raise
            time.sleep(min(2.0**attempt, 10.0) * FIRST_PAUSE_S)
            offset = _arrived(client, upload, index, offset)
    count.done += file.size
    count.tell(0)


def _arrived(client: Client, upload: str, index: int, before: int) -> int:
    """What arrived of a file; the old offset while the service is still away."""
    try:
        return received(client, upload).get(index, 0)
    except LostError:
        return before


def _pieces(path: Path, offset: int, count: _Count) -> Iterator[bytes]:
    with path.open("rb") as stream:
        stream.seek(offset)
        while piece := stream.read(PIECE_BYTES):
            yield piece
            offset += len(piece)
            count.tell(offset)
