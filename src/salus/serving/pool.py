"""Where a pass runs: on the event loop when it is cheap, else in one of a few threads.

A hand-over to a thread and back costs a good part of a small pass (benchmarks/serve.py, figure `thread handover`), so a
pass that was measured to be short is not handed over. What turns out slow goes to a thread from the next pass on.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")

INLINE_ROW_S = 0.001  # a row that takes longer than this never runs on the loop
INLINE_PASS_S = 0.004  # the longest that a whole pass may hold the loop
INLINE_BODY_BYTES = 32 * 1024  # larger bodies are parsed in a thread
_FORGET = 0.2  # weight of the newest measurement


def processors() -> int:
    """Processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class Pool:
    """Threads for passes and for the parsing of large bodies."""

    def __init__(self, threads: int | None = None):
        self.threads = threads or processors()
        self._executor = ThreadPoolExecutor(self.threads, thread_name_prefix="pass")

    def submit(self, work: Callable[[], T]) -> asyncio.Future[T]:
        return asyncio.get_running_loop().run_in_executor(self._executor, work)

    def close(self) -> None:
        self._executor.shutdown(wait=True, cancel_futures=True)


class Pace:
    """Seconds a row, as measured: what decides where the next pass of a model runs."""

    def __init__(self, row_s: float = INLINE_ROW_S):
        self.row_s = row_s

    def saw(self, rows: int, seconds: float) -> None:
        measured = seconds / rows
        # Slower is believed at once, faster bit by bit: a wrong guess on the loop delays everybody.
        slow = measured > INLINE_ROW_S and seconds > INLINE_PASS_S
        self.row_s = measured if slow else self.row_s + _FORGET * (measured - self.row_s)

    def inline_rows(self) -> int:
        """The most rows of a pass on the loop; 0 when passes belong in a thread."""
        return int(INLINE_PASS_S / max(self.row_s, 1e-9)) if self.row_s < INLINE_ROW_S else 0
