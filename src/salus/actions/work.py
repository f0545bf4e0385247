"""What a worker does: claims a job, gives signs of life, tells what happens, and ends it.

Publishing is here: a job's records become rows in one transaction, after every file they name is known to be in the
blobs, and only for the fence that holds the job.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from sqlalchemy import Connection

from salus.actions.names import check_file_name
from salus.actions.principal import Principal
from salus.actions.runs import JOBS, RUN
from salus.core.errors import SalusError
from salus.core.nouns import RunState
from salus.core.wire import tree_digest
from salus.store import audit, data_sets, jobs, models, runs
from salus.store.blobs import DIGEST
from salus.store.clock import now
from salus.store.records import Records

WORKER = "worker"  # the actor of audit rows
DEPLOY = "deploy"  # topic of the bell: a run waits for its endpoint


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class AddRecords(_Record):
    """What the step `add` gives."""

    tree: dict[str, str]
    rows: int = Field(ge=0)
    columns: dict[str, Any] = Field(alias="schema")
    findings: list[Any] = Field(default_factory=list)
    preview: Any = None


class TrainRecords(_Record):
    """What the step `train` gives."""

    tree: dict[str, str]
    bundle_hash: str
    model_hash: str
    metrics: dict[str, Any]
    gate: dict[str, Any]
    headline: Any = None


def claim(principal: Principal, records: Records, worker: str) -> dict[str, Any] | None:
    """The oldest waiting job, leased to this worker, with the places of its files; None when nothing waits."""
    principal.require("work")

    def change(connection: Connection) -> dict[str, Any] | None:
        job = jobs.claim(connection, worker[:100], records.settings.lease_s)
        if job is not None:
            runs.begin(connection, job["run"])
        return job

    if records.database.read(jobs.counts)["queued"] == 0:  # looking costs no write
        return None
    job = records.database.write(change)
    if job is None:
        return None
    if job["attempts"] == 1:
        records.events.append(job["run"], [("started", {"attempt": 1})])
    else:
        records.events.append(job["run"], [("started_again", {"attempt": job["attempts"]})])
    records.bell.ring(RUN + job["run"])
    try:
        resolved = records.database.read(lambda connection: _input(connection, records, job))
    except SalusError as error:
        _end_unable(records, job, error)
        return None
    return {"job": job["id"], "run": job["run"], "step": job["step"], "fence": job["fence"], "input": resolved}


def _end_unable(records: Records, job: dict[str, Any], error: SalusError) -> None:
    """Ends a run whose files are gone: no worker could do it."""

    def change(connection: Connection) -> None:
        run = runs.get(connection, jobs.held(connection, job["id"], job["fence"])["run"])
        jobs.done(connection, job["id"])
        runs.end(connection, run["id"], RunState.FAILED, error=error.to_json())
        audit.append(connection, run["project"], WORKER, "runs.failed", run["id"], {"code": error.code})

    records.database.write(change)
    records.events.append(job["run"], [(RunState.FAILED.value, {})])
    records.bell.ring(RUN + job["run"])


def heartbeat(principal: Principal, records: Records, job: str, fence: int) -> dict[str, Any]:
    """Keeps the lease, and says whether somebody asked to cancel. Writes only when half of the lease is gone."""
    principal.require(f"job:{job}:{fence}")
    row, run = records.database.read(lambda connection: _held(connection, job, fence))
    lease_s = records.settings.lease_s
    if row["lease_until"] < now() + lease_s / 2:

        def change(connection: Connection) -> None:
            jobs.held(connection, job, fence)
            jobs.extend(connection, job, lease_s)

        records.database.write(change)
    return {"cancel": bool(run["stopping"])}


def tell(
    principal: Principal, records: Records, job: str, fence: int, events: Sequence[tuple[str, dict[str, Any]]]
) -> None:
    """Adds to the events of the job's run."""
    principal.require(f"job:{job}:{fence}")
    row, _ = records.database.read(lambda connection: _held(connection, job, fence))
    records.events.append(row["run"], list(events))
    records.bell.ring(RUN + row["run"])


def finish(principal: Principal, records: Records, job: str, fence: int, outcome: dict[str, Any]) -> None:
    """Ends the job with what it made, or with what was wrong. All rows appear together."""
    principal.require(f"job:{job}:{fence}")
    row = records.database.read(lambda connection: _held(connection, job, fence))[0]
    record = _checked_records(records, row["step"], outcome.get("records")) if outcome.get("ok") else None

    def change(connection: Connection) -> str:
        held, run = _held(connection, job, fence)
        if record is None:
            return _fail(connection, records, held, run, outcome)
        jobs.done(connection, job)
        return _publish(connection, run, record)

    told = records.database.write(change)
    records.events.append(row["run"], [(told, {})])
    for topic in (RUN + row["run"], JOBS, DEPLOY):
        records.bell.ring(topic)


