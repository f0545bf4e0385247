"""Joining: nothing waits when idle, what queues goes together, one bad request hurts nobody else, deadlines, overload."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

import numpy as np
import pytest

from salus.core.errors import SalusError
from salus.inference.patience import go_on
from salus.serving.batcher import Batcher
from salus.serving.limits import Limits
from salus.serving.metrics import EndpointMetrics
from salus.serving.pool import INLINE_ROW_S, Pace, Pool

SLOW = INLINE_ROW_S * 10


class Doubler:
    """Doubles its numbers; refuses 13, breaks on 14, holds still while `gate` is closed."""

    def __init__(self) -> None:
        self.passes: list[int] = []
        self.threads: set[str] = set()
        self.gate = threading.Event()
        self.gate.set()

    def answer(self, values: Mapping[str, Any]) -> list[dict[str, Any]]:
        assert self.gate.wait(10)
        numbers = values["x"]
        self.passes.append(len(numbers))
        self.threads.add(threading.current_thread().name)
        if 13 in numbers:
            raise SalusError("bad_predict_body", expected="luck", found="13")
        if 14 in numbers:
            raise RuntimeError("broken")
        return [{"value": float(number) * 2} for number in numbers]


class Place:
    """A batcher around a Doubler."""

    def __init__(self, row_s: float, threads: int = 1, **limits: Any):
        self.model = Doubler()
        self.pool = Pool(threads)
        self.metrics = EndpointMetrics()
        self.limits = Limits(**limits)
        self.batcher = Batcher("endpoint x", self.model, self.pool, Pace(row_s), lambda: self.limits, self.metrics)  # type: ignore[arg-type]

    async def ask(self, *numbers: float, small: bool = True, timeout_s: float = 10) -> list[float]:
        deadline = asyncio.get_running_loop().time() + timeout_s
        values = {"x": np.array(numbers), "names": [str(number) for number in numbers]}
        answers = await self.batcher.ask(values, len(numbers), small, deadline)
        return [answer["value"] for answer in answers]

    async def until(self, reached: Callable[[], bool]) -> None:
        for _ in range(1000):
            if reached():
                return
            await asyncio.sleep(0.005)
        raise AssertionError("not reached")


def run(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(work)


def test_a_quick_model_answers_on_the_loop_and_joins_what_is_there() -> None:
    async def work() -> None:
        place = Place(row_s=1e-6)
        answers = await asyncio.gather(*[place.ask(number, number + 0.5) for number in range(5)])
        assert answers == [[2.0 * number, 2.0 * number + 1] for number in range(5)]
        assert place.model.passes == [10]
        assert place.model.threads == {threading.current_thread().name}
        assert place.metrics.batch_rows.total == 10 and place.metrics.queued_rows == 0

    run(work())


def test_what_queues_during_a_pass_is_joined_up_to_the_limit() -> None:
    async def work() -> None:
        place = Place(row_s=SLOW, max_batch_rows=4)
        place.model.gate.clear()
        first = asyncio.create_task(place.ask(100))
        await place.until(lambda: place.metrics.queued_rows == 0 and place.batcher._passes == 1)
        others = [asyncio.create_task(place.ask(number)) for number in range(6)]
        await place.until(lambda: place.metrics.queued_rows == 6)
        place.model.gate.set()
        assert await first == [200]
        assert await asyncio.gather(*others) == [[2.0 * number] for number in range(6)]
        assert place.model.passes == [1, 4, 2]
        assert threading.current_thread().name not in place.model.threads

    run(work())


def test_an_idle_model_does_not_wait_for_company() -> None:
    async def work() -> None:
        place = Place(row_s=SLOW)
        started = time.perf_counter()
        for number in range(100, 120):
            assert await place.ask(number) == [2.0 * number]
        assert time.perf_counter() - started < 1
        assert place.model.passes == [1] * 20

    run(work())


def test_a_wait_for_company_can_be_asked_for() -> None:
    async def work() -> None:
        place = Place(row_s=SLOW, max_batch_wait_s=0.1)
        first = asyncio.create_task(place.ask(1))
        await asyncio.sleep(0.01)
        assert await place.ask(2) == [4]
        assert await first == [2]
        assert place.model.passes == [2]

    run(work())


def test_one_large_request_is_a_pass_alone() -> None:
    async def work() -> None:
        place = Place(row_s=SLOW, max_batch_rows=4)
        assert len(await place.ask(*range(9), small=False)) == 9
        assert place.model.passes == [9]

    run(work())


@pytest.mark.parametrize("row_s", [1e-6, SLOW])
def test_a_bad_request_does_not_fail_its_company(row_s: float) -> None:
    async def work() -> None:
        place = Place(row_s=row_s)
        answers = await asyncio.gather(*[place.ask(number) for number in (1, 13, 2, 14, 3)], return_exceptions=True)
        assert [answer for answer in answers if isinstance(answer, list)] == [[2], [4], [6]]
        refused, broken = answers[1], answers[3]
        assert isinstance(refused, SalusError) and refused.code == "bad_predict_body"
        assert isinstance(broken, SalusError) and broken.code == "model_misbehaved"

    run(work())


def test_a_late_answer_is_an_error_in_time_and_rows_that_are_late_are_not_computed() -> None:
    async def work() -> None:
        place = Place(row_s=SLOW)
        place.model.gate.clear()
        first = asyncio.create_task(place.ask(1))
        await place.until(lambda: place.batcher._passes == 1)
        with pytest.raises(SalusError) as late:
            await place.ask(2, timeout_s=0.05)
        assert late.value.code == "deadline_exceeded"
        place.model.gate.set()
        assert await first == [2]
        assert await place.ask(3) == [6]
        assert place.model.passes == [1, 1]

    run(work())


def test_more_than_the_queue_holds_is_refused_at_once() -> None:
    async def work() -> None:
        place = Place(row_s=SLOW, max_queue_rows=3)
        place.model.gate.clear()
        tasks = [asyncio.create_task(place.ask(0))]
        await place.until(lambda: place.batcher._passes == 1)
        tasks += [asyncio.create_task(place.ask(number)) for number in (1, 2, 3)]
        await place.until(lambda: place.metrics.queued_rows == 3)
        with pytest.raises(SalusError) as refused:
            await place.ask(4)
        assert refused.value.code == "overloaded" and refused.value.status == 503
        place.model.gate.set()
        assert await asyncio.gather(*tasks) == [[0], [2], [4], [6]]

    run(work())


def test_a_pass_that_turns_out_slow_leaves_the_loop() -> None:
    pace = Pace(1e-5)
    assert pace.inline_rows() > 100
    pace.saw(1, 0.5)
    assert pace.inline_rows() == 0
    for _ in range(60):
        pace.saw(8, 8e-5)
    assert pace.inline_rows() > 100


def test_work_that_nobody_waits_for_is_given_up() -> None:
    class Patient(Doubler):
        def answer(self, values: Mapping[str, Any]) -> list[dict[str, Any]]:
            for _ in range(500):  # an engine asks before each of many passes
                go_on()
                time.sleep(0.01)
            return []

    async def told() -> None:
        place = Place(SLOW)
        place.batcher = Batcher("x", Patient(), place.pool, Pace(SLOW), lambda: place.limits, place.metrics)  # type: ignore[arg-type]
        with pytest.raises(SalusError) as caught:
            await place.ask(1, small=False, timeout_s=0.1)
        assert caught.value.code == "deadline_exceeded"
        started = time.monotonic()
        await place.pool.submit(lambda: None)  # the only thread is free again
        assert time.monotonic() - started < 2

    asyncio.run(told())
