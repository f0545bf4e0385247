"""One program under the supervisor: started, watched, started again with back-off, stopped.

Knows processes, pipes and time. Does not know what the programs do, nor when they are ready.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from salus.programs.logs import bound_log, log_path, open_log
from salus.programs.parent import PARENT_FD, READY_FD

FIRST_PAUSE_S = 0.2
LONGEST_PAUSE_S = 10.0
DEATHS_OF_NOTE = 5
DEATHS_WITHIN_S = 60.0
REFUSED = 2  # exit code of a program that told why it does not start; trying again does not help


class Child:
    """One program. `look` moves it on; nothing here blocks but `wait`."""

    def __init__(self, name: str, command: Sequence[str], home: Path):
        self.name = name
        self.ready = False
        self.restarts = 0
        self.exit_code: int | None = None
        self._command = tuple(command)
        self._home = home
        self._process: subprocess.Popen[bytes] | None = None
        self._pipe = -1  # while we live the program sees an open pipe
        self._deaths: deque[float] = deque(maxlen=DEATHS_OF_NOTE)
        self._start_at: float | None = None

    @property
    def pid(self) -> int | None:
        return None if self._process is None else self._process.pid

    @property
    def keeps_dying(self) -> bool:
        return len(self._deaths) == DEATHS_OF_NOTE and time.monotonic() - self._deaths[0] < DEATHS_WITHIN_S

    @property
    def refused(self) -> bool:
        return self.exit_code == REFUSED

    @property
    def state(self) -> str:
        if self._process is None:
            return "failing" if self.keeps_dying or self.refused else "waiting" if self._start_at else "stopped"
        return "ready" if self.ready else "starting"

    @property
    def log(self) -> Path:
        return log_path(self._home, self.name)

    def describe(self) -> dict[str, Any]:
        return {"state": self.state, "pid": self.pid, "restarts": self.restarts}

    def start(self) -> None:
        read_end, self._pipe = os.pipe()
        output = open_log(self._home, self.name)
        try:
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=_environment(self._home) | {PARENT_FD: str(read_end)},
                pass_fds=(read_end,),
                process_group=0,  # a Ctrl-C in the terminal is for the supervisor, which stops them in order
            )
        finally:
            os.close(read_end)
            os.close(output)
        self._start_at = None

    def look(self) -> bool:
        """Sees whether it died and starts it again when its pause is over. True when something changed."""
        bound_log(self.log)
        if self._process is not None and self._process.poll() is not None:
            self._died(self._process.returncode)
            return True
        if self._start_at is not None and time.monotonic() >= self._start_at:
            self.restarts += 1
            self.start()
            return True
        return False

    def _died(self, code: int) -> None:
        now = time.monotonic()
        self.exit_code = code
        self._forget_process()
        self._deaths.append(now)
        recent = sum(1 for death in self._deaths if now - death < DEATHS_WITHIN_S)
        pause_s = LONGEST_PAUSE_S if self.keeps_dying else FIRST_PAUSE_S * 2 ** (recent - 1)
        self._start_at = now + pause_s

    def ask_to_stop(self) -> None:
        self._start_at = None
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)

    def wait(self, wait_s: float) -> bool:
        """Waits for its end; False when it is still there. Afterwards it is not started again."""
        self._start_at = None
        if self._process is None:
            return True
        try:
            self.exit_code = self._process.wait(wait_s)
        except subprocess.TimeoutExpired:
            return False
        self._forget_process()
        return True

    def kill(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
        self.wait(10.0)

    def _forget_process(self) -> None:
        self._process, self.ready = None, False
        os.close(self._pipe)
        self._pipe = -1


def _environment(home: Path) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if name not in (PARENT_FD, READY_FD)}
    return inherited | {"SALUS_HOME": str(home), "ORT_DISABLE_TELEMETRY": "1", "DO_NOT_TRACK": "1"}


def program_command(module: str) -> tuple[str, ...]:
    """The command of a program. `-P`: a file in the current folder must not pose as a module."""
    return (sys.executable, "-P", "-m", module)
