"""The doors of a running server: keys, names, hosts, paths, methods, rows, pictures."""

from __future__ import annotations

import json
from typing import Any

import httpx2
import pytest
from serving_bundles import OTHER_TOKEN, PREDICT_TOKEN, READ_TOKEN, Running, base64_of, picture, rows

JSON = {"Content-Type": "application/json"}
PETS = "/endpoints/pets/predict"


def code(answer: httpx2.Response) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["status"] == answer.status_code
    assert problem["request_id"] == answer.headers["x-request-id"]
    return answer.status_code, problem["code"]


def test_rows_are_answered_in_their_order(server: Running) -> None:
    with server.client() as client:
        answer = client.post(PETS, content=rows((5, 0), (0, 5), (-5, -5)), headers={**JSON, "X-Request-Id": "mine-1"})
    content = answer.json()
    assert answer.status_code == 200
    assert [one["label"] for one in content["predictions"]] == ["cat", "dog", "frog"]
    assert (content["endpoint"], content["model"], content["version"]) == ("pets", "pets", 1)
    assert content["request_id"] == answer.headers["x-request-id"] == "mine-1"
    assert "server" not in answer.headers


def test_one_row_alone_and_a_missing_value(server: Running) -> None:
    with server.client() as client:
        answer = client.post(PETS, json={"row": {"age": None, "weight": 4.0}})
    assert [one["label"] for one in answer.json()["predictions"]] == ["dog"]


@pytest.mark.parametrize("form", ["PNG", "JPEG"])
def test_a_picture_as_it_is_and_in_json(server: Running, form: str) -> None:
    green = picture((0, 200, 0), form)
    with server.client() as client:
        plain = client.post(
            "/endpoints/pictures/predict", content=green, headers={"Content-Type": f"image/{form.lower()}"}
        )
        in_json = client.post("/endpoints/pictures/predict", json={"rows": [{"image": {"base64": base64_of(green)}}]})
    assert plain.json()["predictions"] == in_json.json()["predictions"]
    assert plain.json()["predictions"][0]["label"] == "dog"


def test_no_key_opens_nothing_but_health(server: Running) -> None:
    with server.client(None) as client:
        assert client.get("/livez").status_code == 200
        assert client.get("/readyz").status_code == 200
        for path in ("/metrics", "/endpoints", "/endpoints/pets", "/nothing", "/docs", "/openapi.json"):
            assert code(client.get(path)) == (401, "auth_required")
        assert code(client.post(PETS, content=rows((1, 1)), headers=JSON)) == (401, "auth_required")


@pytest.mark.parametrize("token", ["salus_owner-of-onf", "salus_expired", "x" * 5000, "salus_owner-of-one "])
def test_keys_that_are_not_good_all_get_the_same_answer(server: Running, token: str) -> None:
    with server.client(None) as client:
        answer = client.get("/endpoints", headers={"Authorization": f"Bearer {token}x", "X-Request-Id": "same"})
        first = client.get("/endpoints", headers={"Authorization": "Bearer nonsense", "X-Request-Id": "same"})
    assert code(answer) == (401, "auth_invalid")
    assert answer.content == first.content
    assert answer.headers["www-authenticate"] == "Bearer"


def test_an_expired_key_opens_nothing(server: Running) -> None:
    with server.client("salus_expired") as client:
        assert code(client.get("/endpoints")) == (401, "auth_invalid")


def test_scopes(server: Running) -> None:
    with server.client(PREDICT_TOKEN) as client:
        assert client.post(PETS, content=rows((1, 1)), headers=JSON).status_code == 200
        assert client.get("/endpoints/pets").status_code == 200
        assert code(client.get("/metrics")) == (403, "forbidden")
    with server.client(READ_TOKEN) as client:
        assert code(client.post(PETS, content=rows((1, 1)), headers=JSON)) == (403, "forbidden")
        assert client.get("/metrics").status_code == 200


def test_what_another_project_has_is_as_unknown_as_what_nobody_has(server: Running) -> None:
    same = {**JSON, "X-Request-Id": "same"}
    with server.client() as client:
        theirs = client.post("/endpoints/secret/predict", content=rows((1, 1)), headers=same)
        nobodys = client.post("/endpoints/nobody/predict", content=rows((1, 1)), headers=same)
        assert client.get("/endpoints").json() == {"items": [{"name": "pets"}, {"name": "pictures"}]}
        assert code(client.get("/endpoints/secret")) == (404, "not_found")
    assert code(theirs) == (404, "not_found")
    assert theirs.text.replace("secret", "nobody") == nobodys.text
    with server.client(OTHER_TOKEN) as client:
        assert client.post("/endpoints/secret/predict", content=rows((1, 1)), headers=JSON).status_code == 200


def test_an_owner_may_enter_another_project_and_nobody_else(server: Running) -> None:
    there = {**JSON, "Salus-Project": "two"}
    with server.client() as owner:
        assert owner.post("/endpoints/secret/predict", content=rows((1, 1)), headers=there).status_code == 200
        assert code(owner.post(PETS, content=rows((1, 1)), headers=there)) == (404, "not_found")
    with server.client(PREDICT_TOKEN) as client:
        assert code(client.post("/endpoints/secret/predict", content=rows((1, 1)), headers=there)) == (403, "forbidden")
        at_home = {**JSON, "Salus-Project": "one"}
        assert client.post(PETS, content=rows((1, 1)), headers=at_home).status_code == 200


