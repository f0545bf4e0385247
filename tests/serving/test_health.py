"""Ready means that examples come back through the queue: a model that hangs is seen, and asking costs little."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from salus.core.errors import SalusError
from salus.serving import health
from salus.serving.batcher import Model
from salus.serving.health import Readiness
from salus.serving.limits import Limits
from salus.serving.pool import Pool
from salus.serving.snapshot import Snapshot, SnapshotEndpoint, SnapshotStore
from salus.serving.swap import House


class Toy:
    """A model whose answers can be held back."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.gate.set()
        self.answers = 0
        self.closed = 0

    def read_rows(self, rows: list[dict[str, Any]]) -> dict[str, Any]:
        return {"x": [row["x"] for row in rows]}

    def read_media(self, content: bytes) -> dict[str, Any]:
        raise SalusError("bad_content_type", expected="application/json", found="image/png")

    def answer(self, values: Mapping[str, Any]) -> list[dict[str, Any]]:
        time.sleep(0.002)  # slow enough for a thread
        assert self.gate.wait(10)
        assert not self.closed, "a closed model was asked"
        self.answers += 1
        return [{"value": x} for x in values["x"]]

    def example_row(self) -> dict[str, Any]:
        return {"x": 1}

    def request_schema(self) -> dict[str, Any]:
        return {}

    def answer_schema(self) -> dict[str, Any]:
        return {}

    def warm(self) -> None:
        self.answer({"x": [1]})

    def close(self) -> None:
        self.closed += 1


class Kept(SnapshotStore):
    """Believes the snapshot it is given."""

    def __init__(self, snapshot: Snapshot):
        self.snapshot = snapshot

    def verify(self, document: bytes) -> Snapshot:
        return self.snapshot

    def keep(self, document: bytes) -> None:
        pass


def snapshot(sequence: int) -> Snapshot:
    asked = SnapshotEndpoint(project="one", name="toy", model="toy", version=sequence, files={"a": Path("a")})
    return Snapshot(format=1, issued=time.time(), sequence=sequence, endpoints=(asked,))


def house_of(models: list[Toy]) -> tuple[House, Kept]:
    waiting = list(models)
    store = Kept(snapshot(1))

    def opener(files: Mapping[str, Path]) -> Model:
        return waiting.pop(0)

    return House(store, opener, Limits(), Pool(1)), store


def test_a_model_that_hangs_makes_the_server_not_ready_and_is_seen_to_recover(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "TIMEOUT_S", 0.1)
    monkeypatch.setattr(health, "KEPT_S", 0.0)

    async def work() -> None:
        toy = Toy()
        house, _ = house_of([toy])
        readiness = Readiness(house)
        assert (await readiness.ask())[0] is False
        assert await house.push(b"") == {"one/toy": "ready"}
        await asyncio.sleep(health.BAD_KEPT_S)
        assert await readiness.ask() == (
            True,
            {"status": "ready", "endpoints": {"ready": 1, "silent": 0, "starting": 0, "failed": 0}},
        )
        toy.gate.clear()
        good, told = await readiness.ask()
        assert not good and told["endpoints"]["silent"] == 1
        toy.gate.set()
        await asyncio.sleep(health.BAD_KEPT_S + 0.05)
        assert (await readiness.ask())[0] is True
        await house.close()

    asyncio.run(work())


def test_asking_often_costs_one_pass() -> None:
    async def work() -> None:
        toy = Toy()
        house, _ = house_of([toy])
        await house.push(b"")
        before = toy.answers
        readiness = Readiness(house)
        answers = await asyncio.gather(*[readiness.ask() for _ in range(50)])
        answers += [await readiness.ask() for _ in range(50)]
        assert all(good for good, _ in answers)
        assert toy.answers == before + 1
        await house.close()

    asyncio.run(work())


def test_a_replaced_model_answers_what_began_with_it_and_is_closed_once_then() -> None:
    async def work() -> None:
        old, new = Toy(), Toy()
        house, store = house_of([old, new])
        await house.push(b"")
        version = house.endpoints["one", "toy"].version()
        old.gate.clear()
        with version:
            asking = asyncio.ensure_future(version.ask({"x": [7]}, 1, True, asyncio.get_running_loop().time() + 10))
            await asyncio.sleep(0.05)
            store.snapshot = snapshot(2)
            assert await house.push(b"") == {"one/toy": "ready"}
            assert house.endpoints["one", "toy"].version().model is new
            assert not old.closed
            old.gate.set()
            assert await asking == [{"value": 7}]
        for _ in range(100):
            if old.closed:
                break
            await asyncio.sleep(0.01)
        assert (old.closed, new.closed) == (1, 0)
        await house.close()
        assert new.closed == 1

    asyncio.run(work())
