"""Where programs write what an operator may want to read later: `home/logs/<program>.log`, bounded in size.

A program writes to the descriptor it was started with. Whoever started it bounds the file from outside: the content
moves to `.1` and the same file goes on from empty, which writers in append mode do not notice. So a program can outlive
its starter without losing its log.
"""

from __future__ import annotations

import logging
import os
import shutil
import sys
import time
from pathlib import Path

MAX_LOG_BYTES = 10 * 2**20
KEPT_LOGS = 3


def log_path(home: Path, program: str) -> Path:
    return home / "logs" / f"{program}.log"


def open_log(home: Path, program: str) -> int:
    """A descriptor that appends to the program's log."""
    path = log_path(home, program)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)


def bound_log(path: Path, max_bytes: int = MAX_LOG_BYTES, kept: int = KEPT_LOGS) -> bool:
    """Starts the log anew when it has become too large; `kept` older ones stay beside it."""
    if not path.exists() or path.stat().st_size <= max_bytes:
        return False
    for number in range(kept - 1, 0, -1):
        older = path.with_name(f"{path.name}.{number}")
        if older.exists():
            older.rename(path.with_name(f"{path.name}.{number + 1}"))
    shutil.copyfile(path, path.with_name(f"{path.name}.1"))
    path.with_name(f"{path.name}.1").chmod(0o600)
    os.truncate(path, 0)
    return True


def last_lines(path: Path, count: int = 12) -> list[str]:
    """The end of a log, without control characters."""
    if not path.exists():
        return []
    with path.open("rb") as stream:
        stream.seek(max(0, path.stat().st_size - 16384))
        lines = stream.read().decode("utf-8", "replace").splitlines()[-count:]
    return ["".join(c if c.isprintable() or c == "\t" else "?" for c in line) for line in lines]


def log_to_stderr(program: str, level: int = logging.INFO) -> None:
    """One line a record, with UTC time, on this process's standard error."""
    formatter = logging.Formatter(f"%(asctime)sZ {program} %(levelname)s %(name)s: %(message)s", "%Y-%m-%dT%H:%M:%S")
    formatter.converter = time.gmtime
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for noisy in ("httpx", "httpx2", "httpcore", "httpcore2"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
