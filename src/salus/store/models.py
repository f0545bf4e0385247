"""Rows of models and their versions."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, func, insert, select
from sqlalchemy.dialects.sqlite import insert as upsert

from salus.store.clock import now
from salus.store.tables import model_versions, models


def publish(connection: Connection, project: str, name: str, version: dict[str, Any]) -> int:
    """Adds the next version of a model (and the model); its number."""
    moment = now()
    row = {"project": project, "name": name, "created": moment}
    connection.execute(upsert(models).values(**row).on_conflict_do_nothing())
    which = (model_versions.c.project == project) & (model_versions.c.model == name)
    last = connection.execute(select(func.max(model_versions.c.number)).where(which)).scalar()
    number = (last or 0) + 1
    values = {"project": project, "model": name, "number": number, "created": moment, **version}
    connection.execute(insert(model_versions).values(**values))
    return number


def of_project(connection: Connection, project: str) -> list[dict[str, Any]]:
    question = select(models).where(models.c.project == project).order_by(models.c.name)
    return [dict(row) for row in connection.execute(question).mappings()]


def versions(connection: Connection, project: str, name: str) -> list[dict[str, Any]]:
    """Newest first."""
    question = (
        select(model_versions)
        .where(model_versions.c.project == project, model_versions.c.model == name)
        .order_by(model_versions.c.number.desc())
    )
    return [dict(row) for row in connection.execute(question).mappings()]


def version(connection: Connection, project: str, name: str, number: int) -> dict[str, Any] | None:
    which = (
        (model_versions.c.project == project) & (model_versions.c.model == name) & (model_versions.c.number == number)
    )
    row = connection.execute(select(model_versions).where(which)).mappings().first()
    return dict(row) if row is not None else None


def trees(connection: Connection) -> list[dict[str, str]]:
    return list(connection.execute(select(model_versions.c.tree)).scalars())
