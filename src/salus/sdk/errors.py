"""What a service said when it refused."""

from __future__ import annotations

from typing import Any


class ServiceError(ValueError):
    """A problem document (RFC 9457) of the service. `code` and `status` are stable; `detail` and `next` are its words."""

    def __init__(self, problem: dict[str, Any], status: int):
        self.code = str(problem.get("code", "unknown"))
        self.status = status
        self.detail = str(problem.get("detail", f"the service answered {status}"))
        self.next = str(problem.get("next", ""))
        self.problem = problem
        super().__init__(f"{self.detail} {self.next}".strip())


class LostError(ServiceError):
    """No answer came: nothing listens, the connection broke, or it took too long. The same request may work later."""


class NoServiceError(LostError):
    """Nothing answers at the address."""

    def __init__(self, url: str):
        super().__init__(
            {
                "code": "no_service",
                "detail": f"No service answers at {url}.",
                "next": "Start it with: salus up --background",
            },
            503,
        )


class BrokenError(LostError):
    """The connection ended, or the time ran out, before the answer was whole."""

    def __init__(self, url: str, found: str):
        super().__init__(
            {
                "code": "connection_lost",
                "detail": f"The connection to {url} ended before the answer came ({found}).",
                "next": "Ask again; 'salus runs list' shows what was started.",
            },
            503,
        )
