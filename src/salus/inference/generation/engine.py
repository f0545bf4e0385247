"""The contract of what answers inside the engine's process, and its names.

One thread calls it. It may assume files whose hashes were compared. It must keep: `begin` raises SalusError before any work when the
request does not fit; every request that began gets exactly one `end` event; `step` returns after a part of the work, so that
cancellations and newcomers are heard between steps.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

ENGINES = {
    "text": "salus.inference.generation.openvino_text:TextEngine",
    "vectors": "salus.inference.generation.openvino_vectors:VectorEngine",
}
Event = dict[str, Any]


@dataclass(frozen=True)
class Loading:
    """What an engine is started with. folder: an empty place of its own; cache_bytes: for what was read of open requests."""

    form: str
    files: Mapping[str, Path]
    context_tokens: int
    threads: int
    cache_bytes: int
    folder: Path


class GenerationEngine(ABC):
    @abstractmethod
    def load(self, loading: Loading) -> None:
        """Opens the model; `engine_cannot` or the error of a format when it cannot be."""

    @abstractmethod
    def begin(self, number: int, ask: Mapping[str, Any]) -> list[Event]:
        """Takes a request. The first event says how long the prompt is: {"id", "prompt_tokens"}."""

    @abstractmethod
    def cancel(self, number: int) -> None:
        """Forgets a request; no event of it follows."""

    @abstractmethod
    def step(self) -> list[Event]:
        """A part of the work: {"id", "text", "tokens"}, {"id", "vectors"}, {"id", "end", "tokens"}, {"id", "error"}."""

    @property
    @abstractmethod
    def busy(self) -> bool:
        """Whether a request is open."""


def new_engine(name: str) -> GenerationEngine:
    """An engine of ENGINES; its libraries are imported now."""
    module, _, attribute = ENGINES[name].partition(":")
    engine: GenerationEngine = getattr(import_module(module), attribute)()
    return engine
