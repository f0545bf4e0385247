"""Database, migrations, blobs, queue, events and the audit chain, each by what it promises."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection

from salus.core.errors import SalusError
from salus.store import audit, counters, database, idempotency, jobs, keys, projects, runs
from salus.store.blobs import LocalBlobs, require_space
from salus.store.database import Database, refuse_network_filesystem
from salus.store.events import EventLog
from salus.store.tables import METADATA
from salus.store.tables import audit as audit_table
from salus.testing.blobs import BlobsContract


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    opened = Database(tmp_path / "salus.db")
    yield opened
    opened.close()


class TestLocalBlobs(BlobsContract):
    def blobs(self, folder: Path) -> LocalBlobs:
        return LocalBlobs(folder)

    def test_nobody_may_write_a_blob(self, tmp_path: Path) -> None:
        blobs = self.blobs(tmp_path / "blobs")
        assert blobs.open(blobs.put_stream([b"x"])).stat().st_mode & 0o777 == 0o400

    def test_sweep_keeps_what_is_named_or_young(self, tmp_path: Path) -> None:
        blobs = self.blobs(tmp_path / "blobs")
        named, old, young = (blobs.put_stream([name]) for name in (b"named", b"old", b"young"))
        for digest in (named, old):
            os.utime(blobs.open(digest), (1, 1))
        assert blobs.sweep({named}, grace_s=60) == 1
        assert [blobs.has(digest) for digest in (named, old, young)] == [True, False, True]

    def test_putting_again_begins_the_grace_time_anew(self, tmp_path: Path) -> None:
        blobs = self.blobs(tmp_path / "blobs")
        digest = blobs.put_stream([b"x"])
        os.utime(blobs.open(digest), (1, 1))
        blobs.put_stream([b"x"])
        assert blobs.sweep(set(), grace_s=60) == 0


def test_too_little_space(tmp_path: Path) -> None:
    require_space(tmp_path, 0)
    with pytest.raises(SalusError) as caught:
        require_space(tmp_path, 2**60)
    assert (caught.value.code, caught.value.status) == ("storage_low", 507)


def test_migrations_make_the_tables_of_today(db: Database) -> None:
    assert db.read(lambda c: compare_metadata(MigrationContext.configure(c), METADATA)) == []


def test_a_database_opens_again_with_its_rows(tmp_path: Path) -> None:
    for expected in (False, True):
        opened = Database(tmp_path / "salus.db")
        assert opened.read(lambda c: projects.exists(c, "kept")) is expected
        if not expected:
            opened.write(lambda c: projects.add(c, "kept"))
        opened.close()
    assert (tmp_path / "salus.db").stat().st_mode & 0o777 == 0o600


def test_pragmas_of_the_writer_and_refusal_of_readers(db: Database) -> None:
    def pragma(connection: Connection, name: str) -> Any:
        return connection.exec_driver_sql(f"PRAGMA {name}").scalar()

    assert db.write(lambda c: (pragma(c, "journal_mode"), pragma(c, "synchronous"), pragma(c, "foreign_keys"))) == (
        "wal",
        2,
        1,
    )
    with pytest.raises(sa.exc.OperationalError):
        db.read(lambda c: projects.add(c, "reader"))


def test_an_exception_takes_the_whole_transaction_back(db: Database) -> None:
    def change(connection: Connection) -> None:
        projects.add(connection, "half")
        raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        db.write(change)
    assert not db.read(lambda c: projects.exists(c, "half"))


def test_many_threads_write_one_after_the_other(db: Database) -> None:
    numbers: list[int] = []
    threads = [
        threading.Thread(
            target=lambda: numbers.extend(db.write(lambda c: counters.following(c, "n")) for _ in range(10))
        )
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(numbers) == list(range(1, 81))


def test_a_network_filesystem_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refuse_network_filesystem(tmp_path / "salus.db")
    found = next(
        line.partition(" - ")[2].split()[0]
        for line in Path("/proc/self/mountinfo").read_text().splitlines()
        if line.split()[4] in {str(p) for p in [tmp_path, *tmp_path.parents]}
    )
    monkeypatch.setattr(database, "NETWORK_FILESYSTEMS", frozenset({found}) | _mounted())
    with pytest.raises(SalusError) as caught:
        refuse_network_filesystem(tmp_path / "salus.db")
    assert caught.value.code == "home_on_network"


def _mounted() -> frozenset[str]:
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    return frozenset(line.partition(" - ")[2].split()[0] for line in lines)


def _run(connection: Connection, step: str = "add") -> str:
    if not projects.exists(connection, "p"):
        projects.add(connection, "p")
    return jobs.add(connection, runs.add(connection, "p", step, {}), step, {})


def test_jobs_are_claimed_oldest_first_and_once(db: Database) -> None:
    first, second = db.write(lambda c: (_run(c), _run(c)))
    claimed = [db.write(lambda c: jobs.claim(c, "w", 30)) for _ in range(3)]
    assert [job and job["id"] for job in claimed] == [first, second, None]


def test_an_old_fence_holds_nothing(db: Database) -> None:
    job = db.write(_run)
    assert db.write(lambda c: jobs.claim(c, "slow", 30))["fence"] == 1  # type: ignore[index]
    db.write(lambda c: jobs.again(c, job, counted=True))
    fence = db.write(lambda c: jobs.claim(c, "quick", 30))["fence"]  # type: ignore[index]
    db.read(lambda c: jobs.held(c, job, fence))
    for stale in (0, 1, fence + 1):
        with pytest.raises(SalusError) as caught:
            db.read(lambda c, stale=stale: jobs.held(c, job, stale))
        assert (caught.value.code, caught.value.status) == ("stale_fence", 409)


def test_an_expired_lease_shows_until_it_is_extended(db: Database) -> None:
    job = db.write(_run)
    db.write(lambda c: jobs.claim(c, "w", -1))
    assert [row["id"] for row in db.read(jobs.expired)] == [job]
    db.write(lambda c: jobs.adopt(c, 30))
    assert db.read(jobs.expired) == []


def test_a_run_that_is_over_stays_as_it_ended(db: Database) -> None:
    def change(connection: Connection) -> dict[str, Any]:
        projects.add(connection, "p")
        run = runs.add(connection, "p", "add", {})
        runs.end(connection, run, runs.RunState.CANCELLED)
        runs.end(connection, run, runs.RunState.SUCCEEDED, result={"x": 1})
        return runs.get(connection, run)

    row = db.write(change)
    assert (row["state"], row["result"]) == ("cancelled", None)


def test_a_token_is_nowhere_in_the_home(db: Database) -> None:
    token = keys.new_token()
    db.write(lambda c: (projects.add(c, "p"), keys.add(c, "p", "k", token, ["read"], None)))
    assert db.read(lambda c: keys.find(c, token)) is not None
    assert db.read(lambda c: keys.find(c, token + "x")) is None
    assert all(token.encode()[12:] not in file.read_bytes() for file in db.path.parent.iterdir())


def _chain(db: Database, rows: int = 6) -> None:
    for number in range(rows):
        db.write(lambda c, number=number: audit.append(c, "p", "key_1", "keys.create", f"key {number}", {"n": number}))


@pytest.mark.parametrize("column", ["time", "project", "actor", "action", "target", "fields", "previous", "hash"])
def test_a_changed_audit_row_shows(db: Database, column: str) -> None:
    _chain(db)
    assert db.read(audit.verify) is None
    other: Any = {"fields": {"n": 99}, "time": 1.0}.get(column, "0" * 64)
    db.write(lambda c: c.execute(sa.update(audit_table).where(audit_table.c.number == 3).values({column: other})))
    assert db.read(audit.verify) in (3, 4)


def test_missing_and_cut_audit_rows_show(db: Database) -> None:
    _chain(db)
    head = db.read(lambda c: audit.page(c, 1, None))[0]
    known = (head["number"], head["hash"])
    assert db.read(lambda c: audit.verify(c, known)) is None
    db.write(lambda c: c.execute(sa.delete(audit_table).where(audit_table.c.number == 6)))
    assert db.read(audit.verify) is None  # the rest is a whole chain of its own,
    assert db.read(lambda c: audit.verify(c, known)) == 6  # but not for who knows its head
    db.write(lambda c: c.execute(sa.delete(audit_table).where(audit_table.c.number == 2)))
    assert db.read(audit.verify) == 2


def test_a_request_takes_effect_once(db: Database) -> None:
    made: list[int] = []

    def change(connection: Connection) -> dict[str, Any]:
        made.append(1)
        return {"id": len(made), "key": "secret"}

    request = idempotency.Once("key_1/p", "again", "digest")
    first = db.write(lambda c: idempotency.once(c, request, change, hidden="key"))
    second = db.write(lambda c: idempotency.once(c, request, change, hidden="key"))
    assert (first, second, len(made)) == ({"id": 1, "key": "secret"}, {"id": 1, "key": None}, 1)
    other = idempotency.Once("key_1/p", "again", "another digest")
    with pytest.raises(SalusError) as caught:
        db.write(lambda c: idempotency.once(c, other, change))
    assert caught.value.code == "idempotency_conflict"


def test_events_are_numbered_and_survive_a_torn_line(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "events")
    assert log.append("run_1", [("begun", {}), ("step", {"loss": 0.5})]) == 2
    with (tmp_path / "events" / "run_1.jsonl").open("ab") as stream:
        stream.write(b'{"seq": 3, "na')
    again = EventLog(tmp_path / "events")
    assert again.append("run_1", [("ended", {})]) == 3
    assert [(e["seq"], e["name"]) for e in again.after("run_1", 1)] == [(2, "step"), (3, "ended")]
    assert again.last("run_1")["name"] == "ended"  # type: ignore[index]
    assert EventLog(tmp_path / "events").after("run_1", 0) == again.after("run_1", 0)
