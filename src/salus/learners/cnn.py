"""Convolutional networks: pictures to classes or numbers.

Knows how a network is taught pictures: which options, how many steps fit a budget. The loop is in `training`, the layers are
in `networks`, the graph is made in `picture_graph`.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from pydantic import Field
from torch import nn
from torch.nn import functional

from salus.core.context import Context
from salus.core.durable import write_file
from salus.core.errors import SalusError
from salus.core.wire import canonical, digest
from salus.learners.base import Fitted, Learner, LearnerConfig, Prepared, Proposal
from salus.learners.networks.fast import FastNetwork
from salus.learners.networks.recipe import MIN_SIDE, RecipeNetwork
from salus.learners.options import config_from
from salus.learners.picture_graph import Answering, answers, graph_of
from salus.learners.pictures import flips_hurt, pixel_statistics, pixels_of, reduced, reduction_of
from salus.training.augmentation import Augmentation
from salus.training.batches import Batches, step_generator
from salus.training.checkpoints import Checkpoint
from salus.training.loop import Course, has_fast_bf16, learn, one_step, threads
from salus.training.optimisers import Average, make_optimiser
from salus.training.schedule import rate_at

WHERE = "the learner cnn"
RESERVED_SHARE = 0.08  # of the budget: export and validation
MEASURED_SHARE = 0.1  # of the budget, at most this many seconds:
MEASURED_S = 3.0
MAX_EPOCHS = 60
ENOUGH_STEPS = 600  # even when these are more epochs
WARM_STEPS = 3
FEWEST_STEPS = 8
WIDTHS = (16, 24, 32, 48)
COST_POWER = 1.4  # measured: a step with twice the width takes 2.6 times as long
WIDE_EPOCHS = 8

Switch = Literal["auto", "on", "off"]


class CnnConfig(LearnerConfig):
    network: Literal["fast", "recipe"] = Field("fast", description="which layers")
    width: int | None = Field(
        None,
        ge=4,
        le=1024,
        description="channels of the first layer, later ones are multiples; none: what the budget allows",
    )
    steps: int | None = Field(
        None, ge=1, le=10_000_000, description="batches to learn from; none: what the budget allows"
    )
    batch_rows: int = Field(128, ge=2, le=8192, description="pictures a step")
    optimiser: Literal["sgd", "adam"] = Field("sgd", description="sgd with Nesterov momentum 0.9, or adam")
    learning_rate: float = Field(0.2, gt=0, le=10, description="the highest rate of the schedule")
    schedule: Literal["one-cycle", "constant"] = Field("one-cycle", description="how the rate changes over the steps")
    weight_decay: float = Field(5e-4, ge=0, le=1, description="how much weights shrink, times the rate, a step")
    label_smoothing: float = Field(0.1, ge=0, lt=1, description="share of a label that is given to all classes")
    flip: Switch = Field(
        "auto", description="mirror pictures left and right; auto: unless neighbours show that it hurts"
    )
    flip_average: Switch = Field("auto", description="answer the mean of a picture and its mirror; auto: as flip")
    shift: float = Field(0.0625, ge=0, le=0.5, description="most share of a side by which pictures are moved")
    rotation_degrees: float = Field(0.0, ge=0, le=180, description="most degrees by which pictures are turned")
    precision: Literal["auto", "bf16", "float32"] = Field("auto", description="numbers to compute with while learning")
    ema: float = Field(0.99, ge=0, lt=1, description="memory of the running average of weights; 0: none")


class CnnFitted(Fitted):
    """The network as it answers, folded, float32."""

    def __init__(self, answering: Answering, threads_: int, details: dict[str, Any]):
        self._answering = answering
        self._threads = threads_
        self.details = details

    def raw(self, feeds: Mapping[str, np.ndarray]) -> np.ndarray:
        with threads(self._threads):
            return answers(self._answering, feeds)

    def export(self, path: Path) -> None:
        write_file(path, graph_of(self._answering))


class Cnn(Learner):
    name: ClassVar[str] = "cnn"
    Config: ClassVar[type[LearnerConfig]] = CnnConfig
    config: CnnConfig

    @classmethod
    def learns(cls, classification: bool, kinds: frozenset[str]) -> bool:
        return kinds == {"image"}

    @classmethod
    def propose(cls, prepared: Prepared, options: Mapping[str, Any], budget_s: float, context: Context) -> Proposal:
        config = decided(config_from(CnnConfig, options, cls.name), prepared)
        pixels = pixels_seen(config, prepared)
        limit_s = min(MEASURED_S, MEASURED_SHARE * budget_s)
        left_s = budget_s * (1 - RESERVED_SHARE) - limit_s
        epoch = Batches(len(prepared.train), config.batch_rows, prepared.seed).steps_per_epoch
        if options.get("width") is None:
            narrow_s = measure_step_s(config, prepared, pixels, limit_s / 3, context)
            config = config.model_copy(update={"width": _width_for(left_s / (epoch * narrow_s))})
        precisions = [config.precision]
        if config.precision == "auto":
            precisions = ["float32", "bf16"] if has_fast_bf16() else ["float32"]
        costs = {}
        for precision in precisions:
            trial = config.model_copy(update={"precision": precision})
            costs[precision] = measure_step_s(trial, prepared, pixels, limit_s / 3, context)
        precision = min(costs, key=lambda name: costs[name])
        affordable = max(1, int(left_s / costs[precision]))
        steps = config.steps or min(affordable, max(MAX_EPOCHS * epoch, ENOUGH_STEPS))
        chosen = config.model_copy(update={"precision": precision, "steps": steps})
        notes = {"step_ms": {name: round(cost * 1000, 2) for name, cost in costs.items()}, "epochs": steps / epoch}
        return Proposal(chosen.model_dump(mode="json"), round(steps * costs[precision], 3), notes)

    def fit(self, prepared: Prepared, context: Context) -> Fitted:
        config = decided(self.config, prepared)
        with threads(prepared.threads):
            course = course_for(config, prepared, pixels_seen(config, prepared))
            course.checkpoint = _checkpoint(config, prepared, context)
            curve = learn(course, context, WHERE)
        answering = Answering.of(course.network, prepared, reduction(config, prepared), config.flip_average == "on")
        if not all(bool(torch.isfinite(tensor).all()) for tensor in answering.state_dict().values()):
            raise SalusError("network_diverged", where=WHERE)
        weights = sum(parameter.numel() for parameter in course.network.parameters())
        details = {"steps": course.steps, "epochs": round(course.steps / _epoch(config, prepared), 2), "curve": curve}
        return CnnFitted(answering, prepared.threads, details | {"weights": weights, "flip": config.flip})


def decided(config: CnnConfig, prepared: Prepared) -> CnnConfig:
    """The config without open questions but steps (none: ten epochs) and precision (auto: what the processor has)."""
    changes: dict[str, Any] = {"width": config.width or WIDTHS[0]}
    if config.flip == "auto":
        changes["flip"] = "off" if flips_hurt(prepared) else "on"
    if config.flip_average == "auto":
        changes["flip_average"] = changes.get("flip", config.flip)
    return config.model_copy(update=changes)


def _width_for(epochs: float) -> int:
    """The widest that still sees the pictures often enough, when the narrowest would see them `epochs` times."""
    allowed = [width for width in WIDTHS if epochs / (width / WIDTHS[0]) ** COST_POWER >= WIDE_EPOCHS]
    return max(allowed, default=WIDTHS[0])


def reduction(config: CnnConfig, prepared: Prepared) -> int:
    """By how much pictures are shrunk, in training once and in the graph every time."""
    height, width = pixels_of(prepared.train.feeds).shape[1:3]
    return reduction_of(height, width) if config.network == "fast" else 1


def pixels_seen(config: CnnConfig, prepared: Prepared) -> np.ndarray:
    """The train pictures as the network sees them, uint8 (B, H, W, C)."""
    return reduced(pixels_of(prepared.train.feeds), reduction(config, prepared))


def course_for(config: CnnConfig, prepared: Prepared, pixels_BHWC: np.ndarray) -> Course:
    """Everything the loop needs."""
    pixels = torch.from_numpy(pixels_BHWC)
    batches = Batches(len(prepared.train), config.batch_rows, prepared.seed)
    augmentation = Augmentation(config.flip == "on", config.shift, config.rotation_degrees, prepared.seed)
    network = _network(config, prepared, pixels_BHWC)
    target, loss = _goal(config, prepared)
    steps = config.steps or 10 * batches.steps_per_epoch

    def batch(step: int) -> tuple[torch.Tensor, torch.Tensor]:
        rows = batches.rows_of(step)
        generator = step_generator(prepared.seed, step)
        return augmentation.apply(pixels, rows, batches.epoch_of(step), generator), target[torch.from_numpy(rows)]

    return Course(
        network=network,
        optimiser=make_optimiser(config.optimiser, network, config.weight_decay),
        batch=batch,
        loss=loss,
        rate=lambda step: rate_at(config.schedule, step, steps, config.learning_rate),
        steps=steps,
        average=Average(network, config.ema) if config.ema > 0 else None,
        precision=("bf16" if has_fast_bf16() else "float32") if config.precision == "auto" else config.precision,
    )


def measure_step_s(
    config: CnnConfig, prepared: Prepared, pixels: np.ndarray, limit_s: float, context: Context
) -> float:
    """Seconds of a step after the first few: the lower quartile, since what else runs makes some steps slow and none fast."""
    with threads(prepared.threads):
        course = course_for(config, prepared, pixels)
        course.network.train()
        began, seconds = time.monotonic(), list[float]()
        while len(seconds) < WARM_STEPS + FEWEST_STEPS or time.monotonic() - began < limit_s:
            context.stop_if_asked(WHERE)
            step_began = time.perf_counter()
            one_step(course, len(seconds))
            seconds.append(time.perf_counter() - step_began)
            if len(seconds) > WARM_STEPS and time.monotonic() - began > 2 * limit_s:
                break  # steps so long that a few must do
        return max(1e-6, float(np.quantile(seconds[WARM_STEPS:], 0.25)))


def _epoch(config: CnnConfig, prepared: Prepared) -> int:
    return Batches(len(prepared.train), config.batch_rows, prepared.seed).steps_per_epoch


def _network(config: CnnConfig, prepared: Prepared, pixels: np.ndarray) -> nn.Module:
    """New weights, which follow from the seed."""
    height, width, channels = pixels.shape[1:]
    assert config.width is not None, "decided"
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(prepared.seed)
        if config.network == "recipe":
            if min(height, width) < MIN_SIDE:
                raise SalusError(
                    "network_picture_small", where="the network recipe", expected=MIN_SIDE, found=min(height, width)
                )
            network: nn.Module = RecipeNetwork((height, width, channels), prepared.classes, config.width)
        else:
            mean, deviation = pixel_statistics(pixels)
            network = FastNetwork((height, width, channels), prepared.classes, config.width, mean, deviation)
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]


def _goal(config: CnnConfig, prepared: Prepared) -> tuple[torch.Tensor, Any]:
    """Targets as the loss takes them, and the loss. Numbers are learned standardised; `Answering` undoes it."""
    if prepared.classification:
        smoothing = config.label_smoothing
        return torch.from_numpy(prepared.train.target.astype(np.int64)), lambda scores, codes: functional.cross_entropy(
            scores, codes, label_smoothing=smoothing
        )
    mean, deviation = Answering.target_scale(prepared)
    return torch.from_numpy(((prepared.train.target - mean) / deviation).astype(np.float32)), functional.mse_loss


def _checkpoint(config: CnnConfig, prepared: Prepared, context: Context) -> Checkpoint | None:
    """Named after all that decides the fit."""
    rows = digest(np.ascontiguousarray(prepared.train.rows).tobytes())
    fit = {"config": config.model_dump(mode="json"), "rows": rows, "seed": prepared.seed, "threads": prepared.threads}
    key = digest(canonical(fit))
    path = context.checkpoint_path(f"cnn-{key[:16]}")
    return None if path is None else Checkpoint(path, key)
