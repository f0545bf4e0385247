"""How long the work of this thread is still worth doing: engines ask before every pass through a graph.

A program may take hundreds of passes for rows whose askers are long gone; without this they would hold a thread that others
wait for. Knows a clock. Does not know who waits.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from contextvars import ContextVar

from salus.core.errors import SalusError

_ends: ContextVar[tuple[float, float] | None] = ContextVar("ends", default=None)


@contextlib.contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """Inside, `go_on` raises when so much time is over."""
    token = _ends.set((time.monotonic() + seconds, seconds))
    try:
        yield
    finally:
        _ends.reset(token)


def left_s() -> float | None:
    """How long it is still worth doing; None where nobody said."""
    ends = _ends.get()
    return None if ends is None else max(0.0, ends[0] - time.monotonic())


def go_on() -> None:
    """Nothing, or `deadline_exceeded` when nobody waits any more."""
    ends = _ends.get()
    if ends is not None and time.monotonic() > ends[0]:
        raise SalusError("deadline_exceeded", expected=round(ends[1], 3))
