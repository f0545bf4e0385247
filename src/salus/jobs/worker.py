"""The worker: claims a job, lets its step run in a process of its own, tells what happens, answers. One job at a time.

Knows the queue only through its line to the control plane and the step only through its runner. Opens no database,
loads no data. Whatever ends it, nothing is lost: the lease runs out and the job is begun again in the same folder.
"""

from __future__ import annotations

import logging
import shutil
import threading
import time
from collections.abc import Callable
from typing import Any

from salus.core.errors import SalusError
from salus.core.settings import Settings
from salus.jobs.link import JobLost, Link, Refused
from salus.jobs.protocol import Event, Failure, Job, Result
from salus.jobs.report import EVENTS_EVERY_S, Report
from salus.jobs.runners.base import Runner, Running
from salus.jobs.runners.local import job_folder

CLAIM_WAIT_S = 1.0  # a worker that shall stop is not heard before
Outcome = dict[str, Any]
log = logging.getLogger("salus.jobs.worker")


class Worker:
    def __init__(self, settings: Settings, link: Link, runner: Runner, stop: threading.Event):
        self._settings = settings
        self._link = link
        self._runner = runner
        self._stop = stop

    def run(self, on_connected: Callable[[], None]) -> None:
        """Works until asked to stop. `on_connected` is called once, when the control plane has answered."""
        connected = False
        while not self._stop.is_set():
            if self._disk_is_low():
                self._stop.wait(5.0)
                continue
            answered, job = self._link.claim(CLAIM_WAIT_S if connected else 0.0)
            if answered and not connected:
                connected = True
                on_connected()
            if job is not None:
                self.work(job)
            elif not answered:
                self._stop.wait(self._link.back_off.remaining_s)

    def work(self, job: Job) -> None:
        """One job from its start to its answer. Without an answer of ours its lease runs out."""
        log.info("%s: step %s of %s begins", job.id, job.step, job.run)
        report = Report(self._link, job, self._settings.heartbeat_s)
        running = self._runner.start(job)
        try:
            outcome = self._follow(job, running, report)
        except JobLost as lost:
            log.warning("%s: not ours any more (%s)", job.id, lost)
            return
        finally:
            running.close()
        self._answer(job, outcome, report)

    def _follow(self, job: Job, running: Running, report: Report) -> Outcome:
        """Listens to the step until it has answered or ended. Stopped because this worker stops: the queue puts it back."""
        last_sign, patience = time.monotonic(), None
        while True:
            messages = running.messages(EVENTS_EVERY_S)
            for message in messages:
                last_sign = time.monotonic()
                if isinstance(message, Event):
                    report.add(message)
                elif isinstance(message, Result):
                    return {"ok": True, "records": message.records}
                elif isinstance(message, Failure):
                    return {"ok": False, "error": message.error}
            if running.over:
                return failed("step_died", where=job.step, found=running.how_it_ended())
            report.tell_what_is_due()
            if patience is None and (report.cancel or self._stop.is_set()):
                running.stop()
                patience = time.monotonic() + self._settings.stop_timeout_s / 2
            if patience is not None and time.monotonic() > patience:
                return failed("stopped", where=job.step)
            if time.monotonic() - last_sign > self._settings.job_silence_s:
                return failed("step_silent", where=job.step, expected=self._settings.job_silence_s)

    def _answer(self, job: Job, outcome: Outcome, report: Report) -> None:
        """Tells the outcome until it is heard; once, when this worker stops. The folder stays for another attempt."""
        code = "" if outcome["ok"] else outcome["error"]["code"]
        log.info("%s: step %s ended: %s", job.id, job.step, code or "ok")
        try:
            self._finish(job, outcome, report)
        except Refused as refused:
            log.error("%s: the outcome was refused: %s", job.id, refused)
            self._finish(job, failed("step_failed", found=str(refused)), report)
        except JobLost as lost:
            log.warning("%s: not ours any more (%s)", job.id, lost)
            return
        if code not in ("step_died", "stopped") or report.cancel:
            shutil.rmtree(job_folder(self._settings.home, job.run), ignore_errors=True)

    def _finish(self, job: Job, outcome: Outcome, report: Report) -> None:
        while not (report.tell_the_rest() and self._link.finish(job, outcome)):
            if self._stop.wait(max(0.1, self._link.back_off.remaining_s)):
                raise JobLost("this worker stops")

    def _disk_is_low(self) -> bool:
        self._settings.home.mkdir(mode=0o700, parents=True, exist_ok=True)
        free = shutil.disk_usage(self._settings.home).free
        if free >= self._settings.free_space_floor_bytes:
            return False
        log.warning("no new job: %s bytes free, %s wanted", free, self._settings.free_space_floor_bytes)
        return True


def failed(code: str, **parameters: Any) -> Outcome:
    return {"ok": False, "error": SalusError(code, **parameters).to_json()}
