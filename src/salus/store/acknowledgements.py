"""What the model server said about the snapshots it was sent: who changes something takes a ticket and waits for it.

Knows threads; knows neither the network nor what a snapshot holds.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Acknowledgements:
    """Tickets asked for, the last one answered, and the state of each endpoint (`project/name` -> "ready" or an error)."""

    asked: int = 0
    answered: int = 0
    states: dict[str, Any] = field(default_factory=dict)
    reached: float | None = None  # when the model server answered last
    trouble: str = "nothing sent yet"
    _changed: threading.Condition = field(default_factory=threading.Condition)

    def ask(self) -> int:
        """A ticket: snapshots made from now on hold what was committed before."""
        with self._changed:
            self.asked += 1
            self._changed.notify_all()
            return self.asked

    def answer(self, ticket: int, states: dict[str, Any]) -> None:
        with self._changed:
            self.answered = max(self.answered, ticket)
            self.states = states
            self.reached = time.time()
            self.trouble = ""
            self._changed.notify_all()

    def wait_answer(self, ticket: int, timeout_s: float) -> dict[str, Any] | None:
        """The states of a snapshot that holds the ticket's change; None when the model server did not answer in time."""
        with self._changed:
            self._changed.wait_for(lambda: self.answered >= ticket, timeout_s)
            return dict(self.states) if self.answered >= ticket else None

    def wait_asked(self, timeout_s: float) -> int | None:
        """A ticket that is not answered yet, or None after the timeout."""
        with self._changed:
            self._changed.wait_for(lambda: self.asked > self.answered, timeout_s)
            return self.asked if self.asked > self.answered else None

    def wake(self) -> None:
        with self._changed:
            self._changed.notify_all()
