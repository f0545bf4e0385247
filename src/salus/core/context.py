"""How a long piece of work tells what happens, keeps what must survive a kill, and learns that it should stop.

The learning half is handed one; it knows neither jobs nor databases. In a notebook it is this class as it stands,
in a job `salus.jobs` gives one that writes to the worker.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from salus.core.durable import write_file
from salus.core.errors import SalusError

CLOCK = "clock"  # the record of the seconds so far


class Context:
    """What a study is told with.

    folder: where checkpoints and remembered records live; the same folder again after a kill. None: records live as long as
    the context, checkpoints are not written.
    listener: is given every event as (name, fields).
    """

    def __init__(self, folder: Path | None = None, listener: Callable[[str, dict[str, Any]], None] | None = None):
        self.folder = folder
        self._listener = listener
        self._records: dict[str, str] = {}
        self.started = time.monotonic()
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
        self._before_s = float(self.recall(CLOCK) or 0.0)

    def event(self, name: str, **fields: Any) -> None:
        """Tells that something happened; fields are JSON values."""
        if self._listener is not None:
            self._listener(name, fields)

    def remember(self, name: str, record: Any) -> None:
        """Keeps a JSON record that `recall` finds again after a kill."""
        text = json.dumps(record)
        if self.folder is not None:
            write_file(self.folder / f"{name}.json", text.encode())
        else:
            self._records[name] = text

    def recall(self, name: str) -> Any | None:
        """The record, or None when it was never kept."""
        if self.folder is None:
            return json.loads(self._records[name]) if name in self._records else None
        file = self.folder / f"{name}.json"
        return json.loads(file.read_bytes()) if file.exists() else None

    def checkpoint_path(self, name: str) -> Path | None:
        """Where a learner may keep its checkpoint called `name`; None when nothing is kept."""
        return None if self.folder is None else self.folder / f"{name}.safetensors"

    def should_stop(self) -> bool:
        """True when somebody asked to cancel."""
        return False

    def stop_if_asked(self, where: str) -> None:
        """Raises `stopped` when somebody asked to cancel. Long loops call it at least every second."""
        if self.should_stop():
            raise SalusError("stopped", where=where)

    def silent(self) -> Context:
        """For work that is only measured: forgets, tells nothing, and passes on the question whether to stop."""
        return _Silent(self)

    def elapsed_s(self) -> float:
        """Seconds of this work, with those before a kill as far as they were kept."""
        return self._before_s + time.monotonic() - self.started

    def keep_clock(self) -> None:
        """Keeps the seconds so far; called where a piece of work is done and remembered."""
        self.remember(CLOCK, round(self.elapsed_s(), 3))


class _Silent(Context):
    def __init__(self, outer: Context):
        super().__init__()
        self._outer = outer

    def should_stop(self) -> bool:
        return self._outer.should_stop()
