"""The worker against a control plane that goes away, cancels, gives the job to another or refuses the answer."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.jobs.fakes import FakeControl
from tests.jobs.test_local_runner import TOY_CHILD

from salus.core.settings import Settings
from salus.jobs.link import Link
from salus.jobs.runners.local import LocalRunner
from salus.jobs.worker import Worker
from salus.testing.runner import gone

JOB = "job_0123456789abcdef"
RUN = "run_0123456789abcdef"


@pytest.fixture
def control(home: Path) -> Iterator[FakeControl]:
    fake = FakeControl(home)
    fake.come()
    yield fake
    fake.away()


class AtWork:
    """A worker in a thread of the test."""

    def __init__(self, home: Path, **settings: Any):
        self.settings = Settings(home=home, heartbeat_s=0.1, stop_timeout_s=2, **settings)
        self.stop = threading.Event()
        self.connected = threading.Event()
        self.link = Link(self.settings, "worker-test")
        worker = Worker(self.settings, self.link, LocalRunner(self.settings, TOY_CHILD), self.stop)
        self.thread = threading.Thread(target=worker.run, args=(self.connected.set,))
        self.thread.start()

    def end(self) -> None:
        self.stop.set()
        self.thread.join(20)
        assert not self.thread.is_alive()
        self.link.close()


@pytest.fixture
def at_work(home: Path, control: FakeControl) -> Iterator[AtWork]:
    worker = AtWork(home)
    yield worker
    worker.end()


def wait_for(condition: Callable[[], Any], wait_s: float = 20.0) -> None:
    patience = time.monotonic() + wait_s
    while not condition():
        assert time.monotonic() < patience, "waited in vain"
        time.sleep(0.02)


def job(step: str, **given: Any) -> dict[str, Any]:
    return {"job": JOB, "run": RUN, "step": step, "input": given}


def test_a_job_is_done_and_told(home: Path, control: FakeControl, at_work: AtWork) -> None:
    control.jobs = [job("tell", count=450)]
    wait_for(lambda: control.outcomes)
    assert at_work.connected.is_set()
    assert control.outcomes == [(JOB, {"ok": True, "records": {}})]
    assert [event["fields"]["number"] for event in control.events] == list(range(450))
    assert all(event["time"].endswith("+00:00") for event in control.events)
    wait_for(lambda: not (home / "jobs" / RUN).exists())


def test_a_mistake_is_told_with_its_code(control: FakeControl, at_work: AtWork) -> None:
    control.jobs = [job("refuse")]
    wait_for(lambda: control.outcomes)
    assert control.outcomes[0][1]["error"]["code"] == "no_labels"


def test_a_dead_step_is_told_and_its_folder_serves_the_next_attempt(control: FakeControl, at_work: AtWork) -> None:
    control.jobs = [job("die-at-first", attempts=2), job("die-at-first", attempts=2)]
    wait_for(lambda: len(control.outcomes) == 2)
    (_, first), (_, second) = control.outcomes
    assert first["error"]["code"] == "step_died"
    assert "SIGKILL" in first["error"]["parameters"]["found"]
    assert second == {"ok": True, "records": {"attempts": 2}}


def test_a_job_survives_the_restart_of_the_control_plane(control: FakeControl, at_work: AtWork) -> None:
    control.jobs = [job("slow", count=20)]
    wait_for(lambda: control.events)
    control.away()
    time.sleep(2.5)  # it is over meanwhile
    assert not control.outcomes
    control.come()
    wait_for(lambda: control.outcomes)
    assert control.outcomes[0][1]["records"] == {"started_at": 0, "count": 20}
    assert [event["fields"]["number"] for event in control.events] == list(range(20))


def test_cancel_stops_the_step(home: Path, control: FakeControl, at_work: AtWork) -> None:
    control.jobs = [job("wait")]
    wait_for(lambda: control.events)
    control.cancel = True
    wait_for(lambda: control.outcomes)
    assert control.outcomes[0][1]["error"]["code"] == "stopped"
    wait_for(lambda: not (home / "jobs" / RUN).exists())


def test_cancel_ends_a_step_that_does_not_hear(control: FakeControl, at_work: AtWork) -> None:
    control.jobs = [job("deaf")]
    wait_for(lambda: control.events)
    control.cancel = True
    wait_for(lambda: control.outcomes)
    assert control.outcomes[0][1]["error"]["code"] == "stopped"
    assert gone(control.events[0]["fields"]["pid"])


def test_a_lost_job_is_dropped_and_the_next_one_claimed(control: FakeControl, at_work: AtWork) -> None:
    control.jobs = [job("wait")]
    wait_for(lambda: control.events)
    control.stale = True
    assert gone(control.events[0]["fields"]["pid"])
    control.stale = False
    control.jobs = [job("echo", word="next")]
    wait_for(lambda: control.outcomes)
    assert control.outcomes == [(JOB, {"ok": True, "records": {"word": "next"}})]


def test_a_refused_answer_ends_the_job_as_failed(control: FakeControl, at_work: AtWork) -> None:
    control.refuse_records = True
    control.jobs = [job("echo")]
    wait_for(lambda: control.outcomes)
    assert control.outcomes[0][1]["error"] == {"code": "step_failed", "parameters": {"found": "records_refused"}}


def test_a_silent_step_is_ended(home: Path, control: FakeControl) -> None:
    worker = AtWork(home, job_silence_s=1.5)
    control.jobs = [job("deaf")]
    wait_for(lambda: control.outcomes)
    assert control.outcomes[0][1]["error"]["code"] == "step_silent"
    assert gone(control.events[0]["fields"]["pid"])
    worker.end()


def test_a_stopping_worker_gives_its_job_back(home: Path, control: FakeControl) -> None:
    worker = AtWork(home)
    control.jobs = [job("slow", count=1000)]
    wait_for(lambda: control.events)
    worker.end()
    assert control.outcomes[0][1]["error"]["code"] == "stopped"
    assert (home / "jobs" / RUN / "study" / "at.json").exists()


def test_a_worker_waits_for_a_control_plane_that_comes_later(home: Path) -> None:
    fake = FakeControl(home)
    (home / "keys" / "worker.key").unlink()
    worker = AtWork(home)
    time.sleep(0.3)
    assert not worker.connected.is_set()
    fake.come()
    time.sleep(0.3)
    (home / "keys" / "worker.key").write_text("worker-key")
    assert worker.connected.wait(10)
    worker.end()
    fake.away()


def test_no_job_is_begun_on_a_full_disk(home: Path, control: FakeControl) -> None:
    worker = AtWork(home, free_space_floor_bytes=2**60)
    control.jobs = [job("echo")]
    time.sleep(0.5)
    assert control.jobs
    worker.end()
