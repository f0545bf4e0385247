"""Addresses of uploads. A file's bytes are the raw body of a PUT: written while they come, never held."""

from __future__ import annotations

import asyncio
from weakref import WeakValueDictionary

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from salus.actions import uploads
from salus.core.specs import Spec
from salus.web.call import Call
from salus.web.limits import pieces
from salus.web.problems import answer

BLOCK_BYTES = 2**20
# Two senders of one file would write over each other: the second waits.
_one_at_a_time: WeakValueDictionary[tuple[str, int], asyncio.Lock] = WeakValueDictionary()


class Nothing(Spec):
    """An empty object."""


async def create(call: Call) -> Response:
    await call.read(Nothing)
    return answer(await call.run(uploads.create, call.once), 201)


async def find(call: Call) -> Response:
    return answer(await call.run(uploads.find, call.part("upload")))


async def complete(call: Call) -> Response:
    await call.read(Nothing)
    return answer(await call.run(uploads.complete, call.part("upload")))


async def receive(call: Call) -> Response:
    upload, index = call.part("upload"), call.whole_part("index")
    offset = call.whole("offset", 0, 0, 2**53)
    lock = _one_at_a_time.setdefault((upload, index), asyncio.Lock())
    async with lock:
        receiver = await call.run(uploads.receive, upload, index, call.text("name") or "", offset)
        block = bytearray()
        try:
            async for piece in pieces(call.request, call.records.settings.body_timeout_s):
                block += piece
                if len(block) >= BLOCK_BYTES:
                    await run_in_threadpool(receiver.write, bytes(block))
                    block.clear()
        finally:
            # Also of a body that was cut off: what came stays, and the sender goes on from there.
            received = await run_in_threadpool(_close, receiver, bytes(block))
    return answer({"received": received})


def _close(receiver: uploads.Receiver, rest: bytes) -> int:
    try:
        receiver.write(rest)
    finally:
        received = receiver.close()
    return received
