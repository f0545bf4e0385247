"""Every address: closed to odd headers and to keys that may only predict, whatever the method; and documented, none besides.
Names in bodies and answers to the byte: what another project has is what nobody has."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.web.conftest import Api

from salus.actions import endpoints, models
from salus.testing.records import RecordHome, record_home
from salus.web.app import API, PUBLIC, ROUTES, worker_routes
from salus.web.guards import WorkerGuard
from salus.web.work import Desk

METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS")
PAGE = Path(__file__).parent.parent.parent / "docs" / "http-api.md"
SAME = {"X-Request-Id": "same"}
GARBAGE = ("", "x", "salus_", "salus_" + "a" * 43, "é" * 20, "a" * 5000, "x y")


def filled(path: str) -> str:
    return re.sub(r"{(\w+)}", lambda gap: "1" if gap[1] in ("index", "version") else f"some-{gap[1]}", path)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[RecordHome]:
    with record_home(tmp_path / "records") as opened:
        yield opened


@pytest.fixture
def people(home: RecordHome) -> Api:
    return Api(home.records, {f"{project}-{scope}": token for (project, scope), token in home.tokens.items()})


@pytest.mark.parametrize("path", [filled(path) for path, _ in ROUTES if path not in PUBLIC])
def test_a_key_that_may_only_predict_manages_nothing(people: Api, path: str) -> None:
    handlers = next(handlers for route, handlers in ROUTES if filled(route) == path)
    bodies = {"/keys": {"name": "k", "scopes": ["owner"]}, "/projects": {"name": "p"}}
    bodies |= {
        "/data-sets": {"name": "d", "builtin": "sklearn:iris"},
        "/runs": {"data_set": "d", "spec": {"target": "y"}},
        "/models/some-name/import": {"upload": "u"},
    }
    body = next((body for end, body in bodies.items() if path == API + end), {})
    if path.startswith(API + "/endpoints/"):
        body = {"model": "m", "version": 1}
    for method in METHODS:
        answer = people.ask(method, path, "one-predict", json=body)
        known = ("GET" if method == "HEAD" else method) in handlers
        assert answer.status_code == (403 if known else 405), (method, path, answer.text)


@pytest.mark.parametrize("path", [filled(path) for path, _ in ROUTES if path not in PUBLIC])
def test_garbage_opens_nothing(people: Api, path: str) -> None:
    answers = [people.ask("GET", path, None, headers={**SAME, **headers}) for headers in odd_authorizations()]
    assert {answer.status_code for answer in answers} == {401}
    assert len({answer.content for answer in answers}) == 1


def odd_authorizations() -> list[dict[Any, Any]]:
    sent = [f"Bearer {word}".encode() for word in GARBAGE]
    return [{b"Authorization": value} for value in (*sent, b"Basic YTpi", b"", b"Bearer", b"\xff\xfe")]


def test_every_address_is_documented_and_no_other() -> None:
    text = PAGE.read_text(encoding="utf-8").partition("## Model server")[0]
    written = set(re.findall(r"^\| `(GET|POST|PUT|DELETE) (/[^`]*)`", text, re.MULTILINE))
    tables = {(method, path.removeprefix(API)) for path, handlers in ROUTES for method in handlers}
    tables |= {(method, path) for path, handlers in worker_routes(Desk(WorkerGuard("k"))) for method in handlers}
    assert written == tables


def test_the_model_servers_addresses_are_documented() -> None:
    text = PAGE.read_text(encoding="utf-8").partition("## Model server")[2]
    source = (Path(__file__).parent.parent.parent / "src/salus/serving/app.py").read_text(encoding="utf-8")
    head = source.partition('"""')[2].partition('"""')[0]
    said = set(re.findall(r"(GET|POST) (/\S+)", head))
    written = set(re.findall(r"^\| `(GET|POST) (/[^`]*)`", text, re.MULTILINE))
    assert written == {(method, path.replace("NAME", "{name}")) for method, path in said}


def owned(home: RecordHome) -> dict[str, str]:
    """One of every noun in project one, by kind."""
    home.data_set()
    home.model()
    owner = home.principal()
    endpoints.put(owner, home.records, "heart", {"model": "heart", "version": 1}, timeout_s=0)
    assert models.find(owner, home.records, "heart")["versions"]
    upload = home.upload(name="open.csv")
    begun = home.train()
    return {"data-sets": "heart", "models": "heart", "endpoints": "heart", "uploads": upload, "runs": begun["id"]}


def test_what_another_project_has_is_to_the_byte_and_header_what_nobody_has(home: RecordHome, people: Api) -> None:
    names = owned(home)
    key = people.ask("POST", f"{API}/keys", "one-owner", json={"name": "k", "scopes": ["read"]}).json()["id"]
    asked: list[tuple[str, str, str, Any]] = [
        ("GET", "/data-sets/{}", names["data-sets"], None),
        ("GET", "/runs/{}/events", names["runs"], None),
        ("GET", "/models/{}/versions/1/report.html", names["models"], None),
        ("DELETE", "/endpoints/{}", names["endpoints"], None),
        ("PUT", "/uploads/{}/files/0?name=a.csv&offset=0", names["uploads"], "bytes"),
        ("DELETE", "/keys/{}", key, None),
        ("POST", "/runs", names["data-sets"], {"data_set": "{0}", "spec": {"target": "disease"}}),
        ("POST", "/data-sets", names["uploads"], {"name": "mine", "upload": "{0}"}),
        ("PUT", "/endpoints/mine", names["models"], {"model": "{0}", "version": 1}),
        ("POST", "/models/mine/import", names["uploads"], {"upload": "{0}"}),
    ]
    for method, path, theirs, body in asked:
        nobodys = "nobody-has-this"
        answers = []
        for name in (theirs, nobodys):
            content = json.dumps(body).replace("{0}", name).encode() if body else b""
            answer = people.ask(method, API + path.replace("{}", name), "two-owner", headers=SAME, content=content)
            assert answer.status_code == 404, (method, path, name, answer.text)
            answers.append((answer.content.replace(name.encode(), nobodys.encode()), shown_headers(answer)))
        assert answers[0] == answers[1], (method, path)
    assert people.ask("GET", f"{API}/endpoints/heart", "one-owner").status_code == 200, "nothing was touched"


def shown_headers(answer: Any) -> list[tuple[str, str]]:
    return [(name, value) for name, value in answer.headers.items() if name != "content-length"]


def test_lists_show_only_ones_own(home: RecordHome, people: Api) -> None:
    owned(home)
    for noun in ("data-sets", "runs", "models", "endpoints"):
        assert people.ask("GET", f"{API}/{noun}", "one-owner").json()["items"], noun
        assert people.ask("GET", f"{API}/{noun}", "two-owner").json()["items"] == [], noun
    keys = people.ask("GET", f"{API}/keys", "two-owner").json()["items"]
    assert {key["name"] for key in keys} == {"owner", "read", "write", "predict", "subject:read"} and len(keys) == 5


def test_the_same_names_in_two_projects_do_not_meet(home: RecordHome, people: Api) -> None:
    for project in ("one", "two"):
        home.data_set("heart", project, content=project.encode())
        home.model("heart", project)
        endpoints.put(home.principal(project), home.records, "heart", {"model": "heart", "version": 1}, timeout_s=0)
    hashes = [
        people.ask("GET", f"{API}/data-sets/heart", f"{project}-owner").json()["versions"][0]["hash"]
        for project in ("one", "two")
    ]
    assert hashes[0] != hashes[1]
    assert people.ask("DELETE", f"{API}/endpoints/heart", "two-owner").status_code == 204
    assert people.ask("GET", f"{API}/endpoints/heart", "one-owner").status_code == 200
