"""`salus up`: starts the programs of a home, starts them again when they die, stops them in order.

`python -m salus.programs.supervisor [--background | --down | --status] [--json]`. Knows which programs there are and when
each is ready. Does no work of theirs: it can be killed at any moment, and they drain and stop by themselves.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

from salus.core.errors import SalusError
from salus.core.settings import Settings
from salus.programs import attendance
from salus.programs.background import start_in_background, tell_starter
from salus.programs.children import Child, program_command
from salus.programs.locks import ProgramLock, read_holder, wait_until_free
from salus.programs.logs import bound_log, last_lines, log_path
from salus.programs.parent import stop_when_parent_goes
from salus.programs.ports import address, answers, check_ports

PROGRAMS = ("control", "model_server", "worker")
STOP_ORDER = ("worker", "model_server", "control")  # whoever reports goes before whoever listens
READY_WITHIN_S = 60.0
LOOK_EVERY_S = 0.05
LOOK_EVERY_WHEN_READY_S = 0.5


class Supervisor:
    """The programs of one home, while this process holds its lock."""

    def __init__(self, settings: Settings, lock: ProgramLock, stop: threading.Event):
        self.settings = settings
        self.children = {
            name: Child(name, program_command(f"salus.programs.{name}"), settings.home) for name in PROGRAMS
        }
        self._lock = lock
        self._stop = stop
        self._reported: set[str] = set()

    @property
    def ready(self) -> bool:
        return all(child.ready for child in self.children.values())

    def start(self) -> bool:
        """Starts all and waits until all are ready; False when asked to stop before. Raises what kept them from it."""
        for child in self.children.values():
            child.start()
        patience = time.monotonic() + READY_WITHIN_S
        while not self._stop.is_set():
            self.look()
            if self.ready:
                return True
            for child in self.children.values():
                if child.refused or child.keeps_dying:
                    raise _why_not(child)
            if time.monotonic() > patience:
                late = ", ".join(name for name, child in self.children.items() if not child.ready)
                logs = self.settings.home / "logs"
                raise SalusError("not_ready", expected=READY_WITHIN_S, found=late, log=str(logs))
            self._stop.wait(LOOK_EVERY_S)
        return False

    def watch(self) -> None:
        """Keeps them running until asked to stop."""
        while not self._stop.is_set():
            self.look()
            self._stop.wait(LOOK_EVERY_WHEN_READY_S if self.ready else LOOK_EVERY_S)

    def look(self) -> None:
        """One round: deaths, restarts, readiness; what changed is told."""
        for name, child in self.children.items():
            before = child.describe()
            child.look()
            if child.pid is not None and not child.ready:
                child.ready = is_ready(name, self.settings, child.pid)
            if child.describe() != before:
                say(f"{name}: {child.state}" + (f", exit code {child.exit_code}" if child.pid is None else ""))
                self.tell()
            if child.keeps_dying and name not in self._reported:
                self._reported.add(name)
                say(_why_not(child).text(self.settings.language))
            elif child.ready:
                self._reported.discard(name)

    def tell(self) -> None:
        """Puts the state where `--status` and `--down` read it."""
        programs = {name: child.describe() for name, child in self.children.items()}
        self._lock.tell(programs=programs, addresses=addresses(self.settings), ready=self.ready)

    def stop(self) -> None:
        """Ends all, in order; each may drain for `stop_timeout_s`."""
        for name in STOP_ORDER:
            child = self.children[name]
            child.ask_to_stop()
            if not child.wait(self.settings.stop_timeout_s):
                say(f"{name}: still there after {self.settings.stop_timeout_s} s, killed")
                child.kill()


def is_ready(name: str, settings: Settings, pid: int) -> bool:
    """Whether the program does what it is for: answers, or has been answered."""
    if name == "control":
        return answers(settings.host, settings.control_port, "/readyz")
    if name == "model_server":
        return answers(settings.host, settings.model_server_port, "/livez")
    holder = read_holder(settings.home, name) or {}
    return holder.get("pid") == pid and bool(holder.get("ready"))


def addresses(settings: Settings) -> dict[str, str]:
    return {
        "control": address(settings.host, settings.control_port),
        "model_server": address(settings.host, settings.model_server_port),
    }


def up(settings: Settings) -> int:
    """Runs the programs until SIGTERM, SIGINT or SIGHUP."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: stop.set())
    stop_when_parent_goes(stop.set)
    with ProgramLock(settings.home, "supervisor") as lock:
        _wait_for_the_last_ones(settings)
        check_ports(settings)
        first = not owner_key(settings).exists()
        supervisor = Supervisor(settings, lock, stop)
        try:
            if supervisor.start():
                for line in welcome(settings, first):
                    say(line)
                tell_starter({"ready": True})
                bound_log(log_path(settings.home, "supervisor"))
                supervisor.watch()
        finally:
            supervisor.stop()
    say("stopped")
    return 0


