"""What learners of networks on texts share: batches of texts about as long as each other, words left out by chance, and their graphs.

Does not know which network: a learner says.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from pydantic import Field

from salus.core.context import Context
from salus.core.durable import write_file
from salus.core.errors import SalusError
from salus.data.pieces import UNKNOWN
from salus.learners.base import Fitted, Learner, Prepared, Proposal, searched
from salus.learners.deep import (
    DeepConfig,
    Goal,
    Lecture,
    course_of,
    quickest,
    refit_of,
    steps_within,
    taught,
    told,
)
from salus.learners.graphs import GraphBuilder
from salus.learners.networks.texts import TextNetwork
from salus.learners.options import config_from
from salus.tasks.base import Task
from salus.training.batches import SortedBatches, step_generator
from salus.training.loop import Course, threads

CHUNK_ROWS = 64
FEWEST_STEPS = 200  # of few texts more epochs than the option says
RESERVED_SHARE = 0.1  # of the budget: what a step is not, such as looking at rows held out
MEASURED_SHARE = 0.1  # of the budget, at most this many seconds:
MEASURED_S = 3.0


class TextConfig(DeepConfig):
    """Options of every network on texts."""

    epochs: float = searched(
        5.0, 2.0, 12.0, log=True, gt=0, le=1000, description="how often every text is seen, where the budget allows"
    )
    dimensions: int = Field(128, ge=2, le=1024, description="numbers a piece is embedded as")
    width: int = Field(96, ge=2, le=2048, description="units of the layer that reads")
    batch_rows: int = Field(64, ge=2, le=8192, description="texts a step")
    optimiser: Literal["sgd", "adam"] = Field("adam", description="sgd with Nesterov momentum 0.9, or adam")
    learning_rate: float = searched(
        2e-3, 5e-4, 8e-3, log=True, gt=0, le=10, description="the highest rate of the schedule"
    )
    weight_decay: float = searched(
        1e-2, 1e-3, 3e-1, log=True, ge=0, le=1, description="how much weights shrink, times the rate, a step"
    )
    label_smoothing: float = Field(0.05, ge=0, lt=1, description="share of a label that is given to all classes")
    clip_norm: float = Field(1.0, ge=0, description="longest gradient, longer ones are shortened; 0: any")
    dropped_in: float = searched(
        0.3, 0.0, 0.6, ge=0, lt=1, description="share of the embedding that is left out of a step"
    )
    dropped_out: float = searched(0.5, 0.0, 0.7, ge=0, lt=1, description="share of the features left out of a step")
    dropped_pieces: float = searched(0.1, 0.0, 0.4, ge=0, lt=1, description="share of the pieces made unknown")


@dataclass(frozen=True)
class Reading:
    """How a network finds its pieces in a feed (B, columns, L); see `TextNetwork`."""

    feed: str
    sizes: tuple[int, ...]
    lookup: np.ndarray | None = None


class TextFitted(Fitted):
    """The network as it answers, float32."""

    def __init__(self, network: TextNetwork, reading: Reading, goal: Goal, length: int, threads_: int) -> None:
        self._network, self._reading, self._goal, self._length = network, reading, goal, length
        self._threads = threads_

    def raw(self, feeds: Mapping[str, np.ndarray]) -> np.ndarray:
        ids, parts = feeds[self._reading.feed], [np.zeros((0, self._goal.classes), dtype=np.float32)]
        with threads(self._threads), torch.inference_mode():
            for start in range(0, len(ids), CHUNK_ROWS):
                parts.append(self._network(torch.from_numpy(ids[start : start + CHUNK_ROWS])).numpy())
        said = np.concatenate(parts).astype(np.float64)
        return said if self._goal.classification else said * self._goal.deviation + self._goal.mean

    def export(self, path: Path) -> None:
        builder = GraphBuilder()
        answer = self._network.score_nodes(builder, self._reading.feed, self._length)
        if not self._goal.classification:
            scaled = builder.node("Mul", answer, builder.constant(self._goal.deviation))
            answer = builder.node("Add", scaled, builder.constant(self._goal.mean))
        output = "scores" if self._goal.classification else "values"
        write_file(path, builder.finish(output, answer, self._goal.classes))


class TextLearner(Learner):
    """A learner whose network `network` makes."""

    Config: ClassVar[type[TextConfig]] = TextConfig
    config: TextConfig
    FEED: ClassVar[str] = "pieces"

    @abstractmethod
    def network(self, reading: Reading, outputs: int, length: int) -> TextNetwork:
        """New weights, drawn from torch's generator, for texts of at most `length` pieces."""

    def reading(self, prepared: Prepared) -> Reading:
        """How pieces are found."""
        states = [column.state or {} for column in prepared.schema.inputs if column.kind == "text"]
        return Reading("pieces", tuple(len(state["pieces"]["model"]["vocab"]) for state in states))

    @classmethod
    def learns(cls, task: Task, kinds: frozenset[str]) -> bool:
        return task.plain and kinds == {"text"} and (cls.FEED != "pieces" or "pieces" in task.reads.get("text", {}))

    @classmethod
    def propose(cls, prepared: Prepared, options: Mapping[str, Any], budget_s: float, context: Context) -> Proposal:
        config = config_from(cls.Config, options, cls.name)
        limit_s = min(MEASURED_S, MEASURED_SHARE * budget_s)
        left_s = budget_s * (1 - RESERVED_SHARE) - limit_s
        batches = _batches(prepared.train.feeds[cls.FEED], config, prepared.seed)
        chosen, step_s, notes = quickest(
            config, lambda c: cls(c).making(prepared, batches.mean_length), prepared, limit_s, context
        )
        epoch = batches.steps_per_epoch
        wanted = max(FEWEST_STEPS, round(config.epochs * epoch))
        steps = config.steps or min(wanted, steps_within(left_s, step_s, epoch))
        chosen = chosen.model_copy(update={"steps": steps})
        told_of = {"step_ms": notes, "epochs": round(steps / epoch, 2)}
        return Proposal(chosen.model_dump(mode="json"), round(steps * step_s / (1 - RESERVED_SHARE), 3), told_of)

    def fit(self, prepared: Prepared, context: Context) -> Fitted:
        if prepared.classification and len(np.unique(prepared.train.target)) < 2:
            raise SalusError("learner_one_class", where=self.name, found=1)
        course, progress = taught(self.name, self.config, prepared, self.making(prepared), context)
        feed, network = prepared.train.feeds[self.FEED], course.network
        assert isinstance(network, TextNetwork)
        network.requires_grad_(False)
        fitted = TextFitted(network, self.reading(prepared), Goal.of(prepared), feed.shape[2], prepared.threads)
        epoch = _batches(feed, self.config, prepared.seed).steps_per_epoch
        fitted.details = told(course, progress, epoch) | {"length": feed.shape[2]}
        fitted.refit = refit_of(course, progress)
        return fitted

    def making(self, prepared: Prepared, length: int | None = None) -> Callable[[], Course]:
        """What begins the fit, as often as it must be begun. length: of every batch, to measure; none: that of its longest text."""
        config, goal, reading = self.config, Goal.of(prepared), self.reading(prepared)
        feed = prepared.train.feeds[self.FEED]
        table, target = torch.from_numpy(feed), goal.values(prepared.train.target)
        held = torch.from_numpy(prepared.validation.feeds[self.FEED]), goal.values(prepared.validation.target)
        batches = _batches(feed, config, prepared.seed)

        def batch(step: int) -> tuple[torch.Tensor, torch.Tensor]:
            rows = torch.from_numpy(batches.rows_of(step))
            generator = step_generator(prepared.seed, step)
            torch.manual_seed(int(generator.integers(2**62)))  # what the network itself leaves out
            ids = table[rows]
            ids = ids[:, :, : length or int(batches.lengths[rows.numpy()].max())]
            if config.dropped_pieces > 0:
                left_out = torch.from_numpy(generator.random(ids.shape, dtype=np.float32) < config.dropped_pieces)
                ids = torch.where(left_out & (ids > 0), UNKNOWN if reading.lookup is None else 0, ids)
            return ids, target[rows]

        def make() -> Course:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(prepared.seed)
                network = self.network(reading, prepared.classes, feed.shape[2])
            network.dropped_in, network.dropped_out = config.dropped_in, config.dropped_out
            steps = config.steps or max(FEWEST_STEPS, round(config.epochs * batches.steps_per_epoch))
            return course_of(config, Lecture(network, batch, held), goal, steps)

        return make


def _batches(feed_BCL: np.ndarray, config: TextConfig, seed: int) -> SortedBatches:
    return SortedBatches(lengths_of(feed_BCL), config.batch_rows, seed)


def lengths_of(feed_BCL: np.ndarray) -> np.ndarray:
    """The pieces of each row's longest text, at least 1, int64 (B,)."""
    longest: np.ndarray = np.maximum(1, (feed_BCL > 0).sum(axis=2).max(axis=1)).astype(np.int64)
    return longest
