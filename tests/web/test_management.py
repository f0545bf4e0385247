"""The management API from outside: closed doors, walls between projects, uploads, runs, bad bytes."""

from __future__ import annotations

from typing import Any

import pytest
from tests.web.conftest import WORKER_KEY, Api

from salus.web.app import PUBLIC, ROUTES

METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE")


def places() -> list[str]:
    """Every address with something in its gaps."""
    gaps = ("key", "upload", "index", "name", "run", "version")
    found = []
    for path, _ in ROUTES:
        for gap in gaps:
            path = path.replace("{" + gap + "}", "0" if gap in ("index", "version") else f"some-{gap}")
        found.append(path)
    return found


@pytest.mark.parametrize("path", places())
def test_no_door_opens_without_a_good_key(api: Api, path: str) -> None:
    if path in PUBLIC:
        assert api.ask("GET", path, None).status_code == 200
        return
    bodies = set()
    for method in METHODS:
        for key in (None, "garbage", "salus_" + "a" * 43, "revoked"):
            answer = api.ask(method, path, key)
            assert answer.status_code == 401, (method, path, key)
            if method == "GET":
                body = answer.json()
                body.pop("request_id")
                bodies.add(str(body))
    assert len(bodies) == 1, "every wrong key gets the same answer"


def test_the_public_list_is_three() -> None:
    assert {"/livez", "/readyz", "/version"} == PUBLIC


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/api/v1/keys", {"name": "k", "scopes": ["read"]}),
        ("GET", "/api/v1/keys", None),
        ("GET", "/api/v1/settings", None),
        ("GET", "/api/v1/audit", None),
        ("POST", "/api/v1/projects", {"name": "p"}),
        ("POST", "/api/v1/uploads", {}),
        ("PUT", "/api/v1/endpoints/e", {"model": "m", "version": 1}),
    ],
)
def test_a_scope_too_small_is_refused(api: Api, method: str, path: str, body: Any) -> None:
    answer = api.ask(method, path, "predict", json=body) if body is not None else api.ask(method, path, "predict")
    assert answer.status_code == 403 and answer.json()["code"] == "forbidden"


def test_what_another_project_has_looks_like_nothing(api: Api) -> None:
    api.added("hearts")
    run = api.ask("GET", "/api/v1/runs").json()["items"][0]["id"]
    upload = api.upload()
    for have, lack in (
        ("/api/v1/data-sets/hearts", "/api/v1/data-sets/nothing"),
        ("/api/v1/data-sets/hearts/preview", "/api/v1/data-sets/nothing/preview"),
        (f"/api/v1/runs/{run}", "/api/v1/runs/run_nothing"),
        (f"/api/v1/runs/{run}/events", "/api/v1/runs/run_nothing/events"),
        (f"/api/v1/uploads/{upload}", "/api/v1/uploads/upl_nothing"),
    ):
        assert api.ask("GET", have).status_code == 200, have
        foreign, unknown = (api.ask("GET", path, "foreign") for path in (have, lack))
        assert foreign.status_code == unknown.status_code == 404
        assert foreign.json()["code"] == unknown.json()["code"]
    for listing in ("data-sets", "runs", "models", "endpoints"):
        assert api.ask("GET", f"/api/v1/{listing}", "foreign").json()["items"] == []


def test_only_owners_enter_another_project(api: Api) -> None:
    api.added("hearts")
    entered = {"Salus-Project": "default"}
    assert api.ask("GET", "/api/v1/data-sets/hearts", "foreign", headers=entered).status_code == 200
    assert api.ask("GET", "/api/v1/data-sets", "read", headers={"Salus-Project": "other"}).status_code in (403, 404)


def test_previews_are_real_rows_and_need_their_scope(api: Api) -> None:
    api.added("hearts")
    assert api.ask("GET", "/api/v1/data-sets/hearts/preview", "read").status_code == 403


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{", "bad_json"),
        (b'{"name": "a", "name": "b"}', "bad_json"),
        (b"[" * 10_000, "bad_json"),
        (b'{"name": NaN}', "bad_json"),
        (b'{"name": 1e400}', "bad_json"),
        (b'{"name": "\\ud800"}', "bad_json"),
        (b"\xff\xfe", "bad_json"),
        (b'{"name": "k", "scopes": ["king"]}', "bad_spec"),
        (b'{"name": "k", "scopes": [], "more": 1}', "bad_spec"),
        (b" " * 30_000, "body_too_large"),
    ],
)
def test_bad_bodies_are_told_apart(api: Api, body: bytes, code: str) -> None:
    answer = api.ask("POST", "/api/v1/keys", content=body, headers={"Content-Type": "application/json"})
    assert answer.json()["code"] == code and 400 <= answer.status_code < 500
    assert answer.headers["content-type"].startswith("application/problem+json")
    assert api.ask("GET", "/api/v1/keys").status_code == 200


