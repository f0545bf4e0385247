"""The service on this home: found, or started in the background. Knows processes by their commands only."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING, NoReturn

from salus.cli.output import say

if TYPE_CHECKING:
    from salus.core.settings import Settings
    from salus.sdk.client import Client


# -P: a file in the current folder must not pose as a module
SUPERVISOR = [sys.executable, "-P", "-m", "salus.programs.supervisor"]
_opened: list[Client] = []


def client() -> Client:
    """The client of the service on this home, or of SALUS_URL with SALUS_KEY."""
    from salus.sdk.client import Client

    if os.environ.get("SALUS_URL"):
        found = Client(os.environ["SALUS_URL"], os.environ.get("SALUS_KEY"), os.environ.get("SALUS_MODEL_URL"))
    else:
        found = Client.local()
    _opened.append(found)
    return found


def close() -> None:
    """Closes every client that a command opened."""
    while _opened:
        _opened.pop().close()


def settings() -> Settings:
    from salus.core.settings import Settings

    return Settings.load()


def running_client(quiet: bool) -> Client:
    """As `client`, after starting the service in the background when none answers on this home."""
    found = client()
    if found.ready():
        return found
    if not quiet:
        say("No service answers on this home yet: starting one in the background.")
    code = supervisor("--background", quiet=quiet)
    if code != 0:
        raise SystemExit(code)
    found = client()
    if not quiet:
        say("It goes on after this command; 'salus down' stops it.")
    return found


def supervisor(*flags: str, quiet: bool = False) -> int:
    """Runs the supervisor with these flags and gives its exit code."""
    return subprocess.call([*SUPERVISOR, *flags], stdout=subprocess.DEVNULL if quiet else None)


def become_supervisor() -> NoReturn:
    """This process goes on as the supervisor, so that it is the one who hears the signals."""
    os.execv(SUPERVISOR[0], SUPERVISOR)  # noqa: S606
