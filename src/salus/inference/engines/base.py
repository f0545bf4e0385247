"""The contract of an engine: what runs the graphs of a bundle, in the caller's process or in one of its own.

An engine may assume a verified bundle. It must keep: `run` is safe from several threads; `close` returns all memory and may be called
twice; a run after a crash of its process raises `engine_failed` and the next one finds a fresh process.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

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
    def outputs(self, graph: str) -> tuple[str, ...]:
        """The names of what a graph gives."""

    def run_kept(self, graph: str, feeds: Mapping[str, Any], outputs: Sequence[str]) -> list[Any]:
        """As `run`, for many passes in a row: what it gives stays where the engine computes, and may be a feed of the next pass."""
        return list(self.run(graph, feeds, outputs))

    def read(self, value: Any) -> np.ndarray:
        """What `run_kept` gave, as an array."""
        return np.asarray(value)

    @abstractmethod
    def close(self) -> None:
        """Gives everything back."""
