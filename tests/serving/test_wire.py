"""Bytes that no well-behaved client sends: each gets a clear answer, and the server goes on."""

from __future__ import annotations

import socket
import time

import httpx2
import pytest
from serving_bundles import TOKEN, Running, complete, rows

GOOD = rows((1, 1))
KEY = f"Authorization: Bearer {TOKEN}\r\n".encode()


def request(
    line: bytes = b"POST /endpoints/pets/predict HTTP/1.1",
    headers: bytes = b"",
    body: bytes = GOOD,
    host: bytes = b"Host: localhost\r\n",
    length: int | None = None,
) -> bytes:
    head = line + b"\r\n" + host + KEY + b"Content-Type: application/json\r\n" + headers
    if b"transfer-encoding" not in headers.lower() and length != 0:
        head += f"Content-Length: {len(body) if length is None else length}\r\n".encode()
    return head + b"\r\n" + body


def status(received: bytes) -> int:
    return int(received.split(b" ", 2)[1])


def _whole(connection: socket.socket) -> bytes:
    received = b""
    while not complete(received):
        received += connection.recv(65536)
    return received


@pytest.fixture(autouse=True)
def goes_on(server: Running) -> None:
    """The next good request is answered, whatever came before."""
    assert status(server.raw(request())) == 200


@pytest.mark.parametrize(
    "path",
    [
        b"/endpoints//pets/predict",
        b"//endpoints/pets/predict",
        b"/endpoints/%2e%2e/endpoints/pets/predict",
        b"/endpoints/../endpoints/pets/predict",
        b"/endpoints/./pets/predict",
        b"/endpoints/..;/pets/predict",
        b"/endpoints/pets;a=b/predict",
        b"/endpoints/pets%2fpredict",
        b"/endpoints/pets%00/predict",
        b"/endpoints/%70ets/predict",
        b"/endpoints/%252e%252e/predict",
        b"/livez/%2e%2e/metrics",
        b"/livez/..",
        b"/endpoints\\pets\\predict",
    ],
)
def test_a_path_is_taken_as_it_is(server: Running, path: bytes) -> None:
    received = server.raw(request(b"POST " + path + b" HTTP/1.1"))
    assert status(received) == 400
    assert b'"bad_path"' in received or b'"bad_request"' in received


def test_a_path_with_more_than_a_door_is_no_door(server: Running) -> None:
    for path in (b"/endpoints/pets/predict/", b"/livez/", b"/endpoints/pets/predict/predict", b"/LIVEZ"):
        assert status(server.raw(request(b"POST " + path + b" HTTP/1.1"))) == 404


def test_a_question_mark_does_not_change_the_door(server: Running) -> None:
    assert status(server.raw(request(b"POST /endpoints/pets/predict?path=/livez HTTP/1.1"))) == 200
    without_key = b"GET /metrics?/livez HTTP/1.1\r\nHost: localhost\r\n\r\n"
    assert status(server.raw(without_key)) == 401


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        (b"", 400),
        (b"Host: localhost\r\nHost: localhost\r\n", 400),
        (b"Host: evil.example\r\n", 421),
        (b"Host: localhost.evil.example\r\n", 421),
        (b"Host: a/?x=\r\n", 421),
        (b"Host: \r\n", 421),
        (b"Host: LOCALHOST:8401\r\n", 200),
        (b"Host: [::1]:8401\r\n", 200),
        (b"Host: 127.0.0.1\r\n", 200),
    ],
)
def test_hosts(server: Running, host: bytes, expected: int) -> None:
    assert status(server.raw(request(host=host))) == expected


