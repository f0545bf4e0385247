"""Blobs, the queue, the audit chain, keys and events, as the record half keeps them."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from salus.core.errors import SalusError
from salus.core.settings import Settings
from salus.store import audit, jobs, keys, projects, runs
from salus.store.blobs import Blobs, LocalBlobs, require_space
from salus.store.events import EventLog
from salus.store.records import Records
from salus.testing.blobs import BlobsContract


class TestLocalBlobs(BlobsContract):
    def blobs(self, folder: Path) -> Blobs:
        return LocalBlobs(folder / "blobs")

    def test_the_sweep_keeps_what_is_named_and_what_is_young(self, tmp_path: Path) -> None:
        blobs = LocalBlobs(tmp_path)
        named, old, young = (blobs.put_stream([text]) for text in (b"named", b"old", b"young"))
        for digest in (named, old):
            os.utime(blobs.open(digest), (0, 0))
        assert blobs.sweep({named}, grace_s=60) == 1
        assert blobs.has(named) and blobs.has(young) and not blobs.has(old)


@pytest.fixture
def records(tmp_path: Path) -> Iterator[Records]:
    opened = Records.open(Settings(home=tmp_path, lease_s=2))
    opened.database.write(lambda c: projects.add(c, "default"))
    yield opened
    opened.close()


def queued(records: Records) -> str:
    def change(connection: object) -> str:
        run = runs.add(connection, "default", "train", {})  # type: ignore[arg-type]
        return jobs.add(connection, run, "train", {})  # type: ignore[arg-type]

    return records.database.write(change)


def test_a_job_goes_to_one_worker_only(records: Records) -> None:
    queued(records)
    claimed = [records.database.write(lambda c: jobs.claim(c, "w", 2)) for _ in range(3)]
    assert sum(job is not None for job in claimed) == 1


def test_who_lost_the_lease_cannot_speak_for_the_job(records: Records) -> None:
    job = queued(records)
    first = records.database.write(lambda c: jobs.claim(c, "slow", 2))
    assert first is not None
    records.database.write(lambda c: jobs.again(c, job, counted=True))
    second = records.database.write(lambda c: jobs.claim(c, "other", 2))
    assert second is not None and second["fence"] > first["fence"] and second["attempts"] == 2
    with pytest.raises(SalusError) as caught:
        records.database.read(lambda c: jobs.held(c, job, first["fence"]))
    assert caught.value.code == "stale_fence"
    records.database.read(lambda c: jobs.held(c, job, second["fence"]))


def test_leases_end_by_the_clock_of_the_database(records: Records) -> None:
    job = queued(records)
    records.database.write(lambda c: jobs.claim(c, "w", -1))
    assert [row["id"] for row in records.database.read(jobs.expired)] == [job]
    records.database.write(lambda c: jobs.adopt(c, 60))
    assert records.database.read(jobs.expired) == []


@pytest.mark.parametrize("statement", ["UPDATE audit SET actor='x' WHERE number=3", "DELETE FROM audit WHERE number=3"])
def test_the_audit_chain_shows_what_was_changed_behind_it(records: Records, statement: str) -> None:
    for index in range(6):
        records.database.write(lambda c, i=index: audit.append(c, "default", "me", "did", str(i)))  # type: ignore[misc]
    assert records.database.read(audit.verify) is None
    with sqlite3.connect(records.database.path) as other:
        other.execute(statement)
    other.close()
    assert records.database.read(audit.verify) == 3


def test_a_cut_end_shows_against_a_head_that_was_seen(records: Records) -> None:
    for index in range(4):
        records.database.write(lambda c, i=index: audit.append(c, "default", "me", "did", str(i)))  # type: ignore[misc]
    last = records.database.read(lambda c: audit.page(c, 1, None))[0]
    with sqlite3.connect(records.database.path) as other:
        other.execute("DELETE FROM audit WHERE number=4")
    other.close()
    assert records.database.read(lambda c: audit.verify(c, (last["number"], last["hash"]))) == 4


def test_the_database_never_holds_a_token(records: Records) -> None:
    token = keys.new_token()
    records.database.write(lambda c: keys.add(c, "default", "k", token, ["read"], None))
    assert records.database.read(lambda c: keys.find(c, token)) is not None
    held = b"".join(path.read_bytes() for path in records.settings.home.glob("salus.db*"))
    assert token.encode() not in held and token.removeprefix("salus_").encode() not in held


def test_revoked_and_expired_keys_open_nothing(records: Records) -> None:
    old, gone = keys.new_token(), keys.new_token()
    records.database.write(lambda c: keys.add(c, "default", "old", old, ["read"], time.time() - 1))
    row = records.database.write(lambda c: keys.add(c, "default", "gone", gone, ["read"], None))
    records.database.write(lambda c: keys.revoke(c, "default", row["id"]))
    assert records.database.read(lambda c: keys.find(c, old)) is None
    assert records.database.read(lambda c: keys.find(c, gone)) is None


def test_a_failed_change_leaves_nothing(records: Records) -> None:
    def change(connection: object) -> None:
        projects.add(connection, "half")  # type: ignore[arg-type]
        raise RuntimeError("in the middle")

    with pytest.raises(RuntimeError):
        records.database.write(change)
    assert not records.database.read(lambda c: projects.exists(c, "half"))


def test_many_writers_never_see_a_locked_database(records: Records) -> None:
    failures: list[BaseException] = []

    def write(number: int) -> None:
        try:
            for _ in range(20):
                records.database.write(lambda c: audit.append(c, "default", f"w{number}", "did", ""))
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures and records.database.read(audit.verify) is None
    assert records.database.read(lambda c: audit.page(c, 1, None))[0]["number"] == 160


def test_events_survive_and_a_half_line_is_dropped(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "events")
    log.append("run_1", [("a", {"x": 1}), ("b", {})])
    with (tmp_path / "events" / "run_1.jsonl").open("ab") as stream:
        stream.write(b'{"seq": 3, "na')
    again = EventLog(tmp_path / "events")
    assert [event["name"] for event in again.after("run_1", 0)] == ["a", "b"]
    assert again.append("run_1", [("c", {})]) == 3
    assert [event["name"] for event in again.after("run_1", 2)] == ["c"]


def test_below_the_floor_nothing_is_begun(tmp_path: Path) -> None:
    with pytest.raises(SalusError) as caught:
        require_space(tmp_path, 2**62)
    assert caught.value.code == "storage_low" and caught.value.status == 507
