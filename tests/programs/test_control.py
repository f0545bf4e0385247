"""The control plane as a program: what it refuses at its start, the keys it makes, and an upload over its violent death."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from salus.core.errors import SalusError
from salus.core.settings import Settings
from salus.programs import control
from salus.programs.locks import prepare_home, read_holder
from salus.store import keys, projects
from salus.store.records import Records

PATIENCE_S = 30.0
HEADER = "Authorization"


class Control:
    """One control plane on a home of its own, at a port that the system chose."""

    def __init__(self, home: Path, **settings: Any):
        self.home = home
        given = {"home": home, "control_port": 0, "free_space_floor_bytes": 1, **settings}
        kept = {name: value for name, value in os.environ.items() if not name.startswith("SALUS_")}
        self.environment = kept | {f"SALUS_{name.upper()}": str(value) for name, value in given.items()}
        self.process: subprocess.Popen[bytes] | None = None
        self.port = 0

    def start(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "salus.programs.control"],
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        patience = time.monotonic() + PATIENCE_S
        while not (holder := read_holder(self.home, "control") or {}).get("ready"):
            assert self.process.poll() is None and time.monotonic() < patience, "it did not become ready"
            time.sleep(0.05)
        assert holder["pid"] == self.process.pid
        self.port = int(holder["port"])

    def kill(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.end()

    def stop(self) -> int:
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.end()

    def end(self) -> int:
        assert self.process is not None and self.process.stdout is not None
        code = self.process.wait(PATIENCE_S)
        self.process.stdout.close()
        return code

    def client(self) -> httpx2.Client:
        token = (self.home / "keys" / "owner.key").read_text().strip()
        address = f"http://127.0.0.1:{self.port}/api/v1"
        return httpx2.Client(base_url=address, headers={HEADER: f"Bearer {token}"}, trust_env=False, timeout=PATIENCE_S)


@pytest.fixture
def plane(home: Path) -> Iterator[Control]:
    running = Control(home)
    yield running
    if running.process is not None and running.process.poll() is None:
        running.kill()


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
def test_an_address_of_this_machine_alone_is_taken(home: Path, host: str) -> None:
    control.check_host(Settings(home=home, host=host))


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "example.org", ""])  # noqa: S104
def test_an_open_address_needs_a_proxy(home: Path, host: str) -> None:
    with pytest.raises(SalusError) as refused:
        control.check_host(Settings(home=home, host=host))
    assert refused.value.code == "bind_public"
    control.check_host(Settings(home=home, host=host, behind_proxy=True))


def test_a_home_is_made_closed(home: Path) -> None:
    control.check_home(home / "new" / "home")
    assert (home / "new" / "home").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("mode", [0o755, 0o710, 0o701, 0o770])
def test_a_home_that_others_may_enter_is_refused(home: Path, mode: int) -> None:
    home.chmod(mode)
    with pytest.raises(SalusError) as refused:
        control.check_home(home)
    assert refused.value.code == "home_open" and f"{mode:04o}" in refused.value.detail()


def test_a_home_that_is_no_folder_is_refused(home: Path) -> None:
    (home / "file").write_text("")
    for place in (home / "file", home / "file" / "below"):
        with pytest.raises(SalusError) as refused:
            control.check_home(place)
        assert refused.value.code == "home_not_writable"


def test_the_first_start_makes_keys_and_the_second_keeps_them(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    prepare_home(home)
    settings = Settings(home=home)
    records = Records.open(settings)
    signer = control.first_start(settings, records)
    made = {path.name: path.read_bytes() for path in (home / "keys").iterdir()}
    token = made["owner.key"].decode().strip()
    assert set(made) >= {"signing.pem", "worker.key", "owner.key"}
    assert {path.stat().st_mode & 0o777 for path in (home / "keys").iterdir()} == {0o600}
    assert token not in capsys.readouterr().out, "no terminal looks on; a key does not belong in a log"
    row = records.database.read(lambda connection: keys.find(connection, token))
    assert row is not None and (row["project"], row["scopes"]) == (control.FIRST_PROJECT, ["owner"])

    again = control.first_start(settings, records)
    assert {path.name: path.read_bytes() for path in (home / "keys").iterdir()} == made
    assert again.key_id == signer.key_id and capsys.readouterr().out == ""
    assert len(records.database.read(projects.every)) == 1
    records.close()
    held = b"".join(path.read_bytes() for path in home.glob("salus.db*"))
    assert token.removeprefix("salus_").encode() not in held


def test_the_owners_key_is_shown_once_on_a_terminal(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare_home(home)
    records = Records.open(Settings(home=home))
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    for shown in (1, 0):
        control.first_start(records.settings, records)
        assert capsys.readouterr().out.count((home / "keys" / "owner.key").read_text().strip()) == shown
    records.close()


def test_a_start_that_is_refused_says_why_and_ends(home: Path) -> None:
    def started(**settings: Any) -> subprocess.CompletedProcess[str]:
        running = Control(home, **settings)
        command = [sys.executable, "-m", "salus.programs.control"]
        return subprocess.run(command, env=running.environment, capture_output=True, text=True, timeout=60, check=False)

    public = started(host="0.0.0.0")  # noqa: S104
    assert (public.returncode, public.stdout) == (2, "") and "SALUS_BEHIND_PROXY" in public.stderr
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        busy = started(control_port=port)
    assert busy.returncode == 2 and "SALUS_CONTROL_PORT" in busy.stderr and str(port) in busy.stderr
    assert "Traceback" not in public.stderr + busy.stderr


def test_an_upload_goes_on_after_a_kill_in_its_middle(plane: Control) -> None:
    content = os.urandom(24 * 2**20)
    plane.start()
    with plane.client() as client:
        upload = client.post("/uploads", json={}).json()["id"]
        place = f"/uploads/{upload}/files/0?name=large.bin&offset="
        assert client.put(place + "0", content=content[: 2**20]).json() == {"received": 2**20}
        dying = threading.Thread(target=_send_slowly, args=(plane, place + str(2**20), content[2**20 :]))
        dying.start()
        _wait_for_bytes(plane.home / "tmp" / upload / "0.part", 6 * 2**20)
    plane.kill()
    dying.join(PATIENCE_S)
    assert not dying.is_alive()

    plane.start()
    with plane.client() as client:
        shown = client.get(f"/uploads/{upload}").json()
        received = shown["files"][0]["received"]
        assert shown["state"] == "open" and 2**20 <= received < len(content), "what was answered is there"
        answer = client.put(place + str(received), content=content[received:])
        assert answer.json() == {"received": len(content)}
        (file,) = client.post(f"/uploads/{upload}/complete", json={}).json()["files"]
        assert file == {"name": "large.bin", "digest": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
        assert not (plane.home / "tmp" / upload).exists()
        audit = client.get("/audit?verify=1").json()
        assert audit["intact"] is True
        assert [row["action"] for row in audit["items"]] == ["uploads.complete", "uploads.create", "keys.create"]
    assert plane.stop() == 0


def test_the_sender_alone_is_cut_off_and_goes_on(plane: Control) -> None:
    plane.start()
    with plane.client() as client:
        upload = client.post("/uploads", json={}).json()["id"]
        place = f"/uploads/{upload}/files/0?name=a.bin&offset="
        with socket.create_connection(("127.0.0.1", plane.port)) as wire:
            lines = (f"PUT /api/v1{place}0 HTTP/1.1", "Host: 127.0.0.1", f"{HEADER}: {client.headers[HEADER]}")
            head = "\r\n".join([*lines, f"Content-Length: {4 * 2**20}", "", ""])
            wire.sendall(head.encode() + b"a" * 2**21)
            _wait_for_bytes(plane.home / "tmp" / upload / "0.part", 2**20)
        patience = time.monotonic() + PATIENCE_S
        while not (files := client.get(f"/uploads/{upload}").json()["files"]) or not files[0]["received"]:
            assert time.monotonic() < patience
            time.sleep(0.02)
        received = files[0]["received"]
        assert 2**20 <= received <= 2**21
        rest = b"a" * (4 * 2**20 - received)
        assert client.put(place + str(received), content=rest).json() == {"received": 4 * 2**20}


def test_what_the_socket_of_workers_is(plane: Control) -> None:
    plane.start()
    path = plane.home / "run" / "control.sock"
    assert path.stat().st_mode & 0o777 == 0o600
    key = (plane.home / "keys" / "worker.key").read_text().strip()
    with httpx2.Client(transport=httpx2.HTTPTransport(uds=str(path)), base_url="http://salus/api/v1/worker") as client:
        asked: dict[str, Any] = {"json": {"worker": "w", "wait_s": 0}}
        assert client.post("/claim", **asked).status_code == 401
        owner = (plane.home / "keys" / "owner.key").read_text().strip()
        assert client.post("/claim", **asked, headers={HEADER: f"Bearer {owner}"}).status_code == 401
        assert client.post("/claim", **asked, headers={HEADER: f"Bearer {key}"}).status_code == 204
    with plane.client() as client:
        assert client.get("/status").json()["worker"]["name"] == "w"
        assert json.loads(client.get("/keys").content)["items"][0]["name"] == "owner"


def _send_slowly(plane: Control, place: str, content: bytes) -> None:
    """Sends until the other side dies."""

    def pieces() -> Iterator[bytes]:
        for start in range(0, len(content), 2**18):
            yield content[start : start + 2**18]
            time.sleep(0.02)

    with plane.client() as client:
        try:
            client.put(place, content=pieces())
        except httpx2.TransportError:
            return
        raise AssertionError("the sender outlived the kill")


def _wait_for_bytes(path: Path, least: int) -> None:
    patience = time.monotonic() + PATIENCE_S
    while not path.exists() or path.stat().st_size < least:
        assert time.monotonic() < patience, "the bytes do not come"
        time.sleep(0.01)
