"""Short ways through the record half for tests that look at each step themselves: who asks, what a step gave, who ends it.

`salus.testing.records` makes whole homes with keys; this file is for what lies between two of its calls.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from salus.actions import data_sets, runs, uploads, work
from salus.actions.principal import Principal
from salus.core.settings import Settings
from salus.store import keys, projects
from salus.store.records import Records
from salus.testing.records import WORKER, holder

SCHEMA = {"columns": [{"name": name, "kind": "number", "role": "input", "state": None} for name in ("x", "y")]}


def open_records(home: Path, **settings: Any) -> Records:
    """Records with the projects `default` and `other`."""
    home.mkdir(mode=0o700, exist_ok=True)
    records = Records.open(Settings(home=home, **{"free_space_floor_bytes": 0, **settings}))

    def people(connection: Connection) -> None:
        for name in ("default", "other"):
            projects.add(connection, name)

    records.database.write(people)
    return records


def person(project: str = "default", *scopes: str) -> Principal:
    return Principal("key_person", project, frozenset(scopes or ("owner",)))


def token_for(records: Records, project: str, *scopes: str, expires: float | None = None) -> str:
    token = keys.new_token()
    records.database.write(lambda c: keys.add(c, project, "test", token, list(scopes), expires))
    return token


def upload(principal: Principal, records: Records, files: dict[str, bytes]) -> str:
    """A complete upload of these files."""
    made: str = uploads.create(principal, records)["id"]
    for index, (name, content) in enumerate(files.items()):
        receiver = uploads.receive(principal, records, made, index, name, 0)
        receiver.write(content)
        receiver.close()
    uploads.complete(principal, records, made)
    return made


def claim(records: Records) -> tuple[dict[str, Any], Principal]:
    """The next job, and the principal that its token makes."""
    job = work.claim(WORKER, records, "test-worker")
    assert job is not None
    return job, holder(job)


def add_records(records: Records, content: bytes = b"rows") -> dict[str, Any]:
    """What the step `add` gives, its files in the blobs."""
    names = ("schema.json", "shards/00000.parquet")
    tree = {name: records.blobs.put_stream([name.encode(), content]) for name in names}
    return {"tree": tree, "rows": 3, "schema": SCHEMA, "findings": [], "preview": {"rows": [{"x": 1}]}}


def train_records(records: Records, passed: bool = True) -> dict[str, Any]:
    """What the step `train` gives, its files in the blobs."""
    contents = {"manifest.json": b"{}", "report.json": b'{"format":1}', "report.html": b"<p>report</p>"}
    contents["report.zh.html"] = "<p>报告</p>".encode()
    tree = {name: records.blobs.put_stream([content]) for name, content in contents.items()}
    gate = {"passed": passed, "reasons": [] if passed else ["not better than doing nothing"]}
    hashes = {"bundle_hash": "b" * 64, "model_hash": "m" * 64, "report_digest": tree["report.json"]}
    return {"tree": tree, **hashes, "metrics": {}, "gate": gate, "headline": {"metric": "accuracy"}}


def finish(records: Records, made: dict[str, Any]) -> dict[str, Any]:
    """Claims the next job and ends it with these records; the job."""
    job, speaker = claim(records)
    work.finish(speaker, records, job["job"], job["fence"], {"ok": True, "records": made})
    return job


def data_set(principal: Principal, records: Records, name: str = "walks") -> None:
    """A data set with one version."""
    data_sets.add(principal, records, {"name": name, "builtin": "sklearn:iris"})
    finish(records, add_records(records))


def model(principal: Principal, records: Records, name: str = "walks") -> str:
    """A data set and one version of a model trained on it; the run's id."""
    data_set(principal, records, name)
    run: str = runs.start(principal, records, {"data_set": name, "spec": {"target": "y"}})["run"]["id"]
    finish(records, train_records(records))
    return run
