"""Addresses of models and of the reports of their versions."""

from __future__ import annotations

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from salus.actions import models
from salus.core.specs import Spec
from salus.web.call import Call
from salus.web.problems import answer

# A report is somebody's file: no script, nothing from elsewhere, and no share in this origin.
PAGE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; media-src data:; sandbox"


class Import(Spec):
    upload: str
    licence: str | None = None
    source: str | None = None


async def every(call: Call) -> Response:
    return answer({"items": await call.run(models.every), "next": None})


async def find(call: Call) -> Response:
    return answer(await call.run(models.find, call.part("name")))


async def take_in(call: Call) -> Response:
    """201: the files of the upload are the next version of a large model."""
    body = await call.read(Import)
    return answer(await call.run(models.take_in, call.part("name"), body.model_dump(), call.once), 201)


async def report(call: Call) -> Response:
    return report_answer(await call.run(models.report_json, call.part("name"), call.whole_part("version")))


async def report_page(call: Call) -> Response:
    number = call.whole_part("version")
    path = await call.run(models.report, call.part("name"), number, models.PAGES[call.language])
    return page_answer(await run_in_threadpool(path.read_bytes))


def report_answer(content: bytes) -> Response:
    return Response(content, media_type="application/json")


def page_answer(content: bytes) -> Response:
    return Response(content, headers={"Content-Security-Policy": PAGE_POLICY}, media_type="text/html")
