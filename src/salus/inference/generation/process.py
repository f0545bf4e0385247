"""The side of the model server: starts an engine's process, speaks with it, and starts it again when it dies.

A request is a number and a listener; the listener hears every event of it in the thread that reads the pipe, the last one being
`end` or `error`. Whatever ends the process ends the open requests with `engine_failed`, and a fresh process is loaded after a
pause that grows. Knows processes and lines. Does not know event loops.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from salus.core.errors import SalusError
from salus.inference.generation.engine import Event

Listener = Callable[[Event], None]
CHILD = [sys.executable, "-I", "-m", "salus.inference.generation.child"]
PASSED_ON = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "LANG", "LC_ALL", "TMPDIR")
QUIET = {"HF_HUB_OFFLINE": "1", "DO_NOT_TRACK": "1", "OPENVINO_LOG_LEVEL": "0", "TOKENIZERS_PARALLELISM": "false"}
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.2, 10.0
STEADY_S = 60.0  # a process that lived so long is no failure of its start
STOP_TIMEOUT_S = 2.0


class EngineProcess:
    """One process. Every method is safe from several threads.

    engine: a name of ENGINES. loading: what its first line says. places: where folders for its own files are made.
    """

    def __init__(
        self,
        where: str,
        engine: str,
        loading: Mapping[str, Any],
        memory_bytes: int,
        places: Path,
        load_timeout_s: float,
    ):
        self._where = where
        self._command = [*CHILD, engine, str(memory_bytes)]
        self._loading = dict(loading)
        self._places = places
        self._load_timeout_s = load_timeout_s
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)
        self._listeners: dict[int, Listener] = {}
        self._process: subprocess.Popen[bytes] | None = None
        self._ready = False
        self._closed = threading.Event()
        self._keeper: threading.Thread | None = None

    @property
    def process_id(self) -> int | None:
        """The process that answers now."""
        process = self._process
        return process.pid if process is not None and self._ready else None

    @property
    def open_requests(self) -> int:
        return len(self._listeners)

    def start(self) -> None:
        """Returns when it is loaded; raises why it cannot be. From then on it is kept alive."""
        process, folder = self._launch()
        self._keeper = threading.Thread(target=self._keep, args=(process, folder), daemon=True, name="engine")
        self._keeper.start()

    def begin(self, ask: Mapping[str, Any], listener: Listener) -> int:
        """Sends a request; its number. `engine_starting` while no process answers."""
        number = next(self._numbers)
        with self._lock:
            if not self._ready:
                raise SalusError("engine_starting", where=self._where)
            self._listeners[number] = listener
            if not self._write({**ask, "id": number}):
                del self._listeners[number]
                raise SalusError("engine_starting", where=self._where)
        return number

    def cancel(self, number: int) -> None:
        """No event of this request is heard any more. Nothing happens when it is over."""
        with self._lock:
            if self._listeners.pop(number, None) is not None:
                self._write({"do": "cancel", "id": number})

    def close(self) -> None:
        """Ends the process for good."""
        self._closed.set()
        with self._lock:
            self._ready = False
            process = self._process
            if process is not None and process.stdin is not None:
                with contextlib.suppress(OSError):
                    process.stdin.close()
        if process is not None:
            try:
                process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                process.kill()
        if self._keeper is not None:
            self._keeper.join(STOP_TIMEOUT_S)

    def _write(self, ask: Mapping[str, Any]) -> bool:
        assert self._process is not None and self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(ask, ensure_ascii=False).encode() + b"\n")
            self._process.stdin.flush()
        except (OSError, ValueError):
            return False
        return True

    def _launch(self) -> tuple[subprocess.Popen[bytes], Path]:
        """A loaded process and its folder, or why there is none."""
        folder = self._places / secrets.token_hex(8)
        folder.mkdir(parents=True, mode=0o700)
        environment = {name: os.environ[name] for name in PASSED_ON if name in os.environ} | QUIET
        process = subprocess.Popen(
            self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment
        )
        self._process = process
        alarm = threading.Timer(self._load_timeout_s, process.kill)
        alarm.start()
        try:
            with self._lock:
                self._write({**self._loading, "folder": str(folder)})
            assert process.stdout is not None
            first = _events(process.stdout.readline())
        finally:
            alarm.cancel()
        if first == [{"ready": True}]:
            with self._lock:
                self._ready = not self._closed.is_set()
            return process, folder
        code = self._bury(process, folder)
        if first and "failed" in first[0]:
            raise SalusError.from_json(first[0]["failed"])
        raise SalusError("engine_failed", found=_ending(code))

    def _keep(self, process: subprocess.Popen[bytes], folder: Path) -> None:
        """Hears the process to its end, then starts it again; over and over until `close`."""
        pause_s, started = FIRST_PAUSE_S, time.monotonic()
        while True:
            died = self._hear(process)
            with self._lock:
                self._ready = False
                left, self._listeners = self._listeners, {}
            code = self._bury(process, folder)
            error = died or SalusError("engine_failed", found=_ending(code)).to_json()
            for listener in left.values():
                listener({"error": error})
            if time.monotonic() - started > STEADY_S:
                pause_s = FIRST_PAUSE_S
            while True:
                if self._closed.wait(pause_s):
                    return
                pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
                started = time.monotonic()
                with contextlib.suppress(SalusError, OSError):
                    process, folder = self._launch()
                    break

    def _hear(self, process: subprocess.Popen[bytes]) -> dict[str, Any] | None:
        """Passes events on until the pipe ends; what the process said of its own end."""
        assert process.stdout is not None
        for line in process.stdout:
            for event in _events(line):
                if "died" in event:
                    return dict(event["died"])
                over = "end" in event or "error" in event
                with self._lock:
                    listener = self._listeners.get(event.get("id", 0))
                    if over:
                        self._listeners.pop(event.get("id", 0), None)
                if listener is not None:
                    listener(event)
        return None

    def _bury(self, process: subprocess.Popen[bytes], folder: Path) -> int:
        """Makes sure that it is gone with all it had; its exit code."""
        if process.poll() is None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(STOP_TIMEOUT_S)
        process.kill()
        code = process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
        shutil.rmtree(folder, ignore_errors=True)
        return code


def _events(line: bytes) -> list[Event]:
    """The events of a line; none of one that is broken, as the last line of a killed process may be."""
    try:
        events = json.loads(line)
    except ValueError:
        return []
    return [event for event in events if isinstance(event, dict)] if isinstance(events, list) else []


def _ending(code: int) -> str:
    if code < 0:
        return f"its process was ended by {signal.Signals(-code).name}"
    return f"its process ended with the code {code}"
