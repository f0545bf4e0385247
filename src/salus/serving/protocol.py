"""What uvicorn's HTTP protocol leaves open: bounds on headers, chunks and the time they take, and errors as problems.

Knows one connection's bytes. The parser (llhttp) itself refuses what two readers could read differently, such as
Content-Length beside Transfer-Encoding.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from salus.core.errors import SalusError
from salus.core.ids import new_id
from salus.serving.answer import LINGER_S

MAX_HEADER_BYTES = 64 * 2**10
MAX_HEADERS = 100
MAX_CHUNKS = 20_000
HEADERS_WITHIN_S = 10.0
MAX_CONNECTIONS = 4096


class BoundedProtocol(HttpToolsProtocol):
    """One connection."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._in_headers = True
        self._header_bytes = 0
        self._messages = 0
        self._chunks = 0
        self._refused = False
        self._headers_due: asyncio.TimerHandle | None = self.loop.call_later(HEADERS_WITHIN_S, self._headers_late)
        if len(self.connections) > MAX_CONNECTIONS:
            self._refuse(SalusError("overloaded", where="the server"))

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_clock()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._refused or self.transport.is_closing():
            return
        messages = self._messages
        super().data_received(data)
        # When a message ended with these bytes they were a body, however long; an idle connection is no late one.
        if self._in_headers and messages == self._messages:
            self._header_bytes += len(data)
            if self._header_bytes > MAX_HEADER_BYTES:
                self._refuse(SalusError("headers_too_large", expected=f"{MAX_HEADER_BYTES} bytes"))
            elif self._headers_due is None:
                self._headers_due = self.loop.call_later(HEADERS_WITHIN_S, self._headers_late)

    def on_headers_complete(self) -> None:
        self._in_headers = False
        self._header_bytes = 0
        self._stop_clock()
        if len(self.headers) > MAX_HEADERS or sum(len(n) + len(v) for n, v in self.headers) > MAX_HEADER_BYTES:
            raise SalusError("headers_too_large", expected=f"{MAX_HEADERS} headers and {MAX_HEADER_BYTES} bytes")
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._in_headers = True
        self._header_bytes = 0
        self._messages += 1
        self._chunks = 0
        super().on_message_complete()

    def on_chunk_header(self) -> None:
        self._chunks += 1
        if self._chunks > MAX_CHUNKS:
            raise SalusError("bad_request", found=f"a body of more than {MAX_CHUNKS} chunks")

    def send_400_response(self, msg: str) -> None:
        """Called for whatever the parser refuses; what a bound of ours refused is the cause of that."""
        cause: Any = getattr(sys.exc_info()[1], "__context__", None)
        self._refuse(
            cause if isinstance(cause, SalusError) else SalusError("bad_request", found="the parser refused it")
        )

    def _headers_late(self) -> None:
        self._headers_due = None
        if self.cycle is None or self.cycle.response_complete:
            self._refuse(SalusError("body_too_slow", expected=HEADERS_WITHIN_S))

    def _stop_clock(self) -> None:
        if self._headers_due is not None:
            self._headers_due.cancel()
            self._headers_due = None

    def _refuse(self, error: SalusError) -> None:
        """Says why and ends the connection. Closed at once with bytes unread, the answer would be lost on its way: we end
        our half, and close a moment later. A request that is under way is over, too."""
        if self._refused or self.transport.is_closing():
            return
        self._refused = True
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        request_id = new_id("req")
        body = json.dumps(error.problem(request_id), ensure_ascii=False).encode()
        lines = [
            STATUS_LINE[error.status],
            b"content-type: application/problem+json\r\n",
            b"content-length: " + str(len(body)).encode() + b"\r\n",
            b"x-request-id: " + request_id.encode() + b"\r\n",
            b"connection: close\r\n\r\n",
            body,
        ]
        self.transport.write(b"".join(lines))
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.loop.call_later(LINGER_S, self.transport.close)
