"""Addresses about the installation itself; the first three are the public ones."""

from __future__ import annotations

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from salus import __version__
from salus.actions import status
from salus.web.call import Call
from salus.web.problems import answer


async def alive(call: Call) -> Response:
    return answer({"alive": True})


async def ready(call: Call) -> Response:
    """The real path: an empty transaction of the writer, and one of a reader."""
    database = call.records.database
    await run_in_threadpool(database.write, lambda connection: None)
    await run_in_threadpool(database.read, lambda connection: None)
    return answer({"ready": True})


async def version(call: Call) -> Response:
    return answer({"version": __version__})


async def show(call: Call) -> Response:
    return answer(await call.run(status.status))


async def settings(call: Call) -> Response:
    return answer({"items": await call.run(status.settings), "next": None})


async def audit(call: Call) -> Response:
    limit = call.whole("limit", 50, 1, 200)
    return answer(await call.run(status.audit_page, limit, call.text("cursor"), call.text("verify") == "1"))
