"""The loop in which a network learns, on one screen.

Knows steps, losses, checkpoints and the wish to stop. Does not know pictures, tasks or why there are so many steps.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from salus.core.context import Context
from salus.training.checkpoints import Checkpoint
from salus.training.optimisers import Average, set_rate

LOOK_AROUND_S = 0.5  # how often it asks whether to stop and tells where it is


@dataclass
class Course:
    """Everything one fit is made of.

    batch: step -> inputs and target. loss: output and target -> scalar. rate: step -> learning rate.
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


def learn(course: Course, context: Context, where: str) -> list[list[float]]:
    """Runs all steps, from where a killed run stopped. Gives [step, loss] of some steps; the network holds the result."""
    first, record = 0, dict[str, Any]()
    if course.checkpoint is not None:
        first, record = course.checkpoint.restore(course.network, course.optimiser, course.average)
    curve: list[list[float]] = list(record.get("curve", []))
    looked, every = -LOOK_AROUND_S, max(1, course.steps // 50)
    course.network.train()
    for step in range(first, course.steps):
        set_rate(course.optimiser, course.rate(step))
        loss = one_step(course, step)
        if course.average is not None:
            course.average.update(step)
        if (step + 1) % every == 0 or step + 1 == course.steps:
            curve.append([step + 1, round(loss.item(), 4)])
        if time.monotonic() - looked >= LOOK_AROUND_S:
            looked = time.monotonic()
            context.event("step", step=step + 1, steps=course.steps, loss=round(loss.item(), 4))
            context.stop_if_asked(where)
        if course.checkpoint is not None and course.checkpoint.due():
            course.checkpoint.write(step + 1, {"curve": curve}, course.network, course.optimiser, course.average)
    if course.average is not None:
        course.average.give()
    return curve


def one_step(course: Course, step: int) -> torch.Tensor:
    """Forward, backward, update; the loss."""
    inputs, target = course.batch(step)
    with autocast(course.precision):
        output = course.network(inputs)
    loss = course.loss(output.float(), target)
    course.optimiser.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    course.optimiser.step()
    return loss.detach()


def autocast(precision: str) -> contextlib.AbstractContextManager[object]:
    """bf16 for what gains from it, or nothing."""
    if precision == "bf16":
        return torch.autocast("cpu", dtype=torch.bfloat16)
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


def has_fast_bf16() -> bool:
    """Whether the processor multiplies bf16 by itself."""
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())
