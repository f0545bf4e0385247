"""A program under the supervisor: its deaths, its restarts, its end."""

from __future__ import annotations

import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from salus.programs.children import Child
from salus.programs.logs import log_path
from salus.testing.runner import gone


def child_of(home: Path, source: str) -> Child:
    (home / "logs").mkdir(exist_ok=True)
    return Child("toy", (sys.executable, "-c", textwrap.dedent(source)), home)


def look_until(child: Child, condition: Callable[[], bool], wait_s: float = 15.0) -> None:
    patience = time.monotonic() + wait_s
    while not condition():
        child.look()
        assert time.monotonic() < patience, child.describe()
        time.sleep(0.02)


def test_a_killed_program_is_started_again(home: Path) -> None:
    child = child_of(home, "import time; time.sleep(600)")
    child.start()
    first = child.pid
    assert first is not None
    psutil.Process(first).kill()
    look_until(child, lambda: child.restarts == 1)
    assert child.pid not in (None, first)
    assert child.state == "starting"
    child.kill()
    assert child.state == "stopped"


def test_five_deaths_in_a_minute_are_noted_and_slow_the_restarts(home: Path) -> None:
    child = child_of(home, "import sys; print('why'); sys.exit(3)")
    child.start()
    look_until(child, lambda: child.keeps_dying)
    assert child.state == "failing"
    assert child.exit_code == 3
    assert not child.refused
    restarts = child.restarts
    time.sleep(0.5)
    child.look()
    assert child.restarts == restarts
    child.ask_to_stop()
    assert child.wait(1)
    assert log_path(home, "toy").read_text() == "why\n" * 5


def test_a_program_that_refuses_says_so(home: Path) -> None:
    child = child_of(home, "import sys; sys.exit(2)")
    child.start()
    look_until(child, lambda: child.refused)
    child.kill()


def test_a_stopped_program_is_not_started_again(home: Path) -> None:
    child = child_of(home, "import time; time.sleep(600)")
    child.start()
    child.ask_to_stop()
    assert child.wait(10)
    child.look()
    assert child.pid is None


def test_a_program_that_does_not_listen_is_killed(home: Path) -> None:
    child = child_of(
        home, "import signal, time; signal.signal(15, signal.SIG_IGN); print('on', flush=True); time.sleep(600)"
    )
    child.start()
    look_until(child, lambda: log_path(home, "toy").read_text() == "on\n")
    pid = child.pid
    assert pid is not None
    child.ask_to_stop()
    assert not child.wait(0.3)
    child.kill()
    assert gone(pid)


def test_a_program_sees_that_its_supervisor_is_gone(home: Path) -> None:
    """The supervisor here is a process of its own that is killed; the program ends by itself."""
    source = """
        import sys, time
        from pathlib import Path
        from salus.programs.children import Child
        program = (
            "import time; from salus.programs.parent import stop_when_parent_goes;"
            "stop_when_parent_goes(); time.sleep(600)"
        )
        child = Child("inner", (sys.executable, "-c", program), Path(sys.argv[1]))
        child.start()
        print(child.pid, flush=True)
        time.sleep(600)
    """
    (home / "logs").mkdir()
    outer = Child("toy", (sys.executable, "-c", textwrap.dedent(source), str(home)), home)
    outer.start()
    look_until(outer, lambda: log_path(home, "toy").read_text().strip().isdecimal())
    inner = int(log_path(home, "toy").read_text())
    assert psutil.pid_exists(inner)
    outer.kill()
    assert gone(inner)