def test_the_description_holds_an_example_that_is_answered(server: Running) -> None:
    with server.client() as client:
        shown = client.get("/endpoints/pets").json()
        assert set(shown["request"]["properties"]["rows"]["items"]["properties"]) == {"age", "weight"}
        assert len(client.post(PETS, json=shown["example"]).json()["predictions"]) == 1


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"rows": []}', (422, "empty_batch")),
        (rows(*[(1, 1)] * 1001), (413, "batch_too_large")),
        (b'{"rows": 3}', (422, "bad_predict_body")),
        (b'{"rows": [3]}', (422, "bad_predict_body")),
        (b"[]", (422, "bad_predict_body")),
        (b"{}", (422, "bad_predict_body")),
        (b'{"rows": [{"age": 1, "weight": 1}], "more": 1}', (422, "bad_predict_body")),
        (b"", (400, "bad_json")),
        (b'{"rows": [{"age": NaN, "weight": 1}]}', (400, "bad_json")),
        (b'{"rows": [{"age": 1e999, "weight": 1}]}', (400, "bad_json")),
        (b'{"rows": [{"age": 1, "age": 2, "weight": 1}]}', (400, "bad_json")),
        (b'{"rows": ' + b"[" * 5000, (400, "bad_json")),
        (b'{"rows": [{"age": "\\ud800", "weight": 1}]}', (400, "bad_json")),
        (b"\xff\xfe", (400, "bad_json")),
        (b'{"rows": [{"age": 1}]}', (422, "schema_mismatch")),
        (b'{"rows": [{"age": 1, "weight": 2, "height": 3}]}', (422, "schema_mismatch")),
        (b'{"rows": [{"age": "old", "weight": 2}]}', (422, "schema_mismatch")),
        (b'{"rows": [{"age": 1e200, "weight": 2}]}', (422, "not_finite")),
    ],
)
def test_bad_bodies_are_told_apart_and_the_next_good_one_is_answered(
    server: Running, body: bytes, expected: tuple[int, str]
) -> None:
    with server.client() as client:
        assert code(client.post(PETS, content=body, headers=JSON)) == expected
        assert client.post(PETS, content=rows((1, 1)), headers=JSON).status_code == 200


@pytest.mark.parametrize(
    ("body", "kind", "expected"),
    [
        (picture((1, 2, 3))[:45], "image/png", 422),
        (b"not a picture", "image/png", 422),
        (b"", "image/png", 422),
        (picture((1, 2, 3)), "text/plain", 415),
        (picture((1, 2, 3)), "", 415),
    ],
    ids=["cut", "other", "empty", "text", "untyped"],
)
def test_bad_pictures(server: Running, body: bytes, kind: str, expected: int) -> None:
    with server.client() as client:
        answer = client.post("/endpoints/pictures/predict", content=body, headers={"Content-Type": kind})
        assert code(answer)[0] == expected
        to_a_table = client.post(PETS, content=picture((1, 2, 3)), headers={"Content-Type": "image/png"})
        assert code(to_a_table) == (415, "not_a_picture_model")


def test_methods(server: Running) -> None:
    with server.client() as client:
        for method, path, allowed in (
            ("GET", PETS, "POST"),
            ("TRACE", PETS, "POST"),
            ("DELETE", "/endpoints/pets", "GET, HEAD"),
            ("POST", "/livez", "GET, HEAD"),
        ):
            answer = client.request(method, path, headers={"X-HTTP-Method-Override": "POST"})
            assert code(answer) == (405, "method_not_allowed")
            assert answer.headers["allow"] == allowed
        assert client.head("/livez").status_code == 200


@pytest.mark.parametrize("language", ["zh", "zh-CN,en;q=0.5"])
def test_errors_speak_the_language_of_the_caller(server: Running, language: str) -> None:
    with server.client() as client:
        answer = client.post(PETS, content=b'{"rows": []}', headers={**JSON, "Accept-Language": language})
    assert answer.json()["detail"] == "行：至少需要一行；实际没有。"


@pytest.mark.parametrize(("text", "status"), [("0", 422), ("soon", 422), ("-1", 422), ("30000", 200)])
def test_the_callers_own_deadline(server: Running, text: str, status: int) -> None:
    with server.client() as client:
        answer = client.post(PETS, content=rows((1, 1)), headers={**JSON, "Salus-Timeout-Ms": text})
    assert answer.status_code == status


def test_metrics_are_of_the_keys_project(server: Running) -> None:
    with server.client(READ_TOKEN) as client:
        text = client.get("/metrics").text
    assert 'salus_requests_total{endpoint="pets",project="one"}' in text
    assert "secret" not in text
    with server.client() as owner:
        assert "secret" in owner.get("/metrics").text


def test_large_requests_are_answered_too(server: Running) -> None:
    many: dict[str, Any] = {"rows": [{"age": index % 7, "weight": 3.123456789} for index in range(900)]}
    body = json.dumps(many).encode().ljust(190_000)  # far more than headers may be, and sent at once
    with server.client() as client:
        answer = client.post(PETS, content=body, headers=JSON)
    assert answer.status_code == 200, answer.text
    assert len(answer.json()["predictions"]) == 900
