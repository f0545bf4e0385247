"""What an owner or a program asks of the installation itself: versions, who is there, settings, the audit chain."""

from __future__ import annotations

import platform
import sqlite3
from typing import Any

from sqlalchemy import Connection

from salus import __version__
from salus.actions.principal import Principal
from salus.core.errors import SalusError
from salus.store import audit, jobs
from salus.store.clock import now, rfc3339
from salus.store.records import Records


def status(principal: Principal, records: Records) -> dict[str, Any]:
    principal.require("read")
    seen = records.acknowledgements
    counts = records.database.read(jobs.counts)
    worker = records.presence.last()
    heard = None if worker is None else now() - worker[1]
    return {
        "version": __version__,
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "jobs": counts,
        "worker": {
            "name": None if worker is None else worker[0],
            "last_seen": None if worker is None else rfc3339(worker[1]),
            "state": "away" if heard is None or heard > records.settings.lease_s else "here",
        },
        "model_server": {
            "last_seen": rfc3339(seen.reached),
            "state": "current" if seen.answered >= seen.asked and seen.reached else "behind",
            "trouble": seen.trouble,
        },
    }


def settings(principal: Principal, records: Records) -> list[dict[str, Any]]:
    """Every setting with its meaning."""
    principal.require("owner")
    values = records.settings.model_dump(mode="json")
    fields = type(records.settings).model_fields
    return [{"name": name, "value": values[name], "meaning": field.description} for name, field in fields.items()]


def audit_page(
    principal: Principal, records: Records, limit: int, cursor: str | None, verify: bool = False
) -> dict[str, Any]:
    """Newest first; with `verify` also whether the whole chain is what was written."""
    principal.require("owner")
    if cursor is not None and not (cursor.isascii() and cursor.isdecimal() and len(cursor) <= 18):
        raise SalusError("bad_spec", where="cursor", expected="the 'next' of the page before", found=cursor[:40])

    def question(connection: Connection) -> dict[str, Any]:
        rows = audit.page(connection, limit + 1, None if cursor is None else int(cursor))
        following = str(rows[limit - 1]["number"]) if len(rows) > limit else None
        items = [{**row, "time": rfc3339(row["time"])} for row in rows[:limit]]
        page: dict[str, Any] = {"items": items, "next": following}
        if verify:
            broken = audit.verify(connection)
            page |= {"intact": broken is None, "broken_at": broken}
        return page

    return records.database.read(question)