@pytest.mark.parametrize(
    "message",
    [
        request(headers=b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", body=b"0\r\n\r\n"),
        request(headers=b"Content-Length: 5\r\n"),
        request(headers=b"Transfer-Encoding: chunked\r\n", body=b"zz\r\n{}\r\n0\r\n\r\n"),
        request(headers=b"Transfer-Encoding: chunked\r\n", body=b"-1\r\n{}\r\n0\r\n\r\n"),
        request(headers=b"Content-Length: -1\r\n", length=0),
        request(headers=b"Content-Length: 1e3\r\n", length=0),
        request(headers=b"Name : value\r\n"),
        request(headers=b"Name: a\rb\r\n"),
        request(headers=b"Name: a\0b\r\n"),
        b"nonsense\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(64),
        b"GET / HTTP/9.9\r\nHost: localhost\r\n\r\n",
        b"CONNECT evil.example:443 HTTP/1.1\r\nHost: localhost\r\n\r\n",
    ],
    ids=lambda message: str(message[-24:]),
)
def test_what_two_readers_could_read_differently_is_refused_and_the_connection_closed(
    server: Running, message: bytes
) -> None:
    received = server.raw(message, timeout_s=3)
    assert status(received) == 400
    assert b"connection: close" in received.lower()
    assert b"application/problem+json" in received


def test_headers_are_bounded(server: Running) -> None:
    assert status(server.raw(request(headers=b"A: b\r\n" * 200))) == 431
    assert status(server.raw(request(headers=b"A: " + b"b" * 70_000 + b"\r\n"))) == 431
    assert status(server.raw(b"GET /livez HTTP/1.1\r\nA: " + b"b" * 70_000)) == 431
    assert status(server.raw(b"GET /" + b"b" * 70_000)) == 431


def test_a_body_over_the_limit_is_refused_while_it_comes(server: Running) -> None:
    declared = server.raw(request(body=b"", length=10**12))
    assert status(declared) == 413 and b"body_too_large" in declared
    chunk = b"%x\r\n" % 250_000 + b" " * 250_000 + b"\r\n"
    chunked = server.raw(request(headers=b"Transfer-Encoding: chunked\r\n", body=b""), chunk, chunk, chunk)
    assert status(chunked) == 413


def test_a_refused_upload_can_read_why(server: Running) -> None:
    large = b" " * 3_000_000
    with server.client() as client:
        headers = {"Content-Type": "application/json"}
        assert client.post("/endpoints/pets/predict", content=large, headers=headers).status_code == 413
    with server.client(None) as client:
        assert client.post("/endpoints/pets/predict", content=large, headers=headers).status_code == 401


def test_without_a_key_no_body_is_invited(server: Running) -> None:
    head = request(headers=b"Expect: 100-continue\r\n", body=b"", length=100).replace(TOKEN.encode(), b"wrong")
    received = server.raw(head)
    assert status(received) == 401 and b"100 Continue" not in received


def test_an_invited_body_is_answered(server: Running) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as connection:
        connection.sendall(request(headers=b"Expect: 100-continue\r\n", body=b"", length=len(GOOD)))
        assert connection.recv(1000).startswith(b"HTTP/1.1 100")
        connection.sendall(GOOD)
        assert connection.recv(1000).startswith(b"HTTP/1.1 200")


def test_a_body_that_stops_is_given_up(server: Running) -> None:
    started = time.monotonic()
    received = server.raw(request(body=GOOD[:5], length=len(GOOD)))
    assert status(received) == 408 and b"body_too_slow" in received
    assert 0.9 < time.monotonic() - started < 5


def test_a_trickling_body_is_given_up(server: Running) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as connection:
        connection.sendall(request(body=b"", length=100_000))
        started = time.monotonic()
        try:
            while time.monotonic() - started < 5:
                connection.sendall(b" ")
                time.sleep(0.05)
        except (BrokenPipeError, ConnectionResetError):
            pass
        assert time.monotonic() - started < 4


def test_too_many_tiny_chunks(server: Running) -> None:
    head = request(headers=b"Transfer-Encoding: chunked\r\n", body=b"")
    received = server.raw(head, b"1\r\n \r\n" * 25_000 + b"0\r\n\r\n")
    assert status(received) == 400 and b"chunks" in received


def test_a_caller_who_leaves_in_the_middle_leaves_nothing_behind(server: Running) -> None:
    for _ in range(20):
        with socket.create_connection(("127.0.0.1", server.port), timeout=5) as connection:
            connection.sendall(request(body=GOOD[:7], length=len(GOOD)))
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as connection:
        connection.sendall(request())
    with server.client() as client:
        assert client.get("/readyz").status_code == 200


def test_pipelined_requests_are_answered_in_order(server: Running) -> None:
    second = request(b"GET /livez HTTP/1.1", body=b"").replace(b"Content-Length: 0\r\n", b"")
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as connection:
        connection.sendall(request() + second)
        received = b""
        while b"alive" not in received:
            received += connection.recv(65536)
    assert received.count(b"HTTP/1.1 200") == 2
    assert received.index(b"predictions") < received.index(b"alive")


def test_an_idle_connection_is_left_alone_and_late_headers_are_not(server: Running) -> None:
    with (
        socket.create_connection(("127.0.0.1", server.port), timeout=20) as idle,
        socket.create_connection(("127.0.0.1", server.port), timeout=20) as late,
    ):
        idle.sendall(request())
        assert _whole(idle).startswith(b"HTTP/1.1 200")
        late.sendall(b"GET /livez HTTP/1.1\r\nHost: local")
        assert late.recv(65536).startswith(b"HTTP/1.1 408")  # after ten seconds
        idle.settimeout(1.0)
        with pytest.raises(TimeoutError):
            idle.recv(1)
        idle.sendall(request())
        assert _whole(idle).startswith(b"HTTP/1.1 200")


def test_a_body_that_comes_in_large_pieces_is_no_header(server: Running) -> None:
    body = GOOD + b" " * 150_000
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as connection:
        for _ in range(3):
            connection.sendall(request(body=b"", length=len(body)))
            time.sleep(0.05)
            connection.sendall(body)
            assert _whole(connection).startswith(b"HTTP/1.1 200")


def test_an_upgrade_is_not_taken(server: Running) -> None:
    received = server.raw(
        b"GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    assert status(received) == 200


def test_a_keyed_connection_stays_open(server: Running) -> None:
    with server.client() as client:
        client.get("/livez")
        for _ in range(3):
            answer = client.post("/endpoints/pets/predict", content=b"[]", headers={"Content-Type": "application/json"})
            assert answer.status_code == 422 and "connection" not in answer.headers
    assert isinstance(answer, httpx2.Response)
