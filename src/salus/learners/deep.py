"""What all learners of networks share: options of teaching, goals, early stopping, steps for a budget, memory that runs short.

Knows the loop in `training`. Does not know pictures or recordings: a learner gives its network and its batches.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import numpy as np
import torch
from pydantic import Field
from torch import nn
from torch.nn import functional

from salus.core.context import Context
from salus.core.errors import SalusError
from salus.core.wire import canonical, digest
from salus.learners.base import LearnerConfig, Prepared, searched
from salus.training.checkpoints import Checkpoint
from salus.training.loop import Course, Progress, Watch, learn, one_step, threads
from salus.training.machine import device, has_fast_bf16, is_out_of_memory
from salus.training.optimisers import Average, make_optimiser
from salus.training.schedule import rate_at

CHECKS = 20  # looks at the rows held out in a fit
HELD_ROWS = (20, 1000)  # fewer rows held out tell too little; more cost too much
HELD_CHUNK_ROWS = 250
WARM_STEPS = 3
FEWEST_STEPS = 8
MAX_EPOCHS = 60
ENOUGH_STEPS = 600  # even when these are more epochs


class TaughtConfig(LearnerConfig):
    """Options of every network, whatever its goal."""

    steps: int | None = Field(
        None, ge=1, le=10_000_000, description="batches to learn from; none: what the budget allows"
    )
    last_step: int | None = Field(
        None, ge=1, description="the batch after which it ends before its schedule does; none: not before"
    )
    batch_rows: int = Field(128, ge=2, le=8192, description="pictures or windows a step")
    optimiser: Literal["sgd", "adam"] = Field("sgd", description="sgd with Nesterov momentum 0.9, or adam")
    learning_rate: float = searched(
        0.4, 0.05, 1.0, log=True, gt=0, le=10, description="the highest rate of the schedule"
    )
    schedule: Literal["one-cycle", "cosine", "constant"] = Field(
        "one-cycle", description="how the rate changes over the steps"
    )
    weight_decay: float = searched(
        5e-4, 1e-5, 5e-3, log=True, ge=0, le=1, description="how much weights shrink, times the rate, a step"
    )
    clip_norm: float = Field(0.0, ge=0, description="longest gradient, longer ones are shortened; 0: any")
    patience: int = Field(
        8, ge=0, le=CHECKS, description=f"checks of {CHECKS} without a better loss on rows held out; 0: all steps"
    )
    precision: Literal["auto", "bf16", "float32"] = Field("auto", description="numbers to compute with while learning")
    threads: int | None = Field(
        None, ge=1, le=1024, description="threads to learn with; none: those of the run, or one where it is quicker"
    )
    ema: float = Field(0.99, ge=0, lt=1, description="memory of the running average of weights; 0: none")


class DeepConfig(TaughtConfig):
    """Options of networks that answer with a label or numbers."""

    label_smoothing: float = Field(0.1, ge=0, lt=1, description="share of a label that is given to all classes")
    mixup: float = Field(0.0, ge=0, le=10, description="strength of mixing pairs (alpha of the beta law); 0: none")


D = TypeVar("D", bound=TaughtConfig)
Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]  # output and target -> scalar


@dataclass(frozen=True)
class Goal:
    """What is learned. values: a target a row of train, codes (B,) or standardised numbers (B, M); mean, deviation: (M,) of numbers."""

    classification: bool
    classes: int
    mean: np.ndarray
    deviation: np.ndarray

    @classmethod
    def of(cls, prepared: Prepared) -> Goal:
        target = np.asarray(prepared.train.target, dtype=np.float64).reshape(len(prepared.train), -1)
        return cls(
            prepared.classification,
            prepared.classes,
            target.mean(axis=0),
            np.maximum(target.std(axis=0), 1e-12),
        )

    def values(self, target: np.ndarray) -> torch.Tensor:
        if self.classification:
            return torch.from_numpy(target.astype(np.int64))
        return torch.from_numpy(((target - self.mean) / self.deviation).astype(np.float32))

    def loss(self, smoothing: float) -> Callable[[torch.Tensor, torch.Tensor], torch.Tensor]:
        """Cross-entropy for codes or shares of classes, squared error for numbers."""
        if self.classification:
            return lambda scores, wanted: functional.cross_entropy(scores, wanted, label_smoothing=smoothing)
        return functional.mse_loss

    def mixed(
        self, inputs: torch.Tensor, wanted: torch.Tensor, strength: float, generator: np.random.Generator
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Every row a blend with another one of the batch, and so its target (Zhang et al. 2018, mixup)."""
        share = float(generator.beta(strength, strength))
        if self.classification:
            wanted = functional.one_hot(wanted, self.classes).float()
        inputs = inputs.float()
        return inputs.lerp(inputs.flip(0), share), wanted.lerp(wanted.flip(0), share)


