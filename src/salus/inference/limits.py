"""What a process does to itself before it touches foreign bytes: limits, and an output that no library prints into."""

from __future__ import annotations

import contextlib
import math
import os
import resource
from typing import IO


def limit_memory(most_bytes: int) -> None:
    """Asks the kernel to refuse more address space than this; 0 leaves it open. Not every kernel keeps it (macOS)."""
    if most_bytes:
        _limit(resource.RLIMIT_AS, most_bytes)


def limit_processor_time(most_s: float) -> None:
    """Asks the kernel to end this process after so many seconds of processor time; 0 leaves it open."""
    if most_s:
        _limit(resource.RLIMIT_CPU, math.ceil(most_s))


def no_core_dumps() -> None:
    """A crash leaves no file with a caller's rows in it."""
    _limit(resource.RLIMIT_CORE, 0)


def private_output() -> IO[bytes]:
    """The standard output, which is a pipe to whoever started this; what a library prints goes to the standard error."""
    sink = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return sink


def _limit(what: int, value: int) -> None:
    with contextlib.suppress(ValueError, OSError):
        _, hard = resource.getrlimit(what)
        resource.setrlimit(what, (value if hard == resource.RLIM_INFINITY else min(value, hard), hard))
