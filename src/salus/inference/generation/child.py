"""The process of a large model: reads requests as JSON lines, answers with events as JSON lines, ends when its input ends.

`python -I -m salus.inference.generation.child ENGINE MEMORY_BYTES`. The first line says what to load. A second thread only reads, so that a
cancellation is there when the step that runs is over.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import sys
import threading
from pathlib import Path
from typing import IO, Any

from salus.core.errors import SalusError
from salus.inference.generation.engine import Event, GenerationEngine, Loading, new_engine
from salus.inference.limits import limit_memory, no_core_dumps, private_output

Inbox = queue.SimpleQueue["dict[str, Any] | None"]


def main(arguments: list[str]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever started this decides when it ends
    no_core_dumps()
    # OpenVINO's own package for telemetry: not to be had in this process, so nothing can be sent by it.
    sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]
    sink = private_output()
    limit_memory(int(arguments[1]))
    serve(lambda: new_engine(arguments[0]), sys.stdin.buffer, sink)
    os._exit(0)  # the thread that reads may wait for its input for ever


def serve(make: Any, source: IO[bytes], sink: IO[bytes]) -> None:
    """Answers until the input ends. make: gives the engine."""
    inbox: Inbox = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(source, inbox), daemon=True).start()
    first = inbox.get()
    if first is None:
        return
    try:
        engine = _load(make, first)
    except Exception as error:
        _say(sink, [{"failed": _told(error)}])
        return
    _say(sink, [{"ready": True}])
    while _take(engine, inbox, sink):
        try:
            events = engine.step() if engine.busy else []
        except Exception as error:  # nobody knows what state the engine is in: a fresh process does
            _say(sink, [{"died": _told(error)}])
            return
        if events:
            _say(sink, events)


def _load(make: Any, first: dict[str, Any]) -> GenerationEngine:
    files = {name: Path(path) for name, path in first["files"].items()}
    given = {name: first[name] for name in ("form", "context_tokens", "threads", "cache_bytes")}
    try:
        engine: GenerationEngine = make()
    except ModuleNotFoundError as error:
        raise SalusError("engine_missing", found=error.name or "openvino-genai") from None
    engine.load(Loading(files=files, folder=Path(first["folder"]), **given))
    return engine


def _take(engine: GenerationEngine, inbox: Inbox, sink: IO[bytes]) -> bool:
    """Everything that waits; waits itself while there is nothing else to do. False when the input has ended."""
    while not engine.busy or not inbox.empty():
        asked = inbox.get()
        if asked is None:
            return False
        number = int(asked["id"])
        if asked["do"] == "cancel":
            engine.cancel(number)
            continue
        try:
            events = engine.begin(number, asked)
        except Exception as error:  # whatever a library raises is this one request's
            events = [{"id": number, "error": _told(error)}]
        _say(sink, events)
    return True


def _listen(source: IO[bytes], inbox: Inbox) -> None:
    for line in source:
        inbox.put(json.loads(line))
    inbox.put(None)


def _say(sink: IO[bytes], events: list[Event]) -> None:
    sink.write(json.dumps(events, ensure_ascii=False, separators=(",", ":")).encode() + b"\n")
    sink.flush()


def _told(error: BaseException) -> dict[str, Any]:
    if isinstance(error, SalusError):
        return error.to_json()
    if isinstance(error, MemoryError) or "alloc" in str(error):
        found = "it needs more memory than it may have (setting engine_memory_bytes)"
        return SalusError("engine_failed", found=found).to_json()
    first = (str(error).strip().splitlines() or [type(error).__name__])[-1][:200]
    return SalusError("engine_failed", found=_without_paths(first)).to_json()


def _without_paths(text: str) -> str:
    """A library's words without the places of this machine."""
    return " ".join("..." if "/" in word else word for word in text.split())


if __name__ == "__main__":
    main(sys.argv[1:])