def _publish(connection: Connection, run: dict[str, Any], record: AddRecords | TrainRecords) -> str:
    spec, project = run["spec"], run["project"]
    if isinstance(record, AddRecords):
        digest = tree_digest(record.tree)
        version = {
            "hash": digest,
            "rows": record.rows,
            "tree": record.tree,
            "schema": record.columns,
            "findings": record.findings,
            "preview": record.preview,
            "run": run["id"],
        }
        data_sets.publish(connection, project, spec["name"], version)
        result: dict[str, Any] = {"data_set": spec["name"], "data_version": digest, "rows": record.rows}
        runs.end(connection, run["id"], RunState.SUCCEEDED, result=result)
        audit.append(connection, project, WORKER, "data_sets.publish", spec["name"], {"version": digest})
        return RunState.SUCCEEDED.value
    version = {**record.model_dump(), "run": run["id"]}
    number = models.publish(connection, project, spec["model"], version)
    result = {"model": spec["model"], "version": number, "bundle_hash": record.bundle_hash}
    result |= {"model_hash": record.model_hash, "headline": record.headline, "gate": record.gate}
    audit.append(connection, project, WORKER, "models.publish", spec["model"], {"version": number})
    if not spec.get("deploy"):
        runs.end(connection, run["id"], RunState.SUCCEEDED, result=result)
        return RunState.SUCCEEDED.value
    result |= {"endpoint": spec["deploy"], "deployed": False}
    if not record.gate.get("passed"):
        runs.end(connection, run["id"], RunState.SUCCEEDED, result=result)
        return RunState.SUCCEEDED.value
    runs.deploying(connection, run["id"], result)
    return "deploying"


def _fail(
    connection: Connection, records: Records, job: dict[str, Any], run: dict[str, Any], outcome: dict[str, Any]
) -> str:
    """Ends the run, or puts the job back: after a death of its process, or when a worker stopped for its own reasons."""
    error = _plain_error(outcome.get("error"))
    stopped, died = error["code"] == "stopped", error["code"] == "step_died"
    if run["stopping"]:
        jobs.done(connection, job["id"])
        runs.end(connection, run["id"], RunState.CANCELLED)
        audit.append(connection, run["project"], WORKER, "runs.cancelled", run["id"])
        return RunState.CANCELLED.value
    if stopped or (died and job["attempts"] < records.settings.max_attempts):
        jobs.again(connection, job["id"], counted=not stopped)
        return "put_back"
    jobs.done(connection, job["id"])
    runs.end(connection, run["id"], RunState.FAILED, error=error)
    audit.append(connection, run["project"], WORKER, "runs.failed", run["id"], {"code": error["code"]})
    return RunState.FAILED.value


def _held(connection: Connection, job: str, fence: int) -> tuple[dict[str, Any], dict[str, Any]]:
    row = jobs.held(connection, job, fence)
    return row, runs.get(connection, row["run"])


def _plain_error(error: Any) -> dict[str, Any]:
    code = error.get("code") if isinstance(error, dict) else None
    parameters = error.get("parameters") if isinstance(error, dict) else None
    return {"code": str(code or "step_failed")[:100], "parameters": parameters if isinstance(parameters, dict) else {}}


def _checked_records(records: Records, step: str, found: Any) -> AddRecords | TrainRecords:
    """The records, with every file they name in the blobs; else `records_refused` or `blob_missing`."""
    kind: type[AddRecords] | type[TrainRecords] = AddRecords if step == "add" else TrainRecords
    try:
        record = kind.model_validate(found)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise SalusError("records_refused", found=f"{where}: {first['msg']}") from None
    for name, digest in record.tree.items():
        check_file_name(name, "tree")
        if not DIGEST.fullmatch(digest) or not records.blobs.has(digest):
            raise SalusError("blob_missing", found=digest)
    return record


def _input(connection: Connection, records: Records, job: dict[str, Any]) -> dict[str, Any]:
    """A job's input with paths in the place of digests."""
    run = runs.get(connection, job["run"])
    if job["step"] == "add":
        source = dict(job["input"])
        if "upload" in source:
            source["upload"] = [{**file, "path": str(records.blobs.open(file["digest"]))} for file in source["upload"]]
        return source
    wanted = job["input"]
    for version in data_sets.versions(connection, run["project"], wanted["data_set"]):
        if version["hash"] == wanted["version"]:
            files = {name: str(records.blobs.open(digest)) for name, digest in version["tree"].items()}
            known = {"data_version": version["hash"], "data_name": wanted["data_set"]}
            before = _before(connection, records, run)
            return {"files": files, **known, "spec": run["spec"]["spec"], "before": before}
    raise SalusError("no_data_yet", found=wanted["data_set"])


def _before(connection: Connection, records: Records, run: dict[str, Any]) -> dict[str, Any] | None:
    """The newest version of the model that the run makes another version of, to be compared with; none when its files are gone."""
    name = run["spec"]["model"]
    versions = models.versions(connection, run["project"], name)
    if not versions:
        return None
    newest = max(versions, key=lambda version: int(version["number"]))
    try:
        files = {file: str(records.blobs.open(digest)) for file, digest in newest["tree"].items()}
    except SalusError:
        return None
    return {"name": f"{name}@{newest['number']}", "files": files}
