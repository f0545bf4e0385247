"""The worker as a program: `python -m salus.programs.worker`. One a home; it does one job at a time.

Assembles settings, the line to the control plane and the local runner. Stops on SIGTERM, SIGINT, or with its parent.
"""

from __future__ import annotations

import os
import signal
import sys
import threading

from salus.core.errors import SalusError
from salus.core.settings import Settings
from salus.jobs.link import Link
from salus.jobs.runners.local import LocalRunner
from salus.jobs.worker import Worker
from salus.programs.locks import ProgramLock
from salus.programs.logs import log_to_stderr
from salus.programs.parent import stop_when_parent_goes


def main() -> int:
    log_to_stderr("worker")
    try:
        settings = Settings.load()
        with ProgramLock(settings.home, "worker") as lock:
            _work(settings, lock)
    except SalusError as error:
        print(error.text(), file=sys.stderr)
        return 2
    return 0


def _work(settings: Settings, lock: ProgramLock) -> None:
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    stop_when_parent_goes(stop.set)
    link = Link(settings, f"worker-{os.getpid()}")
    try:
        Worker(settings, link, LocalRunner(settings), stop).run(on_connected=lambda: lock.tell(ready=True))
    finally:
        link.close()


if __name__ == "__main__":
    sys.exit(main())
