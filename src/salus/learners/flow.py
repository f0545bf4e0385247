"""Flow matching: how pictures are drawn from noise is learned from the pictures (Lipman et al. 2023; rectified flow, Liu et al. 2023).

Between noise x0 and a picture x1 lies a straight way; at a place on it, (1 - t) x0 + t x1, a small U-Net learns the direction x1 - x0, given t and
the labels. Some labels are left out, so that drawing can be guided (Ho and Salimans 2022). Beside it a plain network learns to tell
the labels of pictures: by what it sees, drawn pictures are measured. How pictures are drawn is in `salus.tasks.drawing`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from pydantic import Field
from torch import nn
from torch.nn import functional

from salus.core.context import Context
from salus.learners.base import Fitted, Learner, LearnerConfig, Prepared, Program, Proposal, searched
from salus.learners.deep import TaughtConfig, measured_step_s, quickest, taught, told
from salus.learners.flow_critic import Critic, critic_of
from salus.learners.networks.unet import UNet
from salus.learners.options import config_from
from salus.tasks.base import Task
from salus.tasks.drawing import ANY, draw, noise_of
from salus.tasks.image_generation import CRITIC, pictures_of
from salus.training.batches import Batches, step_generator
from salus.training.loop import Course, threads
from salus.training.machine import device, has_fast_bf16
from salus.training.optimisers import Average, make_optimiser
from salus.training.schedule import rate_at

CRITIC_SHARE, CRITIC_S = 0.1, 120.0  # of the budget, at most so long: the network that judges
RESERVED_SHARE = 0.05  # of the budget: export
MEASURED_SHARE, MEASURED_S = 0.1, 8.0
WIDTHS = (32, 48, 64, 96)
WIDE_PICTURES = 350_000  # a wider network is worth it when it still sees so many
MOST_EPOCHS, ENOUGH_STEPS = 200, 8000


class FlowConfig(TaughtConfig):
    batch_rows: int = Field(128, ge=2, le=8192, description="pictures a step")
    optimiser: Literal["sgd", "adam"] = Field("adam", description="sgd with Nesterov momentum 0.9, or adam")
    learning_rate: float = searched(
        2e-3, 3e-4, 4e-3, log=True, gt=0, le=10, description="the highest rate of the schedule"
    )
    schedule: Literal["one-cycle", "cosine", "constant"] = Field(
        "cosine", description="how the rate changes over the steps"
    )
    weight_decay: float = Field(0.01, ge=0, le=1, description="how much weights shrink, times the rate, a step")
    clip_norm: float = Field(1.0, ge=0, description="longest gradient, longer ones are shortened; 0: any")
    patience: int = Field(0, ge=0, le=0, description="always all steps: the loss says little of how pictures look")
    ema: float = Field(0.999, ge=0, lt=1, description="memory of the running average of weights; 0: none")
    width: int | None = Field(
        None, ge=8, le=512, multiple_of=8, description="channels of the larger maps; none: what the budget allows"
    )
    blocks: int = Field(1, ge=1, le=4, description="blocks a size of maps")
    left_out: float = Field(0.1, ge=0, lt=1, description="share of labels that are left out, for guidance")
    time_spread: float = Field(
        1.0, ge=0.1, le=10, description="spread of the logit-normal law of times; large: the ends are seen more"
    )
    critic_width: int | None = Field(None, ge=4, le=1024, description="width of the judging network; none: by budget")
    critic_steps: int | None = Field(None, ge=1, description="batches that it learns from; none: by budget")


class Flowing(nn.Module):
    """The U-Net with a batch as one tensor (B, 1 + M + C H W): time, labels, noisy picture -> direction (B, C H W)."""

    def __init__(self, network: UNet, labels: int):
        super().__init__()
        self.network, self.labels = network, labels

    def forward(self, packed: torch.Tensor) -> torch.Tensor:
        codes = packed[:, 1 : 1 + self.labels].long()
        x_BCHW = packed[:, 1 + self.labels :].reshape(-1, *self.network.shape_CHW)
        found: torch.Tensor = self.network(x_BCHW, packed[:, 0], codes)
        return found.flatten(1)


class FlowFitted(Fitted):
    program: Program = "diffusion"

    def __init__(self, network: UNet, critic: Critic, threads_: int, details: dict[str, Any]):
        self._network, self._critic, self._threads = network, critic, threads_
        self.details = details

    def raw(self, feeds: Mapping[str, np.ndarray]) -> np.ndarray:
        def velocity(x_BCHW: np.ndarray, t_B: np.ndarray, codes_BM: np.ndarray) -> np.ndarray:
            with torch.inference_mode():
                said: torch.Tensor = self._network(*map(torch.from_numpy, (x_BCHW, t_B, codes_BM)))
            return said.numpy()

        seeds = feeds["numbers"][:, -1]
        codes = feeds.get("categories", np.zeros((len(seeds), 0), dtype=np.int64))
        with threads(self._threads):
            return draw(velocity, noise_of(seeds, self._network.shape_CHW), codes)

    def graphs(self, folder: Path) -> dict[str, bytes]:
        return {"main": self._network.graph(), CRITIC: self._critic.graph}


class Flow(Learner):
    name: ClassVar[str] = "flow"
    Config: ClassVar[type[LearnerConfig]] = FlowConfig
    config: FlowConfig

    @classmethod
    def learns(cls, task: Task, kinds: frozenset[str]) -> bool:
        return task.name == "image-generation" and kinds <= {"category", "number"}

    @classmethod
    def propose(cls, prepared: Prepared, options: Mapping[str, Any], budget_s: float, context: Context) -> Proposal:
        config = config_from(FlowConfig, options, cls.name)
        pixels = _pixels(prepared)
        critic = Critic.proposed(prepared, pixels, config, min(CRITIC_S, CRITIC_SHARE * budget_s), context)
        config = config.model_copy(update=critic.changes)
        limit_s = min(MEASURED_S, MEASURED_SHARE * budget_s)
        left_s = budget_s * (1 - RESERVED_SHARE) - critic.expected_s - limit_s
        config, step_s, notes = _sized(config, prepared, pixels, left_s, limit_s, context)
        epoch = Batches(len(prepared.train), config.batch_rows, prepared.seed).steps_per_epoch
        most = max(MOST_EPOCHS * epoch, ENOUGH_STEPS)
        steps = config.steps or max(1, min(int(left_s / step_s), most))
        chosen = config.model_copy(update={"steps": steps})
        told_of = {"step_ms": notes, "epochs": round(steps / epoch, 2), "critic_s": round(critic.expected_s, 1)}
        return Proposal(chosen.model_dump(mode="json"), round(steps * step_s + critic.expected_s, 3), told_of)

    def fit(self, prepared: Prepared, context: Context) -> Fitted:
        config, pixels = self.config, _pixels(prepared)
        critic = critic_of(prepared, pixels, config, context)
        course, progress = taught(self.name, config, prepared, _making(config, prepared, pixels), context)
        network = course.network.network
        assert isinstance(network, UNet)
        for tensor in network.parameters():  # the layout of convolutions on processors is not that of graphs
            tensor.data = tensor.data.contiguous()
        epoch = Batches(len(prepared.train), config.batch_rows, prepared.seed).steps_per_epoch
        details = told(course, progress, epoch) | {"critic": critic.details}
        return FlowFitted(network.eval().requires_grad_(False), critic, prepared.threads, details)


def _sized(
    config: FlowConfig, prepared: Prepared, pixels: np.ndarray, left_s: float, limit_s: float, context: Context
) -> tuple[FlowConfig, float, dict[str, float]]:
    """The config with precision, threads and width for this time, the seconds of a step, and what was measured in ms."""
    asked = config.width
    first = config.model_copy(update={"width": asked or WIDTHS[0]})
    found, step_s, notes = quickest(first, lambda c: _making(c, prepared, pixels), prepared, limit_s / 2, context)
    for width in WIDTHS[1:] if asked is None else ():
        wider = found.model_copy(update={"width": width})
        if left_s / (step_s * width / (found.width or width)) * config.batch_rows < WIDE_PICTURES:
            break  # it would take at least so much longer
        count = config.threads or found.threads or prepared.threads
        wider_s = measured_step_s(_making(wider, prepared, pixels), count, limit_s / 4, context)
        if left_s / wider_s * config.batch_rows < WIDE_PICTURES:
            break
        found, step_s = wider, wider_s
        notes[f"width {width}"] = round(wider_s * 1000, 2)
    return found, step_s, notes


def _making(config: FlowConfig, prepared: Prepared, pixels: np.ndarray) -> Callable[[], Course]:
    """What begins the fit, as often as it must be begun."""
    place, levels = device(), _levels(prepared)
    table = torch.from_numpy(pixels)
    codes = torch.from_numpy(prepared.train.feeds["categories"]) if levels else torch.zeros((len(pixels), 0))
    batches = Batches(len(prepared.train), config.batch_rows, prepared.seed)

    def batch(step: int) -> tuple[torch.Tensor, torch.Tensor]:
        rows, generator = torch.from_numpy(batches.rows_of(step)), step_generator(prepared.seed, step)
        picture = table[rows].permute(0, 3, 1, 2).float().div(127.5).sub(1).flatten(1)
        noise = torch.from_numpy(generator.standard_normal(tuple(picture.shape), dtype=np.float32))
        law = generator.standard_normal(len(rows), dtype=np.float32) * np.float32(config.time_spread)
        t = torch.sigmoid(torch.from_numpy(law))[:, None]
        kept = torch.from_numpy(generator.random(len(rows)) >= config.left_out)[:, None]
        said = torch.where(kept, codes[rows].float(), float(ANY))
        packed = torch.cat([t, said, torch.lerp(noise, picture, t)], dim=1)
        return packed.to(place, non_blocking=True), (picture - noise).to(place, non_blocking=True)

    def make() -> Course:
        network = _network(config, prepared, pixels.shape[1:], levels).to(place)
        steps = config.steps or MOST_EPOCHS
        return Course(
            network=network,
            optimiser=make_optimiser(config.optimiser, network, config.weight_decay),
            batch=batch,
            loss=functional.mse_loss,
            rate=lambda step: rate_at(config.schedule, step, steps, config.learning_rate),
            steps=min(steps, config.last_step or steps),
            average=Average(network, config.ema) if config.ema > 0 else None,
            precision=("bf16" if has_fast_bf16() else "float32") if config.precision == "auto" else config.precision,
            clip_norm=config.clip_norm,
        )

    return make


def _network(config: FlowConfig, prepared: Prepared, shape_HWC: tuple[int, ...], levels: list[int]) -> nn.Module:
    """New weights, which follow from the seed."""
    height, width, channels = shape_HWC
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(prepared.seed)
        network = UNet((channels, height, width), levels, config.width or WIDTHS[0], config.blocks)
    flowing = Flowing(network, len(levels))
    return flowing.to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]


def _pixels(prepared: Prepared) -> np.ndarray:
    """uint8 (B, H, W, C) of the train rows, as the target's state says."""
    state = prepared.schema.targets[0].state or {}
    return np.stack(pictures_of(prepared.train.target, state))


def _levels(prepared: Prepared) -> list[int]:
    """Codes of each label column."""
    columns = [column for column in prepared.schema.inputs if column.kind == "category"]
    return [len((column.state or {})["levels"]) + 2 for column in columns]
