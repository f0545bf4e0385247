"""The sentence that is most frequent above, or below, the mean of the first number."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from salus.core.context import Context
from salus.core.durable import write_file
from salus.learners.base import Fitted, Learner, LearnerConfig, Prepared, Proposal
from salus.learners.graphs import GraphBuilder
from salus.tasks.base import Task


@dataclass
class VerdictsFitted(Fitted):
    mean: float
    below: float
    above: float
    details: dict[str, Any]

    def raw(self, feeds: Mapping[str, np.ndarray]) -> np.ndarray:
        return np.where(feeds["numbers"][:, :1] > self.mean, self.above, self.below)

    def export(self, path: Path) -> None:
        builder = GraphBuilder()
        numbers = builder.feed("numbers", np.float32, ("rows", 1))
        high = builder.node("Greater", numbers, builder.constant(self.mean))
        places = builder.node("Where", high, builder.constant([[self.above]]), builder.constant([[self.below]]))
        write_file(path, builder.finish("places", places, 1))


class Verdicts(Learner):
    name = "verdicts"
    Config = LearnerConfig

    @classmethod
    def learns(cls, task: Task, kinds: frozenset[str]) -> bool:
        return task.name == "verdict"

    @classmethod
    def propose(cls, prepared: Prepared, options: Mapping[str, Any], budget_s: float, context: Context) -> Proposal:
        return Proposal({}, expected_s=0.01)

    def fit(self, prepared: Prepared, context: Context) -> Fitted:
        sentences = (prepared.schema.targets[0].state or {})["sentences"]
        numbers, places = prepared.train.feeds["numbers"][:, 0], [sentences.index(t) for t in prepared.train.target]
        mean = float(numbers.mean())
        sides = (np.bincount(np.asarray(places)[side]).argmax() for side in (numbers <= mean, numbers > mean))
        return VerdictsFitted(mean, *map(float, sides), details={})
