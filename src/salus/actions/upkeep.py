"""What the control plane does by itself: every job ends, every run ends, what nobody needs is swept.

No person asks for it, so there is no principal; the audit rows name `upkeep`.
"""

from __future__ import annotations

import shutil
from typing import Any

from sqlalchemy import Connection

from salus.actions import endpoints
from salus.actions.runs import JOBS, RUN
from salus.core.errors import SalusError
from salus.core.nouns import RunState
from salus.store import audit, data_sets, idempotency, jobs, models, runs, uploads
from salus.store.clock import now
from salus.store.records import Records

ACTOR = "upkeep"
UPLOAD_KEPT_S = 7 * 24 * 3600.0
BLOB_GRACE_S = 48 * 3600.0


def adopt(records: Records) -> None:
    """At start: leases go on from now, and a run that no job works for ends with a reason."""

    def change(connection: Connection) -> None:
        jobs.adopt(connection, records.settings.lease_s)
        for run in runs.unfinished(connection):
            if not run["phase"] and all(job["state"] == jobs.DONE for job in jobs.of_run(connection, run["id"])):
                _end(connection, run, RunState.FAILED, {"code": "run_orphaned", "parameters": {}})

    records.database.write(change)


def reap(records: Records) -> None:
    """Jobs whose worker gave no sign are given to another; after the last attempt their run ends."""
    if not records.database.read(jobs.expired):
        return
    told: list[tuple[str, str]] = []

    def change(connection: Connection) -> None:
        for job in jobs.expired(connection):
            run = runs.get(connection, job["run"])
            if run["stopping"]:
                jobs.done(connection, job["id"])
                _end(connection, run, RunState.CANCELLED, None)
                told.append((run["id"], RunState.CANCELLED.value))
            elif job["attempts"] >= records.settings.max_attempts:
                jobs.done(connection, job["id"])
                error = SalusError("job_abandoned", found=job["attempts"]).to_json()
                _end(connection, run, RunState.FAILED, error)
                told.append((run["id"], RunState.FAILED.value))
            else:
                jobs.again(connection, job["id"], counted=True)
                told.append((run["id"], "lease_expired"))

    records.database.write(change)
    for run, name in told:
        records.events.append(run, [(name, {})])
        records.bell.ring(RUN + run)
    records.bell.ring(JOBS)


def deploy_waiting(records: Records) -> None:
    """Runs whose model waits for its endpoint, also those that a kill left so."""
    for run in records.database.read(runs.unfinished):
        if run["phase"] == "deploying":
            endpoints.deploy_run(records, run)
            records.bell.ring(RUN + run["id"])


def tidy(records: Records) -> None:
    """Forgets old uploads and answers, and sweeps blobs that no row names."""
    for upload in records.database.write(lambda connection: uploads.forget_before(connection, now() - UPLOAD_KEPT_S)):
        shutil.rmtree(records.tmp / upload, ignore_errors=True)
    records.database.write(idempotency.forget_old)
    records.blobs.sweep(records.database.read(_named), BLOB_GRACE_S)


def _named(connection: Connection) -> set[str]:
    """Every digest that a row names."""
    named = uploads.digests(connection)
    for tree in [*data_sets.trees(connection), *models.trees(connection)]:
        named.update(tree.values())
    for run in runs.unfinished(connection):
        for job in jobs.of_run(connection, run["id"]):
            named.update(file["digest"] for file in job["input"].get("upload", ()))
    return named


def _end(connection: Connection, run: dict[str, Any], state: RunState, error: dict[str, Any] | None) -> None:
    runs.end(connection, run["id"], state, error=error)
    audit.append(connection, run["project"], ACTOR, f"runs.{state.value}", run["id"])
