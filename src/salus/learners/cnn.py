"""Convolutional networks: pictures to classes or numbers.

Knows which network, which changes of pictures and how many steps fit a budget. How networks are taught is in `deep` and `training`, the layers are
in `networks`, the graph is made in `picture_graph`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from pydantic import Field
from torch import nn

from salus.core.context import Context
from salus.core.durable import write_file
from salus.core.errors import SalusError
from salus.learners.base import Fitted, Learner, LearnerConfig, Part, Prepared, Proposal, searched
from salus.learners.deep import (
    DeepConfig,
    Goal,
    Lecture,
    course_of,
    measured_step_s,
    quickest,
    refit_of,
    steps_within,
    taught,
    told,
    widest,
)
from salus.learners.networks.fast import FastNetwork
from salus.learners.networks.recipe import MIN_SIDE, RecipeNetwork
from salus.learners.options import config_from
from salus.learners.picture_graph import Answering, answers, graph_of, saliency_of, seen_of
from salus.learners.pictures import flips_hurt, pixel_statistics, pixels_of, reduced, reduction_of
from salus.tasks.base import Task
from salus.training.augmentation import Augmentation
from salus.training.batches import Batches, step_generator
from salus.training.loop import Course, threads

RESERVED_SHARE = 0.08  # of the budget: export and validation
MEASURED_SHARE = 0.1  # of the budget, at most this many seconds:
MEASURED_S = 3.0
WIDTHS = (16, 24, 32, 48)
COST_POWER = 1.4  # measured: a step with twice the width takes 2.6 times as long
WIDE_EPOCHS = 8

Switch = Literal["auto", "on", "off"]


class CnnConfig(DeepConfig):
    network: Literal["fast", "recipe"] = Field("fast", description="which layers")
    width: int | None = Field(
        None,
        ge=4,
        le=1024,
        description="channels of the first layer, later ones are multiples; none: what the budget allows",
    )
    flip: Switch = Field(
        "auto", description="mirror pictures left and right; auto: unless neighbours show that it hurts"
    )
    flip_average: Switch = Field("auto", description="answer the mean of a picture and its mirror; auto: as flip")
    shift: float = searched(
        0.0625, 0.0, 0.2, ge=0, le=0.5, description="most share of a side by which pictures are moved"
    )
    rotation_degrees: float = Field(0.0, ge=0, le=180, description="most degrees by which pictures are turned")
    cutout: float = searched(
        0.0, 0.0, 0.5, ge=0, le=0.9, description="side of a square that is blanked, as a share; 0: none"
    )


class CnnFitted(Fitted):
    """The network as it answers, folded, float32."""

    def __init__(self, answering: Answering, threads_: int, details: dict[str, Any], refit: Mapping[str, Any]):
        self._answering = answering
        self._threads = threads_
        self.details = details
        self.refit = refit

    def raw(self, feeds: Mapping[str, np.ndarray]) -> np.ndarray:
        with threads(self._threads):
            return answers(self._answering, feeds)

    def export(self, path: Path) -> None:
        write_file(path, graph_of(self._answering))

    def saliency_graph(self) -> bytes | None:
        return saliency_of(self._answering)

    def seen_graph(self) -> bytes:
        """Its scores and features as one graph (see `seen_of`); of the network `fast` alone."""
        return seen_of(self._answering)


class Cnn(Learner):
    name: ClassVar[str] = "cnn"
    Config: ClassVar[type[LearnerConfig]] = CnnConfig
    config: CnnConfig

    @classmethod
    def learns(cls, task: Task, kinds: frozenset[str]) -> bool:
        return task.plain and kinds == {"image"}

    @classmethod
    def propose(cls, prepared: Prepared, options: Mapping[str, Any], budget_s: float, context: Context) -> Proposal:
        config = decided(config_from(CnnConfig, options, cls.name), prepared)
        pixels = Pixels.of(config, prepared)
        limit_s = min(MEASURED_S, MEASURED_SHARE * budget_s)
        left_s = budget_s * (1 - RESERVED_SHARE) - limit_s
        epoch = Batches(len(prepared.train), config.batch_rows, prepared.seed).steps_per_epoch
        config, step_s, notes = quickest(config, lambda c: making(c, prepared, pixels), prepared, limit_s / 2, context)
        width = config.width
        if options.get("width") is None:
            width = widest(WIDTHS, left_s / (epoch * step_s), COST_POWER, WIDE_EPOCHS)
        if width != config.width:
            config = config.model_copy(update={"width": width})
            count = config.threads or prepared.threads
            step_s = measured_step_s(making(config, prepared, pixels), count, limit_s / 4, context)
        steps = config.steps or steps_within(left_s, step_s, epoch)
        chosen = config.model_copy(update={"steps": steps})
        told_of = {"step_ms": notes, "epochs": round(steps / epoch, 2)}
        return Proposal(chosen.model_dump(mode="json"), round(steps * step_s, 3), told_of)

    def fit(self, prepared: Prepared, context: Context) -> Fitted:
        config = decided(self.config, prepared)
        pixels = Pixels.of(config, prepared)
        course, progress = taught(self.name, config, prepared, making(config, prepared, pixels), context)
        answering = Answering.of(course.network, prepared, pixels.reduction, config.flip_average == "on")
        epoch = Batches(len(prepared.train), config.batch_rows, prepared.seed).steps_per_epoch
        details = told(course, progress, epoch) | {"flip": config.flip}
        return CnnFitted(answering, prepared.threads, details, refit_of(course, progress))


@dataclass(frozen=True)
class Pixels:
    """Pictures as the network sees them, uint8 (B, H, W, C), shrunk `reduction` times."""

    train: np.ndarray
    held: np.ndarray
    reduction: int

    @classmethod
    def of(cls, config: CnnConfig, prepared: Prepared) -> Pixels:
        height, width = pixels_of(prepared.train.feeds).shape[1:3]
        factor = reduction_of(height, width) if config.network == "fast" else 1
        return cls(_reduced(prepared.train, factor), _reduced(prepared.validation, factor), factor)


def _reduced(part: Part, factor: int) -> np.ndarray:
    return reduced(pixels_of(part.feeds), factor)


def decided(config: CnnConfig, prepared: Prepared) -> CnnConfig:
    """The config without open questions but steps (none: ten epochs) and precision (auto: what the processor has)."""
    changes: dict[str, Any] = {"width": config.width or WIDTHS[0]}
    if config.flip == "auto":
        changes["flip"] = "off" if flips_hurt(prepared) else "on"
    if config.flip_average == "auto":
        changes["flip_average"] = changes.get("flip", config.flip)
    return config.model_copy(update=changes)


def making(config: CnnConfig, prepared: Prepared, pixels: Pixels) -> Callable[[], Course]:
    """What begins the fit, as often as it must be begun."""
    goal = Goal.of(prepared)
    table, target = torch.from_numpy(pixels.train), goal.values(prepared.train.target)
    held = torch.from_numpy(pixels.held).permute(0, 3, 1, 2), goal.values(prepared.validation.target)
    batches = Batches(len(prepared.train), config.batch_rows, prepared.seed)
    mean, deviation = pixel_statistics(pixels.train)
    augmentation = Augmentation(
        config.flip == "on", config.shift, config.rotation_degrees, prepared.seed, config.cutout, round(mean)
    )

    def batch(step: int) -> tuple[torch.Tensor, torch.Tensor]:
        rows = batches.rows_of(step)
        generator = step_generator(prepared.seed, step)
        inputs = augmentation.apply(table, rows, batches.epoch_of(step), generator)
        wanted = target[torch.from_numpy(rows)]
        return goal.mixed(inputs, wanted, config.mixup, generator) if config.mixup > 0 else (inputs, wanted)

    def make() -> Course:
        network = _network(config, prepared, pixels.train.shape[1:], (mean, deviation))
        return course_of(config, Lecture(network, batch, held), goal, config.steps or 10 * batches.steps_per_epoch)

    return make


def _network(
    config: CnnConfig, prepared: Prepared, shape_HWC: tuple[int, ...], statistics: tuple[float, float]
) -> nn.Module:
    """New weights, which follow from the seed."""
    height, width, channels = shape_HWC
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
            network = FastNetwork((height, width, channels), prepared.classes, config.width, *statistics)
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]
