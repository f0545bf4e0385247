"""Who is there in a home, and how all of them are sent away: what `salus status` and `salus down` stand on.

Knows locks and process ids. A process id counts only while its holder holds the lock, so that a reused id is never hit.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Sequence
from typing import Any

import psutil

from salus.core.errors import SalusError
from salus.core.settings import Settings
from salus.programs.locks import read_holder


def status(settings: Settings, programs: Sequence[str], addresses: dict[str, str]) -> dict[str, Any]:
    """What runs in the home, as JSON values."""
    holder = read_holder(settings.home, "supervisor")
    told = (holder or {}).get("programs", {})
    states = {}
    for name in programs:
        own = read_holder(settings.home, name)
        absent = {"state": "stopped" if own is None else "draining", "pid": (own or {}).get("pid"), "restarts": 0}
        states[name] = told.get(name, absent)
    return {
        "home": str(settings.home),
        "running": holder is not None,
        "ready": bool((holder or {}).get("ready")),
        "pid": (holder or {}).get("pid"),
        "programs": states,
        "addresses": (holder or {}).get("addresses", addresses),
    }


def down(settings: Settings, programs: Sequence[str]) -> int:
    """Stops everything in the home; returns when no process of it is left, or raises `not_stopped`."""
    names = ("supervisor", *programs)
    processes = _processes(settings, names)
    if not processes:
        print("Salus is not running.", flush=True)
        return 0
    supervisor = read_holder(settings.home, "supervisor")
    if supervisor is not None:
        _ask(supervisor.get("pid"))
    patience_s = settings.stop_timeout_s * len(names) + 10
    patience = time.monotonic() + patience_s
    while time.monotonic() < patience:
        processes |= _processes(settings, names)
        if not any(process.is_running() and process.status() != psutil.STATUS_ZOMBIE for process in _living(processes)):
            print("stopped", flush=True)
            return 0
        if read_holder(settings.home, "supervisor") is None:  # nobody left who would ask them
            for name in programs:
                _ask((read_holder(settings.home, name) or {}).get("pid"))
            time.sleep(0.2)
        time.sleep(0.05)
    left = next(iter(_living(processes)))
    raise SalusError("not_stopped", where=str(settings.home), expected=patience_s, found=left.pid)


def _processes(settings: Settings, names: Sequence[str]) -> set[psutil.Process]:
    """The processes of a home now, by their ids and start times."""
    holders = [read_holder(settings.home, name) or {} for name in names]
    told = [program.get("pid") for holder in holders for program in holder.get("programs", {}).values()]
    found: set[psutil.Process] = set()
    for pid in [holder.get("pid") for holder in holders] + told:
        if isinstance(pid, int):
            with contextlib.suppress(psutil.NoSuchProcess):
                found.add(psutil.Process(pid))
    return found


def _living(processes: set[psutil.Process]) -> list[psutil.Process]:
    living = []
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            if process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
                living.append(process)
    return living


def _ask(pid: Any) -> None:
    if isinstance(pid, int):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
