"""Addresses of runs, with the long poll of their events."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import Any, Literal

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from salus.actions import models, runs
from salus.core.specs import Spec
from salus.web.call import Call
from salus.web.models import page_answer, report_answer
from salus.web.problems import answer

LONGEST_WAIT_S = 60.0


class NewRun(Spec):
    kind: Literal["train"] = "train"
    data_set: str
    version: str | None = None
    model: str | None = None
    spec: dict[str, Any]
    deploy: str | None = None


async def start(call: Call) -> Response:
    body = await call.read(NewRun)
    return answer(await call.run(runs.start, body.model_dump(), call.language, call.once), 202)


async def page(call: Call) -> Response:
    limit = call.whole("limit", 50, 1, 200)
    return answer(await call.run(runs.page, limit, call.text("cursor"), call.language))


async def find(call: Call) -> Response:
    return answer(await call.run(runs.find, call.part("run"), call.language))


async def cancel(call: Call) -> Response:
    return answer(await call.run(runs.cancel, call.part("run"), call.language))


async def events(call: Call) -> Response:
    """Answers at once when there is something new, else when it comes, at the latest after `wait_s`."""
    run, after = call.part("run"), call.whole("after", 0, 0, 10**9)
    until = time.monotonic() + call.seconds("wait_s", LONGEST_WAIT_S)
    bell = call.records.bell
    while True:
        rung = bell.listen(runs.RUN + run)
        try:
            found = await call.run(runs.events, run, after)
            left = until - time.monotonic()
            if found["events"] or found["over"] or left <= 0 or bell.closed:
                return answer(found)
            with suppress(TimeoutError):
                await asyncio.wait_for(rung.wait(), left)
        finally:
            bell.forget(runs.RUN + run, rung)


async def report(call: Call) -> Response:
    return report_answer(await call.run(models.report_json_of_run, call.part("run")))


async def report_page(call: Call) -> Response:
    path = await call.run(models.report_of_run, call.part("run"), models.PAGES[call.language])
    return page_answer(await run_in_threadpool(path.read_bytes))