@pytest.mark.parametrize("name", ["", "A", "../x", "a/b", "x" * 64, "a\u202eb", "con fusion", "<script>"])
def test_bad_names_are_refused(api: Api, name: str) -> None:
    answer = api.ask("POST", "/api/v1/projects", json={"name": name})
    assert answer.status_code == 422 and answer.json()["code"] == "bad_name"


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "a/?x=", "localhost:80:80"])
def test_other_hosts_are_not_answered(api: Api, host: str) -> None:
    assert api.ask("GET", "/api/v1/keys", headers={"Host": host}).status_code in (400, 421)


@pytest.mark.parametrize("path", ["/api/v1//keys", "/api/v1/%6beys", "/api/v1/..;/keys", "/api/v1/keys%2f"])
def test_paths_are_never_normalised(api: Api, path: str) -> None:
    answer = api.ask("GET", path)
    assert answer.status_code in (400, 404)


def test_wrong_methods_name_the_right_ones(api: Api) -> None:
    answer = api.ask("DELETE", "/api/v1/keys")
    assert answer.status_code == 405 and answer.headers["allow"] == "GET, POST"


def test_an_upload_goes_on_where_it_stopped(api: Api) -> None:
    upload = api.upload(b"x,y\n1")
    path = f"/api/v1/uploads/{upload}/files/0?name=t.csv&offset="
    wrong = api.ask("PUT", path + "3", content=b",a\n")
    assert wrong.status_code == 409 and wrong.json()["code"] == "upload_offset"
    assert api.ask("PUT", path + "5", content=b",a\n").json()["received"] == 8
    done = api.ask("POST", f"/api/v1/uploads/{upload}/complete", json={}).json()
    assert api.records.blobs.open(done["files"][0]["digest"]).read_bytes() == b"x,y\n1,a\n"
    assert api.ask("POST", f"/api/v1/uploads/{upload}/complete", json={}).json() == done
    assert api.ask("PUT", path + "8", content=b"more").json()["code"] == "upload_closed"


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "a/../../b", "a%00b", "a%0Ab", "", "a//b", "%5C%5Chost%5Cx"])
def test_file_names_lead_nowhere_else(api: Api, name: str) -> None:
    upload = api.ask("POST", "/api/v1/uploads", json={}).json()["id"]
    answer = api.ask("PUT", f"/api/v1/uploads/{upload}/files/0?name={name}&offset=0", content=b"x")
    assert answer.status_code == 422 and answer.json()["code"] == "bad_file_name"


def test_an_upload_over_its_limit_is_cut(api: Api) -> None:
    upload = api.ask("POST", "/api/v1/uploads", json={}).json()["id"]
    answer = api.ask("PUT", f"/api/v1/uploads/{upload}/files/0?name=big&offset=0", content=b"x" * 200_000)
    assert answer.status_code == 413


def test_the_same_request_twice_is_one(api: Api) -> None:
    once = {"Idempotency-Key": "one"}
    first = api.ask("POST", "/api/v1/projects", json={"name": "a"}, headers=once)
    again = api.ask("POST", "/api/v1/projects", json={"name": "a"}, headers=once)
    other = api.ask("POST", "/api/v1/projects", json={"name": "b"}, headers=once)
    assert first.status_code == again.status_code == 201 and first.json() == again.json()
    assert other.status_code == 409 and other.json()["code"] == "idempotency_conflict"


@pytest.mark.parametrize(
    ("spec", "code"),
    [
        ({"target": "z"}, "target_not_a_column"),
        ({"target": "y", "learner": "oracle"}, "bad_spec"),
        ({"target": "y", "learner": "cnn", "options": {"learning_rate": -1}}, "bad_spec"),
        ({"target": "y", "budget_s": 0}, "bad_spec"),
        ({"target": "y", "unknown": 1}, "bad_spec"),
        ({}, "bad_spec"),
    ],
)
def test_a_spec_is_checked_when_it_is_asked(api: Api, spec: dict[str, Any], code: str) -> None:
    api.added("hearts")
    before = len(api.ask("GET", "/api/v1/runs").json()["items"])
    answer = api.ask("POST", "/api/v1/runs", json={"kind": "train", "data_set": "hearts", "spec": spec})
    assert answer.status_code == 422 and answer.json()["code"] == code
    assert len(api.ask("GET", "/api/v1/runs").json()["items"]) == before


