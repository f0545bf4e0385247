"""Addresses of uploads. A file's bytes are the raw body of a PUT: written while they come, never held."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from weakref import WeakValueDictionary

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from salus.actions import uploads
from salus.core.specs import Spec
from salus.web.call import Call
from salus.web.limits import pieces
from salus.web.problems import answer

BLOCK_BYTES = 2**20


class _Gate:
    """Of one upload. Two senders of one file would write over each other: the second waits. Completing moves the files to
    where nobody may write them: it waits until every sender is out, and lets none in meanwhile."""

    def __init__(self) -> None:
        self._door = asyncio.Lock()
        self._inside = 0
        self._nobody = asyncio.Event()
        self._nobody.set()
        self._files: WeakValueDictionary[int, asyncio.Lock] = WeakValueDictionary()

    @contextlib.asynccontextmanager
    async def sending(self, index: int) -> AsyncIterator[None]:
        async with self._door:
            self._inside += 1
            self._nobody.clear()
        try:
            async with self._files.setdefault(index, asyncio.Lock()):
                yield
        finally:
            self._inside -= 1
            if self._inside == 0:
                self._nobody.set()

    @contextlib.asynccontextmanager
    async def completing(self) -> AsyncIterator[None]:
        async with self._door:
            await self._nobody.wait()
            yield


_gates: WeakValueDictionary[str, _Gate] = WeakValueDictionary()


class Nothing(Spec):
    """An empty object."""


async def create(call: Call) -> Response:
    await call.read(Nothing)
    return answer(await call.run(uploads.create, call.once), 201)


async def find(call: Call) -> Response:
    return answer(await call.run(uploads.find, call.part("upload")))


async def complete(call: Call) -> Response:
    await call.read(Nothing)
    upload = call.part("upload")
    gate = _gates.setdefault(upload, _Gate())
    async with gate.completing():
        return answer(await call.run(uploads.complete, upload))


async def receive(call: Call) -> Response:
    upload, index = call.part("upload"), call.whole_part("index")
    offset = call.whole("offset", 0, 0, 2**53)
    gate = _gates.setdefault(upload, _Gate())
    async with gate.sending(index):
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
