"""Uploads: files come piece by piece, hashed while they are written, and go on where they stopped.

Bytes arrive in the home's tmp folder under ids made here; `received` in the database is what is durable. Completing
moves them under their hashes.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from sqlalchemy import Connection

from salus.actions.names import check_file_name
from salus.actions.principal import Principal
from salus.core.durable import sync_folder
from salus.core.errors import SalusError
from salus.core.wire import file_digest
from salus.store import audit, idempotency, uploads
from salus.store.blobs import require_space
from salus.store.clock import rfc3339
from salus.store.idempotency import Once
from salus.store.records import Records

PIECE_BYTES = 2**20
NO_BYTES = hashlib.sha256().hexdigest()


def create(principal: Principal, records: Records, once: Once | None = None) -> dict[str, Any]:
    principal.require("write")
    require_space(records.tmp, records.settings.free_space_floor_bytes)

    def change(connection: Connection) -> dict[str, Any]:
        upload = uploads.add(connection, principal.project)
        audit.append(connection, principal.project, principal.id, "uploads.create", upload)
        return {"id": upload}

    answer = records.database.write(lambda connection: idempotency.once(connection, once, change))
    _folder(records, answer["id"]).mkdir(mode=0o700, exist_ok=True)
    sync_folder(records.tmp)
    return answer


def find(principal: Principal, records: Records, upload: str) -> dict[str, Any]:
    principal.require("write")
    row = _find(records, principal.project, upload)
    files = records.database.read(lambda connection: uploads.files(connection, upload))
    return {
        "id": upload,
        "state": row["state"],
        "created": rfc3339(row["created"]),
        "files": [
            {"index": file["index"], "name": file["name"], "received": file["received"], "digest": file["digest"]}
            for file in files
        ],
    }


def complete(principal: Principal, records: Records, upload: str) -> dict[str, Any]:
    """Moves every file into the blobs. Asked again it answers the same."""
    principal.require("write")
    row = _find(records, principal.project, upload)
    files = records.database.read(lambda connection: uploads.files(connection, upload))
    if not files:
        raise SalusError("upload_empty", found=upload)
    _refuse_twice(upload, [file["name"] for file in files])
    if row["state"] != "complete":
        digests = {file["index"]: _adopt(records, upload, file) for file in files}

        def change(connection: Connection) -> None:
            uploads.complete(connection, upload, digests)
            audit.append(connection, principal.project, principal.id, "uploads.complete", upload, {"files": len(files)})

        records.database.write(change)
        shutil.rmtree(_folder(records, upload), ignore_errors=True)
        for file in files:
            file["digest"] = digests[file["index"]]
    shown = [{"name": file["name"], "digest": file["digest"], "bytes": file["received"]} for file in files]
    return {"id": upload, "files": shown}


@dataclass
class Receiver:
    """Takes the pieces of one file in their order. `close` makes them durable and says how many bytes there are."""

    records: Records
    upload: str
    index: int
    name: str
    received: int
    room: int  # bytes that the limits still allow
    stream: BinaryIO
    hasher: Any

    def write(self, piece: bytes) -> None:
        if self.received + len(piece) > self.room:
            raise SalusError("upload_too_large", where="upload", expected=f"{self.room} bytes in all")
        require_space(self.records.tmp, self.records.settings.free_space_floor_bytes)
        self.stream.write(piece)
        self.hasher.update(piece)
        self.received += len(piece)

    def close(self) -> int:
        try:
            self.stream.flush()
            os.fsync(self.stream.fileno())
            sync_folder(_folder(self.records, self.upload))
        finally:
            self.stream.close()
        digest = self.hasher.hexdigest()
        self.records.database.write(
            lambda connection: uploads.note(connection, self.upload, self.index, self.name, self.received, digest)
        )
        return self.received


def receive(principal: Principal, records: Records, upload: str, index: int, name: str, offset: int) -> Receiver:
    """Opens one file of an upload to go on at `offset`. Offset 0 begins it anew."""
    principal.require("write")
    check_file_name(name, f"file {index}")
    row = _find(records, principal.project, upload)
    if row["state"] != "open":
        raise SalusError("upload_closed", found=upload)
    if not 0 <= index < records.settings.max_upload_files:
        raise SalusError("upload_too_large", where="index", expected=f"{records.settings.max_upload_files} files")
    require_space(records.tmp, records.settings.free_space_floor_bytes)
    file, total = records.database.read(
        lambda connection: (uploads.file(connection, upload, index), uploads.received_bytes(connection, upload))
    )
    received = 0 if file is None else int(file["received"])
    if offset not in (0, received):
        raise SalusError("upload_offset", where=f"file {index}", expected=received, found=offset)
    room = records.settings.max_upload_bytes - (total - received)
    if offset < received:
        # The row first: it must never promise bytes that the next line cuts off.
        records.database.write(lambda connection: uploads.note(connection, upload, index, name, offset, NO_BYTES))
    stream = _open_part(_folder(records, upload), index)
    stream.truncate(offset)
    stream.seek(offset)
    hasher = hashlib.sha256()
    if offset:
        _hash_again(hasher, _folder(records, upload) / f"{index}.part")
    return Receiver(records, upload, index, name, offset, room, stream, hasher)


def _open_part(folder: Path, index: int) -> BinaryIO:
    folder.mkdir(mode=0o700, exist_ok=True)
    descriptor = os.open(folder / f"{index}.part", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    return os.fdopen(descriptor, "r+b")


def _hash_again(hasher: Any, path: Path) -> None:
    with path.open("rb") as stream:
        while piece := stream.read(PIECE_BYTES):
            hasher.update(piece)


def _adopt(records: Records, upload: str, file: dict[str, Any]) -> str:
    """Moves the durable bytes of one file into the blobs. A part that is gone was moved before a kill."""
    part = _folder(records, upload) / f"{file['index']}.part"
    if not part.exists():
        return str(records.blobs.open(str(file["digest"])).name)
    digest = file["digest"]
    if digest is None or part.stat().st_size != file["received"]:
        # A kill cut a later piece off before it was durable; what was answered is the beginning.
        os.truncate(part, file["received"])
        digest = file_digest(part)
    records.blobs.adopt(part, digest)
    return str(digest)


def _refuse_twice(upload: str, names: list[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise SalusError("file_name_twice", where=upload, found=name)
        seen.add(name)


def _folder(records: Records, upload: str) -> Path:
    # The id is one that the database knows: it was made here.
    return records.tmp / upload


def _find(records: Records, project: str, upload: str) -> dict[str, Any]:
    row = records.database.read(lambda connection: uploads.find(connection, project, upload))
    if row is None:
        raise SalusError("not_found", where="upload", found=upload)
    return row
