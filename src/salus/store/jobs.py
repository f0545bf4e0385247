"""The queue: jobs are claimed by compare-and-set and held by a lease.

Every claim raises the job's fence; whoever comes with an older one has lost the job and changes nothing. So a job may
start twice, and is published once. Leases are judged by the clock of the one process that writes.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, insert, select, update

from salus.core.errors import SalusError
from salus.core.ids import new_id
from salus.store.clock import now
from salus.store.tables import jobs

QUEUED, LEASED, DONE = "queued", "leased", "done"


def add(connection: Connection, run: str, step: str, job_input: dict[str, Any]) -> str:
    job = new_id("job")
    row = {"id": job, "run": run, "step": step, "input": job_input, "state": QUEUED, "fence": 0, "attempts": 0}
    connection.execute(insert(jobs).values(**row))
    return job


def claim(connection: Connection, worker: str, lease_s: float) -> dict[str, Any] | None:
    """The oldest waiting job, now leased to the worker; None when nothing waits."""
    question = select(jobs).where(jobs.c.state == QUEUED).order_by(jobs.c.number).limit(1)
    row = connection.execute(question).mappings().first()
    if row is None:
        return None
    taken = {
        "state": LEASED,
        "fence": row["fence"] + 1,
        "attempts": row["attempts"] + 1,
        "worker": worker,
        "lease_until": now() + lease_s,
    }
    which = (jobs.c.number == row["number"]) & (jobs.c.state == QUEUED) & (jobs.c.fence == row["fence"])
    changed = connection.execute(update(jobs).where(which).values(**taken)).rowcount
    return {**row, **taken} if changed == 1 else None


def held(connection: Connection, job: str, fence: int) -> dict[str, Any]:
    """The row of a job that this fence holds, or `stale_fence`."""
    row = connection.execute(select(jobs).where(jobs.c.id == job)).mappings().first()
    if row is None or row["state"] != LEASED or row["fence"] != fence:
        raise SalusError("stale_fence", where=job, found=fence)
    return dict(row)


def find(connection: Connection, job: str) -> dict[str, Any] | None:
    row = connection.execute(select(jobs).where(jobs.c.id == job)).mappings().first()
    return dict(row) if row is not None else None


def extend(connection: Connection, job: str, lease_s: float) -> None:
    connection.execute(update(jobs).where(jobs.c.id == job).values(lease_until=now() + lease_s))


def done(connection: Connection, job: str) -> None:
    connection.execute(update(jobs).where(jobs.c.id == job).values(state=DONE, lease_until=None))


def again(connection: Connection, job: str, counted: bool) -> None:
    """Puts a job back; its holder has lost it. `counted`: the attempt counts."""
    change: dict[str, Any] = {"state": QUEUED, "lease_until": None, "fence": jobs.c.fence + 1}
    if not counted:
        change["attempts"] = jobs.c.attempts - 1
    connection.execute(update(jobs).where(jobs.c.id == job).values(**change))


def of_run(connection: Connection, run: str) -> list[dict[str, Any]]:
    question = select(jobs).where(jobs.c.run == run).order_by(jobs.c.number)
    return [dict(row) for row in connection.execute(question).mappings()]


def expired(connection: Connection) -> list[dict[str, Any]]:
    question = select(jobs).where(jobs.c.state == LEASED, jobs.c.lease_until < now())
    return [dict(row) for row in connection.execute(question).mappings()]


def adopt(connection: Connection, lease_s: float) -> None:
    """At start: time that the control plane was away does not count against the workers."""
    which = (jobs.c.state == LEASED) & (jobs.c.lease_until < now() + lease_s)
    connection.execute(update(jobs).where(which).values(lease_until=now() + lease_s))


def counts(connection: Connection) -> dict[str, int]:
    rows = connection.execute(select(jobs.c.state).where(jobs.c.state != DONE)).scalars()
    states = list(rows)
    return {"queued": states.count(QUEUED), "leased": states.count(LEASED)}
