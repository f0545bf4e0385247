"""Addresses of projects."""

from __future__ import annotations

from starlette.responses import Response

from salus.actions import projects
from salus.core.specs import Spec
from salus.web.call import Call
from salus.web.problems import answer


class NewProject(Spec):
    name: str


async def every(call: Call) -> Response:
    return answer({"items": await call.run(projects.every), "next": None})


async def create(call: Call) -> Response:
    body = await call.read(NewProject)
    return answer(await call.run(projects.create, body.name, call.once), 201)
