"""All that the record half remembers, in one hand: what an action is given beside who asks."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from salus.core.settings import Settings
from salus.store.acknowledgements import Acknowledgements
from salus.store.blobs import LocalBlobs
from salus.store.clock import now
from salus.store.database import Database
from salus.store.events import EventLog


class Bell:
    """Wakes whoever waits for a topic. Rung from any thread, heard in event loops; missing a ring costs only time."""

    def __init__(self) -> None:
        self._lock = threading.RLock()  # a signal may ring while its thread listens
        self._waiting: dict[str, list[tuple[asyncio.AbstractEventLoop, asyncio.Event]]] = {}
        self.closed = False  # the program stops: nobody should wait any more

    def ring(self, topic: str) -> None:
        with self._lock:
            waiting = self._waiting.pop(topic, [])
        for loop, event in waiting:
            if not loop.is_closed():
                loop.call_soon_threadsafe(event.set)

    def close(self) -> None:
        """Wakes everybody for good."""
        self.closed = True
        for topic in list(self._waiting):
            self.ring(topic)

    def listen(self, topic: str) -> asyncio.Event:
        """An event that the next ring sets. Listen first, look second, then wait."""
        event = asyncio.Event()
        with self._lock:
            self._waiting.setdefault(topic, []).append((asyncio.get_running_loop(), event))
        return event

    def forget(self, topic: str, event: asyncio.Event) -> None:
        """Stops listening."""
        with self._lock:
            left = [entry for entry in self._waiting.get(topic, []) if entry[1] is not event]
            if left:
                self._waiting[topic] = left
            else:
                self._waiting.pop(topic, None)


class Presence:
    """Which worker was heard last, and when. Not a row: it is true only while this process lives."""

    def __init__(self) -> None:
        self._heard: tuple[str, float] | None = None

    def heard(self, worker: str) -> None:
        self._heard = (worker, now())

    def last(self) -> tuple[str, float] | None:
        return self._heard


def _nothing(files: Mapping[str, Path]) -> dict[str, Any]:
    return {}


@dataclass(frozen=True)
class Records:
    """Database, blobs, events, and the settings in force.

    describe: from the files of a bundle, what a request to it looks like (`request_schema`, `answer_schema`, `example`). Whoever
    assembles the program gives it, because reading a bundle is another room's work.
    """

    settings: Settings
    database: Database
    blobs: LocalBlobs
    events: EventLog
    bell: Bell = field(default_factory=Bell)
    acknowledgements: Acknowledgements = field(default_factory=Acknowledgements)
    presence: Presence = field(default_factory=Presence)
    describe: Callable[[Mapping[str, Path]], dict[str, Any]] = _nothing

    @classmethod
    def open(cls, settings: Settings, describe: Callable[[Mapping[str, Path]], dict[str, Any]] = _nothing) -> Records:
        """Opens what lies in the home, which must exist, and brings the database up to date."""
        home = settings.home
        (home / "tmp").mkdir(exist_ok=True, mode=0o700)
        return cls(
            settings=settings,
            database=Database(home / "salus.db"),
            blobs=LocalBlobs(home / "blobs"),
            events=EventLog(home / "events"),
            describe=describe,
        )

    @property
    def tmp(self) -> Path:
        return self.settings.home / "tmp"

    def close(self) -> None:
        self.database.close()
