"""Runs: what people ask for that takes time. Asking checks the spec now; the rest is the queue's."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from salus.actions.principal import Principal
from salus.core.catalogue import check_train_spec
from salus.core.errors import SalusError
from salus.core.ids import check_name, name_from
from salus.core.nouns import RunState
from salus.core.specs import TrainSpec, checked
from salus.store import audit, data_sets, idempotency, jobs, runs
from salus.store.clock import rfc3339
from salus.store.idempotency import Once
from salus.store.records import Records

JOBS, RUN = "jobs", "run "  # topics of the bell; a run's id follows the second


def start(
    principal: Principal, records: Records, asked: Mapping[str, Any], language: str = "en", once: Once | None = None
) -> dict[str, Any]:
    """Starts a training run: {"data_set", "version"?, "model"?, "spec", "deploy"?}."""
    principal.require("write")
    spec = checked(TrainSpec, dict(asked.get("spec") or {}), "spec")
    check_train_spec(spec)
    _check_start(spec, records)
    name = check_name(asked.get("data_set", ""), "data_set")
    model = check_name(asked.get("model") or name_from(name), "model")
    deploy = check_name(asked["deploy"], "deploy") if asked.get("deploy") else None
    version = _version(records, principal.project, name, asked.get("version"))
    _check_columns(spec, version)
    kept = {
        "data_set": name,
        "version": version["hash"],
        "model": model,
        "deploy": deploy,
        "spec": spec.model_dump(mode="json"),
    }

    def change(connection: Connection) -> dict[str, Any]:
        run = enqueue(connection, principal, "train", kept, {"data_set": name, "version": version["hash"]})
        return {"run": run}

    return _begun(principal, records, language, once, change)


def _check_start(spec: TrainSpec, records: Records) -> None:
    """A folder to start from must lie below those that the service may read in place."""
    if spec.start is None:
        return
    roots = [Path(root).resolve() for root in records.settings.import_roots.split(":") if root]
    asked = Path(spec.start).resolve()
    if not any(root == asked or root in asked.parents for root in roots):
        raise SalusError("start_missing", where="start", found="a folder outside of those that the service may read")


def enqueue(
    connection: Connection, principal: Principal, kind: str, spec: dict[str, Any], job_input: dict[str, Any]
) -> str:
    """A run with its one job and its audit row; the run's id."""
    run = runs.add(connection, principal.project, kind, spec)
    jobs.add(connection, run, kind, job_input)
    audit.append(connection, principal.project, principal.id, "runs.start", run, {"kind": kind})
    return run


def _begun(principal: Principal, records: Records, language: str, once: Once | None, change: Any) -> dict[str, Any]:
    answer = records.database.write(lambda connection: idempotency.once(connection, once, change))
    return begun(principal, records, answer["run"], language)


def begun(principal: Principal, records: Records, run: str, language: str) -> dict[str, Any]:
    """Tells the workers and shows the run."""
    records.bell.ring(JOBS)
    return {"run": shown(records, _find(records, principal.project, run), language)}


def find(principal: Principal, records: Records, run: str, language: str = "en") -> dict[str, Any]:
    principal.require("read")
    return shown(records, _find(records, principal.project, run), language)


def page(
    principal: Principal, records: Records, limit: int, cursor: str | None, language: str = "en"
) -> dict[str, Any]:
    """Newest first. The cursor is the id of the last run of the page before."""
    principal.require("read")
    before = None if cursor is None else int(_find(records, principal.project, cursor)["number"])
    rows = records.database.read(lambda connection: runs.page(connection, principal.project, limit + 1, before))
    following = rows[limit - 1]["id"] if len(rows) > limit else None
    return {"items": [shown(records, row, language) for row in rows[:limit]], "next": following}


def events(principal: Principal, records: Records, run: str, after: int) -> dict[str, Any]:
    """Events with a greater number, and whether none will follow them."""
    principal.require("read")
    row = _find(records, principal.project, run)  # its state first: an end that comes now is seen next time
    found = records.events.after(run, after)
    last = records.events.last(run)
    seen = found[-1]["seq"] if found else after
    over = RunState(row["state"]).over and (last is None or seen >= last["seq"])
    return {"events": found, "over": over}


def cancel(principal: Principal, records: Records, run: str, language: str = "en") -> dict[str, Any]:
    """Ends a waiting run now; a running one learns it with its next heartbeat."""
    principal.require("write")

    def change(connection: Connection) -> None:
        row = runs.find(connection, principal.project, run)
        if row is None:
            raise SalusError("not_found", where="run", found=run)
        if RunState(row["state"]).over:
            raise SalusError("run_over", found=run)
        runs.stop(connection, run)
        waiting = [job for job in jobs.of_run(connection, run) if job["state"] != jobs.DONE]
        if all(job["state"] == jobs.QUEUED for job in waiting) and not row["phase"]:
            for job in waiting:
                jobs.done(connection, job["id"])
            runs.end(connection, run, RunState.CANCELLED)
        audit.append(connection, principal.project, principal.id, "runs.cancel", run)

    records.database.write(change)
    records.bell.ring(RUN + run)
    return find(principal, records, run, language)


def _find(records: Records, project: str, run: str) -> dict[str, Any]:
    row = records.database.read(lambda connection: runs.find(connection, project, run))
    if row is None:
        raise SalusError("not_found", where="run", found=run)
    return row


def shown(records: Records, row: dict[str, Any], language: str) -> dict[str, Any]:
    """A run as HTTP shows it."""
    error = row["error"]
    return {
        "id": row["id"],
        "kind": row["kind"],
        "state": row["state"],
        "stopping": row["stopping"] and not RunState(row["state"]).over,
        "created": rfc3339(row["created"]),
        "started": rfc3339(row["started"]),
        "finished": rfc3339(row["finished"]),
        "spec": row["spec"],
        "progress": records.events.last(row["id"]),
        "error": None if error is None else SalusError.from_json(error).problem(language=language),
        "result": row["result"],
    }


def _version(records: Records, project: str, name: str, digest: Any) -> dict[str, Any]:
    rows = records.database.read(lambda connection: data_sets.versions(connection, project, name))
    if not rows:
        raise SalusError("not_found", where="data set", found=name)
    for row in rows:
        if digest is None or row["hash"] == digest:
            return row
    raise SalusError("no_data_yet", found=f"{name}@{str(digest)[:16]}")


def _check_columns(spec: TrainSpec, version: dict[str, Any]) -> None:
    names = [column["name"] for column in version["schema"].get("columns", [])]
    if not spec.target:
        raise SalusError("target_not_a_column", where="target", expected=", ".join(names)[:300], found="")
    for where, asked in (
        ("target", spec.target),
        ("known", spec.known),
        ("group", (spec.group,)),
        ("split", (spec.split,)),
    ):
        for name in asked:
            if name is not None and name not in names:
                raise SalusError("target_not_a_column", where=where, expected=", ".join(names)[:300], found=name)
