"""Rows of uploads and their files. The bytes that came so far lie in the home's tmp folder; `received` of them are durable."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, update
from sqlalchemy.dialects.sqlite import insert as upsert

from salus.core.ids import new_id
from salus.store.clock import now
from salus.store.tables import upload_files, uploads


def add(connection: Connection, project: str) -> str:
    upload = new_id("up")
    moment = now()
    connection.execute(insert(uploads).values(id=upload, project=project, state="open", created=moment, touched=moment))
    return upload


def find(connection: Connection, project: str, upload: str) -> dict[str, Any] | None:
    question = select(uploads).where(uploads.c.project == project, uploads.c.id == upload)
    row = connection.execute(question).mappings().first()
    return dict(row) if row is not None else None


def files(connection: Connection, upload: str) -> list[dict[str, Any]]:
    question = select(upload_files).where(upload_files.c.upload == upload).order_by(upload_files.c.index)
    return [dict(row) for row in connection.execute(question).mappings()]


def file(connection: Connection, upload: str, index: int) -> dict[str, Any] | None:
    which = (upload_files.c.upload == upload) & (upload_files.c.index == index)
    row = connection.execute(select(upload_files).where(which)).mappings().first()
    return dict(row) if row is not None else None


def received_bytes(connection: Connection, upload: str) -> int:
    question = select(func.coalesce(func.sum(upload_files.c.received), 0)).where(upload_files.c.upload == upload)
    return int(connection.execute(question).scalar_one())


def note(connection: Connection, upload: str, index: int, name: str, received: int, digest: str | None) -> None:
    """Remembers how far a file has come."""
    values = {"name": name, "received": received, "digest": digest}
    statement = upsert(upload_files).values(upload=upload, index=index, **values)
    connection.execute(statement.on_conflict_do_update(index_elements=["upload", "index"], set_=values))
    connection.execute(update(uploads).where(uploads.c.id == upload).values(touched=now()))


def complete(connection: Connection, upload: str, digests: dict[int, str]) -> None:
    for index, digest in digests.items():
        which = (upload_files.c.upload == upload) & (upload_files.c.index == index)
        connection.execute(update(upload_files).where(which).values(digest=digest))
    connection.execute(update(uploads).where(uploads.c.id == upload).values(state="complete", touched=now()))


def forget_before(connection: Connection, moment: float) -> list[str]:
    """Deletes uploads that nobody touched since; their ids."""
    old = list(connection.execute(select(uploads.c.id).where(uploads.c.touched < moment)).scalars())
    for upload in old:
        connection.execute(delete(upload_files).where(upload_files.c.upload == upload))
        connection.execute(delete(uploads).where(uploads.c.id == upload))
    return old


def digests(connection: Connection) -> set[str]:
    question = select(upload_files.c.digest).where(upload_files.c.digest.is_not(None))
    return {str(digest) for digest in connection.execute(question).scalars()}
