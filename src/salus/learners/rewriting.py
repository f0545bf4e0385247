"""What learners share that turn a text into another one: translation, and every task whose answer is new words for a text.

Knows pieces of texts and how batches are packed. Does not know which network: a learner says. How networks are taught is in `deep`.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from pydantic import Field
from torch.nn import functional

from salus.core.context import Context
from salus.data.pieces import END, PAD, START, pieces_of
from salus.learners.base import Fitted, Learner, Part, Prepared, Program, Proposal, searched
from salus.learners.deep import (
    Lecture,
    TaughtConfig,
    course_with,
    quickest,
    refit_of,
    steps_within,
    taught,
    told,
)
from salus.learners.networks.seq2seq import LONGEST, Rewriter
from salus.learners.options import config_from
from salus.tasks import task_named
from salus.tasks.base import Task
from salus.tasks.translation import Translation
from salus.training.batches import SortedBatches
from salus.training.loop import Course, threads

RESERVED_SHARE = 0.12  # of the budget: writing the rows held out
MEASURED_SHARE, MEASURED_S = 0.1, 6.0  # of the budget, at most so many seconds
HELD_ROWS = 500  # that early stopping looks at


class RewritingConfig(TaughtConfig):
    """Options of every network that turns a text into another one."""

    width: int = Field(256, ge=16, le=2048, description="numbers a piece")
    dropout: float = searched(0.15, 0.0, 0.4, ge=0, lt=1, description="share of numbers left out while learning")
    label_smoothing: float = Field(0.1, ge=0, lt=1, description="share of a piece that is given to all pieces")
    optimiser: Literal["sgd", "adam"] = Field("adam", description="sgd with Nesterov momentum 0.9, or adam")
    learning_rate: float = searched(
        1.5e-3, 3e-4, 5e-3, log=True, gt=0, le=10, description="the highest rate of the schedule"
    )
    weight_decay: float = Field(1e-2, ge=0, le=1, description="how much weights shrink, times the rate, a step")
    clip_norm: float = Field(1.0, ge=0, description="longest gradient, longer ones are shortened; 0: any")
    ema: float = Field(0.995, ge=0, lt=1, description="memory of the running average of weights; 0: none")
    batch_rows: int = Field(96, ge=2, le=8192, description="pairs of texts a step")


class RewritingFitted(Fitted):
    program: Program = "encoder-step"

    def __init__(
        self, network: Rewriter, longest: int, threads_: int, details: dict[str, Any], refit: Mapping[str, Any]
    ):
        self._network, self._longest, self._threads = network, longest, threads_
        self.details = details
        self.refit = refit

    def raw(self, feeds: Mapping[str, np.ndarray]) -> np.ndarray:
        """The likeliest piece again and again, by torch itself."""
        source = torch.from_numpy(feeds["pieces"][:, 0].astype(np.int64))
        with threads(self._threads), torch.inference_mode():
            memory, mask = self._network.read(source)
            written = torch.full((len(source), 1), START)
            going = torch.ones(len(source), dtype=torch.bool)
            for _ in range(self._longest):
                scores = self._network.write(written, memory, mask)[:, -1]
                scores[:, [PAD, START]] = -torch.inf
                chosen = torch.where(going, scores.argmax(dim=1), PAD)
                written = torch.cat([written, chosen[:, None]], dim=1)
                going &= chosen != END
                if not going.any():
                    break
        return written[:, 1:].numpy()

    def graphs(self, folder: Path) -> dict[str, bytes]:
        return {"encoder": self._network.encoder_graph(), "step": self._network.step_graph()}


class RewritingLearner(Learner):
    """A learner whose network `network` makes."""

    Config: ClassVar[type[RewritingConfig]] = RewritingConfig
    config: RewritingConfig

    @abstractmethod
    def network(self, read_pieces: int, written_pieces: int) -> Rewriter:
        """New weights for so many different pieces of each side, drawn from torch's generator."""

    @classmethod
    def learns(cls, task: Task, kinds: frozenset[str]) -> bool:
        return task.output == "tokens" and kinds == {"text"} and not task.plain

    @classmethod
    def propose(cls, prepared: Prepared, options: Mapping[str, Any], budget_s: float, context: Context) -> Proposal:
        config = config_from(cls.Config, options, cls.name)
        limit_s = min(MEASURED_S, MEASURED_SHARE * budget_s)
        pairs = Pairs.of(prepared, prepared.train)
        config, step_s, notes = quickest(config, lambda c: cls(c).making(prepared, pairs), prepared, limit_s, context)
        epoch = pairs.batches(config, prepared.seed).steps_per_epoch
        steps = config.steps or steps_within(budget_s * (1 - RESERVED_SHARE) - limit_s, step_s, epoch)
        chosen = config.model_copy(update={"steps": steps})
        told_of = {"step_ms": notes, "epochs": round(steps / epoch, 2)}
        return Proposal(chosen.model_dump(mode="json"), round(steps * step_s, 3), told_of)

    def fit(self, prepared: Prepared, context: Context) -> Fitted:
        pairs = Pairs.of(prepared, prepared.train)
        course, progress = taught(self.name, self.config, prepared, self.making(prepared, pairs), context)
        network = course.network
        assert isinstance(network, Rewriter)
        state = prepared.schema.targets[0].state or {}
        details = told(course, progress, pairs.batches(self.config, prepared.seed).steps_per_epoch)
        return RewritingFitted(network.eval(), state["length"], prepared.threads, details, refit_of(course, progress))

    def making(self, prepared: Prepared, pairs: Pairs) -> Callable[[], Course]:
        """What begins the fit, as often as it must be begun."""
        config, batches = self.config, pairs.batches(self.config, prepared.seed)
        some = np.arange(min(HELD_ROWS, len(prepared.validation)))
        held = Pairs.of(prepared, _first(prepared.validation, len(some)))
        looked_at = held.packed(some) if len(some) else (torch.zeros((0, 3), dtype=torch.int64),) * 2
        columns = (prepared.schema.inputs[0], prepared.schema.targets[0])
        sizes = [pieces_of((column.state or {})["pieces"]).size for column in columns]

        def make() -> Course:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(prepared.seed)
                network = self.network(sizes[0], sizes[1])
            lecture = Lecture(network, lambda step: pairs.packed(batches.rows_of(step)), looked_at)
            steps = config.steps or 10 * batches.steps_per_epoch
            return course_with(config, lecture, loss_with(config.label_smoothing), loss_with(0.0), steps)

        return make