@dataclass(frozen=True)
class Lecture:
    """What a learner gives to be taught. batch: step -> inputs and target. held: inputs and targets of rows held out, maybe none."""

    network: nn.Module
    batch: Callable[[int], tuple[torch.Tensor, torch.Tensor]]
    held: tuple[torch.Tensor, torch.Tensor]


def course_of(config: DeepConfig, lecture: Lecture, goal: Goal, total_steps: int) -> Course:
    """Everything the loop needs to learn labels or numbers."""
    return course_with(config, lecture, goal.loss(config.label_smoothing), goal.loss(0.0), total_steps)


def course_with(config: TaughtConfig, lecture: Lecture, learned: Loss, held: Loss, total_steps: int) -> Course:
    """Everything the loop needs. learned, held: the loss of rows that are learned from, and of rows held out."""
    place = device()
    network = lecture.network.to(place)

    def batch(step: int) -> tuple[torch.Tensor, torch.Tensor]:
        inputs, target = lecture.batch(step)
        return inputs.to(place, non_blocking=True), target.to(place, non_blocking=True)

    ends = min(total_steps, config.last_step or total_steps)
    return Course(
        network=network,
        optimiser=make_optimiser(config.optimiser, network, config.weight_decay),
        batch=batch,
        loss=learned,
        rate=lambda step: rate_at(config.schedule, step, total_steps, config.learning_rate),
        steps=ends,
        average=Average(network, config.ema) if config.ema > 0 else None,
        precision=("bf16" if has_fast_bf16() else "float32") if config.precision == "auto" else config.precision,
        watch=_watch(config, lecture, held, ends) if config.last_step is None else None,
        clip_norm=config.clip_norm,
    )


