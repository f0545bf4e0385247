"""Compound tasks: the answer to a row is a text, boxes, a picture, a future; not one label and not a few numbers.

They go the same way as plain tasks. What differs stands here: how the target is kept, how what a graph program gave is settled into
an answer, and what an answer that is not quite right costs. Knows no learner, no metric and no graph.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from salus.core.nouns import Column
from salus.data.kinds import kind_named
from salus.data.kinds.base import Values
from salus.tasks.base import Task

TOLERANCE = (
    1e-4  # of the size of a number, at least 1: by how much the serving engine may differ from the trainer's library
)
MOST_SEED = 2**24 - 1  # that a request may ask with: what float32 holds exactly


class CompoundTask(Task):
    """*Answers* are an array (B,) of objects, or dense with rows first; each is what a person would call the answer: a text, a
    list of boxes, a picture. A target is kept in the same form."""

    goal = "answer"
    target_kind: ClassVar[str]  # how the target column is read when the person names this task
    asked: ClassVar[tuple[Column, ...]] = ()  # columns that only requests have, such as a prompt; not in the data
    rows_at_once = 32
    most_held: ClassVar[int | None] = None  # rows that candidates are chosen by, where an answer takes long
    most_judged: ClassVar[int | None] = None  # rows that judge

    def encode_target(self, values: Sequence[Any], states: Sequence[Mapping[str, Any]]) -> np.ndarray:
        """The values as their kind read them, (B,) of objects."""
        return as_objects(values)

    def fit_target(self, target: np.ndarray, column: Column) -> dict[str, Any]:
        """The state of the target column, learned from the rows that are learned from."""
        return kind_named(column.kind).fit(list(target), column.options)

    def fit_asked(self, column: Column, states: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """The state of one of the columns that only requests have; `states` are those of the targets."""
        return kind_named(column.kind).fit([], column.options)

    def asked_from(self, there: frozenset[str], targets: Sequence[str]) -> Mapping[str, str]:
        """Which of these columns are said by a column of the data; there: names of the data's columns."""
        return {}

    def asked_values(self, column: Column, rows: np.ndarray) -> Values:
        """What rows of the data say in such a column that no column of the data says; rows: their indices in the data version."""
        return [None] * len(rows)

    def fit_input(
        self, values: Values, kind: str, options: Mapping[str, Any], states: Sequence[Mapping[str, Any]]
    ) -> dict[str, Any]:
        """The state of an input column of this kind, learned from the rows that are learned from; `states` are those of the targets."""
        return kind_named(kind).fit(values, options)

    @abstractmethod
    def settle(self, raw: np.ndarray, states: Sequence[Mapping[str, Any]]) -> np.ndarray:
        """What a graph program gave for some rows -> their answers (B,)."""

    def answers(self, raw: np.ndarray, states: Sequence[Mapping[str, Any]], values: Mapping[str, Values]) -> np.ndarray:
        """As `settle`, for rows whose inputs have these values: what a task overrides whose answers are made of their inputs, such as
        sentences of a text."""
        return self.settle(raw, states)

    @abstractmethod
    def losses(self, answers: np.ndarray, target: np.ndarray) -> np.ndarray:
        """(B,) float64, 0 where an answer is right: by their mean candidates are chosen."""

    @abstractmethod
    def nothing(
        self, train_target: np.ndarray, states: Sequence[Mapping[str, Any]], values: Mapping[str, Values], count: int
    ) -> np.ndarray:
        """What doing nothing answers to `count` rows whose inputs have these values: (B,) answers."""

    def nothing_by(
        self,
        train_target: np.ndarray,
        train_values: Callable[[], Mapping[str, Values]],
        states: Sequence[Mapping[str, Any]],
        values: Mapping[str, Values],
        count: int,
    ) -> np.ndarray:
        """The same, where doing nothing looks at the inputs of the rows that are learned from."""
        return self.nothing(train_target, states, values, count)

    def agree(self, expected: np.ndarray, found: np.ndarray) -> float:
        """By how many tolerances two `raw` arrays of the same rows differ: at most 1 is the same."""
        if expected.shape != found.shape:
            return float("inf")
        if expected.dtype.kind in "iu" and found.dtype.kind in "iu":
            return 0.0 if np.array_equal(expected, found) else float("inf")
        allowed = TOLERANCE * np.maximum(1.0, np.abs(expected.astype(np.float64)))
        return float(np.max(np.abs(expected.astype(np.float64) - found) / allowed, initial=0.0))

    def baseline(self, target: np.ndarray, states: Sequence[Mapping[str, Any]]) -> np.ndarray:
        raise AssertionError("a compound task has `nothing` instead")


class TextAnswer(CompoundTask):
    """An answer is a text and nothing else."""

    target_kind = "text"

    def decode(
        self, answers: np.ndarray, states: Sequence[Mapping[str, Any]], names: Sequence[str]
    ) -> list[dict[str, Any]]:
        return [{"text": answer} for answer in answers]

    def output_schema(self, states: Sequence[Mapping[str, Any]], names: Sequence[str]) -> dict[str, Any]:
        return {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}


def as_objects(values: Sequence[Any]) -> np.ndarray:
    """(B,) of these objects, whatever they are."""
    array = np.empty(len(values), dtype=object)
    for place, value in enumerate(values):
        array[place] = value
    return array
