"""The loop in which a network learns, on one screen.

Knows steps, losses, checkpoints, when more steps no longer help, and the wish to stop. Does not know pictures, tasks or why there are
so many steps.
"""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from salus.core.context import Context
from salus.training.checkpoints import Checkpoint
from salus.training.optimisers import Average, clip, set_rate

LOOK_AROUND_S = 0.5  # how often it asks whether to stop and tells where it is
DIVERGED = 1e30  # the loss of a network that ran away


@dataclass
class Watch:
    """Early stopping: `loss` on rows held out, every so many steps; after `patience` times without a better one it ends."""

    loss: Callable[[nn.Module], float]
    every: int
    patience: int


@dataclass
class Course:
    """Everything one fit is made of.

    batch: step -> inputs and target. loss: output and target -> scalar. rate: step -> learning rate.
    pieces: into how many parts a batch is cut, where memory is short. clip_norm: longest gradient; 0: any.
    """

    network: nn.Module
    optimiser: torch.optim.Optimizer
    batch: Callable[[int], tuple[torch.Tensor, torch.Tensor]]
    loss: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
    rate: Callable[[int], float]
    steps: int
    average: Average | None = None
    precision: str = "float32"
    checkpoint: Checkpoint | None = None
    watch: Watch | None = None
    clip_norm: float = 0.0
    pieces: int = 1


@dataclass
class Progress:
    """What a course found so far. curve: [step, loss] of some steps; checks: [step, loss on rows held out]; best: the weights at
    the lowest of these."""

    curve: list[list[float]] = field(default_factory=list)
    checks: list[list[float]] = field(default_factory=list)
    best: list[torch.Tensor] = field(default_factory=list)

    @property
    def best_step(self) -> int:
        """The step whose weights are given; 0 when nothing was watched."""
        return int(min(self.checks, key=lambda check: check[1])[0]) if self.checks else 0

    def record(self) -> dict[str, Any]:
        return {"curve": self.curve, "checks": self.checks}


def learn(course: Course, context: Context, where: str) -> Progress:
    """Runs the steps, from where a killed run stopped; the network holds the result."""
    first, progress = _begin(course)
    looked, every = -LOOK_AROUND_S, max(1, course.steps // 50)
    course.network.train()
    for step in range(first, course.steps):
        set_rate(course.optimiser, course.rate(step))
        loss = one_step(course, step)
        if course.average is not None:
            course.average.update(step)
        if (step + 1) % every == 0 or step + 1 == course.steps:
            progress.curve.append([step + 1, round(loss.item(), 4)])
        if time.monotonic() - looked >= LOOK_AROUND_S:
            looked = time.monotonic()
            context.event("step", step=step + 1, steps=course.steps, loss=round(loss.item(), 4))
            context.stop_if_asked(where)
        if course.watch is not None and _check(course, course.watch, progress, step + 1):
            context.event("stopped_early", step=step + 1, steps=course.steps, best=progress.best_step)
            break
        if course.checkpoint is not None and course.checkpoint.due():
            course.checkpoint.write(step + 1, progress.record(), _held(course, progress), course.optimiser)
    _give(course, progress)
    return progress


def one_step(course: Course, step: int) -> torch.Tensor:
    """Forward, backward, update; the loss."""
    inputs, target = course.batch(step)
    course.optimiser.zero_grad(set_to_none=True)
    total = torch.zeros(())
    rows = -(-len(inputs) // course.pieces)
    for piece, wanted in zip(torch.split(inputs, rows), torch.split(target, rows), strict=True):
        with autocast(course.precision, piece.device.type):
            output = course.network(piece)
        loss = course.loss(output.float(), wanted) * (len(piece) / len(inputs))
        loss.backward()  # type: ignore[no-untyped-call]
        total = total + loss.detach().cpu()
    if course.clip_norm > 0:
        clip(course.optimiser, course.clip_norm)
    course.optimiser.step()
    return total


def _begin(course: Course) -> tuple[int, Progress]:
    """The first step to do, and what is known before it."""
    progress = Progress(best=[value.clone() for value in _floats(course.network)] if course.watch is not None else [])
    if course.checkpoint is None:
        return 0, progress
    first, record = course.checkpoint.restore(_held(course, progress), course.optimiser)
    progress.curve, progress.checks = list(record.get("curve", [])), list(record.get("checks", []))
    return first, progress


def _held(course: Course, progress: Progress) -> dict[str, torch.Tensor]:
    """All tensors of a fit but the optimiser's, by name."""
    held = {f"network.{name}": value for name, value in course.network.state_dict().items()}
    held |= {f"average.{i}": value for i, value in enumerate(course.average.tensors if course.average else [])}
    return held | {f"best.{i}": value for i, value in enumerate(progress.best)}


def _check(course: Course, watch: Watch, progress: Progress, done: int) -> bool:
    """Looks at the rows held out when it is time to; whether to end."""
    if done % watch.every and done != course.steps:
        return False
    with course.average.given() if course.average is not None else contextlib.nullcontext():
        course.network.eval()
        with torch.inference_mode(), autocast(course.precision, _device_of(course.network)):
            found = watch.loss(course.network)
        progress.checks.append([done, round(found, 6) if math.isfinite(found) else DIVERGED])
        if progress.best_step == done:
            for kept, value in zip(progress.best, _floats(course.network), strict=True):
                kept.copy_(value)
    course.network.train()
    return done - progress.best_step >= watch.patience * watch.every


def _give(course: Course, progress: Progress) -> None:
    """Puts the best weights into the network: those of the lowest check, or the average, or the last."""
    if progress.checks:
        for live, value in zip(_floats(course.network), progress.best, strict=True):
            live.copy_(value)
    elif course.average is not None:
        course.average.give()


def _floats(network: nn.Module) -> list[torch.Tensor]:
    return [value for value in network.state_dict().values() if value.is_floating_point()]


def _device_of(network: nn.Module) -> str:
    return next(network.parameters()).device.type


def autocast(precision: str, device: str = "cpu") -> contextlib.AbstractContextManager[object]:
    """bf16 for what gains from it, or nothing."""
    if precision == "bf16":
        return torch.autocast(device, dtype=torch.bfloat16)
    return contextlib.nullcontext()


@contextlib.contextmanager
def threads(count: int) -> Iterator[None]:
    """Torch with so many threads, as before afterwards."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
