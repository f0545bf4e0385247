"""One request on its way to an action: who asks, with which body, in which language."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Concatenate, ParamSpec, TypeVar

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from salus.actions.principal import Principal
from salus.core.errors import SalusError
from salus.core.specs import S, checked
from salus.core.wire import digest, parse_json
from salus.store.idempotency import Once
from salus.store.records import Records
from salus.web.limits import whole_body

P = ParamSpec("P")
T = TypeVar("T")

MAX_KEY = 200


@dataclass
class Call:
    request: Request
    records: Records
    principal: Principal
    language: str
    body: bytes = b""

    async def run(
        self, action: Callable[Concatenate[Principal, Records, P], T], *args: P.args, **options: P.kwargs
    ) -> T:
        """The action in a thread: it may wait for the disk."""
        return await run_in_threadpool(action, self.principal, self.records, *args, **options)

    async def read(self, spec: type[S], max_bytes: int | None = None) -> S:
        """The JSON body as a spec. An empty body is an empty object."""
        settings = self.records.settings
        self.body = await whole_body(self.request, max_bytes or settings.max_json_bytes, settings.body_timeout_s)
        value = parse_json(self.body, "body") if self.body.strip() else {}
        if not isinstance(value, Mapping):
            raise SalusError("bad_spec", where="body", expected="a JSON object", found=type(value).__name__)
        return checked(spec, dict(value), "body")

    @property
    def once(self) -> Once | None:
        """The Idempotency-Key of this request; its body must have been read."""
        key = self.request.headers.get("idempotency-key")
        if key is None:
            return None
        if not 0 < len(key) <= MAX_KEY or not key.isprintable():
            raise SalusError("bad_spec", where="Idempotency-Key", expected=f"1 to {MAX_KEY} letters", found=key[:80])
        asked = f"{self.request.method} {self.request.scope['path']}\n".encode() + self.body
        return Once(f"{self.principal.id}/{self.principal.project}", key, digest(asked))

    def part(self, name: str) -> str:
        """A part of the matched path."""
        return str(self.request.path_params[name])

    def whole_part(self, name: str) -> int:
        return _whole(self.part(name), name, 0, 10**9)

    def text(self, name: str) -> str | None:
        return self.request.query_params.get(name)

    def whole(self, name: str, default: int, low: int, high: int) -> int:
        """A whole number of the query."""
        text = self.text(name)
        return default if text is None else _whole(text, name, low, high)

    def seconds(self, name: str, high: float) -> float:
        """Seconds of the query, at most `high`; 0 when left out."""
        text = self.text(name) or "0"
        try:
            value = float(text)
        except ValueError:
            value = -1.0
        if not value >= 0:
            raise SalusError("bad_spec", where=name, expected="seconds, 0 or more", found=text[:40])
        return min(value, high)


def _whole(text: str, name: str, low: int, high: int) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= 18 and low <= int(text) <= high):
        raise SalusError("bad_spec", where=name, expected=f"a whole number from {low} to {high}", found=text[:40])
    return int(text)
