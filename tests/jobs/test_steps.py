"""The real steps in real processes: a table in, records out, every file in the blob store; and mistakes with their codes."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from salus.bundle.read import open_bundle
from salus.bundle.sign import Signer
from salus.core.settings import Settings
from salus.core.wire import tree_digest
from salus.data.version import DataVersion
from salus.jobs.protocol import Event, Failure, Message, Result
from salus.jobs.runners.local import LocalRunner
from salus.store.blobs import LocalBlobs
from salus.testing.runner import listen, toy_job


def table(rows: int = 120) -> bytes:
    generator = random.Random(5)
    lines = ["age,pulse,state"]
    for _ in range(rows):
        age, pulse = generator.gauss(50, 12), generator.gauss(70, 9)
        lines.append(f"{age:.1f},{pulse:.1f},{'ill' if age + generator.gauss(0, 4) > 50 else 'well'}")
    return ("\n".join(lines) + "\n").encode()


class Desk:
    """Does one job after the other in a home."""

    def __init__(self, home: Path):
        self.blobs = LocalBlobs(home / "blobs")
        (home / "keys").mkdir()
        self.signer = Signer.create(home / "keys" / "signing.pem")
        self._runner = LocalRunner(Settings(home=home))

    def do(self, step: str, **given: Any) -> list[Message]:
        running = self._runner.start(toy_job(step, **given))
        try:
            return listen(running)
        finally:
            running.close()

    def add(self, content: bytes, name: str = "people.csv", **options: Any) -> Message:
        digest = self.blobs.put_stream([content])
        file = {"name": name, "digest": digest, "path": str(self.blobs.open(digest))}
        return self.do("add", upload=[file], options=options)[-1]

    def files(self, tree: dict[str, str]) -> dict[str, Path]:
        return {name: self.blobs.open(digest) for name, digest in tree.items()}


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def records(message: Message) -> dict[str, Any]:
    assert isinstance(message, Result), message
    return message.records


def code(message: Message) -> str:
    assert isinstance(message, Failure), message
    return str(message.error["code"])


def test_add_and_train_answer_with_files_that_are_kept(desk: Desk) -> None:
    added = records(desk.add(table()))
    assert added["rows"] == 120
    assert [column["name"] for column in added["schema"]["columns"]] == ["age", "pulse", "state"]
    assert isinstance(added["findings"], list)
    assert added["preview"]
    version = desk.files(added["tree"])
    assert DataVersion.open(version).rows == 120

    spec = {"target": "state", "learner": "linear", "budget_s": 2, "threads": 1}
    given = {name: str(path) for name, path in version.items()}
    *told, last = desk.do("train", files=given, data_version=tree_digest(added["tree"]), data_name="people", spec=spec)
    trained = records(last)
    assert any(isinstance(message, Event) and message.name == "published" for message in told)
    bundle = open_bundle(desk.files(trained["tree"]), [desk.signer.public_key])
    assert bundle.bundle_hash == trained["bundle_hash"]
    assert bundle.manifest.model_hash == trained["model_hash"]
    assert trained["report_digest"] == trained["tree"]["report.json"]
    assert set(trained) >= {"metrics", "gate", "headline"}


def test_the_same_file_is_the_same_version(desk: Desk) -> None:
    assert records(desk.add(table()))["tree"] == records(desk.add(table()))["tree"]


def test_mistakes_of_the_caller_arrive_with_their_codes(desk: Desk) -> None:
    assert code(desk.add(table(), name="../people.csv")) == "bad_file_name"
    assert code(desk.add(table(), delimiter=7)) == "bad_spec"
    added = records(desk.add(table()))
    given = {name: str(path) for name, path in desk.files(added["tree"]).items()}
    assert code(desk.do("train", files=given, spec={"target": "no-such"})[-1]) == "no_such_column"
    assert code(desk.do("train", files=given, spec={"target": "state", "budget_s": -1})[-1]) == "bad_spec"


def test_a_file_that_is_no_table_is_refused(desk: Desk) -> None:
    assert code(desk.add(b"\x00\x01\x02" * 100, name="x.bin")) != "step_failed"
