"""What every runner must keep. Subclass, give `runner` a runner whose steps are the toys below, and run pytest.

The toys, by name: `echo` answers its input, `tell` tells `count` events, `wait` tells its process id and waits until asked
to stop, `deaf` does the same but hears nothing, `die` kills itself, `refuse` raises a SalusError, `break` another error,
`print` prints lines, `family` starts a process that would outlive it and answers with its id.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import psutil

from salus.core.errors import SalusError
from salus.core.ids import new_id
from salus.jobs.protocol import Event, Failure, Job, Message, Result
from salus.jobs.runners.base import Runner, Running

PATIENCE_S = 30.0


def toy_job(step: str, **given: Any) -> Job:
    return Job(id=new_id("job"), run=new_id("run"), step=step, token="", fence=1, input=given)


def listen(running: Running, until: Callable[[list[Message]], bool] = lambda _: False) -> list[Message]:
    """What it says, until `until` holds or it is over."""
    found: list[Message] = []
    patience = time.monotonic() + PATIENCE_S
    while not running.over and not until(found):
        assert time.monotonic() < patience, f"nothing more after {found}"
        found += running.messages(0.1)
    return found


class RunnerContract:
    """The contract, as tests."""

    def runner(self) -> Runner:
        raise NotImplementedError

    def _run(self, step: str, **given: Any) -> list[Message]:
        running = self.runner().start(toy_job(step, **given))
        try:
            return listen(running)
        finally:
            running.close()

    def test_a_step_answers_with_records(self) -> None:
        assert self._run("echo", word="你好", number=1.5) == [Result({"word": "你好", "number": 1.5})]

    def test_events_arrive_in_order_before_the_answer(self) -> None:
        *events, last = self._run("tell", count=500)
        assert [event.fields["number"] for event in events if isinstance(event, Event)] == list(range(500))
        assert isinstance(last, Result)

    def test_a_mistake_of_the_caller_keeps_its_code(self) -> None:
        (message,) = self._run("refuse")
        assert isinstance(message, Failure)
        assert SalusError.from_json(message.error).code == "no_labels"

    def test_an_unforeseen_error_is_told_without_internals(self) -> None:
        (message,) = self._run("break")
        assert isinstance(message, Failure)
        assert message.error["code"] == "step_failed"
        assert "secret" not in str(message.error)

    def test_an_unknown_step_is_refused(self) -> None:
        (message,) = self._run("no-such-step")
        assert isinstance(message, Failure)
        assert message.error["code"] == "unknown_step"

    def test_what_a_library_prints_is_no_message(self) -> None:
        assert self._run("print") == [Result({})]

    def test_a_violent_end_is_told(self) -> None:
        running = self.runner().start(toy_job("die"))
        assert not [message for message in listen(running) if isinstance(message, Result | Failure)]
        assert "SIGKILL" in running.how_it_ended()
        running.close()

    def test_a_step_stops_when_asked(self) -> None:
        running = self.runner().start(toy_job("wait"))
        listen(running, until=bool)
        running.stop()
        assert [message.error["code"] for message in listen(running) if isinstance(message, Failure)] == ["stopped"]
        running.close()

    def test_a_deaf_step_is_ended_by_close(self) -> None:
        running = self.runner().start(toy_job("deaf"))
        (event,) = listen(running, until=bool)
        assert isinstance(event, Event)
        running.stop()
        running.close()
        running.close()
        assert not psutil.pid_exists(event.fields["pid"])

    def test_nothing_that_a_step_started_is_left(self) -> None:
        running = self.runner().start(toy_job("family"))
        (message,) = [message for message in listen(running) if isinstance(message, Result)]
        running.close()
        assert gone(message.records["pid"])


def gone(pid: int, wait_s: float = 5.0) -> bool:
    """True when no process of this id runs; a dead one that nobody has reaped counts as gone."""
    patience = time.monotonic() + wait_s
    while time.monotonic() < patience:
        try:
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.02)
    return False
