"""What every task must keep: subclass `TaskContract`, give a task with target values, their states, and graph outputs."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from typing import Any

import numpy as np

from salus.tasks.base import Task


class TaskContract(ABC):
    @abstractmethod
    def task(self) -> Task:
        """The task."""

    @abstractmethod
    def targets(self) -> tuple[Any, list[dict[str, Any]], list[str]]:
        """Values as `encode_target` takes them, the states of the targets, and their names."""

    @abstractmethod
    def right(self, target: np.ndarray) -> np.ndarray:
        """The graph output of a model that is always right."""

    def test_decode_turns_right_outputs_into_json(self) -> None:
        values, states, names = self.targets()
        target = self.task().encode_target(values, states)
        decoded = self.task().decode(self.right(target), states, names)
        assert len(decoded) == len(target)
        json.dumps(decoded, allow_nan=False)

    def test_answers_fit_their_schema(self) -> None:
        values, states, names = self.targets()
        decoded = self.task().decode(self.right(self.task().encode_target(values, states)), states, names)
        schema = self.task().output_schema(states, names)
        assert set(schema["required"]) <= set(decoded[0]) <= set(schema["properties"])

    def test_doing_nothing_is_one_answer(self) -> None:
        values, states, _ = self.targets()
        target = self.task().encode_target(values, states)
        baseline = self.task().baseline(target, states)
        assert baseline.ndim == 1 and np.all(np.isfinite(baseline))
        assert self.right(target).shape[1] == len(baseline)
