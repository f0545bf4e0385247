"""Addresses of workers, served on the socket in the home alone."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import Any

from starlette.responses import Response

from salus.actions import work
from salus.actions.runs import JOBS
from salus.core.specs import Spec
from salus.web.call import Call
from salus.web.guards import WorkerGuard
from salus.web.problems import answer

LONGEST_WAIT_S = 60.0
MAX_OUTCOME_BYTES = 256 * 2**20  # an outcome names every file of a version


class Claim(Spec):
    worker: str
    wait_s: float = 0.0


class Sign(Spec):
    fence: int


class Told(Spec):
    fence: int
    events: list[dict[str, Any]]


class Outcome(Spec):
    fence: int
    outcome: dict[str, Any]


class Desk:
    """Handlers that know how tokens are made."""

    def __init__(self, guard: WorkerGuard):
        self.guard = guard

    async def claim(self, call: Call) -> Response:
        """A job with its token; 204 when none came in `wait_s`."""
        body = await call.read(Claim)
        until = time.monotonic() + min(max(body.wait_s, 0.0), LONGEST_WAIT_S)
        bell = call.records.bell
        while True:
            call.records.presence.heard(body.worker[:100])
            rung = bell.listen(JOBS)
            try:
                job = await call.run(work.claim, body.worker)
                if job is not None:
                    return answer({**job, "token": self.guard.token(job["job"], job["fence"])})
                left = until - time.monotonic()
                if left <= 0 or bell.closed or await call.request.is_disconnected():
                    return Response(status_code=204)
                with suppress(TimeoutError):
                    await asyncio.wait_for(rung.wait(), min(left, 2.0))
            finally:
                bell.forget(JOBS, rung)

    async def heartbeat(self, call: Call) -> Response:
        body = await call.read(Sign)
        last = call.records.presence.last()
        call.records.presence.heard("worker" if last is None else last[0])
        return answer(await call.run(work.heartbeat, call.part("job"), body.fence))

    async def events(self, call: Call) -> Response:
        body = await call.read(Told, MAX_OUTCOME_BYTES)
        events = [(str(event.get("name", ""))[:100], _fields(event)) for event in body.events]
        await call.run(work.tell, call.part("job"), body.fence, events)
        return answer({})

    async def finish(self, call: Call) -> Response:
        body = await call.read(Outcome, MAX_OUTCOME_BYTES)
        await call.run(work.finish, call.part("job"), body.fence, body.outcome)
        return answer({})


def _fields(event: dict[str, Any]) -> dict[str, Any]:
    fields = event.get("fields")
    return fields if isinstance(fields, dict) else {}
