"""The contract of an engine: what runs the graphs of a bundle, in the caller's process or in one of its own.

An engine may assume a verified bundle. It must keep: `run` is safe from several threads; `close` returns all memory and may be called
twice; a run after a crash of its process raises `engine_failed` and the next one finds a fresh process.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np


class Engine(ABC):
    name: ClassVar[str]

    @abstractmethod
    def load(self, graphs: Mapping[str, bytes], threads: int) -> None:
        """Takes the graphs by their names (`main` is the one a single-pass bundle has), as bytes."""

    @abstractmethod
    def run(self, graph: str, feeds: Mapping[str, np.ndarray], outputs: Sequence[str]) -> list[np.ndarray]:
        """One pass. Feeds that the graph does not have are left out."""

    @abstractmethod
    def close(self) -> None:
        """Gives everything back."""
