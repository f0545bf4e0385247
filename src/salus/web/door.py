"""The one way into a handler. Every address of the route list gets a door; a door opens for a key, or stands in PUBLIC.

The decision belongs to the matched route: nothing here reads a URL. Without a key even the method is not looked at.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from salus.actions.principal import Principal
from salus.core.errors import SalusError
from salus.core.ids import new_id
from salus.store.records import Records
from salus.web import problems
from salus.web.call import Call
from salus.web.limits import check_headers, check_host, check_path

Handler = Callable[[Call], Awaitable[Response]]
NOBODY = Principal("nobody", "", frozenset())
REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
FIXED_HEADERS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
}


class Guard(Protocol):
    """Says who a request is from."""

    async def __call__(self, request: Request) -> Principal:
        """The principal, or `no_key`."""
        ...


class Door:
    """The ASGI application of one route."""

    def __init__(self, records: Records, handlers: Mapping[str, Handler], guard: Guard | None):
        self.records = records
        self.handlers = handlers
        self.guard = guard  # None: public

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        principal = NOBODY if self.guard is None else await self.guard(request)
        handler = self.handlers.get("GET" if request.method == "HEAD" else request.method)
        if handler is None:
            allow = ", ".join(sorted(self.handlers))
            raise SalusError("method_not_allowed", expected=allow, found=request.method, allow=allow)
        call = Call(request, self.records, principal, scope["state"]["language"])
        response = await handler(call)
        await response(scope, receive, send)


class Porch:
    """Stands before all doors: request ids, limits, and errors turned into problem details."""

    def __init__(self, app: Callable[[Scope, Receive, Send], Awaitable[None]], records: Records, any_host: bool):
        self.app = app
        self.language = records.settings.language
        names = records.settings.allowed_hosts.split(",")
        self.hosts = frozenset(name.strip().lower() for name in names if name.strip())
        self.any_host = any_host

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        request_id, language = _request_id(scope), _language(scope, self.language)
        scope["state"] = {"language": language, "request_id": request_id}
        begun = False

        async def send_with_headers(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                fixed = {"X-Request-Id": request_id, **FIXED_HEADERS}
                more = [(name.lower().encode(), value.encode()) for name, value in fixed.items()]
                message = {**message, "headers": [*message.get("headers", []), *more]}
            await send(message)

        try:
            check_headers(scope)
            check_path(scope)
            if not self.any_host:
                check_host(scope, self.hosts)
            await self.app(scope, receive, send_with_headers)
        except ClientDisconnect:
            return
        except Exception as error:
            response = problems.from_exception(error, request_id, language)
            if begun:
                raise
            await response(scope, receive, send_with_headers)


async def nothing_here(scope: Scope, receive: Receive, send: Send) -> None:
    """What a router does with an address that is in no list."""
    raise SalusError("no_such_address")


def bearer(request: Request) -> str:
    """The token of the one Authorization header, or `no_key`."""
    found = request.headers.getlist("authorization")
    scheme, _, token = found[0].partition(" ") if len(found) == 1 else ("", "", "")
    if scheme.lower() != "bearer" or not 0 < len(token) <= 300:
        raise SalusError("no_key")
    return token


def _request_id(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == b"x-request-id" and REQUEST_ID.fullmatch(value.decode("latin-1")):
            return str(value.decode("latin-1"))
    return new_id("req")


def _language(scope: Scope, default: str) -> str:
    for name, value in scope["headers"]:
        if name == b"accept-language":
            first = value.decode("latin-1").split(",")[0].strip().lower()[:2]
            return first if first in ("en", "zh") else default
    return default
