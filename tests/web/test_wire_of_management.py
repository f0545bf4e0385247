"""Bytes on a socket of the management port: what no well-behaved client sends. After each, the next good request is answered."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn

from salus.core.wire import file_digest
from salus.programs.control import serving_config
from salus.testing.records import RecordHome, record_home
from salus.web.app import management_app

HOST = "Host: 127.0.0.1"
WAIT_S = 20.0


class Wire:
    """A server on a port of its own, and raw requests to it."""

    def __init__(self, home: RecordHome):
        self.home = home
        self.key = f"Authorization: Bearer {home.tokens['one', 'owner']}"
        self.place = socket.create_server(("127.0.0.1", 0))
        self.server = uvicorn.Server(serving_config(management_app(home.records)))
        self.thread = threading.Thread(target=lambda: asyncio.run(self.server.serve(sockets=[self.place])), daemon=True)

    def start(self) -> None:
        self.thread.start()
        while not self.server.started:
            time.sleep(0.005)

    def stop(self) -> None:
        self.server.should_exit = True
        self.thread.join(WAIT_S)

    def send(self, *parts: bytes, pause_s: float = 0.0, end: bool = False) -> tuple[int, bytes]:
        """Status and body of the answer to these bytes; (0, b"") when the connection just ended."""
        with socket.create_connection(self.place.getsockname(), timeout=WAIT_S) as wire:
            with contextlib.suppress(ConnectionError):
                for part in parts:
                    wire.sendall(part)
                    time.sleep(pause_s)
                if end:
                    wire.shutdown(socket.SHUT_WR)
            found = b""
            with contextlib.suppress(ConnectionError):
                while piece := wire.recv(65536):
                    found += piece
                    head, split, body = found.partition(b"\r\n\r\n")
                    if split and len(body) >= _length(head):
                        break
        head, _, body = found.partition(b"\r\n\r\n")
        return (int(head.split()[1]) if head else 0), body

    def ask(self, line: str, *headers: str, body: bytes = b"") -> tuple[int, str]:
        """Status and code."""
        status, found = self.send("\r\n".join([line, *headers, "", ""]).encode("latin-1") + body)
        return status, str(json.loads(found)["code"]) if status >= 400 and found[:1] == b"{" else ""

    def well(self) -> bool:
        return self.ask("GET /api/v1/status HTTP/1.1", HOST, self.key) == (200, "")


def _length(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    return 2**30


@pytest.fixture(scope="module")
def wire(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wire]:
    folder: Path = tmp_path_factory.mktemp("wire")
    limits = {"max_json_bytes": 2048, "body_timeout_s": 0.5, "max_upload_bytes": 3_000_000, "max_upload_files": 3}
    with record_home(folder / "home", **limits) as home:
        running = Wire(home)
        running.start()
        yield running
        running.stop()


@pytest.mark.parametrize(
    ("hosts", "expected"),
    [
        ((HOST, HOST), (400, "bad_host")),
        ((HOST, "host: evil.example"), (400, "bad_host")),
        (("Host: evil.example",), (421, "unknown_host")),
        (("Host: 127.0.0.1.evil.example",), (421, "unknown_host")),
        (("Host: evil.example@127.0.0.1",), (421, "unknown_host")),
        (("Host: 127.0.0.1:80:80",), (421, "unknown_host")),
        (("Host: ",), (421, "unknown_host")),
        (("Host: LOCALHOST:8400",), (200, "")),
        (("Host: [::1]:8400",), (200, "")),
        (("X-Forwarded-Host: 127.0.0.1", "Host: evil.example"), (421, "unknown_host")),
    ],
)
def test_hosts(wire: Wire, hosts: tuple[str, ...], expected: tuple[int, str]) -> None:
    assert wire.ask("GET /api/v1/status HTTP/1.1", *hosts, wire.key) == expected
    assert wire.well()


def test_no_host_at_all(wire: Wire) -> None:
    for version in ("1.0", "1.1"):
        assert wire.ask(f"GET /livez HTTP/{version}") == (400, "bad_host")


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/../v1/keys",
        "/api/v1/./keys",
        "/api/v1/keys/..",
        "/api/v1/%6beys",
        "/api/v1/%2e%2e/keys",
        "/api/v1/keys%00",
        "/api/v1/keys%2fx",
        "/api/v1//keys",
        "//evil.example/livez",
        "/api/v1/keys;x=1",
        "/api/v1/keys\\..",
        "/livez/%2e%2e/api/v1/keys",
        "/api/v1/data-sets/..%2f..%2fkeys",
    ],
)
def test_paths_that_two_readers_could_read_differently(wire: Wire, path: str) -> None:
    status, code = wire.ask(f"GET {path} HTTP/1.1", HOST, wire.key)
    assert (status, code) in ((400, "bad_path"), (400, "bad_request"))
    assert wire.well()


@pytest.mark.parametrize(
    "path", ["/api/v1/keys/", "/API/v1/keys", "/api/v1", "/", "/docs", "/openapi.json", "/metrics"]
)
def test_what_is_not_in_the_table_is_not_there(wire: Wire, path: str) -> None:
    assert wire.ask(f"GET {path} HTTP/1.1", HOST, wire.key) == (404, "no_such_address")


@pytest.mark.parametrize(
    "sent",
    [
        b"\x00\x01\x02\x03\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET /livez HTTP/9.9\r\nHost: 127.0.0.1\r\n\r\n",
        b"GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        b"GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: -1\r\n\r\n",
        b"GET /livez HTTP/1.1\r\nHost : 127.0.0.1\r\n\r\n",
        b"GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\nX: a\x00b\r\n\r\n",
        b"PUT /livez HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ],
)
def test_what_is_no_http_is_refused(wire: Wire, sent: bytes) -> None:
    status, _ = wire.send(sent, end=True)
    assert status in (0, 400)
    assert wire.well()


def test_too_many_bytes_of_headers_end_the_connection(wire: Wire) -> None:
    begin = f"GET /livez HTTP/1.1\r\n{HOST}\r\n".encode()
    lines = b"".join(b"X-%d: %s\r\n" % (number, b"a" * 1000) for number in range(200))
    status, _ = wire.send(begin + lines + b"\r\n")
    assert status == 431
    status, _ = wire.send(begin, *[b"X: " + b"a" * 100_000] * 20, pause_s=0.005)
    assert status in (0, 431), "without an end of the headers, too"
    assert wire.well()


POST = "POST /api/v1/keys HTTP/1.1"
JSON = "Content-Type: application/json"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"[" * 1500, (400, "bad_json")),
        (b'{"a":' * 300 + b"1" + b"}" * 300, (400, "bad_json")),
        (b'{"name": "k", "name": "k", "scopes": ["read"]}', (400, "bad_json")),
        (b'{"name": "k", "scopes": ["read"], "expires_s": NaN}', (400, "bad_json")),
        (b'{"name": "k", "scopes": ["read"], "expires_s": 1e999}', (400, "bad_json")),
        (b'{"name": "k", "scopes": ["read"], "expires_s": ' + b"9" * 1500 + b"}", (400, "bad_json")),
        (b'{"name": "\\ud800", "scopes": ["read"]}', (400, "bad_json")),
        (b'{"name": "k\xff", "scopes": ["read"]}', (400, "bad_json")),
        (b'\xef\xbb\xbf{"name": "k", "scopes": ["read"]}', (400, "bad_json")),
        (b"[]", (422, "bad_spec")),
        (b"null", (422, "bad_spec")),
        (b'"name"', (422, "bad_spec")),
        (b"{}", (422, "bad_spec")),
        (b"", (422, "bad_spec")),
        (b'{"name": 5, "scopes": ["read"]}', (422, "bad_spec")),
        (b'{"name": "k", "scopes": "read"}', (422, "bad_spec")),
        (b'{"name": "k", "scopes": [["read"]]}', (422, "bad_spec")),
        (b'{"name": "k", "scopes": ["read"], "expires_s": -1}', (422, "bad_spec")),
        (b'{"name": "k", "scopes": ["read"], "expires_s": 1e300}', (422, "bad_spec")),
        (b'{"name": "k", "scopes": ["work"]}', (422, "bad_spec")),
        (b'{"name": "k", "scopes": ["job:x:1"]}', (422, "bad_spec")),
        (b'{"name": "", "scopes": ["read"]}', (422, "bad_spec")),
        (b'{"name": "a\\u0000b", "scopes": ["read"]}', (422, "bad_spec")),
        (b'{"name": "a\\u001b[31m", "scopes": ["read"]}', (422, "bad_spec")),
        (b"x" * 2049, (413, "body_too_large")),
    ],
)
def test_bodies(wire: Wire, body: bytes, expected: tuple[int, str]) -> None:
    assert wire.ask(POST, HOST, wire.key, JSON, f"Content-Length: {len(body)}", body=body) == expected
    assert wire.well()


def test_a_large_body_is_refused_before_it_comes(wire: Wire) -> None:
    began = time.monotonic()
    assert wire.ask(POST, HOST, wire.key, f"Content-Length: {10**12}") == (413, "body_too_large")
    assert time.monotonic() - began < 0.4, "before the wait for the body was over"


def test_a_large_body_without_a_length_is_cut(wire: Wire) -> None:
    pieces = b"".join(b"400\r\n" + b"x" * 1024 + b"\r\n" for _ in range(5)) + b"0\r\n\r\n"
    assert wire.ask(POST, HOST, wire.key, "Transfer-Encoding: chunked", body=pieces) == (413, "body_too_large")


def test_a_silent_body_is_not_waited_for(wire: Wire) -> None:
    assert wire.ask(POST, HOST, wire.key, "Content-Length: 100", body=b"{") == (408, "body_too_slow")
    assert wire.well()


@pytest.mark.parametrize("key", ["", "a" * 201, "a\tb", "\xe9\x80"])
def test_odd_idempotency_keys(wire: Wire, key: str) -> None:
    headers = (f"Idempotency-Key: {key}", "Content-Length: 2")
    assert wire.ask("POST /api/v1/uploads HTTP/1.1", HOST, wire.key, *headers, body=b"{}") == (422, "bad_spec")


def begun(wire: Wire) -> str:
    _, body = wire.send(
        f"POST /api/v1/uploads HTTP/1.1\r\n{HOST}\r\n{wire.key}\r\nContent-Length: 2\r\n\r\n{{}}".encode()
    )
    return str(json.loads(body)["id"])


def put(wire: Wire, upload: str, query: str, body: bytes = b"x", index: str = "0") -> tuple[int, str]:
    line = f"PUT /api/v1/uploads/{upload}/files/{index}?{query} HTTP/1.1"
    return wire.ask(line, HOST, wire.key, f"Content-Length: {len(body)}", body=body)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "..",
        ".",
        "a/../b",
        "../etc/passwd",
        "%2e%2e/x",
        "%2e%2e%2fx",
        "/etc/passwd",
        "a/",
        "a//b",
        "a%00b",
        "a%0ab",
        "a%1b[31m",
        "C:%5cx",
        "c:x",
        "a%5c..%5cb",
        "%ff",
        "a%e2%80%aeb",
        "x" * 1025,
        "a/" + "b" * 241,
    ],
)
def test_file_names_that_lead_elsewhere(wire: Wire, name: str) -> None:
    assert put(wire, begun(wire), f"name={name}&offset=0") == (422, "bad_file_name")


@pytest.mark.parametrize("index", ["-1", "0x0", "1.0", "9" * 30, "x", "~0"])
def test_places_in_an_upload_that_are_no_number(wire: Wire, index: str) -> None:
    assert put(wire, begun(wire), "name=a&offset=0", index=index) == (422, "bad_spec")


@pytest.mark.parametrize("offset", ["-1", "x", "1e3", "9" * 30, "0x10", "%d9%a1", ""])
def test_offsets_that_are_no_number(wire: Wire, offset: str) -> None:
    assert put(wire, begun(wire), f"name=a&offset={offset}") == (422, "bad_spec")


def test_offsets_limits_and_the_rest_of_an_uploads_life(wire: Wire) -> None:
    upload = begun(wire)
    assert put(wire, upload, "name=a&offset=1") == (409, "upload_offset")
    assert put(wire, upload, "name=a&offset=0", b"abc") == (200, "")
    assert put(wire, upload, "name=a&offset=2") == (409, "upload_offset")
    assert put(wire, upload, "name=a&offset=3", b"def") == (200, "")
    assert put(wire, upload, "name=b&offset=0", b"", index="1") == (200, "")
    assert put(wire, upload, "name=c&offset=0", index="3") == (413, "upload_too_large")
    assert put(wire, upload, "name=c&offset=0", b"x" * 3_000_000, index="2") == (413, "upload_too_large")
    assert put(wire, upload, "name=b&offset=0", b"again", index="2") == (200, "")
    done = f"POST /api/v1/uploads/{upload}/complete HTTP/1.1"
    assert wire.ask(done, HOST, wire.key, "Content-Length: 0") == (409, "file_name_twice")
    assert put(wire, upload, "name=c&offset=0", b"renamed", index="2") == (200, "")
    for _ in range(2):
        assert wire.ask(done, HOST, wire.key, "Content-Length: 0") == (200, "")
    assert put(wire, upload, "name=a&offset=6") == (409, "upload_closed")
    assert wire.ask(f"POST /api/v1/uploads/{begun(wire)}/complete HTTP/1.1", HOST, wire.key, "Content-Length: 0") == (
        422,
        "upload_empty",
    )


def test_a_file_that_is_begun_anew_is_the_new_one(wire: Wire) -> None:
    upload = begun(wire)
    assert put(wire, upload, "name=a&offset=0", b"old and long") == (200, "")
    assert put(wire, upload, "name=a&offset=0", b"new") == (200, "")
    line = f"POST /api/v1/uploads/{upload}/complete HTTP/1.1\r\n{HOST}\r\n{wire.key}\r\nContent-Length: 0\r\n\r\n"
    _, body = wire.send(line.encode())
    (file,) = json.loads(body)["files"]
    assert file["bytes"] == 3
    assert wire.home.records.blobs.open(file["digest"]).read_bytes() == b"new"


def test_two_senders_of_one_file_do_not_mix(wire: Wire) -> None:
    upload = begun(wire)
    contents = [letter * 1_000_000 for letter in (b"a", b"b", b"c")]
    answers: list[tuple[int, str]] = []
    threads = [
        threading.Thread(target=lambda content=content: answers.append(put(wire, upload, "name=a&offset=0", content)))
        for content in contents
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [(200, "")] * 3
    line = f"POST /api/v1/uploads/{upload}/complete HTTP/1.1\r\n{HOST}\r\n{wire.key}\r\nContent-Length: 0\r\n\r\n"
    digest = json.loads(wire.send(line.encode())[1])["files"][0]["digest"]
    assert wire.home.records.blobs.open(digest).read_bytes() in contents


def test_completing_waits_for_who_still_sends(wire: Wire) -> None:
    """Else the file would become a blob while somebody writes on in it."""
    upload = begun(wire)
    assert put(wire, upload, "name=a&offset=0", b"a" * 1000) == (200, "")
    head = f"PUT /api/v1/uploads/{upload}/files/0?name=a&offset=1000 HTTP/1.1\r\n{HOST}\r\n{wire.key}\r\n"
    first = head.encode() + f"Content-Length: {2**21}\r\n\r\n".encode() + b"b" * (2**20 + 2**19)
    done = f"POST /api/v1/uploads/{upload}/complete HTTP/1.1\r\n{HOST}\r\n{wire.key}\r\nContent-Length: 0\r\n\r\n"
    answers: list[bytes] = []
    completing = threading.Thread(target=lambda: answers.append(wire.send(done.encode())[1]))
    with socket.create_connection(wire.place.getsockname(), timeout=WAIT_S) as sender:
        sender.sendall(first)
        part = wire.home.records.tmp / upload / "0.part"
        while part.stat().st_size < 2**20:
            time.sleep(0.005)
        completing.start()
        time.sleep(0.2)
        sender.sendall(b"b" * 2**19)
        assert sender.recv(65536).startswith(b"HTTP/1.1 200")
    completing.join(WAIT_S)
    (file,) = json.loads(answers[0])["files"]
    assert file["bytes"] == 1000 + 2**21
    assert file_digest(wire.home.records.blobs.open(file["digest"])) == file["digest"]


def test_versions_that_no_model_has(wire: Wire) -> None:
    for version, expected in (
        ("0", (422, "bad_spec")),
        ("-1", (422, "bad_spec")),
        ("true", (422, "bad_spec")),
        ("1.5", (422, "bad_spec")),
        ("1" * 30, (422, "bad_spec")),
        ("7", (404, "not_found")),
    ):
        body = b'{"model": "m", "version": ' + version.encode() + b"}"
        line = "PUT /api/v1/endpoints/e HTTP/1.1"
        assert wire.ask(line, HOST, wire.key, f"Content-Length: {len(body)}", body=body) == expected, version


def test_queries_that_are_odd(wire: Wire) -> None:
    for query in ("limit=0", "limit=201", "limit=x", "limit=-1", "limit=%d9%a3"):
        assert wire.ask(f"GET /api/v1/runs?{query} HTTP/1.1", HOST, wire.key) == (422, "bad_spec"), query
    assert wire.ask("GET /api/v1/runs?cursor=run_none HTTP/1.1", HOST, wire.key) == (404, "not_found")
    for query in ("cursor=x", "cursor=-1", "cursor=%c2%b2", f"cursor={'9' * 30}", "cursor="):
        status, _ = wire.ask(f"GET /api/v1/audit?{query} HTTP/1.1", HOST, wire.key)
        assert status in (200, 422), query
    for wait in ("nan", "-1", "x", "inf"):
        status, _ = wire.ask(f"GET /api/v1/runs/run_none/events?wait_s={wait} HTTP/1.1", HOST, wire.key)
        assert status in (404, 422), wait
