"""What learners of networks on recordings share: windows standardised by channel, taught one by one with their row's target, answered
as the mean of a row's windows; and their graphs.

Does not know which network: a learner says.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol

import numpy as np
import torch
from pydantic import Field
from torch import nn

from salus.core.context import Context
from salus.core.durable import write_file
from salus.core.errors import SalusError
from salus.learners.base import Fitted, Learner, Part, Prepared, Proposal, searched
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
from salus.learners.graphs import GraphBuilder
from salus.learners.networks.nodes import evidence_nodes, linear_nodes, plain
from salus.learners.options import config_from
from salus.tasks.base import Task
from salus.training.batches import Batches, step_generator
from salus.training.loop import Course, threads
from salus.training.windows import WindowAugmentation

CHUNK_WINDOWS = 256
MAX_DEVIATIONS = 20.0  # a standardised value beyond this is cut, so that one absurd value cannot decide alone
RESERVED_SHARE = 0.05  # of the budget: export and validation
MEASURED_SHARE = 0.1  # of the budget, at most this many seconds:
MEASURED_S = 3.0
SAMPLE_WINDOWS = 4000


class RecordingConfig(DeepConfig):
    """Options of every network on recordings."""

    width: int | None = Field(None, ge=2, le=512, description="channels of a layer; none: what the budget allows")
    batch_rows: int = Field(64, ge=2, le=8192, description="windows a step")
    optimiser: Literal["sgd", "adam"] = Field("adam", description="sgd with Nesterov momentum 0.9, or adam")
    learning_rate: float = searched(
        3e-3, 3e-4, 1e-2, log=True, gt=0, le=10, description="the highest rate of the schedule"
    )
    weight_decay: float = searched(
        1e-2, 1e-4, 1e-1, log=True, ge=0, le=1, description="how much weights shrink, times the rate, a step"
    )
    clip_norm: float = Field(5.0, ge=0, description="longest gradient, longer ones are shortened; 0: any")
    scaling: float = searched(
        0.1, 0.0, 0.3, ge=0, le=2, description="deviation of the logarithm of a factor on windows"
    )
    jitter: float = searched(0.05, 0.0, 0.2, ge=0, le=5, description="noise, in deviations of the channel")
    shift: float = searched(0.1, 0.0, 0.3, ge=0, le=0.5, description="most share of a window by which it is moved")
    rotation: bool = Field(False, description="turn every three channels in space, for sensors worn in any direction")


class SeriesNetwork(Protocol):
    """x_WCT -> scores_WK; `head` is linear over the means of `features` (W, F, t)."""

    head: nn.Linear

    def __call__(self, x_WCT: torch.Tensor) -> torch.Tensor: ...

    def features(self, x_WCT: torch.Tensor) -> torch.Tensor: ...

    def folded(self) -> Any: ...

    def feature_nodes(self, builder: GraphBuilder, value: str) -> str: ...


@dataclass(frozen=True)
class Scale:
    """Mean and deviation of each channel, float32 (C, 1), of the train windows."""

    means: np.ndarray
    deviations: np.ndarray

    @classmethod
    def of(cls, windows_WCT: np.ndarray) -> Scale:
        sample = windows_WCT[:: max(1, len(windows_WCT) // SAMPLE_WINDOWS)].astype(np.float64)
        means, deviations = sample.mean(axis=(0, 2)), sample.std(axis=(0, 2))
        flat = deviations <= 1e-7 * np.maximum(np.abs(means), 1e-5)  # rounding of float32, not a spread
        return cls(means.astype(np.float32)[:, None], np.where(flat, 1.0, deviations).astype(np.float32)[:, None])

    def apply(self, windows_WCT: np.ndarray) -> np.ndarray:
        with np.errstate(over="ignore"):
            standard = (windows_WCT - self.means) / self.deviations
        cut: np.ndarray = np.clip(standard, np.float32(-MAX_DEVIATIONS), np.float32(MAX_DEVIATIONS))
        return cut

    def nodes(self, builder: GraphBuilder, value: str) -> str:
        centred = builder.node("Sub", value, builder.constant(self.means))
        standard = builder.node("Div", centred, builder.constant(self.deviations))
        return builder.node("Clip", standard, builder.constant(-MAX_DEVIATIONS), builder.constant(MAX_DEVIATIONS))


class RecordingFitted(Fitted):
    """The network as it answers, folded, float32."""

    def __init__(
        self, network: SeriesNetwork, scale: Scale, goal: Goal, shape_CT: tuple[int, int], threads_: int
    ) -> None:
        self._network, self._scale, self._goal, self._shape_CT = network, scale, goal, shape_CT
        self._threads = threads_

    def raw(self, feeds: Mapping[str, np.ndarray]) -> np.ndarray:
        windows, parts = feeds["series"], [np.zeros((0, self._goal.classes), dtype=np.float32)]
        with threads(self._threads), torch.inference_mode():
            for start in range(0, len(windows), CHUNK_WINDOWS):
                standard = self._scale.apply(windows[start : start + CHUNK_WINDOWS])
                parts.append(self._network(torch.from_numpy(standard)).numpy())
        said: np.ndarray = feeds["series_rows"].astype(np.float64) @ np.concatenate(parts)
        return said if self._goal.classification else said * self._goal.deviation + self._goal.mean

    def export(self, path: Path) -> None:
        builder, head = GraphBuilder(), self._network.head

        def scores_of(inner: GraphBuilder, window: str) -> str:
            features = self._network.feature_nodes(inner, window)
            means = inner.node("ReduceMean", features, inner.constant([2], np.int64), keepdims=0)
            return linear_nodes(inner, head, means)

        windows = self._window_nodes(builder)
        scores = builder.each(windows, self._shape_CT, self._goal.classes, scores_of)
        answer = builder.node("MatMul", builder.feed("series_rows", np.float32, ("rows", "windows")), scores)
        if not self._goal.classification:
            scaled = builder.node("Mul", answer, builder.constant(self._goal.deviation))
            answer = builder.node("Add", scaled, builder.constant(self._goal.mean))
        output = "scores" if self._goal.classification else "values"
        write_file(path, builder.finish(output, answer, self._goal.classes))

    def saliency_graph(self) -> bytes | None:
        """Where in each window the most probable class of its row is seen."""
        builder, head = GraphBuilder(), self._network.head
        with torch.inference_mode():
            places = self._network.features(torch.zeros((1, *self._shape_CT))).shape[2]

        def features_of(inner: GraphBuilder, window: str) -> str:
            features = self._network.feature_nodes(inner, window)
            return inner.node("Reshape", features, inner.constant([1, -1], np.int64))

        flat = builder.each(self._window_nodes(builder), self._shape_CT, head.in_features * places, features_of)
        features = builder.node("Reshape", flat, builder.constant([-1, head.in_features, places], np.int64))
        cams = builder.node("MatMul", builder.constant(plain(head.weight)), features)  # (W, K, t)
        means = builder.node("ReduceMean", cams, builder.constant([2], np.int64), keepdims=0)
        scores = builder.node("Add", means, builder.constant(plain(head.bias)))
        rows = builder.feed("series_rows", np.float32, ("rows", "windows"))
        of_rows = builder.node(
            "MatMul", builder.node("Transpose", rows, perm=[1, 0]), builder.node("MatMul", rows, scores)
        )
        seen = evidence_nodes(builder, cams, of_rows, self._goal.classes, self._goal.classification)
        return builder.finish("saliency", seen, places)

    def _window_nodes(self, builder: GraphBuilder) -> str:
        return self._scale.nodes(builder, builder.feed("series", np.float32, ("windows", *self._shape_CT)))


class RecordingLearner(Learner):
    """A learner whose network `network` makes; WIDTHS from narrow to wide, each tried only when its epochs are at least WIDE_EPOCHS."""

    Config: ClassVar[type[RecordingConfig]] = RecordingConfig
    config: RecordingConfig
    WIDTHS: ClassVar[tuple[int, ...]]
    COST_POWER: ClassVar[float]  # how the time of a step grows with the width
    WIDE_EPOCHS: ClassVar[int] = 25

    @abstractmethod
    def network(self, shape_CT: tuple[int, int], outputs: int) -> nn.Module:
        """New weights, drawn from torch's generator; a `SeriesNetwork`. `self.config.width` is a number."""

    @classmethod
    def learns(cls, task: Task, kinds: frozenset[str]) -> bool:
        return task.plain and kinds == {"series"}

    @classmethod
    def propose(cls, prepared: Prepared, options: Mapping[str, Any], budget_s: float, context: Context) -> Proposal:
        config = config_from(cls.Config, options, cls.name)
        narrow = config.model_copy(update={"width": config.width or cls.WIDTHS[0]})
        limit_s = min(MEASURED_S, MEASURED_SHARE * budget_s)
        left_s = budget_s * (1 - RESERVED_SHARE) - limit_s
        epoch = Batches(prepared.train.feeds["series"].shape[0], config.batch_rows, prepared.seed).steps_per_epoch
        chosen, step_s, notes = quickest(narrow, lambda c: cls(c).making(prepared), prepared, limit_s / 2, context)
        width = config.width or widest(cls.WIDTHS, left_s / (epoch * step_s), cls.COST_POWER, cls.WIDE_EPOCHS)
        if width != chosen.width:
            chosen = chosen.model_copy(update={"width": width})
            count = chosen.threads or prepared.threads
            step_s = measured_step_s(cls(chosen).making(prepared), count, limit_s / 4, context)
        steps = config.steps or steps_within(left_s, step_s, epoch)
        chosen = chosen.model_copy(update={"steps": steps})
        told_of = {"step_ms": notes, "epochs": round(steps / epoch, 2)}
        return Proposal(chosen.model_dump(mode="json"), round(steps * step_s, 3), told_of)

    def fit(self, prepared: Prepared, context: Context) -> Fitted:
        if prepared.classification and len(np.unique(prepared.train.target)) < 2:
            raise SalusError("learner_one_class", where=self.name, found=1)
        learner = type(self)(self.config.model_copy(update={"width": self.config.width or self.WIDTHS[0]}))
        course, progress = taught(self.name, learner.config, prepared, learner.making(prepared), context)
        windows = prepared.train.feeds["series"]
        folded = course.network.folded().eval().requires_grad_(False)  # type: ignore[operator]
        fitted = RecordingFitted(
            folded, Scale.of(windows), Goal.of(prepared), (windows.shape[1], windows.shape[2]), prepared.threads
        )
        epoch = Batches(len(windows), self.config.batch_rows, prepared.seed).steps_per_epoch
        fitted.details = told(course, progress, epoch) | {"windows": len(windows), "width": learner.config.width}
        fitted.refit = refit_of(course, progress)
        return fitted

    def making(self, prepared: Prepared) -> Callable[[], Course]:
        """What begins the fit, as often as it must be begun."""
        config, goal = self.config, Goal.of(prepared)
        scale = Scale.of(prepared.train.feeds["series"])
        windows, target = _windows(prepared.train, scale, goal)
        held = _windows(prepared.validation, scale, goal)
        batches = Batches(len(windows), config.batch_rows, prepared.seed)
        augmentation = WindowAugmentation(config.scaling, config.jitter, config.shift, config.rotation)

        def batch(step: int) -> tuple[torch.Tensor, torch.Tensor]:
            rows = torch.from_numpy(batches.rows_of(step))
            generator = step_generator(prepared.seed, step)
            inputs, wanted = augmentation.apply(windows[rows], generator), target[rows]
            return goal.mixed(inputs, wanted, config.mixup, generator) if config.mixup > 0 else (inputs, wanted)

        def make() -> Course:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(prepared.seed)
                network = self.network((windows.shape[1], windows.shape[2]), prepared.classes)
            steps = config.steps or 10 * batches.steps_per_epoch
            return course_of(config, Lecture(network, batch, held), goal, steps)

        return make


def _windows(part: Part, scale: Scale, goal: Goal) -> tuple[torch.Tensor, torch.Tensor]:
    """All windows standardised, each with the target of its row."""
    row_of = part.feeds["series_rows"].argmax(axis=0) if len(part) else np.zeros(0, dtype=np.int64)
    return torch.from_numpy(scale.apply(part.feeds["series"])), goal.values(part.target[row_of])
