"""One program of a kind in a home: a locked file in `run/` that says who holds it.

Knows files and flock. Does not know what the programs do. The lock goes with its process, however that ends.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import time
from pathlib import Path
from types import TracebackType
from typing import Any

from salus.core.errors import SalusError

GRACE_S = 0.5  # somebody who only looks holds the lock for a moment


class ProgramLock:
    """The lock `home/run/<name>.lock`, held from construction until `release`; `home_in_use` when another holds it."""

    def __init__(self, home: Path, name: str, wait_s: float = GRACE_S):
        prepare_home(home)
        self.path = lock_path(home, name)
        self._descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            self._take(home, name, wait_s)
            self.tell()
        except BaseException:
            os.close(self._descriptor)
            raise

    def _take(self, home: Path, name: str, wait_s: float) -> None:
        patience = time.monotonic() + max(wait_s, GRACE_S)
        while not _try_lock(self._descriptor, fcntl.LOCK_EX):
            if time.monotonic() >= patience:
                holder = read_holder(home, name) or {}
                raise SalusError("home_in_use", where=str(home), name=name, found=holder.get("pid", "?"))
            time.sleep(0.05)

    def tell(self, **facts: Any) -> None:
        """Writes the pid and `facts` where `read_holder` finds them."""
        content = json.dumps({"pid": os.getpid(), **facts}).encode()
        os.pwrite(self._descriptor, content, 0)
        os.ftruncate(self._descriptor, len(content))

    def release(self) -> None:
        if self._descriptor >= 0:
            os.ftruncate(self._descriptor, 0)
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> ProgramLock:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def prepare_home(home: Path) -> None:
    """The home and the folders that every program needs, readable by their owner alone; or `home_not_writable`."""
    try:
        for folder in (home, home / "run", home / "logs", home / "keys"):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise SalusError("home_not_writable", where=str(home), found=os.strerror(error.errno or 0)) from None
    if not os.access(home / "run", os.W_OK | os.X_OK):
        raise SalusError("home_not_writable", where=str(home), found="no right to write")


def lock_path(home: Path, name: str) -> Path:
    return home / "run" / f"{name}.lock"


def read_holder(home: Path, name: str) -> dict[str, Any] | None:
    """What the holder of the lock tells about itself; None when nobody holds it."""
    try:
        descriptor = os.open(lock_path(home, name), os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return None
    try:
        if _try_lock(descriptor, fcntl.LOCK_SH):
            return None
        content = os.pread(descriptor, 65536, 0)
    finally:
        os.close(descriptor)
    try:
        told = json.loads(content)
    except ValueError:  # read in the moment of being written
        return {}
    return told if isinstance(told, dict) else {}


def wait_until_free(home: Path, name: str, wait_s: float) -> bool:
    """Waits at most `wait_s` for the lock to be held by nobody."""
    patience = time.monotonic() + wait_s
    while read_holder(home, name) is not None:
        if time.monotonic() >= patience:
            return False
        time.sleep(0.05)
    return True


def _try_lock(descriptor: int, how: int) -> bool:
    try:
        fcntl.flock(descriptor, how | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
            return False
        raise
    return True
