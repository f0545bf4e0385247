"""What a run tells while it goes on: one file of JSON lines a run, numbered from 1.

Not rows of the database: they come by the hundred and may be lost with the power, never with a process. A line that a
kill cut in half is dropped when the file is opened again.
"""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

from salus.store.clock import now, rfc3339

MAX_EVENTS = 100_000  # a run; later ones are not kept
MAX_LINE_BYTES = 64 * 1024


class EventLog:
    """All runs' events. Safe from several threads."""

    def __init__(self, folder: Path):
        self._folder = folder
        self._lock = threading.Lock()
        self._lines: dict[str, list[dict[str, Any]]] = {}  # of runs that were asked for lately
        folder.mkdir(exist_ok=True, mode=0o700)

    def append(self, run: str, events: list[tuple[str, dict[str, Any]]]) -> int:
        """Adds (name, fields) pairs; the number of the last event."""
        with self._lock:
            lines = self._loaded(run)
            added: list[dict[str, Any]] = []
            for name, fields in events:
                seq = len(lines) + len(added) + 1
                entry = {"seq": seq, "time": rfc3339(now()), "name": name, "fields": fields}
                if seq > MAX_EVENTS or len(json.dumps(entry)) > MAX_LINE_BYTES:
                    continue
                added.append(entry)
            with self._path(run).open("ab") as stream:
                stream.write(b"".join(json.dumps(entry).encode() + b"\n" for entry in added))
            lines.extend(added)
            return len(lines)

    def after(self, run: str, seq: int, limit: int = 1000) -> list[dict[str, Any]]:
        """Events with a greater number, in their order."""
        with self._lock:
            return self._loaded(run)[max(seq, 0) :][:limit]

    def last(self, run: str) -> dict[str, Any] | None:
        with self._lock:
            lines = self._loaded(run)
            return lines[-1] if lines else None

    def _loaded(self, run: str) -> list[dict[str, Any]]:
        if run not in self._lines:
            while len(self._lines) >= 64:
                self._lines.pop(next(iter(self._lines)))
            self._lines[run] = self._read(run)
        return self._lines[run]

    def _read(self, run: str) -> list[dict[str, Any]]:
        path = self._path(run)
        if not path.exists():
            path.touch(mode=0o600)
        content = path.read_bytes()
        whole = content[: content.rfind(b"\n") + 1]
        if len(whole) < len(content):
            with path.open("r+b") as stream:
                stream.truncate(len(whole))
        return [json.loads(line) for line in whole.splitlines()]

    def _path(self, run: str) -> Path:
        assert run.replace("_", "").isalnum(), "a run's id is made here"
        return self._folder / f"{run}.jsonl"
