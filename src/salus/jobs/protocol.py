"""What crosses between a worker and the process of a step: JSON lines, nothing else.

In: one line, the job. Its stream stays open; its end tells the step that the worker is gone. Out: `{"event", "fields",
"time"}`, `{"alive": true}`, and at last `{"result"}` or `{"error"}`. Knows bytes and lines; neither processes nor HTTP.
"""

from __future__ import annotations

import json
import os
import threading
from dataclasses import asdict, dataclass, field
from typing import Any

from salus.core.wire import parse_json

MAX_LINE_BYTES = 256 * 2**20  # a result names every file of a version


@dataclass(frozen=True)
class Job:
    """A claimed unit of work: names and paths, never data or code."""

    id: str
    run: str
    step: str
    token: str
    fence: int
    input: dict[str, Any]

    @classmethod
    def from_claim(cls, claim: dict[str, Any]) -> Job:
        return cls(
            id=str(claim["job"]),
            run=str(claim.get("run") or claim["job"]),
            step=str(claim["step"]),
            token=str(claim["token"]),
            fence=int(claim["fence"]),
            input=dict(claim["input"]),
        )


@dataclass(frozen=True)
class Order:
    """What the process of a step is told on its first line."""

    run: str
    step: str
    input: dict[str, Any]
    home: str
    parent: int  # process id of the worker
    memory_bytes: int = 0  # 0: no limit

    def to_line(self) -> bytes:
        return json.dumps(asdict(self)).encode() + b"\n"

    @classmethod
    def from_line(cls, line: bytes) -> Order:
        return cls(**parse_json(line, "job"))


@dataclass(frozen=True)
class Event:
    name: str
    fields: dict[str, Any] = field(default_factory=dict)
    time: str = ""


@dataclass(frozen=True)
class Alive:
    """A sign of life that nobody needs to see."""


@dataclass(frozen=True)
class Result:
    records: dict[str, Any]


@dataclass(frozen=True)
class Failure:
    """A SalusError as `to_json` writes it."""

    error: dict[str, Any]


Message = Event | Alive | Result | Failure


class LineWriter:
    """Writes whole lines to a descriptor, from any thread."""

    def __init__(self, descriptor: int):
        self._descriptor = descriptor
        self._lock = threading.Lock()

    def send(self, message: Message) -> None:
        line = memoryview(to_line(message))
        with self._lock:
            while line:
                line = line[os.write(self._descriptor, line) :]


def to_line(message: Message) -> bytes:
    match message:
        case Event():
            body: dict[str, Any] = {"event": message.name, "fields": message.fields, "time": message.time}
        case Alive():
            body = {"alive": True}
        case Result():
            body = {"result": message.records}
        case Failure():
            body = {"error": message.error}
    return json.dumps(body, allow_nan=False, default=str).encode() + b"\n"


def from_line(line: bytes) -> Message | None:
    """The message, or None for a line that is none of ours."""
    try:
        body = json.loads(line)
    except ValueError:
        return None
    match body:
        case {"event": str(name), "fields": dict(fields)}:
            return Event(name, fields, str(body.get("time", "")))
        case {"alive": True}:
            return Alive()
        case {"result": dict(records)}:
            return Result(records)
        case {"error": {"code": str()} as error}:
            return Failure(error)
    return None
