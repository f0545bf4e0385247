"""Answers and how they leave: problem documents, and a connection that is closed only after the caller could read why.

Knows ASGI's `send`. Does not know what is answered.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from salus.core.errors import SalusError
from salus.serving.limits import Receive
from salus.serving.request import Request

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]

JSON = b"application/json"
PROBLEM = b"application/problem+json"
RETRY_AFTER_S = b"1"
LINGER_S = 1.0
LINGER_BYTES = 8 * 2**20
READ_ANYWAY_BYTES = 64 * 2**10


class Answer:
    """Status, body, headers of note."""

    __slots__ = ("body", "headers", "status")

    def __init__(self, body: bytes, status: int = 200, kind: bytes = JSON, headers: Headers | None = None):
        self.status = status
        self.body = body
        self.headers: Headers = [(b"content-type", kind), *(headers or [])]

    @classmethod
    def of(cls, value: Any, status: int = 200) -> Answer:
        return cls(json.dumps(value, ensure_ascii=False).encode(), status)

    @classmethod
    def problem(cls, error: SalusError, request_id: str, language: str, headers: Headers | None = None) -> Answer:
        headers = list(headers or [])
        if error.status == 503:
            headers.append((b"retry-after", RETRY_AFTER_S))
        if error.status == 401:
            headers.append((b"www-authenticate", b"Bearer"))
        body = json.dumps(error.problem(request_id, language), ensure_ascii=False).encode()
        return cls(body, error.status, PROBLEM, headers)

    def instead(self, body: bytes) -> Answer:
        """The same with another JSON body."""
        return Answer(body, self.status, JSON, self.headers[1:])


async def deliver(request: Request, answer: Answer, receive: Receive, send: Send) -> None:
    """Sends the answer. A body that was not read is read away when it is small and here already; else the connection is
    closed, after a moment in which the caller can take the answer from it."""
    headers = answer.headers
    headers.append((b"content-length", str(len(answer.body)).encode()))
    headers.append((b"x-request-id", request.request_id.encode("ascii")))
    headers.append((b"cache-control", b"no-store"))
    close = not request.body_over and not await _over(request, receive)
    if close:
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    if close and request.method != "HEAD":
        await send({"type": "http.response.body", "body": answer.body, "more_body": True})
        if b"expect" not in request.headers:
            await _read_away(receive, LINGER_BYTES, LINGER_S)
        await send({"type": "http.response.body", "body": b""})
    else:
        await send({"type": "http.response.body", "body": answer.body})


async def _over(request: Request, receive: Receive) -> bool:
    """Whether the rest of the body is small and was here already."""
    if b"expect" in request.headers:  # reading would invite the body
        return False
    return await _read_away(receive, READ_ANYWAY_BYTES, 0)


async def _read_away(receive: Receive, most_bytes: int, wait_s: float) -> bool:
    seen = 0
    try:
        async with asyncio.timeout(wait_s):
            while seen <= most_bytes:
                message = await receive()
                seen += len(message.get("body", b""))
                if not message.get("more_body", False):
                    return True
    except TimeoutError:
        pass
    return False
