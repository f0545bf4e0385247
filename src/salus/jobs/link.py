"""The worker's line to the control plane: HTTP over a socket in the home, with the worker's key and a token a job.

Knows addresses and when to try again. Does not know what a job is for. The control plane may be away at any moment; a
call then gives None, and the caller goes on with its work.
"""

from __future__ import annotations

import logging
import random
import socket
import time
from typing import Any

import httpx2

from salus.core.settings import Settings
from salus.jobs.protocol import Event, Job

FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 1.0  # knocking at a socket of this machine costs nothing
CALL_TIMEOUT_S = 10.0
log = logging.getLogger("salus.jobs.link")


class JobLost(Exception):
    """The job is not ours any more: its lease went to another, or it is over."""


class Refused(Exception):
    """The control plane does not take what we said, however often we say it. Its text is the code of the answer."""


class BackOff:
    """How long to leave the control plane alone after it failed: doubling, with chance, up to some seconds."""

    def __init__(self) -> None:
        self._pause_s = 0.0
        self._until = 0.0

    @property
    def remaining_s(self) -> float:
        return max(0.0, self._until - time.monotonic())

    @property
    def failing(self) -> bool:
        return self._pause_s > 0

    def failed(self) -> None:
        self._pause_s = min(LONGEST_PAUSE_S, self._pause_s * 2 or FIRST_PAUSE_S)
        self._until = time.monotonic() + self._pause_s * random.uniform(0.5, 1.0)

    def worked(self) -> None:
        self._pause_s = self._until = 0.0


class Link:
    """Calls of one worker."""

    def __init__(self, settings: Settings, worker: str):
        self._socket = settings.home / "run" / "control.sock"
        self._key = settings.home / "keys" / "worker.key"
        self._worker = worker
        self.back_off = BackOff()
        transport = httpx2.HTTPTransport(uds=str(self._socket), trust_env=False)
        self._client = httpx2.Client(
            transport=transport, base_url="http://salus/api/v1", timeout=CALL_TIMEOUT_S, trust_env=False
        )

    def claim(self, wait_s: float) -> tuple[bool, Job | None]:
        """Whether the control plane answered, and the job it gave."""
        body = {"worker": self._worker, "wait_s": wait_s}
        response = self._post("/worker/claim", body, self._worker_key(), wait_s + CALL_TIMEOUT_S)
        if response is None:
            return False, None
        return True, Job.from_claim(response.json()) if response.status_code == 200 else None

    def heartbeat(self, job: Job) -> bool | None:
        """True when somebody asked to cancel; None when nobody answered; JobLost."""
        response = self._post(f"/worker/jobs/{job.id}/heartbeat", {"fence": job.fence}, job.token)
        return None if response is None else bool(response.json().get("cancel"))

    def events(self, job: Job, events: list[Event]) -> bool:
        """Whether the events arrived; JobLost."""
        told = [{"name": event.name, "fields": event.fields, "time": event.time} for event in events]
        body = {"fence": job.fence, "events": told}
        return self._post(f"/worker/jobs/{job.id}/events", body, job.token) is not None

    def finish(self, job: Job, outcome: dict[str, Any]) -> bool:
        """Whether the outcome arrived; JobLost."""
        body = {"fence": job.fence, "outcome": outcome}
        return self._post(f"/worker/jobs/{job.id}/finish", body, job.token) is not None

    def close(self) -> None:
        self._client.close()

    def _worker_key(self) -> str:
        """The key as it is now: the control plane makes it at its first start, which may be after ours."""
        return self._key.read_text().strip() if self._key.exists() else ""

    def _knock(self) -> None:
        """An OSError when nobody listens. The client would find out as well, but leaves its socket to the collector."""
        with socket.socket(socket.AF_UNIX) as probe:
            probe.settimeout(CALL_TIMEOUT_S)
            probe.connect(str(self._socket))

    def _post(
        self, path: str, body: dict[str, Any], token: str, timeout_s: float = CALL_TIMEOUT_S
    ) -> httpx2.Response | None:
        """The answer; None when the control plane is away or unwell, which is worth another try."""
        headers = {"Authorization": f"Bearer {token}"}
        try:
            self._knock()
            response = self._client.post(path, json=body, headers=headers, timeout=timeout_s)
        except (OSError, httpx2.TransportError) as error:
            if not self.back_off.failing:
                log.info("control plane is away: %s", type(error).__name__)
            self.back_off.failed()
            return None
        if response.is_success:
            self.back_off.worked()
            return response
        if "/jobs/" in path and response.status_code in (401, 403, 404, 409, 410):
            raise JobLost(f"{path}: {_code(response)}")
        if "/jobs/" in path and response.status_code in (400, 413, 422):
            raise Refused(_code(response))
        log.warning("control plane answered %s with %s %s", path, response.status_code, _code(response))
        self.back_off.failed()
        return None


def _code(response: httpx2.Response) -> str:
    try:
        return str(response.json().get("code", ""))[:80]
    except (ValueError, AttributeError):
        return ""
