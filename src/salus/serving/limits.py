"""Every bound of the model server in one record, and the reading of a body within them.

Knows ASGI's `receive`. Does not know what a body means.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, fields, replace
from typing import Any, TypeVar

from salus.core.errors import SalusError
from salus.core.settings import Settings

B = TypeVar("B", bytes, bytearray)
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]

SLOWEST_BYTES_PER_S = 1024
MAX_BODIES_BYTES = 512 * 2**20


@dataclass(frozen=True)
class Limits:
    """Names and units are those of the settings. The snapshot may change them while the server runs."""

    max_predict_bytes: int = 16 * 2**20
    max_predict_rows: int = 1000
    max_batch_rows: int = 64
    max_batch_wait_s: float = 0.0
    max_queue_rows: int = 2048
    predict_timeout_s: float = 30.0
    body_timeout_s: float = 30.0
    generate_timeout_s: float = 600.0
    max_generate_requests: int = 64
    snapshot_max_age_s: float = 7 * 24 * 3600.0

    @classmethod
    def of(cls, settings: Settings) -> Limits:
        return cls(**{field.name: getattr(settings, field.name) for field in fields(cls)})

    def changed(self, values: dict[str, Any]) -> Limits:
        """With the values of a snapshot, as far as they are positive numbers of a known name."""
        kinds = {field.name: type(getattr(self, field.name)) for field in fields(self)}
        good = {
            name: kinds[name](value)
            for name, value in values.items()
            if name in kinds and isinstance(value, int | float) and not isinstance(value, bool) and value >= 0
        }
        return replace(self, **good)


class Bodies:
    """How many bytes of bodies are in memory now. One count for the server, touched by the event loop alone."""

    def __init__(self, most_bytes: int = MAX_BODIES_BYTES):
        self.most_bytes = most_bytes
        self.held_bytes = 0

    def take(self, size: int) -> None:
        if self.held_bytes + size > self.most_bytes:
            raise SalusError("overloaded", where="the server")
        self.held_bytes += size

    def give_back(self, size: int) -> None:
        self.held_bytes -= size


async def read_body(receive: Receive, declared: int | None, limits: Limits) -> bytes:
    """The whole body; `body_too_large` as soon as it is, `body_too_slow` when it stops or trickles."""
    if declared is not None and declared > limits.max_predict_bytes:
        raise SalusError("body_too_large", expected=limits.max_predict_bytes)
    try:
        async with asyncio.timeout(limits.body_timeout_s):
            message = await receive()
        if message["type"] == "http.disconnect":
            raise ConnectionResetError("the client went away")
        if not message.get("more_body", False):
            return _within(bytes(message.get("body", b"")), limits)
        return await _read_pieces(receive, message.get("body", b""), limits)
    except TimeoutError:
        raise SalusError("body_too_slow", expected=limits.body_timeout_s) from None


async def _read_pieces(receive: Receive, first: bytes, limits: Limits) -> bytes:
    loop = asyncio.get_running_loop()
    started = loop.time()
    body = bytearray(_within(first, limits))
    while True:
        async with asyncio.timeout(limits.body_timeout_s):
            message = await receive()
        if message["type"] == "http.disconnect":
            raise ConnectionResetError("the client went away")
        body += message.get("body", b"")
        _within(body, limits)
        if not message.get("more_body", False):
            return bytes(body)
        waited = loop.time() - started
        if waited > limits.body_timeout_s and len(body) < waited * SLOWEST_BYTES_PER_S:
            raise TimeoutError


def _within(body: B, limits: Limits) -> B:
    if len(body) > limits.max_predict_bytes:
        raise SalusError("body_too_large", expected=limits.max_predict_bytes)
    return body
