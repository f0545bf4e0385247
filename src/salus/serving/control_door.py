"""The local door for the control plane: POST /snapshot and GET /endpoints on a socket that only this user can open.

Knows the house. Its answers are JSON; its errors are problem documents.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from salus.core.errors import SalusError
from salus.serving.answer import Answer, Send, deliver
from salus.serving.limits import Limits, Receive, read_body
from salus.serving.request import Request, Scope
from salus.serving.swap import House

LOG = logging.getLogger("salus.serving")
MAX_SNAPSHOT_BYTES = 256 * 2**20


class ControlDoor:
    """The ASGI application of the local socket. The socket's mode is the key, and a snapshot brings its signature."""

    def __init__(self, house: House):
        self._house = house

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["type"] == "http"
        request = Request(scope)
        try:
            answer = Answer.of(await self._answer(request, receive))
        except SalusError as error:
            answer = Answer.problem(error, request.request_id, "en")
        except ConnectionResetError:
            return
        except Exception:
            LOG.exception("request %s failed", request.request_id)
            answer = Answer.problem(SalusError("internal", request_id=request.request_id), request.request_id, "en")
        await deliver(request, answer, receive, send)

    async def _answer(self, request: Request, receive: Receive) -> Any:
        door = (request.method, request.path)
        if door == ("GET", b"/endpoints"):
            return {"sequence": self._house.sequence, "endpoints": self._house.states()}
        if door != ("POST", b"/snapshot"):
            raise SalusError("no_such_path")
        body = await read_body(receive, request.declared_bytes, Limits(max_predict_bytes=MAX_SNAPSHOT_BYTES))
        request.body_over = True
        # Shielded: what was begun is ended, also when the control plane does not wait for it.
        states = await asyncio.shield(asyncio.ensure_future(self._house.push(body)))
        return {"sequence": self._house.sequence, "endpoints": states}
