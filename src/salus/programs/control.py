"""The control plane as a program: `python -m salus.programs.control`. One a home; the only process that writes the database.

Assembles home, keys, records, the two doors (the management API, and the workers' socket), the upkeep and the push of snapshots.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Generator, Mapping
from pathlib import Path
from typing import Any

import httpx2
import uvicorn
import uvloop

from salus.actions import snapshot, upkeep
from salus.bundle import large
from salus.bundle.read import open_bundle
from salus.bundle.sign import Signer
from salus.core.durable import write_file
from salus.core.errors import SalusError
from salus.core.settings import Settings
from salus.programs.locks import ProgramLock
from salus.programs.logs import log_to_stderr
from salus.programs.parent import stop_when_parent_goes
from salus.programs.places import check_home, check_host
from salus.serving.endpoint import STARTING
from salus.serving.large import describe_large
from salus.serving.protocol import BoundedProtocol
from salus.serving.server import bind, bind_local, control_socket
from salus.serving.snapshot import seal
from salus.store import audit, keys, projects
from salus.store.records import Records
from salus.web.app import management_app, worker_app

FIRST_PROJECT = "default"
UPKEEP_EVERY_S = 1.0
TIDY_EVERY_S = 600.0
PUSH_TIMEOUT_S = 60.0
LONGEST_PUSH_PAUSE_S = 1.0
LOOK_EVERY_S = 0.1  # while models are being loaded
log = logging.getLogger("salus.programs.control")


def main() -> int:
    os.umask(0o077)
    log_to_stderr("control")
    try:
        settings = Settings.load()
        check_host(settings)
        check_home(settings.home)
        with ProgramLock(settings.home, "control") as lock:
            _control(settings, lock)
    except SalusError as error:
        print(error.text(), file=sys.stderr)
        return 2
    return 0


def first_start(settings: Settings, records: Records) -> Signer:
    """The keys of this installation, made the first time: to sign, for workers, and the owner's, which is shown once."""
    folder = settings.home / "keys"
    signing = folder / "signing.pem"
    signer = Signer.load(signing) if signing.exists() else Signer.create(signing)
    if not (folder / "worker.key").exists():
        write_file(folder / "worker.key", keys.new_token().encode())
    owner = folder / "owner.key"
    if not owner.exists():
        token = keys.new_token()
        records.database.write(lambda connection: _add_owner(connection, token))
        write_file(owner, f"{token}\n".encode())
        if sys.stdout.isatty():  # anything else is a log, where a key does not belong
            print(f"Owner key (shown once; kept in {owner}): {token}", flush=True)
    return signer


def _add_owner(connection: Any, token: str) -> None:
    if not projects.exists(connection, FIRST_PROJECT):
        projects.add(connection, FIRST_PROJECT)
    row = keys.add(connection, FIRST_PROJECT, "owner", token, ["owner"], None)
    audit.append(
        connection, FIRST_PROJECT, "first-start", "keys.create", row["id"], {"name": "owner", "scopes": ["owner"]}
    )


def describe(home: Path, files: Mapping[str, Path]) -> dict[str, Any]:
    """What a request to a bundle of this installation looks like, for the page of an endpoint."""
    ours = Signer.load(home / "keys" / "signing.pem").public_key
    if large.is_large(files):
        return describe_large(large.read_manifest(files, ours))
    from salus.inference.predictor import Predictor  # brings ONNX Runtime, which starting need not wait for

    predictor = Predictor.open(open_bundle(files, [ours]))
    try:
        return {
            "request_schema": predictor.request_schema(),
            "answer_schema": predictor.answer_schema(),
            "example": predictor.example_row(),
        }
    finally:
        predictor.close()


