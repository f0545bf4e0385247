"""Rows of projects: the walls between tenants."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, insert, select

from salus.store.clock import now
from salus.store.tables import projects


def add(connection: Connection, name: str) -> None:
    connection.execute(insert(projects).values(name=name, created=now()))


def exists(connection: Connection, name: str) -> bool:
    return connection.execute(select(projects.c.name).where(projects.c.name == name)).first() is not None


def every(connection: Connection) -> list[dict[str, Any]]:
    return [dict(row) for row in connection.execute(select(projects).order_by(projects.c.name)).mappings()]
