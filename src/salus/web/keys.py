"""Addresses of keys."""

from __future__ import annotations

from starlette.responses import Response

from salus.actions import keys
from salus.core.specs import Spec
from salus.web.call import Call
from salus.web.problems import answer


class NewKey(Spec):
    name: str
    scopes: tuple[str, ...]
    expires_s: float | None = None


async def every(call: Call) -> Response:
    return answer({"items": await call.run(keys.every), "next": None})


async def create(call: Call) -> Response:
    body = await call.read(NewKey)
    return answer(await call.run(keys.create, body.name, body.scopes, body.expires_s, call.once), 201)


async def revoke(call: Call) -> Response:
    await call.run(keys.revoke, call.part("key"))
    return Response(status_code=204)
