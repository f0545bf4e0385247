"""The doors under /v1 of a running server, with an engine that repeats what it reads: the protocol, its errors, and an engine that dies."""

from __future__ import annotations

import base64
import json
import os
import signal
import socket
import struct
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import psutil
import pytest
from serving_bundles import OTHER_TOKEN, PREDICT_TOKEN, READ_TOKEN, TOKEN, Home, Running, rows, running

from salus.bundle.large import FOLDER, Looked, make_large, seal
from salus.core.wire import digest, file_digest
from salus.testing.large import SLOW_CONTEXT_TOKENS, gguf, safetensors

CHAT, COMPLETIONS, EMBEDDINGS = "/v1/chat/completions", "/v1/completions", "/v1/embeddings"
HELLO = [{"role": "user", "content": "hello"}]
SERVER = (str(Path(__file__).with_name("toy_large_server.py")),)


def large(home: Home, name: str, answers: str = "text", chat: bool = True, context_tokens: int = 64) -> dict[str, Path]:
    folder = home.path / name
    folder.mkdir()
    model = folder / "small.gguf"
    model.write_bytes(gguf() if answers == "text" else safetensors({}))
    looked = Looked("gguf", answers, "llama", chat, context_tokens, 12, "mit")  # type: ignore[arg-type]
    manifest = make_large({model.name: model}, {model.name: file_digest(model)}, looked, "mit", "a test")
    files = {FOLDER + model.name: model}
    for file, content in seal(manifest, home.signer).items():
        files[file] = folder / file
        files[file].write_bytes(content)
    return files


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    home = Home(Path(tmp_path_factory.mktemp("large")) / "home")
    with running(home, program=SERVER, max_generate_requests=4) as server:
        endpoints = [
            home.endpoint("pets", home.table()),
            home.endpoint("echo", large(home, "echo")),
            home.endpoint("plain", large(home, "plain", chat=False)),
            home.endpoint("vectors", large(home, "vectors", "vectors")),
            home.endpoint("secret", large(home, "secret"), project="two"),
        ]
        limits = {"generate_timeout_s": 20.0, "max_predict_bytes": 100_000, "max_generate_requests": 4}
        for _ in range(20):  # each waits for large models a moment
            states = server.push(home.snapshot(*endpoints, limits=limits)).json()["endpoints"]
            if all(state == "ready" for state in states.values()):
                break
        assert set(map(str, states.values())) == {"ready"}
        yield server


def error(answer: httpx2.Response) -> tuple[int, str]:
    found = answer.json()["error"]
    assert answer.headers["content-type"] == "application/json"
    assert set(found) == {"message", "type", "param", "code", "request_id"}
    assert found["request_id"] == answer.headers["x-request-id"]
    return answer.status_code, found["code"]


def events(text: str) -> list[Any]:
    lines = [line.removeprefix("data: ") for line in text.split("\n\n") if line]
    assert lines[-1] == "[DONE]"
    return [json.loads(line) for line in lines[:-1]]


def test_models_are_the_endpoints_of_large_models_of_this_project(server: Running) -> None:
    with server.client(READ_TOKEN) as client:
        found = client.get("/v1/models").json()
        assert found["object"] == "list"
        assert [one["id"] for one in found["data"]] == ["echo", "plain", "vectors"]
        assert found["data"][0] == client.get("/v1/models/echo").json()
        assert found["data"][0]["object"] == "model" and found["data"][0]["created"] > 1.7e9
        same = {"X-Request-Id": "same"}
        answers = [client.get(f"/v1/models/{name}", headers=same) for name in ("pets", "secret", "nobody")]
    assert {error(answer) for answer in answers} == {(404, "model_not_found")}
    assert answers[1].text.replace("secret", "nobody") == answers[2].text


