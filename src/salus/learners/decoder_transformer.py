"""A small transformer that goes on from a text, learned from texts alone.

Knows the stream that train texts make and how windows are cut out of it. The layers are in `networks/decoder.py`, how networks are
taught is in `deep`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from pydantic import Field

from salus.core.context import Context
from salus.core.errors import SalusError
from salus.data.pieces import END, PAD, START, UNKNOWN, pieces_of
from salus.learners.base import Fitted, Learner, LearnerConfig, Part, Prepared, Program, Proposal, searched
from salus.learners.deep import Lecture, TaughtConfig, course_with, quickest, refit_of, steps_within, taught, told
from salus.learners.networks.decoder import Decoder, Size, loss_of
from salus.learners.options import config_from, derived
from salus.tasks.base import Task
from salus.tasks.continuing import BEGIN, SCORE, STEP, WINDOW, gone_on
from salus.training.batches import step_generator
from salus.training.loop import Course, threads

RESERVED_SHARE = 0.06  # of the budget: scoring the rows held out
MEASURED_SHARE, MEASURED_S = 0.1, 6.0  # of the budget, at most so many seconds
HELD_WINDOWS = 24  # that early stopping looks at
OFTEN_EPOCHS, OFTEN_DROPOUT = 8, 0.1  # texts that are seen more often are learned by heart
LONG_S, WIDE = 240.0, 192  # from this budget on the wider network


class DecoderConfig(TaughtConfig):
    width: int | None = Field(None, ge=16, le=2048, description="numbers a piece; none: what the budget allows")
    layers: int = Field(4, ge=1, le=24, description="one over the other")
    heads: int = Field(3, ge=1, le=32, description="ways of looking at once")
    dropout: float = searched(0.0, 0.0, 0.4, ge=0, lt=1, description="share of numbers left out while learning")
    optimiser: Literal["sgd", "adam"] = Field("adam", description="sgd with Nesterov momentum 0.9, or adam")
    learning_rate: float = searched(
        3e-3, 5e-4, 8e-3, log=True, gt=0, le=10, description="the highest rate of the schedule"
    )
    weight_decay: float = Field(0.1, ge=0, le=1, description="how much weights shrink, times the rate, a step")
    clip_norm: float = Field(1.0, ge=0, description="longest gradient, longer ones are shortened; 0: any")
    ema: float = Field(0.99, ge=0, lt=1, description="memory of the running average of weights; 0: none")
    batch_rows: int = Field(16, ge=2, le=8192, description=f"windows of {WINDOW} pieces a step")


class DecoderFitted(Fitted):
    program: Program = "continuation"

    def __init__(self, network: Decoder, threads_: int, details: dict[str, Any], refit: Mapping[str, Any]):
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

    def __init__(self, network: Decoder):
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
        tokens_BT = np.concatenate([feeds["cache_tokens"], feeds["token"]], axis=1)[:, -WINDOW:]
        return [self._network(torch.from_numpy(tokens_BT))[:, -1].float().numpy(), tokens_BT]

    def run_kept(self, graph: str, feeds: Mapping[str, Any], outputs: Sequence[str]) -> list[Any]:
        return list(self.run(graph, feeds, outputs))

    def read(self, value: Any) -> np.ndarray:
        return np.asarray(value)


class DecoderTransformer(Learner):
    name: ClassVar[str] = "decoder_transformer"
    Config: ClassVar[type[LearnerConfig]] = DecoderConfig
    config: DecoderConfig

    @classmethod
    def learns(cls, task: Task, kinds: frozenset[str]) -> bool:
        return task.output == "written" and not task.plain

    @classmethod
    def propose(cls, prepared: Prepared, options: Mapping[str, Any], budget_s: float, context: Context) -> Proposal:
        config = decided(config_from(DecoderConfig, options, cls.name), budget_s)
        limit_s = min(MEASURED_S, MEASURED_SHARE * budget_s)
        config, step_s, notes = quickest(config, lambda c: making(c, prepared), prepared, limit_s, context)
        epoch = _epoch(stream_of(prepared.train), config)
        steps = config.steps or steps_within(budget_s * (1 - RESERVED_SHARE) - limit_s, step_s, epoch)
        kept = derived(config, options, {"dropout": OFTEN_DROPOUT if steps > OFTEN_EPOCHS * epoch else 0.0})
        chosen = kept.model_copy(update={"steps": steps})
        told_of = {"step_ms": notes, "epochs": round(steps / epoch, 2)}
        return Proposal(chosen.model_dump(mode="json"), round(steps * step_s, 3), told_of)

    def fit(self, prepared: Prepared, context: Context) -> Fitted:
        config = decided(self.config, 0.0)
        course, progress = taught(self.name, config, prepared, making(config, prepared), context)
        network = course.network
        assert isinstance(network, Decoder)
        details = told(course, progress, _epoch(stream_of(prepared.train), config))
        return DecoderFitted(network.eval(), prepared.threads, details, refit_of(course, progress))


def decided(config: DecoderConfig, budget_s: float) -> DecoderConfig:
    """The config with a width."""
    width = WIDE if budget_s >= LONG_S else WIDE // 2
    config = config if config.width is not None else config.model_copy(update={"width": width})
    assert config.width is not None, "decided"
    if config.width % (2 * config.heads):
        raise SalusError(
            "bad_spec", where="option 'width'", expected=f"a multiple of {2 * config.heads}", found=config.width
        )
    return config


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


def making(config: DecoderConfig, prepared: Prepared) -> Callable[[], Course]:
    """What begins the fit, as often as it must be begun."""
    stream = stream_of(prepared.train)
    if len(stream) < 2:
        raise SalusError("too_few_rows", where="the texts", expected=2, found=len(stream))
    size = min(WINDOW, len(stream) - 1)
    held = stream_of(prepared.validation) if len(prepared.validation) else stream[:0]
    ends = np.arange(0, max(0, len(held) - size - 1), size)
    chosen = (
        ends[np.unique(np.linspace(0, max(0, len(ends) - 1), HELD_WINDOWS).astype(np.int64))] if len(ends) else ends
    )
    looked_at = _windows(held, chosen, size)
    state = prepared.schema.targets[0].state or {}

    def batch(step: int) -> tuple[torch.Tensor, torch.Tensor]:
        starts = step_generator(prepared.seed, step).integers(0, len(stream) - size, config.batch_rows)
        return _windows(stream, starts, size)

    def make() -> Course:
        assert config.width is not None, "decided"
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(prepared.seed)
            sizes = Size(config.layers, config.width, config.heads, 4 * config.width, config.dropout)
            network = Decoder(pieces_of(state["pieces"]).size, sizes)
        steps = config.steps or 10 * _epoch(stream, config)
        return course_with(config, Lecture(network, batch, looked_at), loss_of, loss_of, steps)

    return make


def _windows(stream: np.ndarray, starts: np.ndarray, size: int) -> tuple[torch.Tensor, torch.Tensor]:
    """(B, T) pieces, and the pieces after each."""
    places = starts[:, None] + np.arange(size + 1)
    tokens = torch.from_numpy(stream[places] if len(starts) else np.zeros((0, size + 1), dtype=np.int64))
    return tokens[:, :-1], tokens[:, 1:]


def _epoch(stream: np.ndarray, config: DecoderConfig) -> int:
    return max(1, len(stream) // (WINDOW * config.batch_rows))
