"""Class shares on both sides of the mean of the first thing it is fed: the least that can be called learning."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field

from salus.core.context import Context
from salus.core.durable import write_file
from salus.learners.base import Fitted, Learner, LearnerConfig, Prepared, Proposal
from salus.learners.graphs import GraphBuilder
from salus.learners.options import config_from
from salus.tasks.base import Task


class SharesConfig(LearnerConfig):
    added_rows: float = Field(
        1.0, gt=0, le=1000, description="rows of each class that are imagined beside the real ones"
    )


@dataclass
class SharesFitted(Fitted):
    """below and above: logarithms of the shares, (1, K)."""

    feed: str
    width: int
    mean: float
    below: np.ndarray
    above: np.ndarray
    details: dict[str, Any]

    def raw(self, feeds: Mapping[str, np.ndarray]) -> np.ndarray:
        return np.where(feeds[self.feed][:, :1] > self.mean, self.above, self.below)

    def export(self, path: Path) -> None:
        builder = GraphBuilder()
        feed = builder.feed(self.feed, np.float32, ("rows", self.width))
        first = builder.node("Gather", feed, builder.constant([0], np.int64), axis=1)
        louder = builder.node("Greater", first, builder.constant(self.mean))
        scores = builder.node("Where", louder, builder.constant(self.above), builder.constant(self.below))
        write_file(path, builder.finish("scores", scores, self.below.shape[1]))


class Shares(Learner):
    name = "shares"
    Config = SharesConfig

    @classmethod
    def learns(cls, task: Task, kinds: frozenset[str]) -> bool:
        return task.classification and not kinds & {"image", "series"}

    @classmethod
    def propose(cls, prepared: Prepared, options: Mapping[str, Any], budget_s: float, context: Context) -> Proposal:
        return Proposal(config_from(SharesConfig, options, cls.name).model_dump(), expected_s=0.01)

    def fit(self, prepared: Prepared, context: Context) -> Fitted:
        context.stop_if_asked("counting")
        name, feed = next(iter(prepared.train.feeds.items()))
        first, target = feed[:, 0], prepared.train.target
        mean = float(np.float32(np.nanmean(first)))
        sides = []
        for side in (~(first > mean), first > mean):
            counts = np.bincount(target[side], minlength=prepared.classes) + self.config.added_rows
            sides.append(np.log(counts / counts.sum()).astype(np.float32)[None, :])
        return SharesFitted(name, feed.shape[1], mean, sides[0], sides[1], {"mean": mean})
