"""Projects: only an owner sees and makes them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection

from salus.actions.principal import Principal
from salus.core.errors import SalusError
from salus.core.ids import check_name
from salus.store import audit, idempotency, projects
from salus.store.clock import rfc3339
from salus.store.idempotency import Once
from salus.store.records import Records


def create(principal: Principal, records: Records, name: str, once: Once | None = None) -> dict[str, Any]:
    principal.require("owner")
    check_name(name, "project name")

    def change(connection: Connection) -> dict[str, Any]:
        if projects.exists(connection, name):
            raise SalusError("name_taken", where="project", found=name)
        projects.add(connection, name)
        audit.append(connection, name, principal.id, "projects.create", name)
        return {"name": name}

    return records.database.write(lambda connection: idempotency.once(connection, once, change))


def every(principal: Principal, records: Records) -> list[dict[str, Any]]:
    principal.require("owner")
    rows = records.database.read(projects.every)
    return [{"name": row["name"], "created": rfc3339(row["created"])} for row in rows]


def enter(principal: Principal, records: Records, name: str) -> Principal:
    """The same principal in another project. Only owners may, and only where there is one."""
    if name == principal.project:
        return principal
    principal.require("owner")
    if not records.database.read(lambda connection: projects.exists(connection, name)):
        raise SalusError("not_found", where="project", found=name)
    return Principal(principal.id, name, principal.scopes)
