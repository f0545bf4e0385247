"""Numbers that only go up, also over restarts."""

from __future__ import annotations

from sqlalchemy import Connection, select
from sqlalchemy.dialects.sqlite import insert as upsert

from salus.store.tables import counters


def following(connection: Connection, name: str) -> int:
    """The next number of a counter, from 1."""
    statement = upsert(counters).values(name=name, value=1)
    raised = statement.on_conflict_do_update(index_elements=["name"], set_={"value": counters.c.value + 1})
    connection.execute(raised)
    return int(connection.execute(select(counters.c.value).where(counters.c.name == name)).scalar_one())