def test_a_conversation_goes_on(server: Running) -> None:
    with server.client(PREDICT_TOKEN) as client:
        answer = client.post(CHAT, json={"model": "echo", "messages": HELLO, "max_tokens": 8}).json()
    assert answer["object"] == "chat.completion" and answer["model"] == "echo"
    (choice,) = answer["choices"]
    assert choice["message"] == {"role": "assistant", "content": "hellohel", "refusal": None}
    assert choice["finish_reason"] == "length"
    assert answer["usage"] == {"prompt_tokens": 5, "completion_tokens": 8, "total_tokens": 13}


def test_a_text_goes_on_and_stops(server: Running) -> None:
    with server.client() as client:
        body = {"model": "plain", "prompt": "abcdef", "max_tokens": 10, "stop": ["de"], "temperature": 0, "seed": 1}
        answer = client.post(COMPLETIONS, json=body).json()
    assert answer["object"] == "text_completion"
    assert answer["choices"][0]["text"] == "abc"


def test_what_is_streamed_is_what_is_answered_whole(server: Running) -> None:
    with server.client() as client:
        body = {"model": "echo", "messages": HELLO, "stream": True, "stream_options": {"include_usage": True}}
        answer = client.post(CHAT, json=body)
        told = events(answer.text)
        plain = events(client.post(COMPLETIONS, json={"model": "echo", "prompt": 'é\n"🦊', "stream": True}).text)
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert told[0]["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    deltas = [event["choices"][0]["delta"].get("content", "") for event in told if event["choices"]]
    assert "".join(deltas) == "hello"
    assert [event["choices"][0]["finish_reason"] for event in told[-2:-1]] == ["length"]
    assert told[-1]["choices"] == [] and told[-1]["usage"]["total_tokens"] == 10
    assert len({event["id"] for event in told}) == 1
    assert "".join(event["choices"][0]["text"] for event in plain) == 'é\n"🦊'


def test_vectors_come_as_numbers_and_as_base64(server: Running) -> None:
    with server.client() as client:
        answer = client.post(EMBEDDINGS, json={"model": "vectors", "input": ["abc", "a"]}).json()
        packed = client.post(EMBEDDINGS, json={"model": "vectors", "input": "abc", "encoding_format": "base64"}).json()[
            "data"
        ][0]["embedding"]
    assert [one["embedding"] for one in answer["data"]] == [[3.0, 1.0], [1.0, 1.0]]
    assert answer["usage"] == {"prompt_tokens": 4, "total_tokens": 4}
    assert struct.unpack("<2f", base64.b64decode(packed)) == (3.0, 1.0)


def test_rows_are_answered_by_the_same_engine(server: Running) -> None:
    with server.client() as client:
        shown = client.get("/endpoints/echo").json()
        assert len(client.post("/endpoints/echo/predict", json=shown["example"]).json()["predictions"]) == 1
        body = {"rows": [{"prompt": "abc", "max_tokens": 2}, {"prompt": "xyz", "max_tokens": 3}]}
        answer = client.post("/endpoints/echo/predict", json=body).json()
        assert [one["text"] for one in answer["predictions"]] == ["ab", "xyz"]
        assert client.post("/endpoints/echo/predict", json={"rows": [{"prompt": 3}]}).status_code == 400
        vectors = client.post("/endpoints/vectors/predict", json={"rows": [{"text": "abcd"}]}).json()
        assert vectors["predictions"] == [{"vector": [4.0, 1.0]}]


def test_rows_of_texts_are_few(server: Running) -> None:
    with server.client() as client:
        many = client.post("/endpoints/echo/predict", json={"rows": [{"prompt": "ab"}] * 65})
        long = client.post("/endpoints/echo/predict", json={"rows": [{"prompt": "x" * 50_000}]})
    assert (many.json()["code"], long.json()["code"]) == ("batch_too_large", "context_length_exceeded")


def chat(**changed: Any) -> dict[str, Any]:
    return {"model": "echo", "messages": HELLO, **changed}


@pytest.mark.parametrize(
    ("path", "body", "expected"),
    [
        (CHAT, chat(model="nobody"), (404, "model_not_found")),
        (CHAT, chat(model="secret"), (404, "model_not_found")),
        (CHAT, chat(model="pets"), (404, "model_not_found")),
        (CHAT, chat(model="vectors"), (400, "model_answers_otherwise")),
        (EMBEDDINGS, {"model": "echo", "input": "a"}, (400, "model_answers_otherwise")),
        (CHAT, chat(model="plain"), (400, "model_without_template")),
        (CHAT, chat(model=""), (400, "bad_chat")),
        (CHAT, [], (400, "bad_chat")),
        (CHAT, chat(messages=[]), (400, "bad_chat")),
        (CHAT, chat(messages="hello"), (400, "bad_chat")),
        (CHAT, chat(messages=[{"role": "king", "content": "x"}]), (400, "bad_chat")),
        (CHAT, chat(messages=[{"role": "tool", "content": "x"}]), (400, "bad_chat")),
        (CHAT, chat(messages=[{"role": "user"}]), (400, "bad_chat")),
        (
            CHAT,
            chat(messages=[{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}]),
            (400, "bad_chat"),
        ),
        (CHAT, chat(messages=["hello"]), (400, "bad_chat")),
        (CHAT, chat(temperature=-1), (400, "bad_chat")),
        (CHAT, chat(temperature=True), (400, "bad_chat")),
        (CHAT, chat(top_p=0), (400, "bad_chat")),
        (CHAT, chat(max_tokens=0), (400, "bad_chat")),
        (CHAT, chat(max_tokens=1.5), (400, "bad_chat")),
        (CHAT, chat(n=2), (400, "bad_chat")),
        (CHAT, chat(n=True), (400, "bad_chat")),
        (CHAT, chat(logprobs=True), (400, "bad_chat")),
        (CHAT, chat(tools=[{"type": "function"}]), (400, "bad_chat")),
        (CHAT, chat(stop=["x"] * 17), (400, "bad_chat")),
        (CHAT, chat(stop=[""]), (400, "bad_chat")),
        (CHAT, chat(stream=1), (400, "bad_chat")),
        (CHAT, chat(stream_options={"include_usage": True}), (400, "bad_chat")),
        (CHAT, chat(wishes=1), (400, "bad_chat")),
        (CHAT, chat(max_tokens=60), (400, "context_length_exceeded")),
        (CHAT, chat(max_tokens=60, stream=True), (400, "context_length_exceeded")),
        (CHAT, chat(messages=[{"role": "user", "content": "x" * 64}]), (400, "context_length_exceeded")),
        (COMPLETIONS, {"model": "echo"}, (400, "bad_chat")),
        (COMPLETIONS, {"model": "echo", "prompt": ["a", "b"]}, (400, "bad_chat")),
        (EMBEDDINGS, {"model": "vectors", "input": []}, (400, "bad_chat")),
        (EMBEDDINGS, {"model": "vectors", "input": [1, 2]}, (400, "bad_chat")),
        (EMBEDDINGS, {"model": "vectors", "input": "a", "dimensions": 8}, (400, "bad_chat")),
        (EMBEDDINGS, {"model": "vectors", "input": ["a"] * 1001}, (413, "batch_too_large")),
        (CHAT, chat(messages=[{"role": "user", "content": "x" * 200_000}]), (413, "body_too_large")),
        (CHAT, chat(messages=[{"role": "user", "content": "x" * 50_000}]), (400, "context_length_exceeded")),
        (EMBEDDINGS, {"model": "vectors", "input": "x" * 50_000}, (400, "context_length_exceeded")),
        ("/v1/nothing", {}, (404, "no_such_path")),
    ],
)
def test_what_is_refused_is_refused_in_the_form_of_the_protocol(
    server: Running, path: str, body: Any, expected: tuple[int, str]
) -> None:
    with server.client() as client:
        assert error(client.post(path, json=body)) == expected


def test_fields_that_ask_for_nothing_are_let_through(server: Running) -> None:
    body = chat(n=1, user="me", logprobs=False, tools=[], response_format={"type": "text"}, stop=None, seed=None)
    body |= {
        "messages": [
            {"role": "developer", "content": "a"},
            {"role": "user", "content": [{"type": "text", "text": "b"}]},
        ]
    }
    with server.client() as client:
        assert client.post(CHAT, json=body).json()["choices"][0]["message"]["content"] == "ab"


def test_keys_scopes_methods_and_bodies_are_those_of_every_door(server: Running) -> None:
    with server.client(None) as client:
        for path in ("/v1/models", "/v1/models/echo", "/v1/nothing"):
            assert error(client.get(path)) == (401, "auth_required")
        assert error(client.post(CHAT, json=chat())) == (401, "auth_required")
    with server.client(READ_TOKEN) as client:
        assert error(client.post(CHAT, json=chat())) == (403, "forbidden")
    with server.client() as client:
        answer = client.get(CHAT)
        assert error(answer) == (405, "method_not_allowed") and answer.headers["allow"] == "POST"
        assert error(client.post(CHAT, content=b"{", headers={"Content-Type": "application/json"})) == (400, "bad_json")
        assert error(client.post(CHAT, content=b"{}", headers={"Content-Type": "text/plain"})) == (
            415,
            "bad_content_type",
        )
        there = {"Salus-Project": "two"}
        assert client.post(CHAT, json=chat(model="secret"), headers=there).status_code == 200
        assert error(client.post(CHAT, json=chat(), headers={"Salus-Timeout-Ms": "x"})) == (422, "bad_timeout")
        slow = [{"role": "user", "content": "slow " * 8}]
        late = client.post(CHAT, json=chat(messages=slow, max_tokens=20), headers={"Salus-Timeout-Ms": "50"})
        assert error(late) == (504, "deadline_exceeded")
        zh = client.post(CHAT, json=chat(model="nobody"), headers={"Accept-Language": "zh"}).json()
        assert "没有" in zh["error"]["message"]
    with server.client(OTHER_TOKEN) as client:
        assert error(client.post(CHAT, json=chat())) == (404, "model_not_found")


def letters_take_s(server: Running) -> float:
    """Seconds of five letters: at least a quarter while the engine writes for somebody slow."""
    started = time.perf_counter()
    with server.client() as client:
        assert client.post(CHAT, json=chat(max_tokens=5)).status_code == 200
    return time.perf_counter() - started


@pytest.mark.parametrize("stream", [True, False])
def test_what_nobody_waits_for_is_not_written(server: Running, stream: bool) -> None:
    slow = chat(messages=[{"role": "user", "content": "slow"}], max_tokens=55, stream=stream)
    body = json.dumps(slow).encode()
    head = f"POST {CHAT} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\n".encode()
    head += b"Content-Type: application/json\r\nContent-Length: " + str(len(body)).encode() + b"\r\n\r\n"
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as connection:
        connection.sendall(head + body)
        if stream:
            assert connection.recv(100).startswith(b"HTTP/1.1 200")
        else:
            time.sleep(0.1)
        assert letters_take_s(server) >= 0.25
    gone = time.perf_counter()
    while letters_take_s(server) > 0.2:
        assert time.perf_counter() - gone < 1.2, "the engine goes on for nobody"
    with server.client() as client:
        assert 'code="client_gone"' in client.get("/metrics").text


def test_more_than_the_engine_may_have_is_refused(server: Running) -> None:
    slow = chat(messages=[{"role": "user", "content": "slow"}], max_tokens=20)
    codes: list[int] = []

    def ask() -> None:
        with server.client() as client:
            codes.append(client.post(CHAT, json=slow).status_code)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    time.sleep(0.3)
    with server.client() as client:
        answer = client.post(CHAT, json=chat())
    for thread in threads:
        thread.join()
    assert error(answer) == (503, "overloaded") and answer.headers["retry-after"]
    assert codes == [200] * 4


def engines(server: Running) -> list[int]:
    children = psutil.Process(server.process.pid).children()
    return [child.pid for child in children if any("toy_engine" in word for word in child.cmdline())]


def test_an_engine_that_is_killed_touches_nobody_else_and_comes_back(server: Running) -> None:
    before = engines(server)
    assert len(before) == 4
    with server.client() as client:
        dead = client.post(CHAT, json=chat(messages=[{"role": "user", "content": "die"}]))
        assert error(dead) == (500, "engine_failed")
        assert "code 3" in dead.json()["error"]["message"]
        assert (
            client.post(
                "/endpoints/pets/predict", content=rows((5, 0)), headers={"Content-Type": "application/json"}
            ).status_code
            == 200
        )
        assert client.post(COMPLETIONS, json={"model": "plain", "prompt": "a"}).status_code == 200
        _until_it_answers(client)
        (new,) = set(engines(server)) - set(before)
        slow = chat(messages=[{"role": "user", "content": "slow"}], max_tokens=50, stream=True)
        with client.stream("POST", CHAT, json=slow) as streamed:
            pieces = streamed.iter_text()
            next(pieces)
            os.kill(new, signal.SIGKILL)
            rest = "".join(pieces)
        assert '"code": "engine_failed"' in rest and "SIGKILL" in rest and "[DONE]" not in rest
        _until_it_answers(client)
    assert len(engines(server)) == 4


def _until_it_answers(client: httpx2.Client) -> None:
    for _ in range(200):
        answer = client.post(CHAT, json=chat())
        if answer.status_code == 200:
            return
        assert error(answer) == (503, "engine_starting")
        time.sleep(0.05)
    raise AssertionError("the engine did not come back")


def test_the_published_client_understands_the_answers(server: Running) -> None:
    openai = pytest.importorskip("openai", reason="the package openai is not installed")
    with openai.OpenAI(base_url=server.url + "/v1", api_key=TOKEN, max_retries=0) as client:
        assert [model.id for model in client.models.list()] == ["echo", "plain", "vectors"]
        answer = client.chat.completions.create(model="echo", messages=HELLO, max_tokens=3, seed=1, stop="z")
        assert answer.choices[0].message.content == "hel" and answer.usage.completion_tokens == 3
        with client.chat.completions.create(model="echo", messages=HELLO, stream=True) as stream:
            assert "".join(piece.choices[0].delta.content or "" for piece in stream) == "hello"
        assert client.completions.create(model="plain", prompt="abc", max_tokens=2).choices[0].text == "ab"
        assert client.embeddings.create(model="vectors", input=["abc"]).data[0].embedding == [3.0, 1.0]
        with pytest.raises(openai.NotFoundError) as missing:
            client.chat.completions.create(model="nobody", messages=HELLO)
        assert missing.value.code == "model_not_found"
        with pytest.raises(openai.BadRequestError) as long:
            client.chat.completions.create(model="echo", messages=HELLO, max_tokens=1000)
        assert long.value.code == "context_length_exceeded"
    with (
        openai.OpenAI(base_url=server.url + "/v1", api_key="salus_wrong", max_retries=0) as client,
        pytest.raises(openai.AuthenticationError),
    ):
        client.models.list()


def test_a_model_that_loads_for_long_holds_up_no_other_word_of_the_control_plane(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    with running(home, program=SERVER) as server:
        pets = home.endpoint("pets", home.table())
        slow = home.endpoint("slow", large(home, "slow", context_tokens=SLOW_CONTEXT_TOKENS))
        assert server.push(home.snapshot(pets, slow)).json()["endpoints"] == {
            "one/pets": "ready",
            "one/slow": "starting",
        }
        with server.client() as client:
            assert error(client.post(COMPLETIONS, json={"model": "slow", "prompt": "a"})) == (503, "starting")
        home.keys = [key for key in home.keys if key["hash"] != digest(PREDICT_TOKEN.encode())]
        server.push(home.snapshot(pets, slow))
        with server.client(PREDICT_TOKEN) as revoked, server.client() as client:
            assert error(revoked.get("/v1/models")) == (401, "auth_invalid")
            for _ in range(200):
                answer = client.post(COMPLETIONS, json={"model": "slow", "prompt": "a"})
                if answer.status_code == 200:
                    break
                time.sleep(0.1)
            assert answer.json()["choices"][0]["text"] == "a"
