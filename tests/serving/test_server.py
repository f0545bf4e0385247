"""The life of a server: swaps under load, bad bundles, revoked keys, restarts without a control plane, an orderly end."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from serving_bundles import OTHER_TOKEN, TOKEN, Home, Running, rows, running, slow_graph, table_schema

from salus.bundle.sign import Signer

JSON = {"Content-Type": "application/json"}
PETS = "/endpoints/pets/predict"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


@pytest.fixture
def server(home: Home) -> Iterator[Running]:
    with running(home) as server:
        yield server


class Load:
    """Asks without a pause from a few connections and keeps what came back."""

    def __init__(self, server: Running, connections: int = 4):
        self.answers: list[tuple[int, dict[str, Any]]] = []
        self.errors: list[Exception] = []
        self._server = server
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._ask) for _ in range(connections)]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(30)

    def _ask(self) -> None:
        with self._server.client() as client:
            while not self._over.is_set():
                try:
                    answer = client.post(PETS, content=rows((1, 0)), headers=JSON)
                    self.answers.append((answer.status_code, answer.json()))
                except Exception as error:
                    self.errors.append(error)
                    return


def test_versions_are_swapped_under_load_without_a_failed_or_mixed_answer(server: Running) -> None:
    home = server.home
    # Version n leans to "frog" by n: the answer itself tells which model made it.
    versions = {number: home.table(shift=float(number)) for number in range(1, 9)}
    server.push(home.snapshot(home.endpoint("pets", versions[1], 1)))
    with server.client() as client:
        expected = {}
        for number, files in versions.items():
            assert server.push(home.snapshot(home.endpoint("pets", files, number))).json()["endpoints"] == {
                "one/pets": "ready"
            }
            answer = client.post(PETS, content=rows((1, 0)), headers=JSON).json()
            assert answer["version"] == number
            expected[number] = answer["predictions"]
    assert len({json.dumps(value) for value in expected.values()}) == len(versions)
    with Load(server) as load:
        for number in [*versions, 3, 1, 8, 2]:
            server.push(home.snapshot(home.endpoint("pets", versions[number], number)))
            time.sleep(0.05)
    assert not load.errors
    assert len(load.answers) > 100
    assert {status for status, _ in load.answers} == {200}
    assert all(answer["predictions"] == expected[answer["version"]] for _, answer in load.answers)
    assert len({answer["version"] for _, answer in load.answers}) >= 6


def test_a_bad_bundle_leaves_the_old_version_and_tells_why(server: Running, tmp_path: Path) -> None:
    home = server.home
    good = home.table()
    server.push(home.snapshot(home.endpoint("pets", good, 1), home.endpoint("new", {}, 1)))
    damaged = home.table(1.0)
    damaged["graphs/main.onnx"].chmod(0o600)
    damaged["graphs/main.onnx"].write_bytes(damaged["graphs/main.onnx"].read_bytes()[:-9])
    stranger = home.bundle(table_schema(), slow_graph(), Signer.create(tmp_path / "stranger.pem"))
    for number, (files, code) in enumerate([(damaged, "bundle_damaged"), (stranger, "bundle_foreign"), ({}, None)], 2):
        states = server.push(home.snapshot(home.endpoint("pets", files, number), home.endpoint("new", files, number)))
        for place in ("one/pets", "one/new"):
            state = states.json()["endpoints"][place]
            assert state["code"] == (code or "bundle_damaged") and state["state"] == "failed"
        with server.client() as client:
            assert client.post(PETS, content=rows((1, 0)), headers=JSON).json()["version"] == 1
            failed = client.post("/endpoints/new/predict", content=rows((1, 0)), headers=JSON)
            assert failed.status_code == 503 and failed.json()["code"] == "model_failed"
            ready = client.get("/readyz")
            assert ready.status_code == 200 and ready.json()["endpoints"]["failed"] == 2
    healed = server.push(home.snapshot(home.endpoint("pets", home.table(2.0), 9)))
    assert healed.json()["endpoints"] == {"one/pets": "ready"}


def test_a_revoked_key_and_a_removed_endpoint_are_gone_with_the_snapshot(server: Running) -> None:
    home = server.home
    files = home.table()
    server.push(home.snapshot(home.endpoint("pets", files), home.endpoint("more", files)))
    with server.client(OTHER_TOKEN) as client, server.client() as mine:
        assert client.get("/endpoints").status_code == 200
        server.push(home.snapshot(home.endpoint("pets", files), keys=home.keys[:1]))
        assert client.get("/endpoints").status_code == 401
        assert mine.post("/endpoints/more/predict", content=rows((1, 0)), headers=JSON).status_code == 404
        assert mine.post(PETS, content=rows((1, 0)), headers=JSON).status_code == 200


def test_only_a_newer_and_signed_snapshot_changes_anything(server: Running) -> None:
    home = server.home
    files = home.table()
    old = home.snapshot()
    server.push(home.snapshot(home.endpoint("pets", files)))
    stale = server.push(old)
    assert (stale.status_code, stale.json()["code"]) == (409, "snapshot_stale")
    forged = json.loads(home.snapshot())
    forged["snapshot"]["keys"] = []
    refused = server.push(json.dumps(forged).encode())
    assert (refused.status_code, refused.json()["code"]) == (422, "snapshot_refused")
    with server.client() as client:
        assert client.post(PETS, content=rows((1, 0)), headers=JSON).status_code == 200


def test_limits_of_the_snapshot_are_in_force_at_once(server: Running) -> None:
    home = server.home
    files = home.table()
    with server.client() as client:
        server.push(home.snapshot(home.endpoint("pets", files), limits={"max_predict_rows": 1}))
        assert client.post(PETS, content=rows((1, 0), (1, 0)), headers=JSON).status_code == 413
        server.push(home.snapshot(home.endpoint("pets", files), limits={}))
        assert client.post(PETS, content=rows((1, 0), (1, 0)), headers=JSON).status_code == 200


def test_a_kept_snapshot_answers_without_a_control_plane_until_it_is_too_old(home: Home) -> None:
    with running(home) as server:
        with server.client() as client:
            assert client.get("/readyz").status_code == 503
            assert client.get("/livez").status_code == 200
        server.push(home.snapshot(home.endpoint("pets", home.table())))
    kept = home.path / "snapshot.json"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    with running(home) as server, server.client() as client:
        _until_ready(server)
        assert client.post(PETS, content=rows((1, 0)), headers=JSON).status_code == 200
    with running(home, snapshot_max_age_s=0.5) as server, server.client() as client:
        time.sleep(0.6)
        answer = client.post(PETS, content=rows((1, 0)), headers=JSON)
        assert (answer.status_code, answer.json()["code"]) == (503, "snapshot_too_old")
        assert client.get("/readyz").status_code == 503
    kept.write_bytes(kept.read_bytes().replace(b"pets", b"cats"))
    with running(home) as server, server.client() as client:
        assert client.post(PETS, content=rows((1, 0)), headers=JSON).status_code == 401


def test_what_is_being_loaded_says_so(server: Running) -> None:
    home = server.home
    slow = home.bundle(table_schema(), slow_graph())
    endpoints = [home.endpoint(f"slow{number}", slow, number) for number in range(12)]
    pushing = threading.Thread(target=server.push, args=(home.snapshot(*endpoints),))
    pushing.start()
    with server.client() as client:
        seen = set()
        while pushing.is_alive():
            answer = client.post("/endpoints/slow11/predict", content=rows((1, 0)), headers=JSON)
            if answer.status_code == 503:
                assert answer.headers["retry-after"] == "1"
            seen.add((answer.status_code, answer.json().get("code")))
        pushing.join()
        assert (503, "starting") in seen
        assert client.post("/endpoints/slow11/predict", content=rows((1, 0)), headers=JSON).status_code == 200


def test_overload_and_deadlines(server: Running) -> None:
    home = server.home
    slow = home.bundle(table_schema(), slow_graph())
    limits = {"max_queue_rows": 40, "predict_timeout_s": 20}
    server.push(home.snapshot(home.endpoint("pets", slow), limits=limits))
    with server.client() as client:
        hasty = client.post(PETS, content=rows(*[(1, 0)] * 40), headers={**JSON, "Salus-Timeout-Ms": "1"})
        assert (hasty.status_code, hasty.json()["code"]) == (504, "deadline_exceeded")
    seen: list[tuple[int, str | None]] = []

    def ask() -> None:
        with server.client() as client:
            answer = client.post(PETS, content=rows(*[(1, 0)] * 20), headers=JSON)
            seen.append((answer.status_code, answer.headers.get("retry-after")))

    threads = [threading.Thread(target=ask) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert set(seen) <= {(200, None), (503, "1")}
    assert (200, None) in seen and (503, "1") in seen


@pytest.mark.parametrize("how", ["sigterm", "parent"])
def test_what_was_asked_is_answered_before_the_end(home: Home, how: str) -> None:
    read_end, write_end = os.pipe()
    try:
        with running(home, parent_fd=read_end) as server:
            os.close(read_end)
            slow = home.bundle(table_schema(), slow_graph())
            server.push(home.snapshot(home.endpoint("pets", slow)))
            answers: list[int] = []

            def ask() -> None:
                with server.client() as client:
                    answers.append(client.post(PETS, content=rows(*[(1, 0)] * 200), headers=JSON).status_code)

            threads = [threading.Thread(target=ask) for _ in range(3)]
            for thread in threads:
                thread.start()
            time.sleep(0.3)
            if how == "sigterm":
                server.process.send_signal(signal.SIGTERM)
            else:
                os.close(write_end)
                write_end = -1
            for thread in threads:
                thread.join(60)
            assert answers == [200, 200, 200]
            assert server.process.wait(20) == 0
            assert not server.local.exists()
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection(("127.0.0.1", server.port), timeout=2)
    finally:
        if write_end != -1:
            os.close(write_end)


def test_the_local_door_is_for_its_owner_and_knows_two_things(server: Running) -> None:
    assert stat.S_IMODE(server.local.stat().st_mode) == 0o600
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(server.local))
        connection.sendall(b"POST /endpoints/pets/predict HTTP/1.1\r\nHost: x\r\n\r\n")
        assert connection.recv(1000).startswith(b"HTTP/1.1 404")
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(server.local))
        connection.sendall(b"GET /endpoints HTTP/1.1\r\nHost: x\r\n\r\n")
        assert connection.recv(1000).startswith(b"HTTP/1.1 200")
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        head = f"POST /snapshot HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\n"
        connection.sendall(head.encode() + b"Content-Length: 2\r\n\r\n{}")
        assert connection.recv(1000).startswith(b"HTTP/1.1 401")


def test_one_server_a_home_and_a_dead_ones_socket_is_replaced(home: Home) -> None:
    with running(home) as server:
        server.process.kill()
        server.process.wait()
        assert server.local.exists()
    with running(home) as server:
        assert server.push(home.snapshot()).status_code == 200
        with pytest.raises(AssertionError, match="on this home"), running(home):
            pass
        with server.client() as client:
            assert client.get("/livez").status_code == 200


def _until_ready(server: Running) -> None:
    with server.client() as client:
        for _ in range(200):
            if client.get("/readyz").status_code == 200:
                return
            time.sleep(0.05)
    raise AssertionError("never ready")
