"""Stands for a program under the supervisor: holds its lock, answers on its port, stops when asked.

`TOY_FAULT` is `<program>:<fault>`; faults: `refuse` (exit 2 with a reason), `crash` (exit 3), `late` (never ready).
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from salus.core.settings import Settings
from salus.programs.locks import ProgramLock
from salus.programs.parent import stop_when_parent_goes


class Healthy(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()


def main(name: str) -> None:
    program, _, fault = os.environ.get("TOY_FAULT", "").partition(":")
    if program == name and fault in ("refuse", "crash"):
        print(f"{name} does not start: {fault}", flush=True)
        sys.exit(2 if fault == "refuse" else 3)
    settings = Settings.load()
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    stop_when_parent_goes(stop.set)
    with ProgramLock(settings.home, name) as lock:
        if program == name:
            stop.wait()
        elif name == "worker":
            lock.tell(ready=True)
        else:
            port = settings.control_port if name == "control" else settings.model_server_port
            server = ThreadingHTTPServer((settings.host, port), Healthy)
            threading.Thread(target=server.serve_forever, daemon=True).start()
        stop.wait()
        with (settings.home / "ended").open("a") as stream:
            stream.write(f"{name}\n")


if __name__ == "__main__":
    main(sys.argv[1])
