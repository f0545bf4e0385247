"""The listening part: one TCP port for answers, one local socket for the control plane, one event loop, an orderly end.

Knows uvicorn. Does not know settings files or locks.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import socket
import stat
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import uvicorn

from salus.core.language import all_messages
from salus.core.settings import Settings
from salus.serving.app import App
from salus.serving.control_door import ControlDoor
from salus.serving.endpoint import open_model
from salus.serving.large import engine_places
from salus.serving.limits import Limits
from salus.serving.pool import Pool
from salus.serving.protocol import BoundedProtocol
from salus.serving.snapshot import SnapshotStore
from salus.serving.swap import House

KEEP_ALIVE_S = 75
BACKLOG = 1024


def control_socket(home: Path) -> Path:
    """Where the control plane pushes snapshots."""
    return home / "run" / "model-server.sock"


def bind(host: str, port: int) -> socket.socket:
    """A listening place; OSError when it cannot be had."""
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    place = socket.socket(family, kind, protocol)
    try:
        place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        place.bind(address)
    except BaseException:
        place.close()
        raise
    return place


def bind_local(path: Path) -> socket.socket:
    """A local socket with mode 0600. One that a dead server left is replaced; the caller holds the server's lock."""
    if path.exists() and stat.S_ISSOCK(path.lstat().st_mode):
        path.unlink()
    place = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        place.bind(str(path))
    except BaseException:
        place.close()
        raise
    finally:
        os.umask(before)
    return place


class _Server(uvicorn.Server):
    """Signals are the business of whoever assembles the program."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield


class ModelServer:
    """The server of one home. `stop` may be called from any thread."""

    def __init__(self, settings: Settings):
        self._settings = settings
        shutil.rmtree(engine_places(settings), ignore_errors=True)  # what engines of a killed server left
        all_messages()  # the first error must not wait for the catalogue, nor find it broken
        store = SnapshotStore(settings.home / "snapshot.json", settings.home / "keys" / "signing.pem")
        self.house = House(
            store,
            lambda files: open_model(files, store.public_key(), settings),
            Limits.of(settings),
            Pool(),
        )
        self.app = App(self.house, settings.allowed_hosts, settings.language)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._servers: list[_Server] = []
        self._asked_to_stop = False

    async def run(self, place: socket.socket, local: socket.socket, on_listening: Callable[[], None]) -> None:
        """Answers until `stop`; then finishes what was asked, for at most `stop_timeout_s`."""
        self._loop = asyncio.get_running_loop()
        self._servers = [self._server(self.app), self._server(ControlDoor(self.house))]
        await self.house.start()
        answering = [
            asyncio.ensure_future(server.serve(sockets=[where]))
            for server, where in zip(self._servers, (place, local), strict=True)
        ]
        while not all(server.started for server in self._servers) and not any(task.done() for task in answering):
            await asyncio.sleep(0.005)
        on_listening()
        if self._asked_to_stop:  # before there was a loop that could be told
            self._drain()
        await asyncio.gather(*answering)
        await self.house.close()

    def stop(self) -> None:
        """Begins the end: no new requests, those that came are answered."""
        self._asked_to_stop = True
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._drain)

    def _drain(self) -> None:
        self.app.draining = True
        for server in self._servers:
            server.should_exit = True

    def _server(self, app: Any) -> _Server:
        config = uvicorn.Config(
            app,
            loop="none",
            http=BoundedProtocol,
            ws="none",
            lifespan="off",
            interface="asgi3",
            access_log=False,
            server_header=False,
            proxy_headers=False,
            log_config=None,
            backlog=BACKLOG,
            timeout_keep_alive=KEEP_ALIVE_S,
            timeout_graceful_shutdown=max(1, int(self._settings.stop_timeout_s) - 2),
        )
        return _Server(config)
