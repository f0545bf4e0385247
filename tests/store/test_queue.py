"""The queue: claims, leases, fences, attempts, and rows that appear together or not at all."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from salus.core.errors import SalusError
from salus.store import jobs, runs
from salus.store.tables import jobs as job_table
from salus.testing.records import RecordHome, record_home


@pytest.fixture
def home(tmp_path: Path) -> Iterator[RecordHome]:
    with record_home(tmp_path / "home") as opened:
        yield opened


def enqueue(home: RecordHome, count: int = 1) -> list[str]:
    def change(connection: Any) -> list[str]:
        return [jobs.add(connection, runs.add(connection, "one", "add", {}), "add", {}) for _ in range(count)]

    return home.records.database.write(change)


def claim(home: RecordHome, worker: str = "w") -> dict[str, Any] | None:
    return home.records.database.write(lambda connection: jobs.claim(connection, worker, 30.0))


def expire(home: RecordHome) -> None:
    change = update(job_table).where(job_table.c.state == jobs.LEASED).values(lease_until=1.0)
    home.records.database.write(lambda connection: connection.execute(change))


def test_many_workers_at_once_share_the_jobs_without_a_double(home: RecordHome) -> None:
    asked = enqueue(home, 40)
    found: list[str] = []

    def work() -> None:
        while (row := claim(home)) is not None:
            found.append(row["id"])

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == sorted(asked)


def test_a_job_that_is_over_is_held_by_nobody(home: RecordHome) -> None:
    enqueue(home)
    row = claim(home)
    assert row is not None
    home.records.database.write(lambda connection: jobs.done(connection, row["id"]))
    with pytest.raises(SalusError):
        home.records.database.read(lambda connection: jobs.held(connection, row["id"], row["fence"]))
    assert claim(home) is None


def test_put_back_without_blame_the_attempt_does_not_count(home: RecordHome) -> None:
    enqueue(home)
    row = claim(home)
    assert row is not None
    home.records.database.write(lambda connection: jobs.again(connection, row["id"], counted=False))
    following = claim(home)
    assert following is not None and following["attempts"] == 1


def test_leases_run_out_by_one_clock_and_start_anew_after_an_absence(home: RecordHome) -> None:
    enqueue(home)
    row = claim(home)
    assert row is not None
    assert home.records.database.read(jobs.expired) == []
    expire(home)
    assert [job["id"] for job in home.records.database.read(jobs.expired)] == [row["id"]]
    home.records.database.write(lambda connection: jobs.adopt(connection, 30.0))
    assert home.records.database.read(jobs.expired) == []
    assert home.records.database.read(lambda c: jobs.held(c, row["id"], row["fence"]))["id"] == row["id"]
