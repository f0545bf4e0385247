"""Answers that take their time: work that ends when its caller goes, and bodies that are sent piece by piece.

Knows ASGI's `receive` and `send`. Does not know what is answered.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Coroutine
from typing import Any, TypeVar

from salus.serving.answer import Send
from salus.serving.limits import Receive
from salus.serving.request import Request

T = TypeVar("T")
EVENTS = b"text/event-stream; charset=utf-8"
UNREAD_S = 60.0  # so long a caller may leave a piece unread; its model stays open no longer


class Flow:
    """A body whose pieces come one by one. opened: what is closed after the last one, or when there is nobody to send it to."""

    __slots__ = ("opened", "pieces")

    def __init__(self, pieces: AsyncGenerator[bytes, None], opened: contextlib.AsyncExitStack):
        self.pieces = pieces
        self.opened = opened


async def unless_gone(work: Coroutine[Any, Any, T], receive: Receive) -> T:
    """What the work gives; it is cancelled, and ConnectionResetError raised, when the caller goes first.

    The body of the request must have been read: then the only message that can come is that the caller is gone.
    """
    working = asyncio.ensure_future(work)
    watching = asyncio.ensure_future(_gone(receive))
    try:
        await asyncio.wait({working, watching}, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return working.result()
        raise ConnectionResetError("the client went away")
    finally:
        for task in (working, watching):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await task


async def deliver_flow(request: Request, flow: Flow, receive: Receive, send: Send) -> None:
    """Sends the pieces as they come; stops when nobody reads them."""
    headers = [
        (b"content-type", EVENTS),
        (b"cache-control", b"no-store"),
        (b"x-request-id", request.request_id.encode("ascii")),
        (b"x-accel-buffering", b"no"),
    ]

    async def say(message: dict[str, Any]) -> None:
        try:
            async with asyncio.timeout(UNREAD_S):
                await send(message)
        except TimeoutError:
            raise ConnectionResetError("the client does not read") from None

    async def write() -> None:
        await say({"type": "http.response.start", "status": 200, "headers": headers})
        async for piece in flow.pieces:
            await say({"type": "http.response.body", "body": piece, "more_body": True})
        await say({"type": "http.response.body", "body": b""})

    try:
        await unless_gone(write(), receive)
    finally:
        await flow.pieces.aclose()
        await flow.opened.aclose()


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
