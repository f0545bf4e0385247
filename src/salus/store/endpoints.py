"""Rows of endpoints: which model version answers under which name."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from salus.store.clock import now
from salus.store.tables import endpoints, model_versions


def find(connection: Connection, project: str, name: str) -> dict[str, Any] | None:
    question = select(endpoints).where(endpoints.c.project == project, endpoints.c.name == name)
    row = connection.execute(question).mappings().first()
    return dict(row) if row is not None else None


def of_project(connection: Connection, project: str) -> list[dict[str, Any]]:
    question = select(endpoints).where(endpoints.c.project == project).order_by(endpoints.c.name)
    return [dict(row) for row in connection.execute(question).mappings()]


def put(connection: Connection, project: str, name: str, model: str, version: int) -> dict[str, Any]:
    """Makes or changes an endpoint; its new row."""
    before = find(connection, project, name)
    moment = now()
    values = {"model": model, "version": version, "changed": moment}
    if before is None:
        row = {"project": project, "name": name, "created": moment, "change": 1, **values}
        connection.execute(insert(endpoints).values(**row))
    else:
        change = {**values, "change": before["change"] + 1}
        connection.execute(update(endpoints).where(endpoints.c.number == before["number"]).values(**change))
    after = find(connection, project, name)
    assert after is not None
    return after


def remove(connection: Connection, project: str, name: str) -> bool:
    which = (endpoints.c.project == project) & (endpoints.c.name == name)
    return connection.execute(delete(endpoints).where(which)).rowcount == 1


def with_trees(connection: Connection) -> list[dict[str, Any]]:
    """Every endpoint of every project, with the files of its model version."""
    same = (
        (model_versions.c.project == endpoints.c.project)
        & (model_versions.c.model == endpoints.c.model)
        & (model_versions.c.number == endpoints.c.version)
    )
    question = select(endpoints, model_versions.c.tree).join(model_versions, same).order_by(endpoints.c.number)
    return [dict(row) for row in connection.execute(question).mappings()]
