"""The audit chain: who did what, each row holding the hash of the one before, so that a changed, moved or missing row shows.

A row is written in the transaction of the change that it tells of.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, insert, select

from salus.core.wire import canonical, digest
from salus.store.clock import now
from salus.store.tables import audit

FIRST = "0" * 64
_HASHED = ("number", "time", "project", "actor", "action", "target", "fields", "previous")


def append(
    connection: Connection, project: str, actor: str, action: str, target: str, fields: dict[str, Any] | None = None
) -> None:
    last = connection.execute(select(audit.c.number, audit.c.hash).order_by(audit.c.number.desc()).limit(1)).first()
    row: dict[str, Any] = {
        "number": last.number + 1 if last is not None else 1,
        "time": now(),
        "project": project,
        "actor": actor,
        "action": action,
        "target": target,
        "fields": fields or {},
        "previous": last.hash if last is not None else FIRST,
    }
    connection.execute(insert(audit).values(**row, hash=row_hash(row)))


def row_hash(row: dict[str, Any]) -> str:
    return digest(canonical({name: row[name] for name in _HASHED}))


def verify(connection: Connection, head: tuple[int, str] | None = None) -> int | None:
    """The number of the first row that is not what was written, or None when the chain is whole.

    head: number and hash of a row that was seen last time; with it a chain that was cut at its end shows too.
    """
    previous, number = FIRST, 0
    for row in connection.execute(select(audit).order_by(audit.c.number)).mappings():
        number += 1
        if row["number"] != number or row["previous"] != previous or row["hash"] != row_hash(dict(row)):
            return number
        previous = row["hash"]
        if head is not None and number == head[0] and previous != head[1]:
            return number
    return number + 1 if head is not None and number < head[0] else None


def page(connection: Connection, limit: int, before: int | None) -> list[dict[str, Any]]:
    """Newest first."""
    question = select(audit).order_by(audit.c.number.desc()).limit(limit)
    if before is not None:
        question = question.where(audit.c.number < before)
    return [dict(row) for row in connection.execute(question).mappings()]
