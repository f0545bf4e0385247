"""Kill any process at any moment: what was answered with 2xx stays, runs end well, answers go on."""

from __future__ import annotations

import hashlib
import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
from tests.faults.conftest import QUICK, SLOW, finished

from salus.sdk import upload as uploads
from salus.sdk.client import Client
from salus.sdk.errors import ServiceError
from salus.testing.running import RunningService

ROW = {"a": 0.5, "b": 1.0, "c": 1.0, "kind": "x"}


def wait_for(condition: Callable[[], Any], wait_s: float = 30.0) -> Any:
    patience = time.monotonic() + wait_s
    while time.monotonic() < patience:
        try:
            found = condition()
        except ServiceError:  # away for a moment
            found = None
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError("waited in vain")


def wait_for_event(client: Client, run: str, name: str) -> None:
    assert any(event["name"] == name for event in client.watch(run, wait_s=5)), f"no event {name}"


def test_an_upload_goes_on_after_the_control_plane_was_killed(
    service: RunningService, client: Client, tmp_path: Path
) -> None:
    file = tmp_path / "large.csv"
    file.write_bytes(b"a,b\n" + os.urandom(12 * 2**20).hex().encode())
    killed: list[int] = []

    def progress(sent: int, _: int) -> None:
        if sent > 5 * 2**20 and not killed:
            killed.append(service.kill("control"))

    upload = uploads.send(client, file, progress)
    assert killed
    found = client.request("POST", f"/uploads/{upload}/complete", json={})
    assert found["files"][0]["digest"] == hashlib.sha256(file.read_bytes()).hexdigest()


def test_every_answer_outlives_the_control_plane_that_gave_it(service: RunningService, client: Client) -> None:
    made = []
    for number in range(2):
        made.append(client.request("POST", "/keys", json={"name": f"k{number}", "scopes": ["read"]})["id"])
        old = service.kill("control")
        service.wait_for_another("control", old)
        wait_for(client.ready)
    assert set(made) <= {key["id"] for key in client._pages("/keys")}


def test_a_run_survives_its_worker(service: RunningService, client: Client, people: str) -> None:
    run = client.train(people, SLOW, model="survivor")["id"]
    wait_for_event(client, run, "fitting")
    children = psutil.Process(service.pid("worker") or 0).children(recursive=True)
    old = service.kill("worker")
    service.wait_for_another("worker", old)
    ended = finished(client, run)
    assert ended["state"] == "succeeded"
    assert "started_again" in ended["told"]
    assert children
    assert not any(child.is_running() and child.status() != psutil.STATUS_ZOMBIE for child in children)
    assert len(client.model("survivor")["versions"]) == 1


def test_a_run_survives_its_step(service: RunningService, client: Client, people: str) -> None:
    run = client.train(people, SLOW, model="stepper")["id"]
    wait_for_event(client, run, "fitting")
    (step,) = psutil.Process(service.pid("worker") or 0).children()
    step.kill()
    ended = finished(client, run)
    assert ended["state"] == "succeeded"
    assert "put_back" in ended["told"]


def test_a_run_goes_on_while_the_control_plane_is_killed(service: RunningService, client: Client, people: str) -> None:
    run = client.train(people, SLOW, model="orphan")["id"]
    wait_for_event(client, run, "fitting")
    old = service.kill("control")
    service.wait_for_another("control", old)
    ended = finished(client, run)
    assert ended["state"] == "succeeded"
    assert "started_again" not in ended["told"]


def test_publishing_and_deploying_survive_kills_at_any_moment(
    service: RunningService, client: Client, people: str
) -> None:
    """Control plane and worker are killed in turn all through a run until some attempts are spent."""
    run = client.train(people, QUICK, model="stubborn", deploy="stubborn")["id"]
    for program, pause_s in (("control", 0.9), ("worker", 1.5), ("control", 1.3), ("model_server", 0.7)):
        time.sleep(pause_s)
        old = service.kill(program)
        service.wait_for_another(program, old)
    wait_for(client.ready)
    ended = finished(client, run)
    assert ended["state"] == "succeeded"
    assert ended["result"]["deployed"]
    assert len(client.model("stubborn")["versions"]) == 1
    wait_for(lambda: client.predict("stubborn", [ROW]))


def test_answers_go_on_while_the_control_plane_is_killed(
    service: RunningService, client: Client, endpoint: str
) -> None:
    over, trouble, answers = threading.Event(), [], []

    def ask() -> None:
        with service.client() as other:
            while not over.is_set():
                try:
                    answers.append(other.predict(endpoint, [ROW])[0]["label"])
                except ServiceError as error:
                    trouble.append(repr(error))

    asking = threading.Thread(target=ask)
    asking.start()
    old = service.kill("control")
    service.wait_for_another("control", old)
    wait_for(client.ready)
    over.set()
    asking.join()
    assert not trouble
    assert len(answers) > 10


def test_the_model_server_answers_again_after_it_was_killed(
    service: RunningService, client: Client, endpoint: str
) -> None:
    before = client.predict(endpoint, [ROW])
    old = service.kill("model_server")
    service.wait_for_another("model_server", old)
    assert wait_for(lambda: client.predict(endpoint, [ROW])) == before


def test_an_endpoint_that_was_answered_is_there_after_both_were_killed(
    service: RunningService, client: Client, endpoint: str
) -> None:
    client.deploy("twin", "answerer", 1)
    old = {program: service.kill(program) for program in ("control", "model_server")}
    for program, pid in old.items():
        service.wait_for_another(program, pid)
    assert wait_for(lambda: client.predict("twin", [ROW]))
    assert wait_for(lambda: client.endpoint("twin"))["version"] == 1


def test_a_deployment_during_a_kill_is_answered_or_refused_and_ends_well(
    service: RunningService, client: Client, endpoint: str
) -> None:
    old = service.kill("model_server")
    try:
        client.deploy("late", "answerer", 1)
    except ServiceError:  # refused: nothing was promised
        service.wait_for_another("model_server", old)
        wait_for(lambda: client.deploy("late", "answerer", 1))
    assert wait_for(lambda: client.predict("late", [ROW]))


def test_everything_goes_on_after_the_supervisor_was_killed(
    service: RunningService, client: Client, people: str
) -> None:
    run = client.train(people, SLOW, model="phoenix")["id"]
    wait_for_event(client, run, "fitting")
    everyone = [service.pid(program) for program in ("control", "model_server", "worker")]
    service.kill("supervisor")
    service.up()
    assert not set(everyone) & {service.pid(program) for program in ("control", "model_server", "worker")}
    assert finished(client, run)["state"] == "succeeded"


def test_a_cancelled_run_stays_cancelled_when_its_worker_is_killed(
    service: RunningService, client: Client, people: str
) -> None:
    run = client.train(people, SLOW, model="unwanted")["id"]
    wait_for_event(client, run, "fitting")
    os.kill(service.pid("worker") or 0, signal.SIGSTOP)
    client.cancel(run)
    old = service.kill("worker")
    service.wait_for_another("worker", old)
    assert finished(client, run)["state"] == "cancelled"
    assert "unwanted" not in [model["name"] for model in client.models()]
