"""What is refused before anything is looked at: foreign hosts, odd paths, bodies that are too large or too slow."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator

from starlette.requests import ClientDisconnect, Request
from starlette.types import Scope

from salus.core.errors import SalusError

HOST = re.compile(r"(?P<name>\[[0-9a-f:.]+\]|[a-z0-9.-]+)(:\d{1,5})?")
PATH = re.compile(r"(/[A-Za-z0-9._~-]+)+/?|/")  # ids and names need no more; so nothing is ever percent-encoded
MAX_HEADER_BYTES = 32 * 1024


def check_host(scope: Scope, allowed: frozenset[str]) -> None:
    hosts = [value.decode("latin-1").lower() for name, value in scope["headers"] if name == b"host"]
    match = HOST.fullmatch(hosts[0]) if len(hosts) == 1 else None
    if len(hosts) != 1:
        raise SalusError("bad_host", found=len(hosts))
    if match is None or match["name"] not in allowed:
        raise SalusError("unknown_host", found=hosts[0][:80])


def check_path(scope: Scope) -> None:
    raw = scope.get("raw_path") or scope["path"].encode()
    path = raw.split(b"?", 1)[0].decode("latin-1")
    if PATH.fullmatch(path) is None or any(part in (".", "..") for part in path.split("/")):
        raise SalusError("bad_path")


def check_headers(scope: Scope) -> None:
    if sum(len(name) + len(value) for name, value in scope["headers"]) > MAX_HEADER_BYTES:
        raise SalusError("headers_too_large", expected=f"{MAX_HEADER_BYTES} bytes")


async def pieces(request: Request, silence_s: float) -> AsyncIterator[bytes]:
    """The body as it comes; `body_too_slow` when nothing comes for too long."""
    stream = request.stream()
    while True:
        try:
            async with asyncio.timeout(silence_s):
                piece = await anext(stream)
        except StopAsyncIteration:
            return
        except TimeoutError:
            raise SalusError("body_too_slow", expected=silence_s) from None
        if piece:
            yield piece


async def whole_body(request: Request, max_bytes: int, silence_s: float) -> bytes:
    """All of a small body, or `body_too_large` before it is held."""
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > max_bytes:
        raise SalusError("body_too_large", expected=max_bytes)
    body = bytearray()
    async for piece in pieces(request, silence_s):
        body += piece
        if len(body) > max_bytes:
            raise SalusError("body_too_large", expected=max_bytes)
    return bytes(body)


__all__ = ["ClientDisconnect", "check_headers", "check_host", "check_path", "pieces", "whole_body"]
