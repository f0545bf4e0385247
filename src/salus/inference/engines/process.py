"""Another engine in a process of its own, with limits: for graphs that this installation did not make.

Knows processes and frames. The process is killed when it takes too long, and a fresh one answers the next run.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from salus.core.errors import SalusError
from salus.inference.engines.base import Engine
from salus.inference.engines.frames import described, raw, read_frame, restored, write_frame

PASSED_ON = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "LANG", "LC_ALL", "TMPDIR")
STOP_TIMEOUT_S = 2.0


class ProcessEngine(Engine):
    """Runs are taken one after the other.

    inner: the engine inside, a name in `ENGINES`. memory_bytes: most address space of the process, 0 for no limit.
    load_timeout_s, run_timeout_s: how long starting and one run may take.
    """

    name = "process"

    def __init__(
        self,
        inner: str = "onnx",
        memory_bytes: int = 0,
        run_timeout_s: float = 30.0,
        load_timeout_s: float = 60.0,
        python: str = sys.executable,
    ) -> None:
        self._command = [python, "-I", "-m", "salus.inference.engines.child", inner, str(memory_bytes)]
        self._run_timeout_s = run_timeout_s
        self._load_timeout_s = load_timeout_s
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._graphs: dict[str, bytes] = {}
        self._outputs: dict[str, tuple[str, ...]] = {}
        self._threads = 1

    def load(self, graphs: Mapping[str, bytes], threads: int) -> None:
        with self._lock:
            self._stop()
            self._graphs, self._threads = dict(graphs), threads
            try:
                self._start()
            except SalusError:
                self._graphs = {}
                raise

    def run(self, graph: str, feeds: Mapping[str, np.ndarray], outputs: Sequence[str]) -> list[np.ndarray]:
        header = {
            "do": "run",
            "graph": graph,
            "outputs": list(outputs),
            "feeds": [{"name": name, **described(feed)} for name, feed in feeds.items()],
        }
        parts = [raw(feed) for feed in feeds.values()]
        with self._lock:
            if not self._graphs:
                raise SalusError("engine_failed", found="nothing is loaded")
            if self._process is None or self._process.poll() is not None:
                self._start()
            answer, contents = self._exchange(header, parts, self._run_timeout_s)
            try:
                return [restored(d, content) for d, content in zip(answer["arrays"], contents, strict=True)]
            except (ValueError, KeyError, TypeError) as error:
                self._stop()
                raise SalusError("engine_failed", found=f"its process answered with {error}"[:200]) from None

    def outputs(self, graph: str) -> tuple[str, ...]:
        return self._outputs[graph]

    def close(self) -> None:
        with self._lock:
            self._stop()
            self._graphs = {}

    @property
    def process_id(self) -> int | None:
        """The process that runs now."""
        return None if self._process is None else self._process.pid

    def _start(self) -> None:
        self._stop()
        environment = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        self._process = subprocess.Popen(
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
        )
        header = {"do": "load", "threads": self._threads, "names": list(self._graphs)}
        try:
            answer, _ = self._exchange(header, list(self._graphs.values()), self._load_timeout_s)
            self._outputs = {name: tuple(found) for name, found in answer["outputs"].items()}
        except SalusError:
            self._stop()
            raise

    def _exchange(
        self, header: dict[str, Any], parts: Sequence[bytes], timeout_s: float
    ) -> tuple[dict[str, Any], list[bytes]]:
        """One frame there and one back, or the process is gone afterwards."""
        process = self._process
        assert process is not None and process.stdin is not None and process.stdout is not None
        late = threading.Event()

        def kill() -> None:
            late.set()
            process.kill()  # whoever waits at the pipe finds its end

        alarm = threading.Timer(timeout_s, kill)
        alarm.start()
        try:
            write_frame(process.stdin, header, parts)
            answer, contents = read_frame(process.stdout)
        except (OSError, EOFError, ValueError) as error:
            self._stop()
            raise SalusError("engine_failed", found=_ending(late.is_set(), timeout_s, process, error)) from None
        finally:
            alarm.cancel()
        if "error" in answer:
            raise SalusError.from_json(answer["error"])
        return answer, contents

    def _stop(self) -> None:
        """Ends the process; closing its input asks it to, killing makes sure."""
        process, self._process = self._process, None
        if process is None:
            return
        assert process.stdin is not None and process.stdout is not None
        with contextlib.suppress(OSError):
            process.stdin.close()
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()


def _ending(late: bool, timeout_s: float, process: subprocess.Popen[bytes], error: Exception) -> str:
    if late:
        return f"no answer within {timeout_s:g} seconds"
    code = process.returncode
    if code is not None and code < 0:
        return f"its process was ended by {signal.Signals(-code).name}"
    return f"its process ended with the code {code}" if code else f"its process broke off ({type(error).__name__})"