def _watch(config: TaughtConfig, lecture: Lecture, loss: Loss, steps: int) -> Watch | None:
    inputs, target = lecture.held
    if config.patience == 0 or len(inputs) < HELD_ROWS[0]:
        return None
    place = device()
    chosen = torch.from_numpy(np.unique(np.linspace(0, len(inputs) - 1, HELD_ROWS[1]).astype(np.int64)))

    def held_loss(network: nn.Module) -> float:
        total = 0.0
        for rows in torch.split(chosen, HELD_CHUNK_ROWS):
            said = network(inputs[rows].to(place)).float()
            total += float(loss(said, target[rows].to(place))) * len(rows)
        return total / len(chosen)

    return Watch(held_loss, max(1, -(-steps // CHECKS)), config.patience)


def taught(
    name: str,
    config: TaughtConfig,
    prepared: Prepared,
    make: Callable[[], Course],
    context: Context,
) -> tuple[Course, Progress]:
    """Runs a course to its end. When memory is short it begins again with batches in pieces, each of half the size; how many is
    remembered, so that a fit that is killed goes on with the same bits."""
    where = f"the learner {name}"
    key = _key(name, config, prepared)
    pieces = int(context.recall(f"{name}-{key[:16]}-pieces") or 1)
    with threads(config.threads or prepared.threads):
        while True:
            course = make()
            course.pieces = pieces
            path = context.checkpoint_path(f"{name}-{key[:16]}-{pieces}")
            course.checkpoint = None if path is None else Checkpoint(path, key)
            try:
                progress = learn(course, context, where)
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
                if 2 * pieces > config.batch_rows:
                    raise SalusError("network_memory", where=where, found=config.batch_rows // pieces) from None
            else:
                break
            pieces *= 2
            context.remember(f"{name}-{key[:16]}-pieces", pieces)
            context.event("smaller_batches", learner=name, rows=-(-config.batch_rows // pieces))
        course.network.to("cpu").eval()
    if not all(bool(torch.isfinite(value).all()) for value in course.network.state_dict().values()):
        raise SalusError("network_diverged", where=where)
    return course, progress


def told(course: Course, progress: Progress, steps_per_epoch: int) -> dict[str, Any]:
    """Details for the report."""
    done = int(progress.curve[-1][0]) if progress.curve else course.steps
    details = {
        "steps": course.steps,
        "epochs": round(course.steps / steps_per_epoch, 2),
        "weights": sum(parameter.numel() for parameter in course.network.parameters()),
        "curve": progress.curve,
        "pieces": course.pieces,
    }
    if progress.checks:
        details |= {"checks": progress.checks, "best_step": progress.best_step}
        done = int(progress.checks[-1][0])
    return details | {"steps_done": done}


def refit_of(course: Course, progress: Progress) -> dict[str, Any]:
    """What a fit without rows held out changes: it ends where the best weights were found."""
    return {"last_step": progress.best_step} if 0 < progress.best_step < course.steps else {}


def quickest(
    config: D, making: Callable[[D], Callable[[], Course]], prepared: Prepared, limit_s: float, context: Context
) -> tuple[D, float, dict[str, float]]:
    """The config with the precision and threads that are quickest here, the seconds of a step, and all that was measured in ms.

    One thread comes first: on a busy machine several wait for each other far longer than they work.
    """
    first = "bf16" if has_fast_bf16() else "float32"
    counts = [config.threads] if config.threads else sorted({1, prepared.threads})
    options = [(first if config.precision == "auto" else config.precision, count) for count in counts]
    costs: dict[tuple[str, int], float] = {}
    while options:
        precision, count = options.pop(0)
        trial = config.model_copy(update={"precision": precision, "threads": count})
        costs[precision, count] = measured_step_s(making(trial), count, limit_s / 3, context)
        if not options and config.precision == "auto" and ("float32", 1) not in costs and "float32" not in precision:
            options = [("float32", min(costs, key=lambda key: costs[key])[1])]
    best = min(costs, key=lambda key: costs[key])
    found = config.model_copy(update={"precision": best[0], "threads": best[1]})
    return found, costs[best], {f"{name}, {count} threads": round(s * 1000, 2) for (name, count), s in costs.items()}


def measured_step_s(make: Callable[[], Course], count: int, limit_s: float, context: Context) -> float:
    """Seconds of a step after the first few: the lower quartile, since what else runs makes some steps slow and none fast."""
    with threads(count):
        course = make()
        course.network.train()
        began, seconds = time.monotonic(), list[float]()
        while len(seconds) < WARM_STEPS + FEWEST_STEPS or time.monotonic() - began < limit_s:
            context.stop_if_asked("measuring steps")
            step_began = time.perf_counter()
            try:
                one_step(course, len(seconds))
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error) or course.pieces > len(course.batch(0)[0]):
                    raise
                course.pieces *= 2
                continue
            seconds.append(time.perf_counter() - step_began)
            if len(seconds) > 1 and time.monotonic() - began > 2 * limit_s:
                break  # steps so long that a few must do
        return max(1e-6, float(np.quantile(seconds[min(WARM_STEPS, len(seconds) - 1) :], 0.25)))


def steps_within(left_s: float, step_s: float, steps_per_epoch: int) -> int:
    """How many steps a budget allows, no more than help."""
    return max(1, min(int(left_s / step_s), max(MAX_EPOCHS * steps_per_epoch, ENOUGH_STEPS)))


def widest(widths: Sequence[int], epochs: float, power: float, least: float) -> int:
    """The widest that still sees the rows often enough (`least` times), when the narrowest would see them `epochs` times; a step takes
    as long as the width to the power."""
    allowed = [width for width in widths if epochs / (width / widths[0]) ** power >= least]
    return max(allowed, default=widths[0])


def _key(name: str, config: TaughtConfig, prepared: Prepared) -> str:
    """Names all that decides the fit."""
    rows = digest(np.ascontiguousarray(prepared.train.rows).tobytes())
    held = digest(np.ascontiguousarray(prepared.validation.rows).tobytes())
    fit = {"learner": name, "config": config.model_dump(mode="json"), "rows": rows, "held": held}
    return digest(canonical(fit | {"seed": prepared.seed, "threads": prepared.threads}))