def test_a_job_is_published_once_and_only_with_its_bytes(api: Api) -> None:
    api.added("hearts")
    run = api.ask("POST", "/api/v1/runs", json={"kind": "train", "data_set": "hearts", "spec": {"target": "y"}}).json()[
        "run"
    ]
    job = api.claim()
    made = {
        "tree": {"manifest.json": "0" * 64},
        "bundle_hash": "b",
        "model_hash": "m",
        "metrics": {},
        "gate": {"passed": True, "reasons": []},
    }
    missing = api.finish(job, {"ok": True, "records": made})
    assert missing.status_code >= 400
    assert api.ask("GET", "/api/v1/models").json()["items"] == []
    made["tree"] = {"manifest.json": api.records.blobs.put_stream([b"{}"])}
    assert api.finish(job, {"ok": True, "records": made}).status_code == 200
    assert api.finish(job, {"ok": True, "records": made}).status_code == 409
    assert api.ask("GET", f"/api/v1/runs/{run['id']}").json()["state"] == "succeeded"
    assert [item["name"] for item in api.ask("GET", "/api/v1/models").json()["items"]] == ["hearts"]


def test_a_job_token_speaks_for_its_job_alone(api: Api) -> None:
    api.added("hearts")
    for _ in range(2):
        api.ask("POST", "/api/v1/runs", json={"kind": "train", "data_set": "hearts", "spec": {"target": "y"}})
    first, second = api.claim(), api.claim()
    stolen = api.ask(
        "POST",
        f"/api/v1/worker/jobs/{second['job']}/heartbeat",
        first["token"],
        worker=True,
        json={"fence": second["fence"]},
    )
    assert stolen.status_code in (401, 403)
    assert api.ask("POST", "/api/v1/worker/claim", first["token"], worker=True, json={"worker": "w"}).status_code in (
        401,
        403,
    )
    assert api.ask("POST", "/api/v1/worker/claim", "owner", worker=True, json={"worker": "w"}).status_code == 401
    assert api.ask("GET", "/api/v1/keys", WORKER_KEY).status_code == 401


def test_a_failed_job_ends_its_run_with_the_reason(api: Api) -> None:
    api.added("hearts")
    run = api.ask("POST", "/api/v1/runs", json={"kind": "train", "data_set": "hearts", "spec": {"target": "y"}}).json()[
        "run"
    ]
    error = {"code": "one_class", "parameters": {"where": "y", "found": "a"}}
    assert api.finish(api.claim(), {"ok": False, "error": error}).status_code == 200
    shown = api.ask("GET", f"/api/v1/runs/{run['id']}").json()
    assert (
        shown["state"] == "failed"
        and shown["error"]["code"] == "one_class"
        and "at least two classes" in shown["error"]["detail"]
    )


def test_cancelling_a_waiting_run_ends_it(api: Api) -> None:
    api.added("hearts")
    run = api.ask("POST", "/api/v1/runs", json={"kind": "train", "data_set": "hearts", "spec": {"target": "y"}}).json()[
        "run"
    ]
    assert api.ask("POST", f"/api/v1/runs/{run['id']}/cancel", json={}).status_code < 300
    assert api.ask("GET", f"/api/v1/runs/{run['id']}").json()["state"] == "cancelled"
    assert api.ask("POST", f"/api/v1/runs/{run['id']}/cancel", json={}).json()["code"] == "run_over"


def test_every_write_leaves_a_row_and_the_chain_is_whole(api: Api) -> None:
    api.added("hearts")
    api.ask("POST", "/api/v1/keys", json={"name": "k", "scopes": ["read"]})
    page = api.ask("GET", "/api/v1/audit?verify=1").json()
    assert page["intact"] is True
    assert {"keys.create", "uploads.create", "uploads.complete", "runs.start"} <= {
        item["action"] for item in page["items"]
    }


def test_errors_hold_no_insides(api: Api) -> None:
    for answer in (
        api.ask("GET", "/api/v1/runs/x"),
        api.ask("GET", "/nowhere"),
        api.ask("PUT", "/api/v1/endpoints/e", json={}),
    ):
        for word in ("Traceback", "site-packages", "sqlalchemy", "/tmp", " at 0x"):  # an id may hold 0x
            assert word not in answer.text


def test_errors_speak_both_languages(api: Api) -> None:
    answer = api.ask("GET", "/api/v1/runs/x", headers={"Accept-Language": "zh-CN,zh;q=0.9"})
    assert "没有" in answer.json()["detail"]
