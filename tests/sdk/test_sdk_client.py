"""The client against a pretend service on a real socket."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

import salus
from salus.core.errors import SalusError
from salus.core.settings import Settings
from salus.sdk import client as client_module
from salus.sdk import upload as uploads
from salus.sdk.client import Client
from salus.sdk.errors import LostError, NoServiceError, ServiceError
from salus.testing.service import KEY, FakeService


@pytest.fixture(name="service")
def _service() -> Iterator[FakeService]:
    service = FakeService()
    service.start()
    yield service
    service.stop()


@pytest.fixture(name="client")
def _client(service: FakeService) -> Iterator[Client]:
    client = Client(service.url, KEY, service.url)
    yield client
    client.close()


def folder_of(path: Path, sizes: dict[str, int]) -> Path:
    for name, size in sizes.items():
        file = path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(bytes(index % 251 for index in range(size)))
    return path


def test_a_folder_arrives_file_by_file_with_progress(client: Client, service: FakeService, tmp_path: Path) -> None:
    folder = folder_of(tmp_path, {"a/one.csv": 10, "a/zwei ü.csv": 2_500_000, "empty.csv": 0, ".hidden": 5})
    (folder / "link.csv").symlink_to(folder / "a" / "one.csv")
    told: list[tuple[int, int]] = []
    run = client.add_data("things", folder, progress=lambda sent, total: told.append((sent, total)))
    assert run["kind"] == "add"
    names = sorted(service.names.values())
    assert names == ["a/one.csv", "a/zwei ü.csv", "empty.csv"]
    assert [len(content) for content in service.uploads["upload_0"].values()] == [10, 2_500_000, 0]
    assert told == sorted(told) and told[-1] == (2_500_010, 2_500_010) and len(told) >= 5


def test_a_broken_upload_goes_on_where_it_stopped(
    client: Client, service: FakeService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "FIRST_PAUSE_S", 0.01)
    folder_of(tmp_path, {"big.csv": 3_000_000})
    service.drop_after_bytes = 1_500_000
    client.add_data("big", tmp_path / "big.csv")
    assert bytes(service.uploads["upload_0"][0]) == (tmp_path / "big.csv").read_bytes()
    assert service.offsets[0] == 0 and service.offsets[1] >= 1_500_000


def test_an_upload_that_was_begun_is_completed(client: Client, service: FakeService, tmp_path: Path) -> None:
    folder_of(tmp_path, {"a.csv": 1000, "b.csv": 1000})
    service.uploads["mine"] = {
        0: bytearray((tmp_path / "a.csv").read_bytes()),
        1: bytearray((tmp_path / "b.csv").read_bytes()[:400]),
    }
    service.names |= {("mine", 0): "a.csv", ("mine", 1): "b.csv"}
    uploads.send(client, tmp_path, upload="mine")
    assert service.offsets == [400]
    assert bytes(service.uploads["mine"][1]) == (tmp_path / "b.csv").read_bytes()


def test_nothing_to_upload(client: Client, tmp_path: Path) -> None:
    for path, code in ((tmp_path / "none", "path_missing"), (tmp_path, "folder_empty")):
        with pytest.raises(SalusError) as caught:
            client.add_data("x", path)
        assert caught.value.code == code


def test_a_bundled_set_is_named_not_uploaded(client: Client, service: FakeService) -> None:
    client.add_data("iris", "sklearn:iris")
    assert b'"builtin":"sklearn:iris"' in service.requests[-1][2].replace(b" ", b"")
    assert not service.uploads


def test_a_run_is_watched_until_it_is_over(client: Client) -> None:
    run = client.train("iris", {"target": ["species"]}, deploy="flowers")
    assert [event["seq"] for event in client.watch(run["id"])] == [1, 2, 3]
    assert client.run(run["id"])["result"]["deployed"]
    assert client.report(run["id"])["metrics"]["accuracy"]["value"] == 0.9
    assert client.report_html(run["id"]).startswith("<!doctype html>")


def test_pages_are_followed(client: Client) -> None:
    for _ in range(5):
        client.train("iris", {"target": ["species"]})
    assert len(client.runs()) == 5


def test_predictions(client: Client, service: FakeService) -> None:
    assert len(client.predict("flowers", [{"a": 1}, {"a": 2}])) == 2
    assert client.predict_picture("flowers", b"\x89PNG", "image/png")["label"] == "yes"
    assert service.requests[-1][1:] == ("image/png", b"\x89PNG")


def test_endpoints_and_keys(client: Client) -> None:
    assert client.deploy("flowers", "iris", 1)["state"] == "ready"
    client.remove_endpoint("flowers")
    assert client.endpoints() == []
    made = client.create_key("app", ["predict"], 60)
    assert client.answers_key(made["key"])
    client.revoke_key(made["id"])
    assert not client.answers_key(made["key"])


def test_a_refusal_carries_the_words_of_the_service(service: FakeService) -> None:
    with Client(service.url, "wrong") as client, pytest.raises(ServiceError) as caught:
        client.status()
    error = caught.value
    assert (error.code, error.status, error.detail, error.next) == ("no_key", 401, "A key is needed.", "Send one.")


def test_names_cannot_leave_their_place_in_the_path(client: Client) -> None:
    with pytest.raises(ServiceError) as caught:
        client.data_set("../keys")
    assert caught.value.status == 404


def test_no_service(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}"
    with Client(address, None) as client:
        assert not client.ready()
        with pytest.raises(NoServiceError, match="salus up"):
            client.status()


def test_watching_waits_for_a_service_that_restarts(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    run = client.train("iris", {"target": ["species"]})
    asked, real = [0], client.request

    def shaky(method: str, path: str, **options: object) -> object:
        asked[0] += 1
        if asked[0] == 2:
            raise NoServiceError("here")
        return real(method, path, **options)

    monkeypatch.setattr(client, "request", shaky)
    assert [event["seq"] for event in client.watch(run["id"])] == [1, 2, 3]
    monkeypatch.setattr(client_module, "PATIENCE_S", 0.0)
    monkeypatch.setattr(client, "request", lambda *a, **o: (_ for _ in ()).throw(NoServiceError("here")))
    with pytest.raises(LostError):
        list(client.watch(run["id"]))


def test_the_local_client_finds_its_key(service: FakeService, tmp_path: Path) -> None:
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "owner.key").write_text(KEY + "\n")
    port = int(service.url.rsplit(":", 1)[1])
    with Client.local(Settings.load(home=tmp_path, control_port=port, model_server_port=port)) as client:
        assert client.status()["version"] == "0"
    with salus.connect(service.url, KEY) as client:
        assert client.ready()