class Pairs:
    """Texts as pieces: source (B, S) and answers (B, T), int64 with PAD behind; every answer ends with END."""

    def __init__(self, source: np.ndarray, answers: np.ndarray):
        self.source, self.answers = source, answers

    @classmethod
    def of(cls, prepared: Prepared, part: Part) -> Pairs:
        state = prepared.schema.targets[0].state or {}
        pieces = pieces_of(state["pieces"])
        most = min(state["length"], LONGEST - 1)
        task = task_named(prepared.task)
        assert isinstance(task, Translation), "tasks that give tokens"
        coded = [[*pieces.encode(text)[: most - 1], END] for text in task.learned(part.target)]
        answers = np.full((len(coded), max((len(row) for row in coded), default=1)), PAD, dtype=np.int64)
        for row, ids in enumerate(coded):
            answers[row, : len(ids)] = ids
        source = part.feeds["pieces"][:, 0, :LONGEST].astype(np.int64)
        return cls(source, answers)

    def batches(self, config: RewritingConfig, seed: int) -> SortedBatches:
        lengths = (self.source != PAD).sum(axis=1) + (self.answers != PAD).sum(axis=1)
        return SortedBatches(np.maximum(lengths, 1), config.batch_rows, seed)

    def packed(self, rows: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
        """What the network takes, and the pieces wanted (B, T)."""
        source, wanted = _cut(self.source[rows]), _cut(self.answers[rows])
        before = np.concatenate([np.full((len(rows), 1), START), wanted[:, :-1]], axis=1)
        first = np.full((len(rows), 1), source.shape[1])
        return torch.from_numpy(np.concatenate([first, source, before], axis=1)), torch.from_numpy(wanted)


def _cut(pieces: np.ndarray) -> np.ndarray:
    """Without columns that no row needs."""
    return pieces[:, : max(1, int((pieces != PAD).sum(axis=1).max()))]


def loss_with(smoothing: float) -> Callable[[torch.Tensor, torch.Tensor], torch.Tensor]:
    """Cross-entropy a piece of the answers."""

    def loss(logits_BTV: torch.Tensor, wanted_BT: torch.Tensor) -> torch.Tensor:
        flat = logits_BTV.flatten(0, 1)
        return functional.cross_entropy(flat, wanted_BT.flatten(), ignore_index=PAD, label_smoothing=smoothing)

    return loss


def _first(part: Part, rows: int) -> Part:
    return Part({name: feed[:rows] for name, feed in part.feeds.items()}, part.target[:rows], part.rows[:rows])
