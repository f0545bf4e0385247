"""Whether the addresses that Salus wants are free and whether something healthy answers there. Knows sockets only."""

from __future__ import annotations

import errno
import http.client
import socket

from salus.core.errors import SalusError
from salus.core.settings import Settings

PROBE_TIMEOUT_S = 2.0


def check_ports(settings: Settings) -> None:
    """`port_in_use` or `bad_address` unless both ports can be had."""
    _check_port(settings.host, settings.control_port, "control plane", "SALUS_CONTROL_PORT")
    _check_port(settings.host, settings.model_server_port, "model server", "SALUS_MODEL_SERVER_PORT")


def _check_port(host: str, port: int, where: str, setting: str) -> None:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise SalusError("port_in_use", where=where, expected=port, host=host, setting=setting) from None
        raise SalusError("bad_address", where=where, found=f"{host}:{port}, {error.strerror}") from None


def address(host: str, port: int) -> str:
    """The URL that a program of this machine uses."""
    return f"http://{_reachable(host, bracket=True)}:{port}"


def answers(host: str, port: int, path: str) -> bool:
    """Whether a GET of `path` is answered with 200 now."""
    connection = http.client.HTTPConnection(_reachable(host), port, timeout=PROBE_TIMEOUT_S)
    try:
        connection.request("GET", path, headers={"Host": f"localhost:{port}"})
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _reachable(host: str, bracket: bool = False) -> str:
    """Where an address that stands for all of a machine can be reached from inside it."""
    named = {"0.0.0.0": "127.0.0.1", "": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104
    return f"[{named}]" if bracket and ":" in named else named
