"""A control plane of a few lines, on a socket in a home: gives the jobs it was given and remembers what it hears."""

from __future__ import annotations

import contextlib
import json
import socketserver
import threading
import time
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any


class FakeControl:
    """`jobs` are claimed in order. `away` closes the socket as a killed control plane would."""

    def __init__(self, home: Path):
        self.home = home
        self.jobs: list[dict[str, Any]] = []
        self.events: list[dict[str, Any]] = []
        self.outcomes: list[tuple[str, dict[str, Any]]] = []
        self.heartbeats = 0
        self.cancel = False
        self.stale = False
        self.refuse_records = False
        self.fences: dict[str, int] = {}
        self._server: _Server | None = None
        for folder in ("run", "keys"):
            (home / folder).mkdir(exist_ok=True)
        (home / "keys" / "worker.key").write_text("worker-key\n")

    def come(self) -> None:
        socket = self.home / "run" / "control.sock"
        socket.unlink(missing_ok=True)
        self._server = _Server(str(socket), _Handler)
        self._server.control = self
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def away(self) -> None:
        assert self._server is not None
        self._server.shutdown()
        self._server.server_close()
        (self.home / "run" / "control.sock").unlink()

    def claimed(self) -> dict[str, Any] | None:
        if not self.jobs:
            return None
        job = self.jobs.pop(0)
        fence = self.fences[job["job"]] = self.fences.get(job["job"], 0) + 1
        return {"token": f"token-{job['job']}", "fence": fence, **job}

    def answer(self, path: str, body: dict[str, Any], key: str) -> tuple[int, dict[str, Any] | None]:
        if path == "/api/v1/worker/claim":
            if key != "Bearer worker-key":
                return 401, {"code": "unauthenticated"}
            job = self.claimed()
            if job is None:
                time.sleep(min(0.05, body["wait_s"]))
            return (204, None) if job is None else (200, job)
        *_, job_id, what = path.split("/")
        if key != f"Bearer token-{job_id}":
            return 401, {"code": "unauthenticated"}
        if self.stale or body["fence"] != self.fences[job_id]:
            return 409, {"code": "stale_fence"}
        if what == "heartbeat":
            self.heartbeats += 1
            return 200, {"cancel": self.cancel}
        if what == "events":
            self.events += body["events"]
            return 200, {}
        assert what == "finish"
        if self.refuse_records and body["outcome"]["ok"]:
            return 422, {"code": "records_refused"}
        self.outcomes.append((job_id, body["outcome"]))
        return 200, {}


class _Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True
    block_on_close = False
    control: FakeControl


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        assert isinstance(self.server, _Server)
        status, answer = self.server.control.answer(self.path, body, self.headers.get("Authorization", ""))
        content = b"" if answer is None else json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        with contextlib.suppress(BrokenPipeError):  # the worker was killed meanwhile
            self.wfile.write(content)

    def address_string(self) -> str:
        return "socket"

    def log_message(self, *_: object) -> None:
        pass
