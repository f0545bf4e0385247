"""The model server as a program: `python -m salus.programs.model_server`. One a home.

Assembles settings, sockets and the server. Drains on SIGTERM, SIGINT, or when its parent goes.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import sys

import uvloop

from salus.core.errors import SalusError
from salus.core.settings import Settings
from salus.programs.locks import ProgramLock
from salus.programs.logs import log_to_stderr
from salus.programs.parent import stop_when_parent_goes
from salus.programs.places import check_home, check_host
from salus.serving.server import ModelServer, bind, bind_local, control_socket


def main() -> int:
    log_to_stderr("model_server")
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)  # a line for every malformed request would fill the disk
    try:
        settings = Settings.load()
        check_host(settings)
        check_home(settings.home)
        with ProgramLock(settings.home, "model_server") as lock:
            _serve(settings, lock)
    except SalusError as error:
        print(error.text(), file=sys.stderr)
        return 2
    return 0


def _serve(settings: Settings, lock: ProgramLock) -> None:
    try:
        place = bind(settings.host, settings.model_server_port)
    except OSError:
        raise SalusError(
            "port_in_use",
            where="model server",
            expected=settings.model_server_port,
            host=settings.host,
            setting="SALUS_MODEL_SERVER_PORT",
        ) from None
    local = control_socket(settings.home)
    try:
        with place, bind_local(local) as door:
            server = ModelServer(settings)
            stop_when_parent_goes(server.stop)
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, lambda *_: server.stop())
            port = place.getsockname()[1]
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(server.run(place, door, lambda: lock.tell(ready=True, port=port)))
    finally:
        local.unlink(missing_ok=True)


if __name__ == "__main__":
    sys.exit(main())
