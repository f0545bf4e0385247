"""A request as the server sees it before its body: headers of note, a checked host and path. Knows ASGI scopes only."""

from __future__ import annotations

import re
from collections.abc import MutableMapping
from typing import Any

from salus.core.errors import SalusError
from salus.core.ids import new_id

Scope = MutableMapping[str, Any]
READ_ONLY = ("GET", "HEAD")

_PATH = re.compile(rb"/|(?:/[A-Za-z0-9._~-]+)+/?")
_DOTS = re.compile(rb"/\.{1,2}(?:/|\Z)")
_REQUEST_ID = re.compile(rb"[A-Za-z0-9_.-]{1,64}")
_NOTED = frozenset(
    {
        b"authorization",
        b"content-type",
        b"content-length",
        b"transfer-encoding",
        b"x-request-id",
        b"salus-timeout-ms",
        b"salus-project",
        b"expect",
        b"accept-language",
    }
)


class Hosts:
    """The Host headers that are answered, with any port. One that was found good is remembered."""

    def __init__(self, allowed: str):
        self._allowed = {name.strip().lower().encode() for name in allowed.split(",") if name.strip()}
        self._seen: set[bytes] = set()

    def check(self, host: bytes) -> None:
        if host in self._seen:
            return
        name = host.lower()
        bare = name.rpartition(b":")[0] if re.search(rb":\d{1,5}\Z", name) else name
        if bare not in self._allowed and name not in self._allowed:
            raise SalusError("unknown_host", found=host.decode("latin-1")[:100])
        if len(self._seen) < 1000:
            self._seen.add(host)


class Request:
    """What is needed of one request. body_over: whether nothing of its body is left on the connection."""

    __slots__ = ("body_over", "headers", "hosts", "method", "path", "request_id")

    def __init__(self, scope: Scope):
        self.headers: dict[bytes, bytes] = {}
        self.hosts: list[bytes] = []
        for name, value in scope["headers"]:
            if name == b"host":
                self.hosts.append(value)
            elif name in _NOTED:
                self.headers[name] = value
        self.method: str = scope["method"]
        self.path: bytes = scope["raw_path"]
        self.body_over = self.headers.get(b"content-length", b"0") == b"0" and b"transfer-encoding" not in self.headers
        given = self.headers.get(b"x-request-id", b"")
        self.request_id = given.decode() if _REQUEST_ID.fullmatch(given) else new_id("req")

    def check(self, hosts: Hosts) -> None:
        """Raises `bad_host`, `unknown_host` or `bad_path`. A path is taken as it is: nothing is decoded or mended."""
        if len(self.hosts) != 1:
            raise SalusError("bad_host", found=len(self.hosts))
        hosts.check(self.hosts[0])
        if not _PATH.fullmatch(self.path) or _DOTS.search(self.path):
            raise SalusError("bad_path")

    def allow(self, methods: tuple[str, ...]) -> None:
        """Raises `method_not_allowed` for any other method."""
        if self.method not in methods:
            raise SalusError("method_not_allowed", expected=", ".join(methods), found=self.method)

    @property
    def declared_bytes(self) -> int | None:
        length = self.headers.get(b"content-length")
        return None if length is None else int(length)

    def timeout_s(self, most_s: float) -> float:
        """What the caller allows, at most what the server does."""
        text = self.headers.get(b"salus-timeout-ms")
        if text is None:
            return most_s
        if not text.isdigit() or len(text) > 9 or int(text) == 0:
            raise SalusError("bad_timeout", found=text.decode("latin-1")[:40])
        return min(most_s, int(text) / 1000)

    def language(self, default: str) -> str:
        wished = self.headers.get(b"accept-language", b"").lower()
        return "zh" if wished.startswith(b"zh") else "en" if wished.startswith(b"en") else default