def _wait_for_the_last_ones(settings: Settings) -> None:
    """Programs whose supervisor was killed drain and stop by themselves; they are let finish."""
    for name in PROGRAMS:
        if not wait_until_free(settings.home, name, settings.stop_timeout_s + 5):
            holder = read_holder(settings.home, name) or {}
            raise SalusError("home_in_use", where=str(settings.home), name=name, found=holder.get("pid", "?"))


def owner_key(settings: Settings) -> Path:
    return settings.home / "keys" / "owner.key"


def welcome(settings: Settings, first: bool) -> list[str]:
    """What is said when all is ready. At the first start the owner's key as well, but never to a log."""
    where, kept = addresses(settings), owner_key(settings)
    lines = [
        "Salus is ready.",
        f"  management   {where['control']}",
        f"  answers      {where['model_server']}",
        f"  home         {settings.home}",
        f"  owner key    {kept} (the command line reads it by itself)",
    ]
    if first and kept.exists() and sys.stdout.isatty():
        lines.append(f"  shown once   {kept.read_text().strip()}")
    return lines


def _why_not(child: Child) -> SalusError:
    """The error of a program that does not start; the end of its log is said as well."""
    for line in last_lines(child.log):
        say(f"  {child.name}| {line}")
    return SalusError("program_keeps_dying", where=child.name, found=max(1, child.restarts + 1), log=str(child.log))


def say(text: str) -> None:
    """To the terminal, or in the background to the log; a closed terminal is no reason to end."""
    try:
        print(text, flush=True)
    except OSError:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115, PTH123


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="salus.programs.supervisor", description="Starts and watches the programs.")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--background", action="store_true", help="return when all is ready")
    what.add_argument("--down", action="store_true", help="stop all and wait until nothing is left")
    what.add_argument("--status", action="store_true", help="say what runs")
    parser.add_argument("--json", action="store_true", help="with --status: as JSON")
    given = parser.parse_args(arguments)
    language = "en"
    try:
        settings = Settings.load()
        language = settings.language
        if given.background:
            first = not owner_key(settings).exists()
            start_in_background(settings)
            say("\n".join(welcome(settings, first)))
            return 0
        if given.down:
            return attendance.down(settings, PROGRAMS)
        if given.status:
            return _show(attendance.status(settings, PROGRAMS, addresses(settings)), given.json)
        return up(settings)
    except SalusError as error:
        tell_starter({"error": error.to_json()})
        print(error.text(language), file=sys.stderr, flush=True)
        return 1


def _show(status: dict[str, Any], as_json: bool) -> int:
    if as_json:
        say(json.dumps(status))
    else:
        say("ready" if status["ready"] else "running, not ready" if status["running"] else "not running")
        for name, program in status["programs"].items():
            say(f"  {name:<14}{program['state']:<10}pid {program['pid'] or '-'}  restarts {program['restarts']}")
        for name, url in status["addresses"].items():
            say(f"  {name:<14}{url}")
    return 0 if status["ready"] else 1


if __name__ == "__main__":
    sys.exit(main())
