"""Rows of data sets and their versions."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, select
from sqlalchemy.dialects.sqlite import insert as upsert

from salus.store.clock import now
from salus.store.tables import data_sets, data_versions


def publish(connection: Connection, project: str, name: str, version: dict[str, Any]) -> None:
    """Adds a version (and its data set). The same content once more is the version that was there."""
    moment = now()
    data_set = {"project": project, "name": name, "created": moment}
    connection.execute(upsert(data_sets).values(**data_set).on_conflict_do_nothing())
    row = {"project": project, "data_set": name, "created": moment, **version}
    connection.execute(upsert(data_versions).values(**row).on_conflict_do_nothing())


def of_project(connection: Connection, project: str) -> list[dict[str, Any]]:
    question = select(data_sets).where(data_sets.c.project == project).order_by(data_sets.c.name)
    return [dict(row) for row in connection.execute(question).mappings()]


def versions(connection: Connection, project: str, name: str) -> list[dict[str, Any]]:
    """Newest first."""
    question = (
        select(data_versions)
        .where(data_versions.c.project == project, data_versions.c.data_set == name)
        .order_by(data_versions.c.number.desc())
    )
    return [dict(row) for row in connection.execute(question).mappings()]


def trees(connection: Connection) -> list[dict[str, str]]:
    return list(connection.execute(select(data_versions.c.tree)).scalars())
