"""A few small neural networks whose mean is said: for tables where answers follow smoothly from the columns.

Knows torch. Numbers are standardised and laid out piecewise linearly between quantiles of the train rows (Gorishniy, Rubachev and
Babenko 2022), categories get embeddings (Guo and Berkhahn 2016); the weights are averaged over the last steps, and rows held out
say when to stop. See `networks.table` for the networks.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from pydantic import Field
from torch.nn import functional

from salus.core.context import Context
from salus.core.durable import write_file
from salus.core.errors import SalusError
from salus.learners.base import Fitted, Learner, LearnerConfig, Part, Prepared, Proposal, searched
from salus.learners.folds import few, learnable, some_rows, tabled
from salus.learners.front import Front
from salus.learners.graphs import GraphBuilder
from salus.learners.networks.table import TableNetwork
from salus.learners.options import config_from, derived
from salus.learners.ramps import Ramps
from salus.learners.tabular import Tabular
from salus.tasks.base import Task
from salus.training.batches import Batches
from salus.training.loop import Course, Watch, learn, threads
from salus.training.optimisers import Average, make_optimiser

CHECK_STEPS = 250  # at most so many between looks at rows held out
FEWEST_CHECK_STEPS = 10
WARM_UP_STEPS = 50
FEWEST_STEPS, MOST_STEPS = 100, 1500  # of a course, and of one in which small data are seen often
MEASURED_ROWS, MEASURED_STEPS = 4000, 30
THREADED_PRODUCTS = 50_000_000  # weights times rows of a step
SMALLEST_SHARE = 1e-6
PIECE_ROWS = 4096


class MlpConfig(LearnerConfig):
    epochs: float = Field(
        100.0, gt=0, le=10_000, description="most passes over the train rows; rows held out stop earlier"
    )
    patience: int = Field(12, ge=1, le=1000, description="looks at rows held out without a better loss before stopping")
    learning_rate: float = searched(2e-3, 2e-4, 1e-2, log=True, gt=0, le=1, description="of AdamW")
    weight_decay: float = searched(0.02, 1e-4, 1.0, log=True, ge=0, le=100, description="of AdamW")
    dropout: float = searched(
        0.1, 0.0, 0.5, ge=0, lt=1, description="share of the hidden values that a step leaves out"
    )
    hidden: int = searched(128, 16, 512, log=True, ge=1, le=4096, description="values of a hidden layer")
    layers: int = searched(2, 1, 3, ge=1, le=10, description="hidden layers")
    embedding: int = Field(8, ge=1, le=256, description="numbers that stand for a level of a category")
    bins: int = searched(
        12, 2, 32, ge=1, le=256, description="pieces between quantiles into which a number is laid out"
    )
    members: int = Field(4, ge=1, le=32, description="networks whose mean is said")
    batch_rows: int = Field(256, ge=8, le=65_536, description="rows of a step")
    max_rows: int = Field(1_000_000, ge=10, description="train rows beyond this are left out by chance")


@dataclass
class MlpFitted(Fitted):
    """weights: (members, before, after) and biases (members, 1, after) a layer; answers of regression are scaled back."""

    front: Front
    inputs: Inputs
    embeddings: np.ndarray
    layers: list[tuple[np.ndarray, np.ndarray]]
    means: np.ndarray
    deviations: np.ndarray
    classification: bool
    details: dict[str, Any]
    refit: Mapping[str, Any] = field(default_factory=dict)

    def raw(self, feeds: Mapping[str, np.ndarray]) -> np.ndarray:
        x_BF = self.inputs.of(self.front.feeds(feeds))
        return np.concatenate([self._piece(x_BF[at : at + PIECE_ROWS]) for at in range(0, len(x_BF), PIECE_ROWS)])

    def _piece(self, x_BF: np.ndarray) -> np.ndarray:
        dense, positions = x_BF[:, : self.inputs.width], x_BF[:, self.inputs.width :].astype(np.int64)
        value = np.concatenate([dense, self.embeddings[positions].reshape(len(x_BF), -1)], axis=1)
        for place, (weights, biases) in enumerate(self.layers):
            value = value @ weights + biases
            if place + 1 < len(self.layers):
                value = np.maximum(value, 0)
        if not self.classification:
            scaled: np.ndarray = value.mean(axis=0) * self.deviations + self.means
            return scaled
        grown = np.exp(value - value.max(axis=2, keepdims=True))
        shares = (grown / grown.sum(axis=2, keepdims=True)).mean(axis=0)
        scores: np.ndarray = np.log(np.maximum(shares, SMALLEST_SHARE))
        return scores

    def export(self, path: Path) -> None:
        builder = GraphBuilder()
        value = self.inputs.nodes(builder, self.front.number_nodes, self.embeddings)
        for place, (weights, biases) in enumerate(self.layers):
            value = builder.node(
                "Add", builder.node("MatMul", value, builder.constant(weights)), builder.constant(biases)
            )
            value = builder.node("Relu", value) if place + 1 < len(self.layers) else value
        if self.classification:
            value = builder.node("Softmax", value, axis=2)
        value = builder.node("ReduceMean", value, builder.constant([0], np.int64), keepdims=0)
        if self.classification:
            value = builder.node("Log", builder.node("Max", value, builder.constant(SMALLEST_SHARE)))
        else:
            value = builder.node("Mul", value, builder.constant(self.deviations))
            value = builder.node("Add", value, builder.constant(self.means))
        output = "scores" if self.classification else "values"
        write_file(path, builder.finish(output, value, self.layers[-1][0].shape[2]))


@dataclass(frozen=True)
class Inputs:
    """What the networks see: the dense columns of `tabular`, the ramps of its numbers, and positions of categories."""

    tabular: Tabular
    ramps: Ramps

    @classmethod
    def fit(cls, part: Part, prepared: Prepared, bins: int) -> Inputs:
        tabular = Tabular.fit(part.feeds, prepared.schema)
        standard = tabular.standard(part.feeds["numbers"]) if len(tabular.medians) else np.zeros((0, 0), np.float32)
        return cls(tabular, Ramps.fit(standard, bins))

    @property
    def width(self) -> int:
        return self.tabular.dense_width + len(self.ramps.columns)

    def of(self, feeds: Mapping[str, np.ndarray]) -> np.ndarray:
        """Float32 (B, width + categories)."""
        parts = []
        if len(self.tabular.medians):
            dense = self.tabular.dense(feeds)
            parts += [dense, self.ramps.of(dense)]
        if len(self.tabular.codes):
            parts.append(self.tabular.positions(feeds).astype(np.float32))
        return np.concatenate(parts, axis=1)

    def nodes(self, builder: GraphBuilder, numbers: Callable[[GraphBuilder], str], embeddings: np.ndarray) -> str:
        """The graph value of the same, categories as their embeddings."""
        parts = []
        if len(self.tabular.medians):
            dense = self.tabular.dense_nodes(builder, numbers(builder))
            parts += [dense, *self.ramps.nodes(builder, dense)]
        if len(self.tabular.codes):
            positions = self.tabular.position_nodes(builder)
            gathered = builder.node("Gather", builder.constant(embeddings), positions, axis=0)
            parts.append(builder.node("Flatten", gathered, axis=1))
        return builder.node("Concat", *parts, axis=1) if len(parts) > 1 else parts[0]


class Mlp(Learner):
    name: ClassVar[str] = "mlp"
    Config: ClassVar[type[LearnerConfig]] = MlpConfig
    config: MlpConfig

    @classmethod
    def learns(cls, task: Task, kinds: frozenset[str]) -> bool:
        return task.plain and Front.takes(kinds)

    @classmethod
    def propose(cls, prepared: Prepared, options: Mapping[str, Any], budget_s: float, context: Context) -> Proposal:
        rows = len(prepared.train)
        config = derived(config_from(MlpConfig, options, cls.name), options, _sizes(rows))
        small = few(prepared, MEASURED_ROWS)
        steps = Batches(len(small.train), config.batch_rows, prepared.seed).steps_per_epoch
        measured = config.model_copy(update={"epochs": MEASURED_STEPS / steps})
        cls(measured.model_copy(update={"epochs": 3 / steps})).fit(small, Context())
        started = time.monotonic()
        cls(measured).fit(small, Context())
        step_s = max(time.monotonic() - started, 1e-3) / MEASURED_STEPS
        epoch = Batches(rows, config.batch_rows, prepared.seed).steps_per_epoch
        epoch_s = step_s * epoch
        # A handful of steps would learn nothing: rather a little late than useless.
        epochs = max(FEWEST_STEPS / epoch, min(max(config.epochs, MOST_STEPS / epoch), 0.8 * budget_s / epoch_s))
        config = derived(config, options, {"epochs": round(epochs, 2)})
        return Proposal(
            config=config.model_dump(mode="json"),
            expected_s=round(config.epochs * epoch_s, 3),
            notes={"step_ms": round(step_s * 1000, 3)},
        )

    def fit(self, prepared: Prepared, context: Context) -> Fitted:
        if prepared.classification and len(np.unique(prepared.train.target)) < 2:
            raise SalusError("learner_one_class", where="the networks", found=1)
        config, front = self.config, Front.fit(prepared)
        part = some_rows(learnable(front, prepared), config.max_rows, prepared.seed)
        inputs = Inputs.fit(part, prepared, config.bins)
        means, deviations = np.zeros(1), np.ones(1)
        if not prepared.classification:
            means, deviations = part.target.mean(axis=0), np.maximum(part.target.std(axis=0), 1e-12)
        sides = [(inputs.of(part.feeds), part.target)]
        if len(prepared.validation):
            checked = tabled(front, prepared.validation)
            sides.append((inputs.of(checked.feeds), checked.target))
        tensors = [_tensors(x_BF, target, means, deviations, prepared) for x_BF, target in sides]
        course = self._course(inputs, tensors, prepared)
        weights = sum(parameter.numel() for parameter in course.network.parameters())
        # Threads of small steps wait for each other longer than they work.
        with threads(prepared.threads if weights * config.batch_rows > THREADED_PRODUCTS else 1):
            progress = learn(course, context, "learning networks")
        network, epoch = course.network, Batches(len(part), config.batch_rows, prepared.seed).steps_per_epoch
        assert isinstance(network, TableNetwork)
        done = progress.best_step or course.steps
        details = {"epochs": round(done / epoch, 2), "steps": done, "curve": progress.curve, "checks": progress.checks}
        return MlpFitted(
            front,
            inputs,
            _array(network.embeddings),
            [
                (_array(weight), _array(bias).reshape(config.members, 1, -1))
                for weight, bias in zip(network.weights, network.biases, strict=True)
            ],
            means.astype(np.float32),
            deviations.astype(np.float32),
            prepared.classification,
            details,
            {"epochs": done / epoch} if len(prepared.validation) else {},
        )

    def _course(self, inputs: Inputs, tensors: list[tuple[torch.Tensor, torch.Tensor]], prepared: Prepared) -> Course:
        config, codes = self.config, inputs.tabular.codes
        torch.manual_seed(prepared.seed)
        network = TableNetwork(
            inputs.width,
            len(codes),
            int(codes.sum()),
            config.embedding,
            config.hidden,
            config.layers,
            config.members,
            prepared.classes,
            config.dropout,
        )
        x_BF, target = tensors[0]
        batches = Batches(len(x_BF), min(config.batch_rows, len(x_BF)), prepared.seed)
        epoch = batches.steps_per_epoch
        steps = max(1, math.ceil(config.epochs * epoch))

        def batch(step: int) -> tuple[torch.Tensor, torch.Tensor]:
            rows = torch.from_numpy(batches.rows_of(step))
            return x_BF[rows], target[rows]

        def loss(output_BkO: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
            return _loss(output_BkO, wanted, prepared.classification)

        watch = None
        if len(tensors) > 1:
            every = max(FEWEST_CHECK_STEPS, min(epoch, CHECK_STEPS))
            checked, truth = tensors[1]
            watch = Watch(
                lambda live: _mean_loss(live(checked), truth, prepared.classification), every, config.patience
            )
        average = Average(network, min(0.999, 1 - 1 / max(epoch, 20)))
        return Course(
            network=network,
            optimiser=make_optimiser("adam", network, config.weight_decay),
            batch=batch,
            loss=loss,
            rate=lambda step: config.learning_rate * min(1.0, (step + 1) / min(WARM_UP_STEPS, 1 + steps // 10)),
            steps=steps,
            average=average,
            watch=watch,
            clip_norm=1.0,
        )


def _loss(output_BkO: torch.Tensor, wanted: torch.Tensor, classification: bool) -> torch.Tensor:
    """The mean of the members' own losses."""
    members = output_BkO.shape[1]
    if classification:
        return functional.cross_entropy(output_BkO.flatten(0, 1), wanted.repeat_interleave(members))
    return functional.mse_loss(output_BkO, wanted[:, None].expand_as(output_BkO))


