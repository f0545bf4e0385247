"""A record half for tests: a home with two projects and keys for every scope, and what a worker would have made.

Knows store and actions; nothing of it is real learning: a bundle here is a few named bytes.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from salus.actions import data_sets, runs, uploads, work
from salus.actions.principal import Principal
from salus.core.settings import Settings
from salus.core.wire import digest
from salus.store import keys, projects
from salus.store.records import Records

PROJECTS = ("one", "two")
WORKER = Principal("worker", "", frozenset({"work"}))
SPEC = {"target": "disease"}
COLUMNS = {"columns": [{"name": name} for name in ("age", "disease", "patient")]}


@dataclass
class RecordHome:
    """Records, and the tokens of keys by project and scope: `tokens["one", "owner"]`."""

    records: Records
    tokens: dict[tuple[str, str], str]

    def principal(self, project: str = "one", scope: str = "owner") -> Principal:
        return Principal(f"key_{project}_{scope}", project, frozenset({scope}))

    def upload(self, content: bytes = b"age,disease\n1,yes\n", project: str = "one", name: str = "heart.csv") -> str:
        """A complete upload of one file."""
        owner = self.principal(project)
        upload = str(uploads.create(owner, self.records)["id"])
        receiver = uploads.receive(owner, self.records, upload, 0, name, 0)
        receiver.write(content)
        receiver.close()
        uploads.complete(owner, self.records, upload)
        return upload

    def claim(self) -> tuple[Principal, dict[str, Any]]:
        """The next job, and the principal that its token makes."""
        job = work.claim(WORKER, self.records, "worker-1")
        assert job is not None, "nothing waits"
        return holder(job), job

    def data_set(self, name: str = "heart", project: str = "one", content: bytes = b"1,yes") -> dict[str, Any]:
        """A data set whose job has ended well: its run."""
        begun = data_sets.add(self.principal(project), self.records, {"name": name, "builtin": "sklearn:iris"})
        self.finish_add(content)
        return runs.find(self.principal(project), self.records, begun["run"]["id"])

    def finish_add(self, content: bytes = b"1,yes") -> None:
        principal, job = self.claim()
        assert job["step"] == "add"
        tree = {"shards/00000.parquet": self.records.blobs.put_stream([content])}
        made = {"tree": tree, "rows": 1, "schema": COLUMNS, "findings": [], "preview": [{"age": 1}]}
        work.finish(principal, self.records, job["job"], job["fence"], {"ok": True, "records": made})

    def train(self, data_set: str = "heart", project: str = "one", **asked: Any) -> dict[str, Any]:
        """Asks for a training run: its run."""
        body = {"data_set": data_set, "spec": SPEC, **asked}
        found: dict[str, Any] = runs.start(self.principal(project), self.records, body)["run"]
        return found

    def finish_train(self, content: bytes = b"a graph", passed: bool = True) -> None:
        principal, job = self.claim()
        assert job["step"] == "train"
        outcome = {"ok": True, "records": self.bundle(content, passed)}
        work.finish(principal, self.records, job["job"], job["fence"], outcome)

    def bundle(self, content: bytes = b"a graph", passed: bool = True) -> dict[str, Any]:
        """Records of a step `train`, whose files are in the blobs."""
        files = {"graphs/main.onnx": content, "report.json": b'{"format": 1}', "report.html": b"<!doctype html>"}
        tree = {name: self.records.blobs.put_stream([bytes_of]) for name, bytes_of in files.items()}
        return {
            "tree": tree,
            "bundle_hash": digest(content),
            "model_hash": digest(content),
            "metrics": {"accuracy": {"value": 0.9}},
            "headline": {"metric": "accuracy"},
            "gate": {"passed": passed, "reasons": [] if passed else ["too few rows"]},
        }

    def model(self, name: str = "heart", project: str = "one", data_set: str = "heart") -> dict[str, Any]:
        """A model version made of a data set that is there: its run."""
        begun = self.train(data_set, project, model=name)
        self.finish_train()
        return runs.find(self.principal(project), self.records, begun["id"])


def holder(job: dict[str, Any]) -> Principal:
    """The principal that the token of a claimed job makes."""
    return Principal(job["job"], "", frozenset({f"job:{job['job']}:{job['fence']}"}))


@contextlib.contextmanager
def record_home(home: Path, **settings: Any) -> Iterator[RecordHome]:
    """Opens a home, made if it is not there, and closes it."""
    home.mkdir(mode=0o700, exist_ok=True)
    given = {"free_space_floor_bytes": 0, **settings}
    records = Records.open(Settings(home=home, **given))
    tokens: dict[tuple[str, str], str] = {}

    def people(connection: Any) -> None:
        for project in PROJECTS:
            if not projects.exists(connection, project):
                projects.add(connection, project)
            for scope in ("owner", "read", "write", "predict", "subject:read"):
                tokens[project, scope] = keys.new_token()
                keys.add(connection, project, scope, tokens[project, scope], [scope], None)

    records.database.write(people)
    try:
        yield RecordHome(records, tokens)
    finally:
        records.close()
