"""Addresses of data sets."""

from __future__ import annotations

from typing import Any

from pydantic import Field
from starlette.responses import Response

from salus.actions import data_sets
from salus.core.specs import Spec
from salus.web.call import Call
from salus.web.problems import answer


class NewDataSet(Spec):
    name: str
    upload: str | None = None
    builtin: str | None = None
    options: dict[str, Any] = Field(default_factory=dict)


async def add(call: Call) -> Response:
    body = await call.read(NewDataSet)
    return answer(await call.run(data_sets.add, body.model_dump(), call.language, call.once), 202)


async def every(call: Call) -> Response:
    return answer({"items": await call.run(data_sets.every), "next": None})


async def find(call: Call) -> Response:
    return answer(await call.run(data_sets.find, call.part("name")))


async def preview(call: Call) -> Response:
    return answer(await call.run(data_sets.preview, call.part("name"), call.text("version")))
