"""`salus up --background`: a supervisor that outlives its terminal, and the word it sends back when all is ready.

Knows how the two halves of one start find each other: a pipe whose number is in SALUS_READY_FD, one JSON line on it.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
from typing import Any

from salus.core.errors import SalusError
from salus.core.settings import Settings
from salus.programs.children import program_command
from salus.programs.locks import prepare_home
from salus.programs.logs import last_lines, log_path, open_log
from salus.programs.parent import READY_FD


def start_in_background(settings: Settings) -> None:
    """Starts a supervisor in a session of its own; returns when it is ready, or raises what kept it from that."""
    prepare_home(settings.home)
    read_end, write_end = os.pipe()
    output = open_log(settings.home, "supervisor")
    process = subprocess.Popen(
        program_command("salus.programs.supervisor"),
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        env={**os.environ, "SALUS_HOME": str(settings.home), READY_FD: str(write_end)},
        pass_fds=(write_end,),
        start_new_session=True,
    )
    os.close(write_end)
    os.close(output)
    try:
        with os.fdopen(read_end) as stream:
            told = stream.readline()
    except KeyboardInterrupt:
        process.send_signal(signal.SIGTERM)
        process.wait()
        raise
    _hear(settings, json.loads(told) if told else {}, process)


def _hear(settings: Settings, told: dict[str, Any], process: subprocess.Popen[bytes]) -> None:
    if told.get("ready"):
        process.returncode = 0  # it goes on without us
        return
    process.wait()
    if "error" in told:
        raise SalusError.from_json(told["error"])
    log = log_path(settings.home, "supervisor")
    raise SalusError(
        "program_keeps_dying", where="supervisor", found=1, log=" | ".join([str(log), *last_lines(log, 3)])
    )


def tell_starter(word: dict[str, Any]) -> None:
    """Tells whoever started this supervisor in the background, once; nobody listens in the foreground."""
    number = os.environ.pop(READY_FD, "")
    if number.isdecimal():
        with contextlib.suppress(OSError):
            os.write(int(number), json.dumps(word).encode() + b"\n")
        os.close(int(number))