class Pusher:
    """Sends a signed snapshot to the model server whenever something changed, and again until it is taken."""

    def __init__(self, settings: Settings, records: Records, signer: Signer):
        self.records = records
        self.signer = signer
        transport = httpx2.HTTPTransport(uds=str(control_socket(settings.home)))
        self.client = httpx2.Client(transport=transport, timeout=PUSH_TIMEOUT_S, trust_env=False)
        self.pause_s = 0.0
        self.pushed: str | None = None  # the model server's process that has the last snapshot
        self.loading: int | None = None  # the ticket whose models are still being loaded

    def push_if_asked(self) -> None:
        """Waits a moment for a change; also sends to a model server that has been started anew."""
        seen = self.records.acknowledgements
        ticket = seen.wait_asked(UPKEEP_EVERY_S)
        if ticket is None and self.pushed == self._serving():
            return
        ticket = ticket if ticket is not None else seen.ask()
        serving = self._serving()
        try:
            if ticket == self.loading and self.pushed == serving:
                time.sleep(LOOK_EVERY_S)
                answer = self.client.get("http://salus/endpoints")
            else:
                content = seal(snapshot.build(self.records), self.signer)
                answer = self.client.post("http://salus/snapshot", content=content)
            answer.raise_for_status()
            self.pushed = serving
            states = dict(answer.json().get("endpoints", {}))
            # A large model loads for minutes. A change that comes meanwhile, such as a revoked key, must not wait for it.
            self.loading = ticket if STARTING in states.values() else None
            if self.loading is None:
                seen.answer(ticket, states)
            self.pause_s = 0.0
        except (httpx2.HTTPError, ValueError) as error:
            self.pushed = None
            seen.trouble = type(error).__name__
            self.pause_s = min(LONGEST_PUSH_PAUSE_S, 2 * self.pause_s or 0.05)
            time.sleep(self.pause_s)  # every try writes a sequence number: not hundreds a second

    def _serving(self) -> str | None:
        """Names the model server's socket: another one after a restart."""
        with contextlib.suppress(OSError):
            found = control_socket(self.records.settings.home).stat()
            return f"{found.st_ino}:{found.st_mtime_ns}"
        return None


class Upkeep:
    """Threads beside the doors: leases, deployments, snapshots, sweeping. A failure is logged and tried again."""

    def __init__(self, records: Records, pusher: Pusher):
        self.records = records
        self.stopping = threading.Event()
        tasks: list[tuple[str, Callable[[], None], float]] = [
            ("push", pusher.push_if_asked, 0.0),
            ("reap", lambda: upkeep.reap(records), UPKEEP_EVERY_S),
            ("deploy", lambda: upkeep.deploy_waiting(records), 0.3),
            ("tidy", lambda: upkeep.tidy(records), TIDY_EVERY_S),
        ]
        self.threads = [threading.Thread(target=self._repeat, args=task, name=task[0], daemon=True) for task in tasks]

    def start(self) -> None:
        for thread in self.threads:
            thread.start()

    def stop(self) -> None:
        self.stopping.set()
        self.records.acknowledgements.wake()
        for thread in self.threads:
            thread.join(timeout=5.0)

    def _repeat(self, name: str, task: Callable[[], None], pause_s: float) -> None:
        while not self.stopping.is_set():
            try:
                task()
            except Exception:
                log.exception("upkeep: %s", name)
                self.stopping.wait(1.0)
            self.stopping.wait(pause_s)


class Doors:
    """Both HTTP servers in one event loop, until `stop`."""

    def __init__(self, records: Records, worker_key: str):
        self.records = records
        self.management = _Server(serving_config(management_app(records)))
        self.workers = _Server(serving_config(worker_app(records, worker_key)))

    async def run(self, place: socket.socket, local: socket.socket, on_ready: Callable[[], None]) -> None:
        serving = [
            asyncio.create_task(server.serve(sockets=[at]))
            for server, at in ((self.management, place), (self.workers, local))
        ]
        while not (self.management.started and self.workers.started) and not any(task.done() for task in serving):
            await asyncio.sleep(0.005)
        on_ready()
        await asyncio.gather(*serving)

    def stop(self) -> None:
        self.records.bell.close()
        self.management.should_exit = self.workers.should_exit = True


class _Server(uvicorn.Server):
    """Leaves signals to the program."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield


class _Protocol(BoundedProtocol):
    """Bounds headers as the model server does. Bodies are bounded where they are read: an upload may have many chunks."""

    def on_chunk_header(self) -> None:
        pass


def serving_config(app: Any) -> uvicorn.Config:
    """How both doors are served."""
    return uvicorn.Config(
        app,
        loop="none",
        http=_Protocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
        proxy_headers=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=10,
    )


def _control(settings: Settings, lock: ProgramLock) -> None:
    try:
        place = bind(settings.host, settings.control_port)
    except OSError:
        raise SalusError(
            "port_in_use",
            where="control plane",
            expected=settings.control_port,
            host=settings.host,
            setting="SALUS_CONTROL_PORT",
        ) from None
    local_path = settings.home / "run" / "control.sock"
    records = Records.open(settings, functools.partial(describe, settings.home))
    try:
        signer = first_start(settings, records)
        upkeep.adopt(records)
        records.acknowledgements.ask()
        work = Upkeep(records, Pusher(settings, records, signer))
        doors = Doors(records, (settings.home / "keys" / "worker.key").read_text().strip())
        with place, bind_local(local_path) as local:
            stop_when_parent_goes(doors.stop)
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, lambda *_: doors.stop())
            work.start()
            port = place.getsockname()[1]
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(doors.run(place, local, lambda: lock.tell(ready=True, port=port)))
            work.stop()
    finally:
        records.close()
        local_path.unlink(missing_ok=True)


if __name__ == "__main__":
    sys.exit(main())
