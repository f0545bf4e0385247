"""What people and workers do, and what the control plane does by itself, without HTTP."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from salus.actions import data_sets, endpoints, keys, models, projects, runs, snapshot, status, upkeep, uploads, work
from salus.actions.names import check_file_name
from salus.actions.principal import SCOPES, Principal
from salus.core.errors import SalusError
from salus.store import tables
from salus.store.records import Records
from salus.testing import record_steps as half

OWNER = half.person()
START = {"data_set": "walks", "spec": {"target": "y"}}


@pytest.fixture
def records(tmp_path: Path) -> Iterator[Records]:
    opened = half.open_records(tmp_path / "home", max_attempts=3)
    yield opened
    opened.close()


def code_of(error: pytest.ExceptionInfo[SalusError]) -> str:
    return error.value.code


def end(records: Records, outcome: dict[str, Any]) -> dict[str, Any]:
    job, holder = half.claim(records)
    work.finish(holder, records, job["job"], job["fence"], outcome)
    return job


def state(records: Records, run: str) -> str:
    return str(runs.find(OWNER, records, run)["state"])


def test_from_upload_to_data_version(records: Records) -> None:
    upload = half.upload(OWNER, records, {"day/a.csv": b"x,y\n1,2\n", "b.csv": b""})
    run = data_sets.add(OWNER, records, {"name": "walks", "upload": upload})["run"]["id"]
    job, holder = half.claim(records)
    files = {file["name"]: Path(file["path"]).read_bytes() for file in job["input"]["upload"]}
    assert files == {"day/a.csv": b"x,y\n1,2\n", "b.csv": b""}
    assert data_sets.every(OWNER, records) == []
    made = half.add_records(records)
    work.finish(holder, records, job["job"], job["fence"], {"ok": True, "records": made})
    assert state(records, run) == "succeeded"
    version = data_sets.find(OWNER, records, "walks")["versions"][0]
    assert (version["rows"], version["run"]) == (3, run)
    assert data_sets.preview(OWNER, records, "walks")["preview"] == made["preview"]


def test_the_same_content_again_is_the_same_version(records: Records) -> None:
    half.data_set(OWNER, records)
    half.data_set(OWNER, records)
    assert len(data_sets.find(OWNER, records, "walks")["versions"]) == 1


def test_training_makes_numbered_versions_with_reports(records: Records) -> None:
    run = half.model(OWNER, records)
    runs.start(OWNER, records, START)
    half.finish(records, half.train_records(records))
    assert [version["number"] for version in models.find(OWNER, records, "walks")["versions"]] == [2, 1]
    assert models.report_of_run(OWNER, records, run).read_bytes() == b'{"format":1}'
    assert models.report(OWNER, records, "walks", 2, models.REPORT_PAGE).read_bytes() == b"<p>report</p>"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"spec": {"target": "z"}}, "target_not_a_column"),
        ({"spec": {"target": "y", "group": "z"}}, "target_not_a_column"),
        ({"spec": {"target": []}}, "target_not_a_column"),
        ({"spec": {}}, "bad_spec"),
        ({"spec": {"target": "y", "budget_s": -1}}, "bad_spec"),
        ({"spec": {"target": "y", "wish": 1}}, "bad_spec"),
        ({"data_set": "nothing"}, "not_found"),
        ({"data_set": "../walks"}, "bad_name"),
        ({"version": "0" * 64}, "no_data_yet"),
        ({"model": "A B"}, "bad_name"),
    ],
)
def test_a_bad_wish_is_refused_when_it_is_asked(records: Records, change: dict[str, Any], code: str) -> None:
    half.data_set(OWNER, records)
    with pytest.raises(SalusError) as caught:
        runs.start(OWNER, records, {**START, **change})
    assert code_of(caught) == code
    assert work.claim(half.WORKER, records, "w") is None


def test_a_folder_to_start_from_must_be_one_that_the_service_may_read(records: Records, tmp_path: Path) -> None:
    half.data_set(OWNER, records)
    roots = tmp_path / "models"
    (roots / "bert").mkdir(parents=True)

    def asked(folder: str) -> dict[str, Any]:
        return {**START, "spec": {"target": "y", "learner": "pretrained", "start": folder}}

    for folder in (str(roots / "bert"), "/", str(roots / ".." / "elsewhere")):
        with pytest.raises(SalusError) as caught:
            runs.start(OWNER, records, asked(folder))
        assert code_of(caught) == "start_missing" and str(tmp_path) not in str(caught.value)
        told = records.settings.model_copy(update={"import_roots": f"/nowhere:{roots}"})
        records = replace(records, settings=told)
    assert runs.start(OWNER, records, asked(str(roots / "bert")))["run"]["state"] == "queued"


def test_nothing_is_published_without_every_byte(records: Records) -> None:
    run = data_sets.add(OWNER, records, {"name": "walks", "builtin": "sklearn:iris"})["run"]["id"]
    job, holder = half.claim(records)
    made = half.add_records(records)
    for broken, code in (
        ({**made, "tree": {**made["tree"], "more": "0" * 64}}, "blob_missing"),
        ({**made, "tree": {"../x": made["tree"]["schema.json"]}}, "bad_file_name"),
        ({**made, "rows": -1}, "records_refused"),
        (None, "records_refused"),
    ):
        with pytest.raises(SalusError) as caught:
            work.finish(holder, records, job["job"], job["fence"], {"ok": True, "records": broken})
        assert code_of(caught) == code
    assert state(records, run) == "running"
    assert data_sets.every(OWNER, records) == []
    work.finish(holder, records, job["job"], job["fence"], {"ok": True, "records": made})
    assert state(records, run) == "succeeded"


def test_the_second_finish_and_a_foreign_job_change_nothing(records: Records) -> None:
    half.data_set(OWNER, records)
    data_sets.add(OWNER, records, {"name": "other", "builtin": "sklearn:wine"})
    job, holder = half.claim(records)
    outcome = {"ok": True, "records": half.add_records(records)}
    with pytest.raises(SalusError) as caught:
        work.finish(holder, records, "job_other", 1, outcome)
    assert code_of(caught) == "forbidden"
    work.finish(holder, records, job["job"], job["fence"], outcome)
    with pytest.raises(SalusError) as caught:
        work.finish(holder, records, job["job"], job["fence"], outcome)
    assert code_of(caught) == "stale_fence"


def expire(records: Records) -> None:
    records.database.write(lambda c: c.execute(sa.update(tables.jobs).values(lease_until=1.0)))


def test_a_slow_worker_loses_its_job_and_publishes_nothing(records: Records) -> None:
    run = data_sets.add(OWNER, records, {"name": "walks", "builtin": "sklearn:iris"})["run"]["id"]
    slow, slow_holder = half.claim(records)
    expire(records)
    upkeep.reap(records)
    quick, quick_holder = half.claim(records)
    assert quick["job"] == slow["job"] and quick["fence"] > slow["fence"]
    outcome = {"ok": True, "records": half.add_records(records)}
    with pytest.raises(SalusError) as caught:
        work.finish(slow_holder, records, slow["job"], slow["fence"], outcome)
    assert code_of(caught) == "stale_fence"
    work.finish(quick_holder, records, quick["job"], quick["fence"], outcome)
    assert state(records, run) == "succeeded"


def test_a_job_that_always_dies_ends(records: Records) -> None:
    run = data_sets.add(OWNER, records, {"name": "walks", "builtin": "sklearn:iris"})["run"]["id"]
    for _ in range(2):
        half.claim(records)
        expire(records)
        upkeep.reap(records)
    end(records, {"ok": False, "error": {"code": "step_died", "parameters": {"where": "add", "found": "signal 9"}}})
    ended = runs.find(OWNER, records, run)
    assert (ended["state"], ended["error"]["code"]) == ("failed", "step_died")
    assert work.claim(half.WORKER, records, "w") is None


def test_leases_that_run_out_for_the_last_time_end_the_run(records: Records) -> None:
    run = data_sets.add(OWNER, records, {"name": "walks", "builtin": "sklearn:iris"})["run"]["id"]
    for _ in range(3):
        half.claim(records)
        expire(records)
        upkeep.reap(records)
    assert runs.find(OWNER, records, run)["error"]["code"] == "job_abandoned"


def test_a_step_that_stopped_for_its_worker_is_put_back(records: Records) -> None:
    run = data_sets.add(OWNER, records, {"name": "walks", "builtin": "sklearn:iris"})["run"]["id"]
    for _ in range(5):  # more often than there are attempts: these do not count
        end(records, {"ok": False, "error": {"code": "stopped", "parameters": {"where": "add"}}})
    half.finish(records, half.add_records(records))
    assert state(records, run) == "succeeded"


def test_cancelling_a_waiting_and_a_running_run(records: Records) -> None:
    waiting = data_sets.add(OWNER, records, {"name": "walks", "builtin": "sklearn:iris"})["run"]["id"]
    assert runs.cancel(OWNER, records, waiting)["state"] == "cancelled"
    running = data_sets.add(OWNER, records, {"name": "walks", "builtin": "sklearn:iris"})["run"]["id"]
    job, holder = half.claim(records)
    assert work.heartbeat(holder, records, job["job"], job["fence"]) == {"cancel": False}
    assert runs.cancel(OWNER, records, running)["stopping"]
    assert work.heartbeat(holder, records, job["job"], job["fence"]) == {"cancel": True}
    error = {"code": "stopped", "parameters": {"where": "add"}}
    work.finish(holder, records, job["job"], job["fence"], {"ok": False, "error": error})
    assert state(records, running) == "cancelled"
    with pytest.raises(SalusError) as caught:
        runs.cancel(OWNER, records, running)
    assert code_of(caught) == "run_over"


def test_a_heartbeat_keeps_a_lease_that_is_half_gone(records: Records) -> None:
    data_sets.add(OWNER, records, {"name": "walks", "builtin": "sklearn:iris"})
    job, holder = half.claim(records)
    records.database.write(lambda c: c.execute(sa.update(tables.jobs).values(lease_until=time.time() + 1)))
    work.heartbeat(holder, records, job["job"], job["fence"])
    lease = records.database.read(lambda c: c.execute(sa.select(tables.jobs.c.lease_until)).scalar_one())
    assert lease > time.time() + 20


def test_after_a_start_every_open_run_is_adopted_or_ended(records: Records) -> None:
    run = data_sets.add(OWNER, records, {"name": "walks", "builtin": "sklearn:iris"})["run"]["id"]
    lost = data_sets.add(OWNER, records, {"name": "lost", "builtin": "sklearn:iris"})["run"]["id"]
    half.claim(records)
    expire(records)
    gone = sa.delete(tables.jobs).where(tables.jobs.c.run == lost)
    records.database.write(lambda c: c.execute(gone))
    upkeep.adopt(records)
    upkeep.reap(records)
    assert state(records, run) == "running"
    assert runs.find(OWNER, records, lost)["error"]["code"] == "run_orphaned"


class ModelServer:
    """Answers snapshots from a thread: an endpoint is ready, or what `says` holds for its model version."""

    def __init__(self, records: Records):
        self.records = records
        self.says: dict[tuple[str, int], Any] = {}
        self.seen: list[dict[str, Any]] = []
        self.stopping = False
        self.thread = threading.Thread(target=self._serve)

    def __enter__(self) -> ModelServer:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopping = True
        self.records.acknowledgements.wake()
        self.thread.join()

    def _serve(self) -> None:
        while not self.stopping:
            ticket = self.records.acknowledgements.wait_asked(0.05)
            if ticket is None:
                continue
            made = snapshot.build(self.records)
            self.seen.append(made)
            states = {
                f"{e['project']}/{e['name']}": self.says.get((e["model"], e["version"]), "ready")
                for e in made["endpoints"]
            }
            self.records.acknowledgements.answer(ticket, states)


def test_deploying_waits_for_the_model_server(records: Records) -> None:
    half.model(OWNER, records)
    with ModelServer(records) as server:
        shown = endpoints.put(OWNER, records, "steps", {"model": "walks", "version": 1})
        assert shown["state"] == "ready"
        made = server.seen[-1]
    assert [(e["project"], e["name"], e["version"]) for e in made["endpoints"]] == [("default", "steps", 1)]
    assert Path(made["endpoints"][0]["files"]["report.json"]).read_bytes() == b'{"format":1}'
    assert [entry["state"] for entry in endpoints.every(OWNER, records)] == ["ready"]
    assert "curl http://127.0.0.1:8401/endpoints/steps/predict" in endpoints.find(OWNER, records, "steps")["curl"]


@pytest.mark.parametrize(
    "said",
    ["broken", {"code": "blob_missing", "parameters": {"found": "0"}}, {"detail": "broken", "code": "x"}, None],
)
def test_a_refused_bundle_leaves_the_endpoint_as_it_was(records: Records, said: Any) -> None:
    half.model(OWNER, records)
    runs.start(OWNER, records, START)
    half.finish(records, half.train_records(records))
    with ModelServer(records) as server:
        server.says[("walks", 2)] = said
        with pytest.raises(SalusError) as caught:
            endpoints.put(OWNER, records, "steps", {"model": "walks", "version": 2})
        assert code_of(caught) == "bundle_refused"
        assert endpoints.every(OWNER, records) == []
        endpoints.put(OWNER, records, "steps", {"model": "walks", "version": 1})
        with pytest.raises(SalusError):
            endpoints.put(OWNER, records, "steps", {"model": "walks", "version": 2})
        assert endpoints.find(OWNER, records, "steps")["version"] == 1


def test_without_a_model_server_the_endpoint_is_pending(records: Records) -> None:
    half.model(OWNER, records)
    shown = endpoints.put(OWNER, records, "steps", {"model": "walks", "version": 1}, timeout_s=0.05)
    assert shown["state"] == "pending"
    with ModelServer(records) as server:
        while not server.seen:
            time.sleep(0.01)
    assert endpoints.find(OWNER, records, "steps")["state"] == "ready"


def test_changes_take_the_etag(records: Records) -> None:
    half.model(OWNER, records)
    with ModelServer(records):
        asked = {"model": "walks", "version": 1}
        tag = endpoints.put(OWNER, records, "steps", asked)["etag"]
        after = endpoints.put(OWNER, records, "steps", asked, tag)["etag"]
        assert after != tag
        for act in (endpoints.put, endpoints.remove):
            arguments = (asked, tag) if act is endpoints.put else (tag,)
            with pytest.raises(SalusError) as caught:
                act(OWNER, records, "steps", *arguments)  # type: ignore[operator]
            assert (code_of(caught), caught.value.status) == ("changed_meanwhile", 412)
        endpoints.remove(OWNER, records, "steps", after)


@pytest.mark.parametrize("passed", [True, False])
def test_deploy_of_a_run_follows_the_gate(records: Records, passed: bool) -> None:
    half.data_set(OWNER, records)
    run = runs.start(OWNER, records, {**START, "deploy": "steps"})["run"]["id"]
    half.finish(records, half.train_records(records, passed))
    assert state(records, run) == ("running" if passed else "succeeded")
    with ModelServer(records):
        upkeep.deploy_waiting(records)
    ended = runs.find(OWNER, records, run)
    assert (ended["state"], ended["result"]["deployed"], ended["result"]["endpoint"]) == ("succeeded", passed, "steps")
    assert [entry["name"] for entry in endpoints.every(OWNER, records)] == (["steps"] if passed else [])


def test_a_deploy_that_is_refused_ends_the_run_with_the_reason(records: Records) -> None:
    half.data_set(OWNER, records)
    run = runs.start(OWNER, records, {**START, "deploy": "steps"})["run"]["id"]
    half.finish(records, half.train_records(records))
    with ModelServer(records) as server:
        server.says[("walks", 1)] = "damaged"
        upkeep.deploy_waiting(records)
    result = runs.find(OWNER, records, run)["result"]
    assert (result["deployed"], result["deploy_error"]["code"]) == (False, "bundle_refused")


def test_keys_are_in_the_snapshot_until_they_are_revoked(records: Records) -> None:
    made = keys.create(OWNER, records, "phone", ["predict"], expires_s=3600)
    assert [key["id"] for key in snapshot.build(records)["keys"]] == [made["id"]]
    assert keys.recognise(records, made["key"]) == Principal(made["id"], "default", frozenset({"predict"}))
    first = snapshot.build(records)["sequence"]
    assert records.acknowledgements.asked == 1
    keys.revoke(OWNER, records, made["id"])
    assert keys.recognise(records, made["key"]) is None
    after = snapshot.build(records)
    assert (after["keys"], records.acknowledgements.asked) == ([], 2) and after["sequence"] > first


def test_every_action_begins_with_a_permission(records: Records) -> None:
    nobody = Principal("key_none", "default", frozenset())
    for action, arguments in (
        (projects.create, ("x",)), (projects.every, ()), (keys.create, ("x", ["read"])), (keys.every, ()),
        (keys.revoke, ("x",)), (uploads.create, ()), (uploads.find, ("x",)), (uploads.complete, ("x",)),
        (uploads.receive, ("x", 0, "a", 0)), (data_sets.add, ({},)), (data_sets.every, ()), (data_sets.find, ("x",)),
        (data_sets.preview, ("x",)), (runs.start, ({},)), (runs.page, (1, None)), (runs.find, ("x",)),
        (runs.events, ("x", 0)), (runs.cancel, ("x",)), (models.every, ()), (models.find, ("x",)),
        (models.report, ("x", 1)), (models.report_of_run, ("x",)), (endpoints.put, ("x", {})), (endpoints.every, ()),
        (endpoints.find, ("x",)), (endpoints.remove, ("x",)), (status.status, ()), (status.settings, ()),
        (status.audit_page, (1, None)), (work.claim, ("w",)), (work.heartbeat, ("job_x", 1)),
        (work.tell, ("job_x", 1, [])), (work.finish, ("job_x", 1, {})),
    ):  # fmt: skip
        with pytest.raises(SalusError) as caught:
            action(nobody, records, *arguments)  # type: ignore[operator]
        assert code_of(caught) == "forbidden", action


def test_scopes_hold_what_they_should() -> None:
    held = {scope: {other for other in SCOPES if half.person("default", scope).may(other)} for scope in SCOPES}
    assert held == {
        "owner": set(SCOPES),
        "read": {"read"},
        "write": {"write", "read"},
        "predict": {"predict"},
        "subject:read": {"subject:read"},
    }


def test_every_change_left_an_audit_row(records: Records) -> None:
    half.model(OWNER, records)
    with ModelServer(records):
        endpoints.put(OWNER, records, "steps", {"model": "walks", "version": 1})
        endpoints.remove(OWNER, records, "steps")
        keys.revoke(OWNER, records, keys.create(OWNER, records, "phone", ["predict"])["id"])
    projects.create(OWNER, records, "third")
    page = status.audit_page(OWNER, records, 100, None, verify=True)
    assert page["intact"]
    assert [row["action"] for row in reversed(page["items"])] == [
        "runs.start", "data_sets.publish", "runs.start", "models.publish", "endpoints.put", "endpoints.remove",
        "keys.create", "keys.revoke", "projects.create",
    ]  # fmt: skip


def test_an_upload_goes_on_where_it_stopped(records: Records) -> None:
    upload = uploads.create(OWNER, records)["id"]
    for offset, piece in ((0, b"abc"), (3, b"def")):
        receiver = uploads.receive(OWNER, records, upload, 0, "a.bin", offset)
        receiver.write(piece)
        assert receiver.close() == offset + 3
    with pytest.raises(SalusError) as caught:
        uploads.receive(OWNER, records, upload, 0, "a.bin", 4)
    assert code_of(caught) == "upload_offset" and caught.value.parameters["expected"] == 6
    cut = uploads.receive(OWNER, records, upload, 0, "a.bin", 6)
    cut.write(b"never acknowledged")
    cut.stream.flush()
    cut.stream.close()
    assert uploads.find(OWNER, records, upload)["files"][0]["received"] == 6
    digest = uploads.complete(OWNER, records, upload)["files"][0]["digest"]
    assert records.blobs.open(digest).read_bytes() == b"abcdef"
    assert uploads.complete(OWNER, records, upload)["files"][0]["digest"] == digest
    with pytest.raises(SalusError) as caught:
        uploads.receive(OWNER, records, upload, 0, "a.bin", 6)
    assert code_of(caught) == "upload_closed"


def test_limits_of_uploads(tmp_path: Path) -> None:
    small = half.open_records(tmp_path / "small", max_upload_bytes=10, max_upload_files=2)
    try:
        upload = uploads.create(OWNER, small)["id"]
        first = uploads.receive(OWNER, small, upload, 0, "a", 0)
        first.write(b"12345678")
        first.close()
        second = uploads.receive(OWNER, small, upload, 1, "b", 0)
        with pytest.raises(SalusError) as caught:
            second.write(b"123")
        assert (code_of(caught), caught.value.status) == ("upload_too_large", 413)
        second.close()
        for index, name, code in ((2, "c", "upload_too_large"), (1, "../c", "bad_file_name")):
            with pytest.raises(SalusError) as caught:
                uploads.receive(OWNER, small, upload, index, name, 0)
            assert code_of(caught) == code
    finally:
        small.close()


def test_two_files_of_one_name_and_no_file_at_all(records: Records) -> None:
    upload = uploads.create(OWNER, records)["id"]
    with pytest.raises(SalusError) as caught:
        uploads.complete(OWNER, records, upload)
    assert code_of(caught) == "upload_empty"
    for index in (0, 1):
        uploads.receive(OWNER, records, upload, index, "same", 0).close()
    with pytest.raises(SalusError) as caught:
        uploads.complete(OWNER, records, upload)
    assert code_of(caught) == "file_name_twice"


@pytest.mark.parametrize(
    "name",
    [
        "",
        "/etc/passwd",
        "../x",
        "a/../b",
        "a//b",
        "a/",
        "./a",
        "a\\b",
        "C:x",
        "a\x00b",
        "a\nb",
        "x" * 2000,
        "é" * 200,
        5,
    ],
)
def test_file_names_that_are_refused(name: object) -> None:
    with pytest.raises(SalusError) as caught:
        check_file_name(name, "file 0")
    assert code_of(caught) == "bad_file_name"


@pytest.mark.parametrize("name", ["a", "a/b.csv", "..a", "步行/一.csv", "a b"])
def test_file_names_that_are_taken(name: str) -> None:
    assert check_file_name(name, "file 0") == name


def test_tidying_forgets_old_uploads_and_keeps_what_is_named(records: Records) -> None:
    half.model(OWNER, records)
    old = half.upload(OWNER, records, {"a": b"old bytes"})
    digest = uploads.find(OWNER, records, old)["files"][0]["digest"]
    records.database.write(lambda c: c.execute(sa.update(tables.uploads).values(touched=1.0)))
    for path in records.blobs.root.glob("*/*"):
        path.chmod(0o600)
        os.utime(path, (1, 1))
    upkeep.tidy(records)
    assert not records.blobs.has(digest)
    version = records.database.read(lambda c: c.execute(sa.select(tables.data_versions.c.tree)).scalar_one())
    assert all(records.blobs.has(kept) for kept in version.values())


def test_rows_of_people_are_shown_only_to_who_may_see_them(records: Records) -> None:
    content = b'{"format": 1, "errors": [{"values": {"age": "40"}}], "saliency": []}'
    reader = Principal("k", OWNER.project, frozenset({"read"}))
    seer = Principal("k", OWNER.project, frozenset({"read", "subject:read"}))
    assert json.loads(models.without_rows(reader, content)) == {"format": 1}
    assert models.without_rows(seer, content) == models.without_rows(OWNER, content) == content
    with pytest.raises(SalusError) as caught:
        models.report(reader, records, "walks", 1, models.REPORT_PAGE)
    assert caught.value.code == "forbidden"
