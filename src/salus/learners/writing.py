"""What learners share that go on from a text, learned from texts alone.

Knows the stream that train texts make, how windows are cut out of it, and the three graphs that write. Does not know which network: a
learner says. How networks are taught is in `deep`.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol

import numpy as np
import torch
from pydantic import Field
from torch import nn
from torch.nn import functional

from salus.core.context import Context
from salus.core.errors import SalusError
from salus.data.pieces import END, PAD, START, UNKNOWN, pieces_of
from salus.learners.base import Fitted, Learner, Part, Prepared, Program, Proposal, searched
from salus.learners.deep import Lecture, TaughtConfig, course_with, quickest, refit_of, steps_within, taught, told
from salus.learners.options import config_from, derived
from salus.tasks.base import Task
from salus.tasks.continuing import BEGIN, SCORE, STEP, WINDOW, gone_on
from salus.training.batches import step_generator
from salus.training.loop import Course, threads

RESERVED_SHARE = 0.06  # of the budget: scoring the rows held out
MEASURED_SHARE, MEASURED_S = 0.1, 6.0  # of the budget, at most so many seconds
HELD_WINDOWS = 24  # that early stopping looks at
LONG_S = 240.0  # from this budget on the wider network
OFTEN_EPOCHS, OFTEN_DROPOUT = 8, 0.1  # texts that are seen more often are learned by heart


class WritingConfig(TaughtConfig):
    """Options of every network that goes on from a text."""

    width: int | None = Field(None, ge=16, le=2048, description="numbers a piece; none: what the budget allows")
    layers: int = Field(2, ge=1, le=24, description="one over the other")
    dropout: float = searched(0.0, 0.0, 0.4, ge=0, lt=1, description="share of numbers left out while learning")
    optimiser: Literal["sgd", "adam"] = Field("adam", description="sgd with Nesterov momentum 0.9, or adam")
    learning_rate: float = searched(
        3e-3, 5e-4, 8e-3, log=True, gt=0, le=10, description="the highest rate of the schedule"
    )
    weight_decay: float = Field(0.1, ge=0, le=1, description="how much weights shrink, times the rate, a step")
    clip_norm: float = Field(1.0, ge=0, description="longest gradient, longer ones are shortened; 0: any")
    ema: float = Field(0.99, ge=0, lt=1, description="memory of the running average of weights; 0: none")
    batch_rows: int = Field(16, ge=2, le=8192, description=f"windows of {WINDOW} pieces a step")


class Writer(Protocol):
    """A network: pieces int64 (B, T) -> logits (B, T, V) of the piece after each; and its graphs, see `salus.tasks.continuing`."""

    @property
    def sees(self) -> int:
        """Pieces that a step of its graph knows of at most."""

    def __call__(self, pieces_BT: torch.Tensor) -> torch.Tensor: ...
    def begin_graph(self) -> bytes: ...
    def step_graph(self) -> bytes: ...
    def score_graph(self) -> bytes: ...


class WritingFitted(Fitted):
    program: Program = "continuation"

    def __init__(self, network: Writer, threads_: int, details: dict[str, Any], refit: Mapping[str, Any]):
        self._network, self._threads = network, threads_
        self.details = details
        self.refit = refit

    def raw(self, feeds: Mapping[str, np.ndarray]) -> np.ndarray:
        with threads(self._threads), torch.inference_mode():
            return gone_on(_InTorch(self._network), feeds)

    def graphs(self, folder: Path) -> dict[str, bytes]:
        network = self._network
        return {BEGIN: network.begin_graph(), STEP: network.step_graph(), SCORE: network.score_graph()}


class _InTorch:
    """The graphs as torch computes them: the cache is all that was read, which is read anew at every step."""

    def __init__(self, network: Writer):
        self._network = network

    def outputs(self, graph: str) -> tuple[str, ...]:
        return ("cache_tokens",) if graph == BEGIN else ()

    def run(self, graph: str, feeds: Mapping[str, np.ndarray], outputs: Sequence[str]) -> list[np.ndarray]:
        if graph == BEGIN:
            return [np.zeros((len(feeds["pieces"]), 0), dtype=np.int64)]
        if graph == SCORE:
            tokens = torch.from_numpy(feeds["tokens"])
            logs = self._network(tokens[:, :-1]).float().log_softmax(dim=-1)
            return [-logs.gather(2, tokens[:, 1:, None])[:, :, 0].numpy()]
        tokens_BT = np.concatenate([feeds["cache_tokens"], feeds["token"]], axis=1)[:, -self._network.sees :]
        return [self._network(torch.from_numpy(tokens_BT))[:, -1].float().numpy(), tokens_BT]

    def run_kept(self, graph: str, feeds: Mapping[str, Any], outputs: Sequence[str]) -> list[Any]:
        return list(self.run(graph, feeds, outputs))

    def read(self, value: Any) -> np.ndarray:
        return np.asarray(value)


class WritingLearner(Learner):
    """A learner whose network `network` makes."""

    Config: ClassVar[type[WritingConfig]] = WritingConfig
    WIDE: ClassVar[int]  # the width for long budgets; half of it for short ones
    config: WritingConfig

    @abstractmethod
    def network(self, pieces: int) -> nn.Module:
        """New weights of a `Writer` for so many different pieces, drawn from torch's generator."""

    @classmethod
    def decided(cls, config: Any, budget_s: float) -> Any:
        """The config with a width, if need be one that this time is enough for. Raises `bad_spec`."""
        width = config.width or (cls.WIDE if budget_s >= LONG_S else cls.WIDE // 2)
        return config.model_copy(update={"width": width})

    @classmethod
    def learns(cls, task: Task, kinds: frozenset[str]) -> bool:
        return task.output == "written" and not task.plain

    @classmethod
    def propose(cls, prepared: Prepared, options: Mapping[str, Any], budget_s: float, context: Context) -> Proposal:
        config = cls.decided(config_from(cls.Config, options, cls.name), budget_s)
        limit_s = min(MEASURED_S, MEASURED_SHARE * budget_s)
        config, step_s, notes = quickest(config, lambda c: cls(c).making(prepared), prepared, limit_s, context)
        epoch = _epoch(stream_of(prepared.train), config)
        steps = config.steps or steps_within(budget_s * (1 - RESERVED_SHARE) - limit_s, step_s, epoch)
        kept = derived(config, options, {"dropout": OFTEN_DROPOUT if steps > OFTEN_EPOCHS * epoch else 0.0})
        chosen = kept.model_copy(update={"steps": steps})
        told_of = {"step_ms": notes, "epochs": round(steps / epoch, 2)}
        return Proposal(chosen.model_dump(mode="json"), round(steps * step_s, 3), told_of)

    def fit(self, prepared: Prepared, context: Context) -> Fitted:
        learner = type(self)(self.decided(self.config, 0.0))
        course, progress = taught(self.name, learner.config, prepared, learner.making(prepared), context)
        network: Any = course.network
        details = told(course, progress, _epoch(stream_of(prepared.train), self.config))
        return WritingFitted(network.eval(), prepared.threads, details, refit_of(course, progress))

    def making(self, prepared: Prepared) -> Callable[[], Course]:
        """What begins the fit, as often as it must be begun."""
        config, stream = self.config, stream_of(prepared.train)
        if len(stream) < 2:
            raise SalusError("too_few_rows", where="the texts", expected=2, found=len(stream))
        size = min(WINDOW, len(stream) - 1)
        looked_at = _looked_at(prepared.validation, size)
        state = prepared.schema.targets[0].state or {}

        def batch(step: int) -> tuple[torch.Tensor, torch.Tensor]:
            generator = step_generator(prepared.seed, step)
            starts = generator.integers(0, len(stream) - size, config.batch_rows)
            return _windows(stream, starts, size)

        def make() -> Course:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(prepared.seed)
                network = self.network(pieces_of(state["pieces"]).size)
            steps = config.steps or 10 * _epoch(stream, config)
            return course_with(config, Lecture(network, batch, looked_at), loss_of, loss_of, steps)

        return make


def stream_of(part: Part) -> np.ndarray:
    """All texts one after the other, int64 (N,). A text without one before it begins with START, and END stands before such a one."""
    pieces = part.feeds["pieces"]
    rows: list[np.ndarray] = []
    order = np.argsort(part.rows, kind="stable")
    for place in order.tolist():
        prompt, text = pieces[place]
        if not np.any(prompt > UNKNOWN):
            rows.append(np.array([END, START] if rows else [START], dtype=np.int64))
        rows.append(text[text != PAD].astype(np.int64))
    return np.concatenate([*rows, np.array([END], dtype=np.int64)])


def _looked_at(part: Part, size: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Some windows of the rows held out, for early stopping."""
    held = stream_of(part) if len(part) else np.zeros(0, dtype=np.int64)
    starts = np.arange(0, max(0, len(held) - size - 1), size)
    if len(starts):
        starts = starts[np.unique(np.linspace(0, len(starts) - 1, HELD_WINDOWS).astype(np.int64))]
    return _windows(held, starts, size)


def _windows(stream: np.ndarray, starts: np.ndarray, size: int) -> tuple[torch.Tensor, torch.Tensor]:
    """(B, T) pieces, and the pieces after each."""
    places = starts[:, None] + np.arange(size + 1)
    tokens = torch.from_numpy(stream[places] if len(starts) else np.zeros((0, size + 1), dtype=np.int64))
    return tokens[:, :-1], tokens[:, 1:]


def _epoch(stream: np.ndarray, config: WritingConfig) -> int:
    return max(1, len(stream) // (WINDOW * config.batch_rows))


def loss_of(logits_BTV: torch.Tensor, wanted_BT: torch.Tensor) -> torch.Tensor:
    """Nats a piece."""
    return functional.cross_entropy(logits_BTV.flatten(0, 1), wanted_BT.flatten(), ignore_index=PAD)
