"""Errors as answers: problem details (RFC 9457) in the language that was asked for. Internals never show."""

from __future__ import annotations

import json
import logging
from typing import Any

from starlette.responses import Response

from salus.core.errors import SalusError

log = logging.getLogger("salus.web")


def answer(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """A JSON answer."""
    body = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    return Response(body, status, headers, media_type="application/json")


def problem(error: SalusError, request_id: str, language: str) -> Response:
    body = json.dumps(error.problem(request_id, language), ensure_ascii=False).encode()
    headers = {"WWW-Authenticate": "Bearer"} if error.status == 401 else {}
    if "allow" in error.parameters:
        headers["Allow"] = str(error.parameters["allow"])
    return Response(body, error.status, headers, media_type="application/problem+json")


def from_exception(error: Exception, request_id: str, language: str) -> Response:
    """The catalogue's words for a caller's mistake; for ours only the request id, the rest goes to the log."""
    if isinstance(error, SalusError):
        return problem(error, request_id, language)
    log.exception("request %s failed", request_id, exc_info=error)
    return problem(SalusError("internal", request_id=request_id), request_id, language)
