"""A whole service for tests: a home and ports of its own, started by the supervisor, asked through the command line.

Knows how programs are started and killed by their ids. Does not know what they do.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from salus.programs.locks import read_holder
from salus.sdk.client import Client

COMMAND_TIMEOUT_S = 120.0


def free_ports(count: int) -> list[int]:
    """Ports that nobody listened on a moment ago."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for found in sockets:
            found.bind(("127.0.0.1", 0))
        return [int(found.getsockname()[1]) for found in sockets]


class RunningService:
    """The service on one home. prefix: a command that the programs and commands are started under, such as `unshare`."""

    def __init__(
        self,
        home: Path,
        python: str = sys.executable,
        settings: Mapping[str, Any] | None = None,
        prefix: Sequence[str] = (),
    ):
        self.home = home
        self.python = python
        self.prefix = tuple(prefix)
        self.control_port, self.model_server_port = free_ports(2)
        own = {"home": home, "control_port": self.control_port, "model_server_port": self.model_server_port}
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("SALUS_", "PYTHONPATH"))}
        given = {**own, **(settings or {})}
        self.environment = kept | {f"SALUS_{name.upper()}": str(value) for name, value in given.items()}

    def module(self, name: str, *words: str, **changed: str) -> subprocess.CompletedProcess[str]:
        """`python -m name words` to its end."""
        return subprocess.run(
            [*self.prefix, self.python, "-m", name, *words],
            env=self.environment | changed,
            capture_output=True,
            text=True,
            timeout=COMMAND_TIMEOUT_S,
            check=False,
        )

    def salus(self, *words: str) -> subprocess.CompletedProcess[str]:
        """A command of the command line."""
        return self.module("salus.cli.main", *words)

    def json(self, *words: str, code: int = 0) -> Any:
        """What a command prints with --json, after it ended with `code`."""
        done = self.salus(*words, "--json")
        assert done.returncode == code, f"{words}: exit {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
        return json.loads(done.stdout)

    def up(self) -> None:
        done = self.module("salus.programs.supervisor", "--background")
        assert done.returncode == 0, done.stdout + done.stderr

    def down(self) -> None:
        done = self.module("salus.programs.supervisor", "--down")
        assert done.returncode == 0, done.stdout + done.stderr

    def client(self, key: str | None = None, project: str | None = None) -> Client:
        """A client with this key, or the owner's."""
        key = key or (self.home / "keys" / "owner.key").read_text().strip()
        return Client(
            f"http://127.0.0.1:{self.control_port}", key, f"http://127.0.0.1:{self.model_server_port}", project
        )

    def pid(self, program: str) -> int | None:
        """The process of a program that is there now."""
        holder = read_holder(self.home, program) or {}
        return int(holder["pid"]) if "pid" in holder else None

    def kill(self, program: str) -> int:
        """SIGKILL; gives the process id that it had."""
        pid = self.pid(program)
        assert pid is not None, f"{program} does not run"
        os.kill(pid, signal.SIGKILL)
        return pid

    def wait_for_another(self, program: str, old: int, patience_s: float = 30.0) -> int:
        """The process id of the program that was started after `old` died."""
        end = time.monotonic() + patience_s
        while time.monotonic() < end:
            pid = self.pid(program)
            if pid not in (None, old):
                return int(pid or 0)
            time.sleep(0.05)
        raise AssertionError(f"no new {program} within {patience_s} s")
