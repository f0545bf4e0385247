"""Rows of keys. A token is 256 random bits and is never stored: only its SHA-256, and a prefix to know it by."""

from __future__ import annotations

import secrets
from typing import Any

from sqlalchemy import Connection, insert, or_, select, update

from salus.core.ids import new_id
from salus.core.wire import digest
from salus.store.clock import now
from salus.store.tables import keys


def new_token() -> str:
    return f"salus_{secrets.token_urlsafe(32)}"


def token_hash(token: str) -> str:
    return digest(token.encode())


def add(
    connection: Connection, project: str, name: str, token: str, scopes: list[str], expires: float | None
) -> dict[str, Any]:
    row: dict[str, Any] = {
        "id": new_id("key"),
        "project": project,
        "name": name,
        "hash": token_hash(token),
        "prefix": token[:12],
        "scopes": scopes,
        "created": now(),
        "expires": expires,
        "revoked": None,
    }
    connection.execute(insert(keys).values(**row))
    return row


def find(connection: Connection, token: str) -> dict[str, Any] | None:
    """The row of a token that still opens doors."""
    row = connection.execute(select(keys).where(keys.c.hash == token_hash(token), _alive())).mappings().first()
    return dict(row) if row is not None else None


def of_project(connection: Connection, project: str) -> list[dict[str, Any]]:
    question = select(keys).where(keys.c.project == project).order_by(keys.c.created, keys.c.id)
    return [dict(row) for row in connection.execute(question).mappings()]


def alive(connection: Connection) -> list[dict[str, Any]]:
    return [dict(row) for row in connection.execute(select(keys).where(_alive()).order_by(keys.c.id)).mappings()]


def revoke(connection: Connection, project: str, key: str) -> bool:
    """Whether there was such a key that was not revoked yet."""
    which = (keys.c.project == project) & (keys.c.id == key) & keys.c.revoked.is_(None)
    return connection.execute(update(keys).where(which).values(revoked=now())).rowcount == 1


def _alive() -> Any:
    return keys.c.revoked.is_(None) & or_(keys.c.expires.is_(None), keys.c.expires > now())
