"""The management API as a client sees it: closed doors, walls between projects, bad inputs, long polls."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from salus.actions import endpoints, runs, work
from salus.store import keys
from salus.store.records import Records
from salus.testing import record_steps as half
from salus.web.app import API, PUBLIC, ROUTES, management_app, worker_app, worker_routes
from salus.web.guards import WorkerGuard
from salus.web.work import Desk

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")
WORKER_KEY = "salus_worker"


@pytest.fixture
def records(tmp_path: Path) -> Iterator[Records]:
    opened = half.open_records(tmp_path / "home", max_json_bytes=4096)
    yield opened
    opened.close()


class Web:
    """A client for each project and scope."""

    def __init__(self, records: Records):
        self.records = records
        self.app = management_app(records)
        self.anybody = TestClient(self.app, base_url="http://127.0.0.1:8400")

    def with_key(self, project: str = "default", *scopes: str, **headers: str) -> TestClient:
        token = half.token_for(self.records, project, *(scopes or ("owner",)))
        return TestClient(
            self.app, base_url="http://127.0.0.1:8400", headers={"Authorization": f"Bearer {token}", **headers}
        )


@pytest.fixture
def web(records: Records) -> Web:
    return Web(records)


def address(path: str) -> str:
    """A path of the table with something in every hole."""
    for hole, value in (("{index}", "0"), ("{version}", "1")):
        path = path.replace(hole, value)
    return "/".join("anything" if part.startswith("{") else part for part in path.split("/"))


def test_without_a_key_nothing_opens_but_the_public_list(web: Web, records: Records) -> None:
    assert {"/livez", "/readyz", "/version"} == PUBLIC
    revoked = keys.new_token()
    row = records.database.write(lambda c: keys.add(c, "default", "k", revoked, ["owner"], None))
    records.database.write(lambda c: keys.revoke(c, "default", row["id"]))
    expired = half.token_for(records, "default", "owner", expires=1.0)
    wrong = [{}, *({"Authorization": f"Bearer {token}"} for token in ("salus_garbage", revoked, expired, WORKER_KEY))]
    wrong += [{"Authorization": "Basic b3duZXI6b3duZXI="}, {"Authorization": revoked}]
    for path, handlers in ROUTES:
        for method in METHODS:
            for headers in wrong:
                answer = web.anybody.request(method, address(path), headers=headers)
                if path in PUBLIC:
                    assert answer.status_code == (200 if method in ("GET", "HEAD") else 405), (method, path)
                else:
                    assert answer.status_code == 401, (method, path, headers)
        assert handlers


def test_the_workers_door_is_as_closed(records: Records) -> None:
    client = TestClient(worker_app(records, WORKER_KEY), base_url="http://salus")
    owner = half.token_for(records, "default", "owner")
    other_job = WorkerGuard(WORKER_KEY).token("job_other", 1)
    forged = WorkerGuard("salus_guessed").token("anything", 1)
    for path, _ in worker_routes(Desk(WorkerGuard(WORKER_KEY))):
        for token in (None, owner, other_job, forged, "job.1.", "job..", "job.x.y"):
            headers = {} if token is None else {"Authorization": f"Bearer {token}"}
            for method in METHODS:
                answer = client.request(method, address(path), headers=headers)
                expected = 401 if path != "/livez" else 200 if method in ("GET", "HEAD") else 405
                assert answer.status_code == expected, (method, path, token)


def test_the_workers_addresses_are_not_at_the_other_door(web: Web) -> None:
    client = web.with_key()
    for path, _ in worker_routes(Desk(WorkerGuard(WORKER_KEY))):
        if path not in PUBLIC:
            assert client.post(address(path), json={}).status_code == 404


def test_a_key_without_the_scope_is_refused_everywhere(web: Web) -> None:
    client = web.with_key("default", "predict")
    bodies: dict[str, dict[str, Any]] = {
        "/projects": {"name": "x"},
        "/keys": {"name": "x", "scopes": ["read"]},
        "/data-sets": {"name": "x"},
        "/runs": {"data_set": "x", "spec": {}},
        "/endpoints/{name}": {"model": "x", "version": 1},
        "/models/{name}/import": {"upload": "x"},
    }
    for path, handlers in ROUTES:
        for method in handlers if path not in PUBLIC else ():
            body = bodies.get(path.removeprefix(API), {})
            sent = {"json": body} if method in ("POST", "PUT") else {}
            answer = client.request(method, address(path), **sent)  # type: ignore[arg-type]
            assert (answer.status_code, answer.json()["code"]) == (403, "forbidden"), (method, path)


def planted(records: Records) -> dict[str, str]:
    """One of everything in the project `default`; the parts of its addresses."""
    owner = half.person()
    run = half.model(owner, records)
    upload = half.upload(owner, records, {"a": b"x"})
    key = records.database.write(lambda c: keys.add(c, "default", "k", keys.new_token(), ["read"], None))
    endpoints.put(owner, records, "walks", {"model": "walks", "version": 1}, timeout_s=0.01)
    return {"run": run, "upload": upload, "key": key["id"], "name": "walks", "version": "1", "index": "0"}


def test_another_projects_objects_look_as_if_they_were_not(web: Web, records: Records) -> None:
    parts = planted(records)
    stranger, home = web.with_key("other"), web.with_key("default")
    bodies: dict[str, dict[str, Any]] = {
        "/endpoints/{name}": {"model": "walks", "version": 1},
        "/models/{name}/import": {"upload": parts["upload"]},
    }
    for path, handlers in ROUTES:
        if "{" not in path:
            continue
        for method in handlers:
            answers = []
            for filled in (parts, {**parts, **dict.fromkeys(("run", "upload", "key", "name"), "absent")}):
                where = "/".join(filled[part[1:-1]] if part.startswith("{") else part for part in path.split("/"))
                options: dict[str, Any] = {"params": {"name": "a"}} if "index" in path else {}
                if method in ("PUT", "POST"):
                    options["json"] = bodies.get(path.removeprefix(API), {})
                answer = stranger.request(method, where, headers={"X-Request-Id": "same"}, **options)
                text = answer.text
                for name, value in parts.items():
                    text = text.replace(value, "absent") if name in ("run", "upload", "key", "name") else text
                answers.append((answer.status_code, text))
            assert answers[0] == answers[1], (method, path)
            assert answers[0][0] == 404, (method, path, answers)
    for listing in ("/runs", "/models", "/data-sets", "/endpoints"):
        assert stranger.get(API + listing).json()["items"] == []
        assert len(home.get(API + listing).json()["items"]) > 0
    for path in ("/keys",):
        assert parts["key"] not in stranger.get(API + path).text


def test_only_an_owner_enters_another_project(web: Web, records: Records) -> None:
    planted(records)
    owner = web.with_key("other", "owner", **{"Salus-Project": "default"})
    assert owner.get(f"{API}/models/walks").status_code == 200
    writer = web.with_key("other", "write", **{"Salus-Project": "default"})
    assert writer.get(f"{API}/models/walks").status_code == 403
    nowhere = web.with_key("other", "owner", **{"Salus-Project": "absent"})
    assert nowhere.get(f"{API}/models").status_code == 404


@pytest.mark.parametrize(
    "body",
    [
        b"{", b"[]", b"null", b"5", b'"x"', b'{"name": "a", "name": "b"}', b'{"name": NaN}', b'{"name": 1e999}',
        b"\xff\xfe", b'{"name": "\\ud800"}', b"[" * 3000, b'{"name": {}}', b'{"name": "ok", "more": 1}', b"{}",
        b'{"name": "UPPER"}', b'{"name": "../x"}', b'{"name": ""}',
    ],
)  # fmt: skip
def test_bad_bodies_are_the_callers_mistake(web: Web, body: bytes) -> None:
    answer = web.with_key().post(f"{API}/projects", content=body)
    assert answer.status_code in (400, 422)
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["status"] == answer.status_code and problem["detail"] and problem["next"]
    assert "Traceback" not in answer.text and "site-packages" not in answer.text


def test_a_body_over_the_limit(web: Web) -> None:
    def endless() -> Iterator[bytes]:
        for _ in range(100):
            yield b" " * 1000

    for content in (b" " * 5000, endless()):
        answer = web.with_key().post(f"{API}/projects", content=content)
        assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")


@pytest.mark.parametrize(
    "path", ["/api/v1//status", "/api/v1/%2e%2e/status", "/api/v1/status%2f", "/api/v1/runs/a;b", "/api/v1/runs/%00"]
)
def test_odd_paths_are_refused(web: Web, path: str) -> None:
    assert web.with_key().get(f"http://127.0.0.1{path}").status_code == 400


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "localhost:8400@evil", "", "a/?x="])
def test_foreign_hosts_are_refused(web: Web, host: str) -> None:
    answer = web.with_key().get(f"{API}/status", headers={"Host": host})
    assert answer.status_code in (400, 421)


def test_every_answer_carries_its_request_id(web: Web) -> None:
    for path, status in (("/livez", 200), ("/nothing", 404), (f"{API}/status", 401)):
        own = web.anybody.get(path, headers={"X-Request-Id": "mine-1"})
        assert (own.status_code, own.headers["x-request-id"]) == (status, "mine-1")
        foreign = web.anybody.get(path, headers={"X-Request-Id": "a b<script>"})
        assert foreign.headers["x-request-id"].startswith("req_")
        assert foreign.headers["x-content-type-options"] == "nosniff"


def test_a_mistake_of_ours_shows_nothing_of_the_inside(
    web: Web, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("secret detail")

    client = web.with_key()
    monkeypatch.setattr("salus.actions.status.jobs.counts", broken)
    answer = client.get(f"{API}/status", headers={"X-Request-Id": "find-me"})
    assert (answer.status_code, answer.json()["code"]) == (500, "internal")
    assert "secret detail" not in answer.text and "find-me" in answer.text
    assert "find-me" in caplog.text


def test_problems_in_chinese(web: Web) -> None:
    answer = web.anybody.get(f"{API}/status", headers={"Accept-Language": "zh-CN,zh;q=0.9"})
    assert "密钥" in answer.json()["detail"]


def test_the_same_request_twice_takes_effect_once(web: Web) -> None:
    client = web.with_key()
    once = {"Idempotency-Key": "k1"}
    body = {"name": "iris", "builtin": "sklearn:iris"}
    first, second = (client.post(f"{API}/data-sets", json=body, headers=once) for _ in range(2))
    assert first.status_code == second.status_code == 202
    assert first.json()["run"]["id"] == second.json()["run"]["id"]
    assert len(client.get(f"{API}/runs").json()["items"]) == 1
    other = client.post(f"{API}/data-sets", json={**body, "name": "other"}, headers=once)
    assert (other.status_code, other.json()["code"]) == (409, "idempotency_conflict")
    made = [client.post(f"{API}/keys", json={"name": "a", "scopes": ["read"]}, headers={"Idempotency-Key": "k2"})
            for _ in range(2)]  # fmt: skip
    assert made[0].json()["key"].startswith("salus_") and made[1].json()["key"] is None


def test_pages_of_runs_hold_every_run_once(web: Web) -> None:
    client = web.with_key()
    made = [
        client.post(f"{API}/data-sets", json={"name": f"d{n}", "builtin": "sklearn:iris"}).json()["run"]["id"]
        for n in range(7)
    ]
    seen: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        page = client.get(f"{API}/runs", params={"limit": 3} | ({"cursor": cursor} if cursor else {})).json()
        seen += [run["id"] for run in page["items"]]
        cursor = page["next"]
    assert seen == made[::-1]
    for query in ("limit=0", "limit=x", "limit=-1", "limit=99999", "cursor=absent"):
        assert client.get(f"{API}/runs?{query}").status_code in (404, 422)


def test_upload_over_http(web: Web) -> None:
    client = web.with_key()
    upload = client.post(f"{API}/uploads", json={}).json()["id"]
    where = f"{API}/uploads/{upload}/files/0"
    content = bytes(range(256)) * 20_000
    assert client.put(where, params={"name": "a b/é.bin"}, content=content[:2_000_000]).json() == {
        "received": 2_000_000
    }
    wrong = client.put(where, params={"name": "a b/é.bin", "offset": 7}, content=b"x")
    assert (wrong.status_code, wrong.json()["code"]) == (409, "upload_offset")
    rest = client.put(where, params={"name": "a b/é.bin", "offset": 2_000_000}, content=content[2_000_000:])
    assert rest.json() == {"received": len(content)}
    assert client.get(f"{API}/uploads/{upload}").json()["files"][0]["received"] == len(content)
    files = client.post(f"{API}/uploads/{upload}/complete").json()["files"]
    assert web.records.blobs.open(files[0]["digest"]).read_bytes() == content
    assert (files[0]["name"], files[0]["bytes"]) == ("a b/é.bin", len(content))
    for bad in ("../x", "/x", "a\\b", ""):
        assert client.put(where, params={"name": bad}, content=b"x").status_code == 422


def test_no_upload_when_the_disk_is_almost_full(tmp_path: Path) -> None:
    full = half.open_records(tmp_path / "full")
    object.__setattr__(full.settings, "free_space_floor_bytes", 2**62)
    try:
        assert Web(full).with_key().post(f"{API}/uploads", json={}).status_code == 507
    finally:
        full.close()


def test_a_worker_over_http_and_a_long_poll(web: Web, records: Records) -> None:
    client = web.with_key()
    worker = TestClient(worker_app(records, WORKER_KEY), base_url="http://salus")
    key = {"Authorization": f"Bearer {WORKER_KEY}"}
    assert worker.post(f"{API}/worker/claim", json={"worker": "w"}, headers=key).status_code == 204
    run = client.post(f"{API}/data-sets", json={"name": "iris", "builtin": "sklearn:iris"}).json()["run"]["id"]
    job = worker.post(f"{API}/worker/claim", json={"worker": "w", "wait_s": 5}, headers=key).json()
    token = {"Authorization": f"Bearer {job['token']}"}
    where = f"{API}/worker/jobs/{job['job']}"
    seq = client.get(f"{API}/runs/{run}/events").json()["events"][-1]["seq"]

    def tell() -> None:
        time.sleep(0.3)
        events = [{"name": "rows", "fields": {"done": 3}, "time": ""}]
        worker.post(f"{where}/events", json={"fence": job["fence"], "events": events}, headers=token)

    thread = threading.Thread(target=tell)
    begun = time.monotonic()
    thread.start()
    answer = client.get(f"{API}/runs/{run}/events", params={"after": seq, "wait_s": 20}).json()
    thread.join()
    assert [event["name"] for event in answer["events"]] == ["rows"] and not answer["over"]
    assert 0.2 < time.monotonic() - begun < 5
    assert client.get(f"{API}/runs/{run}").json()["progress"]["fields"] == {"done": 3}
    assert worker.post(f"{where}/heartbeat", json={"fence": job["fence"]}, headers=token).json() == {"cancel": False}
    later = {"fence": job["fence"] + 1}  # a token speaks for its own fence only
    assert worker.post(f"{where}/heartbeat", json=later, headers=token).status_code == 403
    outcome = {"ok": True, "records": half.add_records(records)}
    done = worker.post(f"{where}/finish", json={"fence": job["fence"], "outcome": outcome}, headers=token)
    assert done.status_code == 200
    assert client.get(f"{API}/runs/{run}").json()["state"] == "succeeded"
    stale = worker.post(f"{where}/finish", json={"fence": job["fence"], "outcome": outcome}, headers=token)
    assert (stale.status_code, stale.json()["code"]) == (409, "stale_fence")
    assert client.get(f"{API}/data-sets/iris").json()["versions"][0]["rows"] == 3


def test_reports_cannot_run_anything(web: Web, records: Records) -> None:
    run = half.model(half.person(), records)
    client = web.with_key("default", "subject:read", "read")
    assert client.get(f"{API}/runs/{run}/report").json() == {"format": 1}
    for language in ("en", "zh"):
        refused = web.with_key("default", "read")
        answer = refused.get(f"{API}/runs/{run}/report.html", headers={"Accept-Language": language})
        assert answer.status_code == 403
    for path in (f"/runs/{run}/report.html", "/models/walks/versions/1/report.html"):
        page = client.get(API + path)
        assert page.text == "<p>report</p>"
        assert client.get(API + path, headers={"Accept-Language": "zh"}).text == "<p>报告</p>"
        policy = page.headers["content-security-policy"]
        assert "default-src 'none'" in policy and "sandbox" in policy and "script" not in policy
    waiting = runs.start(half.person(), records, {"data_set": "walks", "spec": {"target": "y"}})["run"]["id"]
    assert client.get(f"{API}/runs/{waiting}/report").status_code == 409
    assert work.claim(half.WORKER, records, "w") is not None


def test_rows_of_people_need_a_scope_of_their_own(web: Web, records: Records) -> None:
    half.data_set(half.person(), records)
    where = f"{API}/data-sets/walks/preview"
    assert web.with_key("default", "write").get(where).status_code == 403
    assert web.with_key("default", "subject:read").get(where).status_code == 200


def test_settings_status_and_audit(web: Web) -> None:
    client = web.with_key()
    assert {"name", "value", "meaning"} == set(client.get(f"{API}/settings").json()["items"][0])
    status = client.get(f"{API}/status").json()
    assert status["worker"]["state"] == "away" and status["model_server"]["state"] == "behind"
    client.post(f"{API}/projects", json={"name": "third"})
    page = client.get(f"{API}/audit?verify=1").json()
    assert page["intact"] and page["items"][0]["action"] == "projects.create"
    assert json.dumps(page).count("salus_") == 0
