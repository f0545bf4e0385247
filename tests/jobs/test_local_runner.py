"""The local runner keeps the contract, and what a step's process may see and use."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from salus.core.settings import Settings
from salus.jobs.protocol import Failure, Message, Result
from salus.jobs.runners.base import Runner
from salus.jobs.runners.local import LocalRunner
from salus.testing.runner import RunnerContract, gone, listen, toy_job

TOY_CHILD = (sys.executable, "-I", str(Path(__file__).parent / "toy_child.py"))


class TestLocalRunner(RunnerContract):
    @pytest.fixture(autouse=True)
    def _home(self, tmp_path: Path) -> None:
        self.home = tmp_path

    def runner(self, **settings: object) -> Runner:
        return LocalRunner(Settings(home=self.home, **settings), TOY_CHILD)  # type: ignore[arg-type]

    def _one(self, step: str, runner: Runner | None = None) -> Message:
        running = (runner or self.runner()).start(toy_job(step))
        try:
            (message,) = listen(running)
        finally:
            running.close()
        return message

    def test_the_environment_holds_no_secret_and_no_proxy(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
        monkeypatch.setenv("HTTPS_PROXY", "http://proxy")
        message = self._one("surroundings")
        assert isinstance(message, Result)
        environment = message.records["environment"]
        assert "AWS_SECRET_ACCESS_KEY" not in environment
        assert "HTTPS_PROXY" not in environment
        assert environment["HF_HUB_OFFLINE"] == "1"
        assert int(environment["OMP_NUM_THREADS"]) >= 1
        assert message.records["folder"].startswith(str(self.home))

    def test_more_memory_than_allowed_is_a_mistake_with_a_code(self) -> None:
        message = self._one("hungry", self.runner(job_memory_bytes=4 * 2**30))
        assert isinstance(message, Failure)
        assert message.error["code"] == "step_out_of_memory"

    def test_a_step_does_not_outlive_a_killed_worker(self) -> None:
        source = textwrap.dedent("""
            import sys, time
            from pathlib import Path
            from salus.core.settings import Settings
            from salus.jobs.runners.local import LocalRunner
            from salus.testing.runner import listen, toy_job
            running = LocalRunner(Settings(home=Path(sys.argv[1])), sys.argv[2:]).start(toy_job("deaf"))
            (event,) = listen(running, until=bool)
            print(event.fields["pid"], flush=True)
            time.sleep(600)
        """)
        worker = subprocess.Popen(
            [sys.executable, "-c", source, str(self.home), *TOY_CHILD], stdout=subprocess.PIPE, text=True
        )
        assert worker.stdout is not None
        pid = int(worker.stdout.readline())
        worker.send_signal(signal.SIGKILL)
        worker.wait()
        worker.stdout.close()
        assert gone(pid)
