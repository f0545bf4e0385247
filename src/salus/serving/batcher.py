"""Joins what waits at one model into passes. Nothing waits while the model is idle; what arrives during a pass goes
together into the next one.

Knows rows, deadlines and the pool. Does not know HTTP, keys or names. Touched by the event loop alone; only
`Model.answer` may run in a thread.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from salus.core.errors import SalusError
from salus.inference.patience import at_most
from salus.serving.limits import Limits
from salus.serving.metrics import EndpointMetrics
from salus.serving.pool import Pace, Pool

LOG = logging.getLogger("salus.serving")
Predictions = list[dict[str, Any]]


class Model(Protocol):
    """What the server needs of a predictor (`salus.inference.predictor.Predictor` is one)."""

    def read_rows(self, rows: list[dict[str, Any]]) -> dict[str, Any]: ...
    def read_media(self, content: bytes) -> dict[str, Any]: ...
    def answer(self, values: Mapping[str, Any]) -> Predictions: ...
    def example_row(self) -> dict[str, Any]: ...
    def request_schema(self) -> dict[str, Any]: ...
    def answer_schema(self) -> dict[str, Any]: ...
    def warm(self) -> None: ...
    def close(self) -> None: ...


class Job:
    """Rows of one request. small: cheap enough to be read and answered on the event loop. deadline: in the loop's time."""

    __slots__ = ("answer", "deadline", "rows", "small", "values")

    def __init__(
        self, values: Mapping[str, Any], rows: int, small: bool, deadline: float, answer: asyncio.Future[Predictions]
    ):
        self.values = values
        self.deadline = deadline
        self.rows = rows
        self.small = small
        self.answer = answer


class Batcher:
    """The queue of one model."""

    def __init__(
        self, where: str, model: Model, pool: Pool, pace: Pace, limits: Callable[[], Limits], metrics: EndpointMetrics
    ):
        self._where = where
        self._model = model
        self._pool = pool
        self._pace = pace
        self._limits = limits
        self._metrics = metrics
        self._queue: deque[Job] = deque()
        self._queued_rows = 0
        self._passes = 0
        self._turn_due = False

    async def ask(self, values: Mapping[str, Any], rows: int, small: bool, deadline: float) -> Predictions:
        """The predictions of `rows` rows. deadline: in the event loop's time; `deadline_exceeded` when it passes first,
        `overloaded` when too much waits already."""
        loop = asyncio.get_running_loop()
        if self._queued_rows + rows > self._limits().max_queue_rows and self._queued_rows:
            raise SalusError("overloaded", where=self._where)
        job = Job(values, rows, small, deadline, loop.create_future())
        alarm = loop.call_at(deadline, self._expire, job, deadline - loop.time())
        self._queue.append(job)
        self._count(rows)
        if not self._turn_due and self._passes < self._pool.threads:
            self._turn_due = True
            wait_s = self._limits().max_batch_wait_s
            loop.call_later(wait_s, self._turn) if wait_s else loop.call_soon(self._turn)
        try:
            return await job.answer
        finally:
            alarm.cancel()

    def _expire(self, job: Job, allowed_s: float) -> None:
        if not job.answer.done():
            job.answer.set_exception(SalusError("deadline_exceeded", expected=round(allowed_s, 3)))

    def _turn(self) -> None:
        """Starts passes until nothing waits or every thread is busy."""
        self._turn_due = False
        while self._queue and self._passes < self._pool.threads:
            inline_rows = self._pace.inline_rows()
            batch = self._next_batch(self._limits().max_batch_rows, inline_rows)
            if not batch:
                continue
            left_s = max(job.deadline for job in batch) - asyncio.get_running_loop().time()
            if batch[0].small and 0 < sum(job.rows for job in batch) <= inline_rows:
                self._finish(batch, self._pass(batch, left_s))
                if self._queue:  # others get a turn on the loop first
                    self._turn_due = True
                    asyncio.get_running_loop().call_soon(self._turn)
                return
            self._passes += 1
            self._pool.submit(lambda batch=batch, left_s=left_s: self._pass(batch, left_s)).add_done_callback(  # type: ignore[misc]
                lambda done, batch=batch: self._came_back(batch, done)  # type: ignore[misc]
            )

    def _next_batch(self, most_rows: int, inline_rows: int) -> list[Job]:
        """Requests of like size in their order, whose rows together fit one pass; one large request is a pass alone."""
        batch: list[Job] = []
        rows = 0
        while self._queue:
            job = self._queue[0]
            fits = rows + job.rows <= (min(most_rows, inline_rows) if job.small and inline_rows else most_rows)
            if batch and not (fits and job.small == batch[0].small):
                break
            self._queue.popleft()
            self._count(-job.rows)
            if not job.answer.done():  # its deadline passed, or whoever asked is gone
                batch.append(job)
                rows += job.rows
        return batch

    def _count(self, rows: int) -> None:
        self._queued_rows += rows
        self._metrics.queued_rows += rows

    def _pass(self, batch: Sequence[Job], left_s: float) -> list[Predictions | Exception]:
        """One answer or error a job; may run in a thread. It is given up when none of them is waited for any more."""
        started = time.perf_counter()
        try:
            with at_most(left_s):
                predictions = self._model.answer(join([job.values for job in batch]))
            answers: list[Predictions | Exception] = []
            position = 0
            for job in batch:
                answers.append(predictions[position : position + job.rows])
                position += job.rows
            assert position == len(predictions), "a prediction for every row"
        except Exception as error:
            if len(batch) == 1:
                return [error]
            # One request's rows must not fail the others': each is asked again alone.
            return [answer for job in batch for answer in self._pass([job], left_s - (time.perf_counter() - started))]
        self._pace.saw(position, time.perf_counter() - started)
        return answers

    def _came_back(self, batch: Sequence[Job], done: asyncio.Future[list[Predictions | Exception]]) -> None:
        self._passes -= 1
        if not done.cancelled():
            self._finish(batch, done.result())
        self._turn()

    def _finish(self, batch: Sequence[Job], answers: Sequence[Predictions | Exception]) -> None:
        self._metrics.batch_rows.observe(sum(job.rows for job in batch))
        for job, answer in zip(batch, answers, strict=True):
            if job.answer.done():
                continue
            if isinstance(answer, SalusError):
                job.answer.set_exception(answer)
            elif isinstance(answer, Exception):
                LOG.error("%s: the model failed", self._where, exc_info=answer)
                job.answer.set_exception(SalusError("model_misbehaved", where=self._where))
            else:
                job.answer.set_result(answer)


def join(parts: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """Values of several requests as those of one: arrays and lists end to end."""
    if len(parts) == 1:
        return parts[0]
    joined: dict[str, Any] = {}
    for name, first in parts[0].items():
        if isinstance(first, np.ndarray):
            joined[name] = np.concatenate([part[name] for part in parts])
        else:
            joined[name] = [value for part in parts for value in part[name]]
    return joined
