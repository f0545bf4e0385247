"""One service for the tests of this folder, with short leases. Every test kills something and leaves the service whole."""

from __future__ import annotations

import random
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from salus.sdk.client import Client
from salus.testing.running import RunningService

LEASES = {"lease_s": 3, "heartbeat_s": 0.3, "stop_timeout_s": 5}


@pytest.fixture(scope="session")
def service() -> Iterator[RunningService]:
    home = Path(tempfile.mkdtemp(prefix="sal"))
    running = RunningService(home, settings=LEASES)
    running.up()
    try:
        yield running
    finally:
        running.down()
        shutil.rmtree(home)


@pytest.fixture
def client(service: RunningService) -> Iterator[Client]:
    with service.client() as client:
        yield client


@pytest.fixture(scope="session")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A few numbers and a word that tell who is ill, most of the time."""
    generator = random.Random(3)
    lines = ["a,b,c,kind,state"]
    for _ in range(1500):
        a, b, c = (generator.gauss(0, 1) for _ in range(3))
        kind = generator.choice("xyz")
        ill = a + b * c + (kind == "x") + generator.gauss(0, 0.5) > 0
        lines.append(f"{a:.3f},{b:.3f},{c:.3f},{kind},{'ill' if ill else 'well'}")
    path = tmp_path_factory.mktemp("table") / "people.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def people(service: RunningService, table: Path) -> str:
    """The name of a data set that is there."""
    with service.client() as client:
        run = client.add_data("people", table)
        finished(client, run["id"])
    return "people"


# Some seconds of trees, with an event every few of them.
SLOW = {
    "target": ["state"],
    "learner": "boosting",
    "options": {"trees": 2500, "patience_trees": 2500, "leaves": 4},
    "budget_s": 60,
}
QUICK = {"target": ["state"], "learner": "linear", "budget_s": 5}


def finished(client: Client, run: str) -> dict[str, Any]:
    """The run when it is over, after everything it told."""
    names = [event["name"] for event in client.watch(run, wait_s=5)]
    return {**client.run(run), "told": names}


@pytest.fixture(scope="session")
def endpoint(service: RunningService, people: str) -> str:
    """The name of an endpoint that answers with a model of the same name."""
    with service.client() as client:
        run = client.train(people, QUICK, model="answerer", deploy="answerer")["id"]
        assert finished(client, run)["result"]["deployed"]
    return "answerer"
