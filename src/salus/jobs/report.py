"""What a worker owes the control plane while a step runs: its events in batches, and signs of life.

Knows when something is due. Nothing here waits for a control plane that is away: what is due stays due.
"""

from __future__ import annotations

import logging
import time
from collections import deque

from salus.jobs.link import Link, Refused
from salus.jobs.protocol import Event, Job

EVENTS_EVERY_S = 0.3
BATCH_EVENTS = 200
log = logging.getLogger("salus.jobs.report")
KEPT_EVENTS = 20_000  # while the control plane is away; older ones give way


class Report:
    """The report of one job. `cancel` turns True when somebody asked for it. May raise JobLost."""

    def __init__(self, link: Link, job: Job, heartbeat_s: float):
        self._link = link
        self._job = job
        self._heartbeat_s = heartbeat_s
        self._events: deque[Event] = deque(maxlen=KEPT_EVENTS)
        self._events_due = time.monotonic()
        self._heartbeat_due = time.monotonic()
        self.cancel = False

    def add(self, event: Event) -> None:
        self._events.append(event)

    def tell_what_is_due(self) -> None:
        now = time.monotonic()
        if self._link.back_off.remaining_s:
            return
        if now >= self._heartbeat_due:
            cancel = self._link.heartbeat(self._job)
            if cancel is None:
                return
            self.cancel = self.cancel or cancel
            self._heartbeat_due = now + self._heartbeat_s
        if self._events and now >= self._events_due:
            self._send_batch()
            self._events_due = now + EVENTS_EVERY_S

    def tell_the_rest(self) -> bool:
        """All that is left, in batches; False when the control plane did not answer."""
        while self._events:
            if not self._send_batch():
                return False
        return True

    def _send_batch(self) -> bool:
        batch = [self._events[i] for i in range(min(BATCH_EVENTS, len(self._events)))]
        try:
            if not self._link.events(self._job, batch):
                return False
        except Refused as refused:
            log.error("%s: %s events were refused: %s", self._job.id, len(batch), refused)
        for _ in batch:
            self._events.popleft()
        return True
