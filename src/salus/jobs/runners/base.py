"""The contract of a runner: what lets a step run somewhere and hears what it says.

A runner may assume that one job is started at most once at a time. It must keep: the step runs apart from the worker,
so that its end, however violent, is only told; when the worker goes, the step goes; after `close` nothing is left.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from salus.jobs.protocol import Job, Message


class Running(ABC):
    """One step at work."""

    @abstractmethod
    def messages(self, wait_s: float) -> list[Message]:
        """What it said since the last call; waits at most `wait_s` for the first of it."""

    @property
    @abstractmethod
    def over(self) -> bool:
        """True when it has ended and everything it said was given out."""

    @abstractmethod
    def how_it_ended(self) -> str:
        """In words, such as `signal SIGKILL`. Only when over."""

    @abstractmethod
    def stop(self) -> None:
        """Asks it to stop at its next convenience."""

    @abstractmethod
    def close(self) -> None:
        """Ends it now if it still runs, with everything it started, and frees what it held. May be called twice."""


class Runner(ABC):
    name: ClassVar[str]

    @abstractmethod
    def start(self, job: Job) -> Running:
        """Lets the job's step begin."""
