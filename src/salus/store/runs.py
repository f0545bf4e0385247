"""Rows of runs: what people asked for, and how it ended."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, insert, select, update

from salus.core.ids import new_id
from salus.core.nouns import RunState
from salus.store.clock import now
from salus.store.tables import runs

OPEN = (RunState.QUEUED.value, RunState.RUNNING.value)


def add(connection: Connection, project: str, kind: str, spec: dict[str, Any]) -> str:
    run = new_id("run")
    connection.execute(
        insert(runs).values(
            id=run,
            project=project,
            kind=kind,
            state=RunState.QUEUED.value,
            phase="",
            spec=spec,
            stopping=False,
            created=now(),
        )
    )
    return run


def find(connection: Connection, project: str, run: str) -> dict[str, Any] | None:
    row = connection.execute(select(runs).where(runs.c.project == project, runs.c.id == run)).mappings().first()
    return dict(row) if row is not None else None


def get(connection: Connection, run: str) -> dict[str, Any]:
    """The row of a run that exists."""
    return dict(connection.execute(select(runs).where(runs.c.id == run)).mappings().one())


def page(connection: Connection, project: str, limit: int, before: int | None) -> list[dict[str, Any]]:
    """Newest first, those with a number below `before`."""
    question = select(runs).where(runs.c.project == project).order_by(runs.c.number.desc()).limit(limit)
    if before is not None:
        question = question.where(runs.c.number < before)
    return [dict(row) for row in connection.execute(question).mappings()]


def unfinished(connection: Connection) -> list[dict[str, Any]]:
    return [dict(row) for row in connection.execute(select(runs).where(runs.c.state.in_(OPEN))).mappings()]


def begin(connection: Connection, run: str) -> None:
    values = {"state": RunState.RUNNING.value, "started": now()}
    connection.execute(update(runs).where(runs.c.id == run, runs.c.state == RunState.QUEUED.value).values(**values))


def stop(connection: Connection, run: str) -> None:
    connection.execute(update(runs).where(runs.c.id == run).values(stopping=True))


def deploying(connection: Connection, run: str, result: dict[str, Any]) -> None:
    """The job is done and its result stands; what is left is the endpoint."""
    connection.execute(update(runs).where(runs.c.id == run).values(phase="deploying", result=result))


def end(
    connection: Connection,
    run: str,
    state: RunState,
    result: dict[str, Any] | None = None,
    error: dict[str, Any] | None = None,
) -> None:
    """Ends an open run; one that is over stays as it is."""
    values = {"state": state.value, "phase": "", "finished": now(), "result": result, "error": error}
    connection.execute(update(runs).where(runs.c.id == run, runs.c.state.in_(OPEN)).values(**values))
