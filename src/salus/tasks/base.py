"""The contract of a task: which kinds it takes, what a graph returns for it, how raw outputs become predictions.

A task is *plain* when its answer is one label or a few numbers a row; else it is compound: see `salus.tasks.compound`.

A task may assume fitted targets. It must keep: numpy only, no state of its own, `decode` the inverse of what
`encode_target` made of the same state.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np


class Task(ABC):
    name: ClassVar[str]
    output: ClassVar[str]  # the graph output that `decode` reads: "probabilities" or "values"
    goal: ClassVar[str]  # what an answer is: "label", "number", or "answer" for a compound task
    rows_at_once: ClassVar[int] = 256  # how many rows go through the graph together when there are many
    reads: ClassVar[Mapping[str, Mapping[str, Any]]] = {}  # kind of an input -> options that it is fitted with
    most_of_source: ClassVar[float | None] = None  # of a text's letters that an answer has, where the task is not named
    metrics: ClassVar[tuple[str, ...]]  # names in salus.evaluation.metrics; the first is the main one

    @property
    def classification(self) -> bool:
        """Whether an answer is a label."""
        return self.goal == "label"

    @property
    def plain(self) -> bool:
        """Whether an answer is a label or numbers."""
        return self.goal != "answer"

    @abstractmethod
    def accepts(self, input_kinds: frozenset[str], target_kinds: tuple[str, ...], levels: int) -> bool:
        """Whether a schema of these kinds is this task. `levels`: distinct labels of the target (0 for numbers)."""

    @abstractmethod
    def encode_target(self, values: Sequence[Any], states: Sequence[Mapping[str, Any]]) -> np.ndarray:
        """One column of values a target -> int64 codes (B,) for classification, float64 (B, M) for regression.
        A missing or unknown label is -1 (NaN)."""

    @abstractmethod
    def baseline(self, target: np.ndarray, states: Sequence[Mapping[str, Any]]) -> np.ndarray:
        """The do-nothing answer for one row, from train targets: class shares (K,), or means (M,)."""

    @abstractmethod
    def decode(
        self, raw: np.ndarray, states: Sequence[Mapping[str, Any]], names: Sequence[str]
    ) -> list[dict[str, Any]]:
        """Graph output -> one JSON prediction a row. Classification: {"label": str, "probability": p, "probabilities": {level: p}};
        regression: {"values": {name: number}} (and "value" when there is one target)."""

    @abstractmethod
    def output_schema(self, states: Sequence[Mapping[str, Any]], names: Sequence[str]) -> dict[str, Any]:
        """JSON Schema of one prediction."""
