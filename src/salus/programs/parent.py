"""How a program learns that whoever started it is gone: end-of-file on a pipe, whose number is in SALUS_PARENT_FD.

The pipe closes however the parent ends, also by SIGKILL. Started by hand there is no pipe, and nothing is watched.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable

PARENT_FD = "SALUS_PARENT_FD"
READY_FD = "SALUS_READY_FD"  # on which a supervisor in the background says that all is ready


def stop_when_parent_goes(on_gone: Callable[[], None] | None = None) -> None:
    """Calls `on_gone` from a thread when the parent ends; without one, sends SIGTERM to this process.

    Takes the number out of the environment, so that processes started later do not watch a pipe they do not have.
    """
    number = os.environ.pop(PARENT_FD, "")
    if not number.isdecimal():
        return
    descriptor = int(number)
    os.set_inheritable(descriptor, False)
    threading.Thread(target=_watch, args=(descriptor, on_gone or _terminate), daemon=True, name="parent").start()


def _watch(descriptor: int, on_gone: Callable[[], None]) -> None:
    try:
        while os.read(descriptor, 1):
            pass
    except OSError:
        pass
    on_gone()


def _terminate() -> None:
    os.kill(os.getpid(), signal.SIGTERM)
