"""The whole loop with the real programs: a file in, a curl line that works out; and everything that must be refused."""

from __future__ import annotations

import http.client
import json
import os
import random
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from salus.sdk.client import Client
from salus.sdk.errors import ServiceError
from salus.testing.running import RunningService

LONG = {"trees": 20_000, "patience_trees": 5000, "learning_rate": 1e-4, "leaves": 127, "min_leaf_rows": 2}
ROW = {"age": 61.0, "pulse": 80.0, "smokes": "yes"}


def table(path: Path, rows: int = 200) -> Path:
    """Two numbers and a word that tell who is ill, most of the time."""
    generator = random.Random(3)
    lines = ["age,pulse,smokes,state"]
    for _ in range(rows):
        age, pulse, smokes = generator.gauss(50, 12), generator.gauss(70, 9), generator.choice(["yes", "no"])
        ill = age + 10 * (smokes == "yes") + generator.gauss(0, 3) > 55
        lines.append(f"{age:.1f},{pulse:.1f},{smokes},{'ill' if ill else 'well'}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def launched(service: RunningService, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    path = table(tmp_path_factory.mktemp("data") / "people.csv")
    return dict(service.json("launch", str(path), "--target", "state", "--budget", "3s", "--learner", "linear"))


@pytest.fixture
def owner(service: RunningService, launched: dict[str, Any]) -> Iterator[Client]:
    with service.client() as client:
        yield client


def ask(
    service: RunningService, body: bytes, key: str | None, headers: dict[str, str] | None = None
) -> tuple[int, dict[str, Any]]:
    """One POST to the endpoint as any program would send it."""
    connection = http.client.HTTPConnection("127.0.0.1", service.model_server_port, timeout=20)
    sent = {"Content-Type": "application/json", **(headers or {})}
    if key is not None:
        sent["Authorization"] = f"Bearer {key}"
    try:
        connection.request("POST", "/endpoints/people/predict", body, sent)
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    finally:
        connection.close()


def rows(*given: dict[str, Any]) -> bytes:
    return json.dumps({"rows": list(given)}).encode()


@pytest.fixture(scope="module")
def key(service: RunningService, launched: dict[str, Any]) -> str:
    return (service.home / "keys" / "predict.key").read_text().strip()


def test_the_printed_curl_line_works(launched: dict[str, Any]) -> None:
    assert launched["deployed"] and launched["gate"]["passed"]
    assert launched["metrics"]["accuracy"]["value"] > 0.75
    assert Path(launched["report"]).read_text(encoding="utf-8").startswith("<!doctype html>")
    done = subprocess.run(["sh", "-c", launched["curl"]], capture_output=True, text=True, timeout=30, check=True)
    answer = json.loads(done.stdout)
    assert answer["endpoint"] == "people" and answer["version"] == launched["version"]
    assert answer["predictions"][0]["label"] in ("ill", "well")


def test_sdk_and_command_line_give_one_answer(service: RunningService, owner: Client) -> None:
    predicted = owner.predict("people", [ROW, {**ROW, "age": 20.0, "smokes": "no"}])
    assert [found["label"] for found in predicted] == ["ill", "well"]
    assert service.json("predict", "people", json.dumps(ROW)) == predicted[:1]


def test_report_says_what_it_is_worth(service: RunningService, launched: dict[str, Any], owner: Client) -> None:
    report = service.json("report", launched["run"])
    assert report == owner.report(launched["run"])
    assert report["metrics"]["accuracy"]["value"] == launched["metrics"]["accuracy"]["value"]
    assert report["baseline"]["accuracy"]["value"] < report["metrics"]["accuracy"]["low"]
    said = service.salus("report", launched["run"])
    assert said.returncode == 0 and "it never saw: accuracy" in said.stdout


def test_a_second_version_is_deployed_while_requests_run(
    service: RunningService, launched: dict[str, Any], owner: Client
) -> None:
    trained = service.json("train", "people", "--target", "state", "--budget", "2s", "--learner", "linear")
    assert trained["state"] == "succeeded"
    second = trained["result"]["version"]
    first = launched["version"]
    stop = threading.Event()
    seen: list[int] = []
    failed: list[object] = []

    def keep_asking() -> None:
        with service.client() as client:
            address = f"{client.model_url}/endpoints/people/predict"
            while not stop.is_set():
                try:
                    seen.append(client._send("POST", address, json={"rows": [ROW]}).json()["version"])
                except ServiceError as error:
                    failed.append(error)

    askers = [threading.Thread(target=keep_asking) for _ in range(2)]
    for asker in askers:
        asker.start()
    try:
        for version in (second, first, second):
            assert service.json("deploy", "people", "--version", str(version))["state"] == "ready"
    finally:
        time.sleep(0.2)
        stop.set()
        for asker in askers:
            asker.join(timeout=30)
    assert not failed
    assert set(seen) == {first, second} and seen[-1] == second and len(seen) > 50


def test_only_good_keys_open(service: RunningService, owner: Client, key: str) -> None:
    assert ask(service, rows(ROW), key)[0] == 200
    for wrong in (None, "salus_" + "0" * 52, key[:-1], key + "a", "é"):
        status, problem = ask(service, rows(ROW), None if wrong is None else wrong.encode().decode("latin-1"))
        assert status == 401
        assert problem["code"] == ("auth_required" if wrong is None else "auth_invalid")


def test_a_revoked_key_opens_nothing_from_then_on(service: RunningService, owner: Client) -> None:
    made = service.json("keys", "create", "short-lived")
    assert ask(service, rows(ROW), made["key"])[0] == 200
    service.json("keys", "revoke", made["id"])
    assert ask(service, rows(ROW), made["key"])[0] == 401
    with service.client(made["key"]) as client, pytest.raises(ServiceError) as caught:
        client.runs()
    assert caught.value.status == 401


def test_a_key_of_another_project_sees_nothing_here(service: RunningService, owner: Client) -> None:
    owner.create_project("elsewhere")
    with service.client(project="elsewhere") as inside:
        foreign = inside.create_key("foreign", ["owner"])["key"]
    status, problem = ask(service, rows(ROW), foreign)
    assert (status, problem["code"]) == (404, "not_found")
    with service.client(foreign) as client:
        assert client.models() == [] and client.endpoints() == [] and client.runs() == []
        for question in (lambda: client.model("people"), lambda: client.data_set("people")):
            with pytest.raises(ServiceError) as caught:
                question()
            assert caught.value.status == 404


def test_a_key_that_may_only_predict_manages_nothing(service: RunningService, key: str) -> None:
    with service.client(key) as client:
        for question in (client.runs, client.models, client.keys, lambda: client.remove_endpoint("people")):
            with pytest.raises(ServiceError) as caught:
                question()
            assert caught.value.status == 403


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b'{"rows": [{"age": 61', 400, "bad_json"),
        (b"", 400, "bad_json"),
        (b"\xff\xfe\x00", 400, "bad_json"),
        (b'{"rows": [{"age": NaN, "pulse": 80, "smokes": "yes"}]}', 400, "bad_json"),
        (rows({**ROW, "age": 1e300}), 422, "not_finite"),
        (rows({"age": 61.0, "pulse": 80.0}), 422, "schema_mismatch"),
        (rows({**ROW, "shoe": 43}), 422, "schema_mismatch"),
        (rows({**ROW, "age": "sixty"}), 422, "schema_mismatch"),
        (rows({**ROW, "age": True}), 422, "schema_mismatch"),
        (rows({**ROW, "smokes": ["yes"]}), 422, "schema_mismatch"),
        (rows(), 422, "empty_batch"),
        (b'{"rows": 3}', 422, "bad_predict_body"),
        (b'["age"]', 422, "bad_predict_body"),
        (json.dumps({"rows": [{"age": 1, "pulse": 2, "smokes": "no"}] * 1001}).encode(), 413, "batch_too_large"),
        (rows({**ROW, "smokes": "y" * 250_000}), 413, "body_too_large"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_bad_bodies_are_told_what_is_wrong(
    service: RunningService, key: str, body: bytes, status: int, code: str
) -> None:
    found, problem = ask(service, body, key)
    assert (found, problem["code"]) == (status, code), problem
    assert problem["detail"] and problem["next"]
    assert ask(service, rows(ROW), key)[0] == 200


@pytest.mark.parametrize(
    ("text", "target", "code"),
    [
        ("", "state", "no_rows"),
        ("age,state\n", "state", "no_rows"),
        ("age,state\n1,ill\n2,well,3\n", "state", "ragged_row"),
        ("age,state\n" + "".join(f"{row * 7 % 40}.5,ill\n" for row in range(40)), "state", "one_class"),
        ("age,state\n" + "".join(f"{row},{'ab'[row % 2]}\n" for row in range(40)), "mood", "target_not_a_column"),
    ],
    ids=["empty", "header-only", "ragged", "one-class", "no-target"],
)
def test_bad_data_ends_the_launch_with_a_word(
    service: RunningService, tmp_path: Path, text: str, target: str, code: str
) -> None:
    path = tmp_path / f"{code.replace('_', '-')}-{len(text)}.csv"
    path.write_text(text, encoding="utf-8")
    error = service.json("launch", str(path), "--target", target, "--budget", "2s", code=1)["error"]
    assert error["code"] == code and error["detail"] and error["next"]


def test_a_path_that_is_not_there(service: RunningService, tmp_path: Path) -> None:
    done = service.salus("launch", str(tmp_path / "nothing.csv"), "--target", "x")
    assert done.returncode == 1 and "[path_missing]" in done.stderr and "Traceback" not in done.stderr


def test_a_long_run_is_cancelled(service: RunningService, owner: Client) -> None:
    run = owner.train("people", {"target": ["state"], "learner": "boosting", "budget_s": 600, "options": LONG})["id"]
    for event in owner.watch(run, wait_s=5):
        if event["name"] in ("prepared", "planned", "fitting"):
            break
    asked = time.monotonic()
    service.json("runs", "cancel", run)
    events = list(owner.watch(run, wait_s=5))
    assert owner.run(run)["state"] == "cancelled", events[-1:]
    assert time.monotonic() - asked < 30


def test_one_service_a_home(service: RunningService) -> None:
    done = service.module("salus.programs.supervisor", "--background")
    assert done.returncode == 1 and "process id" in done.stderr
    done = service.salus("up")
    assert done.returncode == 1 and str(service.home) in done.stderr
    assert service.json("status")


def test_a_port_that_is_taken(tmp_path: Path) -> None:
    other = RunningService(tmp_path / "home")
    with socket.create_server(("127.0.0.1", other.control_port)):
        done = other.salus("up", "--background")
    assert done.returncode == 1 and "SALUS_CONTROL_PORT" in done.stderr and str(other.control_port) in done.stderr
    assert other.pid("supervisor") is None


def test_a_home_that_cannot_be_written(tmp_path: Path) -> None:
    if os.geteuid() == 0:  # permissions do not stop root
        (tmp_path / "file").write_text("", encoding="utf-8")
        home = tmp_path / "file" / "home"
    else:
        (tmp_path / "closed").mkdir(mode=0o500)
        home = tmp_path / "closed" / "home"
    done = RunningService(home).salus("up", "--background")
    assert done.returncode == 1 and str(home) in done.stderr and "Traceback" not in done.stderr