def _mean_loss(output_BkO: torch.Tensor, wanted: torch.Tensor, classification: bool) -> float:
    """The loss of what the members say together."""
    if classification:
        shares = torch.softmax(output_BkO.float(), dim=2).mean(dim=1).clamp_min(SMALLEST_SHARE)
        return float(functional.nll_loss(torch.log(shares), wanted))
    return float(functional.mse_loss(output_BkO.mean(dim=1), wanted))


def _tensors(
    x_BF: np.ndarray, target: np.ndarray, means: np.ndarray, deviations: np.ndarray, prepared: Prepared
) -> tuple[torch.Tensor, torch.Tensor]:
    if prepared.classification:
        return torch.from_numpy(x_BF), torch.from_numpy(np.asarray(target, dtype=np.int64))
    return torch.from_numpy(x_BF), torch.from_numpy(((target - means) / deviations).astype(np.float32))


def _array(value: torch.Tensor) -> np.ndarray:
    return np.array(value.detach().numpy(), dtype=np.float32)


def _sizes(rows: int) -> dict[str, Any]:
    """Sizes that suit so many train rows."""
    if rows < 1000:
        return {"batch_rows": 64, "hidden": 64, "dropout": 0.2, "weight_decay": 0.1}
    return {"batch_rows": 256 if rows < 30_000 else 512, "hidden": 128}
