"""Addresses of endpoints. Changes take If-Match; answers about one endpoint carry its ETag."""

from __future__ import annotations

from pydantic import Field
from starlette.responses import Response

from salus.actions import endpoints
from salus.core.specs import Spec
from salus.web.call import Call
from salus.web.problems import answer


class NewEndpoint(Spec):
    model: str
    version: int = Field(strict=True)


async def every(call: Call) -> Response:
    return answer({"items": await call.run(endpoints.every), "next": None})


async def find(call: Call) -> Response:
    shown = await call.run(endpoints.find, call.part("name"))
    return answer(shown, headers={"ETag": shown["etag"]})


async def put(call: Call) -> Response:
    """200 when the model server answers with it; 202 when it is away and will be told."""
    body = await call.read(NewEndpoint)
    expected = call.request.headers.get("if-match")
    shown = await call.run(endpoints.put, call.part("name"), body.model_dump(), expected)
    return answer(shown, 200 if shown["state"] == endpoints.READY else 202, {"ETag": shown["etag"]})


async def remove(call: Call) -> Response:
    await call.run(endpoints.remove, call.part("name"), call.request.headers.get("if-match"))
    return Response(status_code=204)
