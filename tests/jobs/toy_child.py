"""A step process whose steps are toys: what `salus.jobs.child` runs, but for the table of steps."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import salus.jobs.steps
from salus.core.errors import SalusError
from salus.jobs import child
from salus.jobs.steps import Workplace


def echo(job: dict[str, Any], place: Workplace) -> dict[str, Any]:
    return job


def tell(job: dict[str, Any], place: Workplace) -> dict[str, Any]:
    for number in range(job["count"]):
        place.context.event("told", number=number)
    return {}


def wait(job: dict[str, Any], place: Workplace) -> dict[str, Any]:
    place.context.event("waiting", pid=os.getpid())
    while True:
        place.context.stop_if_asked("wait")
        time.sleep(0.02)


def deaf(job: dict[str, Any], place: Workplace) -> dict[str, Any]:
    place.context.event("waiting", pid=os.getpid())
    while True:
        time.sleep(0.1)


def die(job: dict[str, Any], place: Workplace) -> dict[str, Any]:
    os.kill(os.getpid(), signal.SIGKILL)
    return {}


def die_at_first(job: dict[str, Any], place: Workplace) -> dict[str, Any]:
    attempts = (place.context.recall("attempts") or 0) + 1
    place.context.remember("attempts", attempts)
    place.context.event("attempt", number=attempts)
    if attempts < job["attempts"]:
        os.kill(os.getpid(), signal.SIGKILL)
    return {"attempts": attempts}


def slow(job: dict[str, Any], place: Workplace) -> dict[str, Any]:
    """Counts in the open and remembers how far it came."""
    start = place.context.recall("at") or 0
    for number in range(start, job["count"]):
        place.context.stop_if_asked("slow")
        place.context.event("at", number=number, pid=os.getpid())
        place.context.remember("at", number + 1)
        time.sleep(0.1)
    return {"started_at": start, "count": job["count"]}


def refuse(job: dict[str, Any], place: Workplace) -> dict[str, Any]:
    raise SalusError("no_labels", where="toy")


def broken(job: dict[str, Any], place: Workplace) -> dict[str, Any]:
    raise RuntimeError("a secret of the inside")


def printing(job: dict[str, Any], place: Workplace) -> dict[str, Any]:
    print('{"result": {"forged": true}}', flush=True)
    os.write(1, b'{"result": {"forged": true}}\n')
    return {}


def family(job: dict[str, Any], place: Workplace) -> dict[str, Any]:
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    return {"pid": process.pid}


def hungry(job: dict[str, Any], place: Workplace) -> dict[str, Any]:
    return {"bytes": len(bytearray(2**40))}


def surroundings(job: dict[str, Any], place: Workplace) -> dict[str, Any]:
    return {"environment": dict(os.environ), "folder": str(Path.cwd())}


TOYS = {
    "echo": echo,
    "tell": tell,
    "wait": wait,
    "deaf": deaf,
    "die": die,
    "die-at-first": die_at_first,
    "slow": slow,
    "refuse": refuse,
    "break": broken,
    "print": printing,
    "family": family,
    "hungry": hungry,
    "surroundings": surroundings,
}

if __name__ == "__main__":
    salus.jobs.steps.STEPS = {name: f"__main__:{step.__name__}" for name, step in TOYS.items()}
    sys.exit(child.main())
