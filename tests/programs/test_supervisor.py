"""`salus up`, `down` and `status` with toy programs: what is started, what is told, what is left."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from tests.programs.toy_supervisor import HERE

from salus.testing.runner import gone

COMMAND = (sys.executable, str(HERE / "toy_supervisor.py"))


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


class House:
    """A home with two free ports, and what a person types."""

    def __init__(self, home: Path):
        self.home = home
        self.ports = (free_port(), free_port())
        self.environment = {
            **os.environ,
            "SALUS_HOME": str(home),
            "SALUS_CONTROL_PORT": str(self.ports[0]),
            "SALUS_MODEL_SERVER_PORT": str(self.ports[1]),
            "SALUS_STOP_TIMEOUT_S": "3",
        }

    def run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*COMMAND, *arguments],
            env=self.environment | environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def up(self, **environment: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*COMMAND],
            env=self.environment | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def status(self) -> dict[str, Any]:
        told: dict[str, Any] = json.loads(self.run("--status", "--json").stdout)
        return told

    def pids(self) -> dict[str, int]:
        return {name: program["pid"] for name, program in self.status()["programs"].items()}


@pytest.fixture
def house(home: Path) -> Iterator[House]:
    house = House(home)
    yield house
    assert house.run("--down").returncode == 0


def wait_for(condition: Callable[[], Any], wait_s: float = 20.0) -> None:
    patience = time.monotonic() + wait_s
    while not condition():
        assert time.monotonic() < patience, "waited in vain"
        time.sleep(0.05)


def test_up_in_the_background_returns_when_ready_and_down_leaves_nothing(house: House) -> None:
    started = house.run("--background")
    assert started.returncode == 0, started.stdout + started.stderr
    assert f"http://127.0.0.1:{house.ports[0]}" in started.stdout
    assert "owner.key" in started.stdout
    status = house.status()
    assert status["ready"]
    assert status["addresses"]["model_server"] == f"http://127.0.0.1:{house.ports[1]}"
    assert {program["state"] for program in status["programs"].values()} == {"ready"}
    everyone = [status["pid"], *house.pids().values()]
    assert all(psutil.pid_exists(pid) for pid in everyone)
    assert house.run("--down").returncode == 0
    assert not any(psutil.pid_exists(pid) for pid in everyone if not gone(pid, 0.1))
    assert (house.home / "ended").read_text().split() == ["worker", "model_server", "control"]
    assert not house.status()["running"]
    assert house.run("--status").returncode == 1


def test_a_second_up_on_a_home_is_refused(house: House) -> None:
    house.run("--background")
    for arguments in ((), ("--background",)):
        second = house.run(*arguments)
        assert second.returncode == 1
        assert "salus down" in second.stderr
    assert house.status()["ready"]


@pytest.mark.parametrize("index", [0, 1])
def test_a_taken_port_is_told_and_nothing_is_left_running(house: House, index: int) -> None:
    with socket.create_server(("127.0.0.1", house.ports[index])):
        refused = house.run("--background")
    assert refused.returncode == 1
    assert str(house.ports[index]) in refused.stderr
    assert not house.status()["running"]
    assert not (house.home / "logs" / "control.log").exists()


def test_killed_programs_are_started_again(house: House) -> None:
    house.run("--background")
    before = house.pids()
    for pid in before.values():
        os.kill(pid, signal.SIGKILL)
    wait_for(lambda: (status := house.status())["ready"] and all(p["restarts"] for p in status["programs"].values()))
    assert not set(before.values()) & set(house.pids().values())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_all_in_order(house: House, number: signal.Signals) -> None:
    process = house.up()
    wait_for(lambda: house.status()["ready"])
    process.send_signal(number)
    output, _ = process.communicate(timeout=20)
    assert process.returncode == 0
    assert output.rstrip().endswith("stopped")
    assert (house.home / "ended").read_text().split() == ["worker", "model_server", "control"]


def test_programs_stop_when_their_supervisor_is_killed_and_up_works_again(house: House) -> None:
    process = house.up()
    wait_for(lambda: house.status()["ready"])
    before = house.pids()
    process.kill()
    process.communicate()
    again = house.run("--background")
    assert again.returncode == 0, again.stdout + again.stderr
    assert all(gone(pid) for pid in before.values())


def test_down_also_ends_programs_without_a_supervisor(house: House) -> None:
    alone = subprocess.Popen([sys.executable, str(HERE / "toy_program.py"), "worker"], env=house.environment)
    wait_for(lambda: house.status()["programs"]["worker"]["state"] == "draining")
    assert house.run("--down").returncode == 0
    assert alone.wait(5) == 0


@pytest.mark.parametrize("fault", ["refuse", "crash"])
def test_a_program_that_does_not_start_is_told_with_its_words(house: House, fault: str) -> None:
    failed = house.run(TOY_FAULT=f"model_server:{fault}")
    assert failed.returncode == 1
    assert f"model_server does not start: {fault}" in failed.stdout
    assert "model_server" in failed.stderr
    assert not house.status()["running"]
    assert house.status()["programs"]["control"]["state"] == "stopped"


def test_down_without_anything_is_no_error(house: House) -> None:
    told = house.run("--down")
    assert told.returncode == 0
    assert "not running" in told.stdout
