"""The process of one step: reads the job, does the step, answers, ends. Run as `python -I -m salus.jobs.child`.

Its answers leave on a descriptor of their own; whatever a library prints goes to the log. It knows no HTTP and no
database. When its worker goes, the kernel (on Linux) and the end of its input (everywhere) end it.
"""

from __future__ import annotations

import ctypes
import fcntl
import logging
import os
import resource
import signal
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

from salus.core.context import Context
from salus.core.errors import SalusError
from salus.jobs.protocol import MAX_LINE_BYTES, Alive, Event, Failure, LineWriter, Message, Order, Result
from salus.jobs.runners.local import job_folder
from salus.jobs.steps import Workplace, step_named
from salus.store.blobs import LocalBlobs

PR_SET_PDEATHSIG = 1
ALIVE_EVERY_S = 2.0
FOLDER_WAIT_S = 30.0
log = logging.getLogger("salus.jobs.child")


class JobContext(Context):
    """Tells events to the worker; a SIGTERM asks it to stop. Asking whether to stop is a sign of life."""

    def __init__(self, folder: Path, writer: LineWriter):
        super().__init__(folder)
        self._writer = writer
        self._stop = threading.Event()
        self._last_sign = 0.0

    def event(self, name: str, **fields: Any) -> None:
        self._last_sign = time.monotonic()
        self._writer.send(Event(name, fields, datetime.now(UTC).isoformat(timespec="milliseconds")))

    def should_stop(self) -> bool:
        if time.monotonic() - self._last_sign > ALIVE_EVERY_S:
            self._last_sign = time.monotonic()
            self._writer.send(Alive())
        return self._stop.is_set()

    def ask_to_stop(self) -> None:
        self._stop.set()


def main() -> int:
    writer = LineWriter(_take_output())
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s step %(levelname)s %(message)s")
    source = sys.stdin.buffer
    line = source.readline(MAX_LINE_BYTES)
    if not line:
        return 1  # the worker was gone before it said anything
    order = Order.from_line(line)
    _end_with(order.parent, source)
    if order.memory_bytes:
        resource.setrlimit(resource.RLIMIT_AS, (order.memory_bytes, order.memory_bytes))
    writer.send(_answer(order, writer))
    return 0


def _answer(order: Order, writer: LineWriter) -> Message:
    """What the step gave, or the error it ended with. What nobody foresaw is told to the log only."""
    try:
        folder = job_folder(Path(order.home), order.run)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _take_folder(folder)
        context = JobContext(folder / "study", writer)
        signal.signal(signal.SIGTERM, lambda *_: context.ask_to_stop())
        home = Path(order.home)
        place = Workplace(folder, home / "keys", LocalBlobs(home / "blobs"), context)
        return Result(step_named(order.step)(order.input, place))
    except SalusError as error:
        return Failure(error.to_json())
    except MemoryError:
        log.exception("step %s of %s", order.step, order.run)
        return _out_of_memory(order)
    except Exception as error:
        log.exception("step %s of %s", order.step, order.run)
        return Failure(SalusError("step_failed", found=type(error).__name__).to_json())


def _out_of_memory(order: Order) -> Failure:
    limit = f"{order.memory_bytes} bytes" if order.memory_bytes else "what the machine has"
    return Failure(SalusError("step_out_of_memory", where=order.step, expected=limit).to_json())


def _take_output() -> int:
    """The descriptor of our lines, out of reach of `print`. It stays open to the last moment: its end is our end."""
    answers = os.dup(1)
    os.set_inheritable(answers, False)
    os.dup2(2, 1)
    return answers


def _take_folder(folder: Path) -> None:
    """One process a folder: one that a lost worker left behind may need a moment to be gone."""
    descriptor = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    patience = time.monotonic() + FOLDER_WAIT_S
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return  # the descriptor is never closed: the lock ends with us
        except BlockingIOError:
            if time.monotonic() > patience:
                raise
            time.sleep(0.1)


def _end_with(parent: int, source: BinaryIO) -> None:
    """Sees to it that this process ends when its worker does."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:  # it went before we asked
            os._exit(1)
    threading.Thread(target=_watch, args=(source.raw.fileno(),), daemon=True, name="worker").start()  # type: ignore[attr-defined]


def _watch(descriptor: int) -> None:
    while os.read(descriptor, 4096):
        pass
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main())
