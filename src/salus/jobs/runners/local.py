"""Steps as processes of this machine: `python -I -m salus.jobs.child`, one a job, each in a process group of its own.

Knows pipes, signals and groups. Does not know what a step does, nor who wants the answer.
"""

from __future__ import annotations

import contextlib
import os
import queue
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from salus.core.settings import Settings
from salus.jobs.environment import step_environment
from salus.jobs.protocol import MAX_LINE_BYTES, Job, Message, Order, from_line
from salus.jobs.runners.base import Runner, Running

CHILD = (sys.executable, "-I", "-m", "salus.jobs.child")
WAITING_MESSAGES = 10_000  # beyond this the step waits until the worker has listened
EXIT_WAIT_S = 10.0


class LocalRunner(Runner):
    name: ClassVar[str] = "local"

    def __init__(self, settings: Settings, command: Sequence[str] = CHILD):
        self._settings = settings
        self._command = tuple(command)

    def start(self, job: Job) -> Running:
        folder = job_folder(self._settings.home, job.run)
        temporary = folder / "tmp"
        temporary.mkdir(mode=0o700, parents=True, exist_ok=True)
        spec = job.input.get("spec")
        threads = int(spec.get("threads") or 0) if isinstance(spec, dict) else 0
        order = Order(
            run=job.run,
            step=job.step,
            input=job.input,
            home=str(self._settings.home),
            parent=os.getpid(),
            memory_bytes=self._settings.job_memory_bytes,
        )
        return LocalRunning(self._command, step_environment(os.environ, threads, temporary), folder, order)


class LocalRunning(Running):
    def __init__(self, command: Sequence[str], environment: dict[str, str], folder: Path, order: Order):
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            cwd=folder,
            process_group=0,  # a Ctrl-C in the terminal is for the worker, which then asks the step
        )
        self._messages: queue.Queue[Message] = queue.Queue(WAITING_MESSAGES)
        self._closing = threading.Event()
        self._reader = threading.Thread(target=self._read, daemon=True, name=f"read {order.run}")
        self._reader.start()
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # it died at once; `over` will say so
            self._process.stdin.write(order.to_line())
            self._process.stdin.flush()

    def messages(self, wait_s: float) -> list[Message]:
        found: list[Message] = []
        with contextlib.suppress(queue.Empty):
            found.append(self._messages.get(timeout=wait_s) if wait_s > 0 else self._messages.get_nowait())
            while len(found) < WAITING_MESSAGES:
                found.append(self._messages.get_nowait())
        return found

    @property
    def over(self) -> bool:
        return not self._reader.is_alive() and self._messages.empty()

    def how_it_ended(self) -> str:
        code = self._reap()
        if code >= 0:
            return f"exit code {code}"
        try:
            return f"signal {signal.Signals(-code).name}"
        except ValueError:
            return f"signal {-code}"

    def stop(self) -> None:
        self._process.send_signal(signal.SIGTERM)

    def close(self) -> None:
        self._closing.set()
        if self._process.returncode is None:
            self._kill_group()
            self._reap()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with contextlib.suppress(BrokenPipeError):
                    stream.close()

    def _reap(self) -> int:
        """The exit code. What the step started is ended first: the group's number is ours until the step is reaped."""
        if self._process.returncode is None:
            self._reader.join(EXIT_WAIT_S)
            self._kill_group()
        code = self._process.wait()
        self._reader.join(EXIT_WAIT_S)
        return code

    def _kill_group(self) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)

    def _read(self) -> None:
        """Reads to the end of the stream, which the step holds until the moment it is gone."""
        stream = self._process.stdout
        assert stream is not None
        while line := stream.readline(MAX_LINE_BYTES):
            message = from_line(line)
            while message is not None and not self._closing.is_set():
                with contextlib.suppress(queue.Full):
                    self._messages.put(message, timeout=0.5)
                    break


def job_folder(home: Path, run: str) -> Path:
    """The folder of a run's job. The name is an id that the control plane made, and is checked to be one."""
    assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,80}", run), "not an id"
    return home / "jobs" / run
