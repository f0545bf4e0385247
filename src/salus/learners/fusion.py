"""Networks for rows of several kinds: pictures or recordings beside numbers, categories, times and texts.

Every kind is read by an encoder of its own, and what they say is joined (see `networks.fusion`). Plain columns and texts become the table that `mlp`
sees; pictures and recordings are read as `cnn` and `cnn1d` read them. A step sees one window of a recording, drawn by chance; an answer
averages all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
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
from salus.core.nouns import Schema
from salus.learners.base import Fitted, Learner, LearnerConfig, Part, Prepared, Proposal, searched
from salus.learners.deep import DeepConfig, Goal, Lecture, course_of, quickest, refit_of, steps_within, taught, told
from salus.learners.folds import few
from salus.learners.front import Front
from salus.learners.graphs import GraphBuilder
from salus.learners.mlp import Inputs
from salus.learners.networks.fusion import FusionNetwork, Sides
from salus.learners.options import config_from
from salus.learners.pictures import flips_hurt, pixel_statistics, reduced, reduction_of
from salus.learners.recordings import Scale
from salus.tasks.base import Task
from salus.training.augmentation import Augmentation
from salus.training.batches import Batches, step_generator
from salus.training.loop import Course, threads

PERCEIVED = frozenset({"image", "series"})
KINDS = PERCEIVED | {"number", "category", "time", "text"}
CHUNK_ROWS = 128
RESERVED_SHARE, MEASURED_SHARE, MEASURED_S = 0.1, 0.1, 4.0
MEASURED_ROWS = 3000
MOST_HELD = 1000


class FusionConfig(DeepConfig):
    optimiser: Literal["sgd", "adam"] = Field("adam", description="sgd with Nesterov momentum 0.9, or adam")
    learning_rate: float = searched(
        4e-3, 5e-4, 1e-2, log=True, gt=0, le=10, description="the highest rate of the schedule"
    )
    weight_decay: float = searched(
        2e-2, 1e-4, 3e-1, log=True, ge=0, le=1, description="how much weights shrink, times the rate, a step"
    )
    label_smoothing: float = Field(0.05, ge=0, lt=1, description="share of a label that is given to all classes")
    mixup: float = Field(0.0, ge=0, le=0, description="none: positions of categories cannot be mixed")
    clip_norm: float = Field(2.0, ge=0, description="longest gradient, longer ones are shortened; 0: any")
    hidden: int = searched(96, 32, 256, log=True, ge=4, le=4096, description="values that an encoder says")
    embedding: int = Field(8, ge=1, le=256, description="numbers that stand for a level of a category")
    bins: int = Field(12, ge=1, le=256, description="pieces between quantiles into which a number is laid out")
    width: int = Field(16, ge=4, le=512, description="channels of the first layer that reads pictures")
    dropout: float = searched(0.2, 0.0, 0.5, ge=0, lt=1, description="share of what is said that a step leaves out")
    flip: Literal["auto", "on", "off"] = Field(
        "auto", description="mirror pictures left and right; auto: unless neighbours show that it hurts"
    )
    shift: float = Field(0.0625, ge=0, le=0.5, description="most share of a side by which pictures are moved")


@dataclass(frozen=True)
class Reading:
    """How feeds become what the network sees; learned of train rows. front, inputs: None without plain columns and texts. shapes_HWC:
    of the pictures as they come, which are shrunk `reductions` times."""

    front: Front | None
    inputs: Inputs | None
    shapes_HWC: tuple[tuple[int, int, int], ...]
    reductions: tuple[int, ...]
    scale: Scale | None
    sides: Sides

    @classmethod
    def fit(cls, prepared: Prepared, bins: int) -> Reading:
        plain, feeds = _plain(prepared), prepared.train.feeds
        front = inputs = None
        if plain.schema.inputs:
            front = Front.fit(plain)
            inputs = Inputs.fit(replace(prepared.train, feeds=front.learning(prepared.train)), plain, bins)
        pictures = [feeds[name] for name in _picture_names(feeds)]
        reductions = tuple(reduction_of(*picture.shape[1:3]) for picture in pictures)
        shapes = []
        for picture, factor in zip(pictures, reductions, strict=True):
            _, height, width, channels = picture.shape
            shapes.append(((height // factor, width // factor, channels), *pixel_statistics(picture)))
        series = feeds.get("series")
        sides = Sides(
            inputs.width if inputs else 0,
            len(inputs.tabular.codes) if inputs else 0,
            int(inputs.tabular.codes.sum()) if inputs else 0,
            tuple(shapes),
            None if series is None else (series.shape[1], series.shape[2]),
        )
        as_they_come = tuple((picture.shape[1], picture.shape[2], picture.shape[3]) for picture in pictures)
        return cls(front, inputs, as_they_come, reductions, None if series is None else Scale.of(series), sides)

    def table(self, part: Part, learning: bool) -> np.ndarray:
        """Float32 (B, columns); learning: rows that it was fitted on."""
        if self.front is None or self.inputs is None:
            return np.zeros((len(part), 0), dtype=np.float32)
        return self.inputs.of(self.front.learning(part) if learning else self.front.feeds(part.feeds))

    def pictures(self, feeds: Mapping[str, np.ndarray]) -> list[np.ndarray]:
        """uint8 (B, h, w, C) each, as small as the network sees them."""
        return [
            reduced(np.require(feeds[name], requirements=["C", "W"]), factor)
            for name, factor in zip(_picture_names(feeds), self.reductions, strict=True)
        ]


class FusionFitted(Fitted):
    """The network as it answers, folded, float32."""

    def __init__(self, network: FusionNetwork, reading: Reading, goal: Goal, threads_: int) -> None:
        self._network, self._reading, self._goal, self._threads = network, reading, goal, threads_

    def raw(self, feeds: Mapping[str, np.ndarray]) -> np.ndarray:
        rows = len(feeds["series_rows"] if "series" in feeds else next(iter(feeds.values())))
        with threads(self._threads), torch.inference_mode():
            windows = self._windows_said(feeds)
            table = self._reading.table(Part(dict(feeds), np.zeros(rows), np.arange(rows)), learning=False)
            pictures = [feeds[name] for name in _picture_names(feeds)]
            parts = [np.zeros((0, self._goal.classes), dtype=np.float32)]
            for start in range(0, rows, CHUNK_ROWS):
                chosen = slice(start, start + CHUNK_ROWS)
                parts.append(self._some(table[chosen], [p[chosen] for p in pictures], windows, chosen).numpy())
        said = np.concatenate(parts).astype(np.float64)
        return said if self._goal.classification else said * self._goal.deviation + self._goal.mean

    def _windows_said(self, feeds: Mapping[str, np.ndarray]) -> torch.Tensor | None:
        """What is said of the rows' recordings: the mean of their windows."""
        network, scale = self._network.series, self._reading.scale
        if network is None or scale is None:
            return None
        series, said = feeds["series"], []
        for start in range(0, len(series), CHUNK_ROWS):
            said.append(network(torch.from_numpy(scale.apply(series[start : start + CHUNK_ROWS]))))
        return torch.from_numpy(feeds["series_rows"]).float() @ torch.cat(said)

    def _some(
        self, table: np.ndarray, pictures: list[np.ndarray], windows: torch.Tensor | None, rows: slice
    ) -> torch.Tensor:
        network = self._network
        said = [network.of_table(torch.from_numpy(table))] if network.table is not None else []
        for encoder, picture, factor in zip(network.pictures, pictures, self._reading.reductions, strict=True):
            x_BCHW = torch.from_numpy(np.require(picture, requirements=["C", "W"])).permute(0, 3, 1, 2).float()
            said.append(encoder(functional.avg_pool2d(x_BCHW, factor) if factor > 1 else x_BCHW))
        return network.joined(said if windows is None else [*said, windows[rows]])

    def export(self, path: Path) -> None:
        builder, reading = GraphBuilder(), self._reading
        seen = zip(reading.shapes_HWC, reading.reductions, strict=True)
        pictures = [_seen_nodes(builder, f"image_{at}", shape, factor) for at, (shape, factor) in enumerate(seen)]
        windows = rows = ""
        if reading.scale is not None and reading.sides.window_CT is not None:
            windows = reading.scale.nodes(
                builder, builder.feed("series", np.float32, ("windows", *reading.sides.window_CT))
            )
            rows = builder.feed("series_rows", np.float32, ("rows", "windows"))
        answer = self._network.nodes(builder, self._table_nodes, pictures, windows, rows)
        if not self._goal.classification:
            scaled = builder.node("Mul", answer, builder.constant(self._goal.deviation))
            answer = builder.node("Add", scaled, builder.constant(self._goal.mean))
        output = "scores" if self._goal.classification else "values"
        write_file(path, builder.finish(output, answer, self._goal.classes))

    def _table_nodes(self, builder: GraphBuilder, embeddings: np.ndarray) -> str:
        assert self._reading.inputs is not None and self._reading.front is not None, "there are plain columns"
        return self._reading.inputs.nodes(builder, self._reading.front.number_nodes, embeddings)


class Fusion(Learner):
    name: ClassVar[str] = "fusion"
    Config: ClassVar[type[LearnerConfig]] = FusionConfig
    config: FusionConfig

    @classmethod
    def learns(cls, task: Task, kinds: frozenset[str]) -> bool:
        return task.plain and bool(kinds & PERCEIVED) and kinds <= KINDS and len(kinds) > 1

    @classmethod
    def propose(cls, prepared: Prepared, options: Mapping[str, Any], budget_s: float, context: Context) -> Proposal:
        config = config_from(FusionConfig, options, cls.name)
        limit_s = min(MEASURED_S, MEASURED_SHARE * budget_s)
        small = few(prepared, MEASURED_ROWS)
        lecturing = Lecturing.of(small, config.model_copy(update={"flip": "off"}))
        chosen, step_s, notes = quickest(config, lecturing.making, small, limit_s, context)
        epoch = Batches(len(prepared.train), config.batch_rows, prepared.seed).steps_per_epoch
        steps = config.steps or steps_within(budget_s * (1 - RESERVED_SHARE) - limit_s, step_s, epoch)
        chosen = chosen.model_copy(update={"steps": steps})
        told_of = {"step_ms": notes, "epochs": round(steps / epoch, 2)}
        return Proposal(chosen.model_dump(mode="json"), round(steps * step_s / (1 - RESERVED_SHARE), 3), told_of)

    def fit(self, prepared: Prepared, context: Context) -> Fitted:
        if prepared.classification and len(np.unique(prepared.train.target)) < 2:
            raise SalusError("learner_one_class", where=self.name, found=1)
        lecturing = Lecturing.of(prepared, self.config)
        context.stop_if_asked("reading what rows hold")
        course, progress = taught(self.name, self.config, prepared, lecturing.making(self.config), context)
        network = course.network
        assert isinstance(network, FusionNetwork)
        folded = network.folded().requires_grad_(False)
        for tensor in folded.parameters():  # the layout of convolutions on processors is not that of graphs
            tensor.data = tensor.data.contiguous()
        fitted = FusionFitted(folded, lecturing.reading, lecturing.goal, prepared.threads)
        epoch = Batches(len(prepared.train), self.config.batch_rows, prepared.seed).steps_per_epoch
        fitted.details = told(course, progress, epoch) | {"columns": lecturing.reading.sides.widths[0]}
        fitted.refit = refit_of(course, progress)
        return fitted


@dataclass(frozen=True)
class Lecturing:
    """The rows as the network is taught with them."""

    prepared: Prepared
    reading: Reading
    goal: Goal
    table: torch.Tensor
    pictures: tuple[torch.Tensor, ...]
    flip: bool
    held: tuple[torch.Tensor, torch.Tensor]

    @classmethod
    def of(cls, prepared: Prepared, config: FusionConfig) -> Lecturing:
        reading, goal = Reading.fit(prepared, config.bins), Goal.of(prepared)
        flip = config.flip == "on"
        if config.flip == "auto" and reading.sides.pictures_HWC:
            flip = len(reading.reductions) == 1 and not flips_hurt(prepared)
        table = torch.from_numpy(reading.table(prepared.train, learning=True))
        pictures = tuple(torch.from_numpy(picture) for picture in reading.pictures(prepared.train.feeds))
        return cls(prepared, reading, goal, table, pictures, flip, _held(prepared.validation, reading, goal))

    def making(self, config: FusionConfig) -> Callable[[], Course]:
        """What begins the fit, as often as it must be begun."""
        prepared, reading = self.prepared, self.reading
        batches = Batches(len(prepared.train), config.batch_rows, prepared.seed)
        changes = Augmentation(self.flip, config.shift, 0.0, prepared.seed)
        target = self.goal.values(prepared.train.target)

        def batch(step: int) -> tuple[torch.Tensor, torch.Tensor]:
            rows, generator = batches.rows_of(step), step_generator(prepared.seed, step)
            parts = [self.table[torch.from_numpy(rows)]]
            for picture in self.pictures:
                seen = changes.apply(picture, rows, batches.epoch_of(step), generator)
                parts.append(seen.permute(0, 2, 3, 1).float().flatten(1))
            if reading.scale is not None:
                parts.append(_windows(prepared.train.feeds, rows, reading.scale, generator))
            kept = generator.random((len(rows), reading.sides.encoders * config.hidden), dtype=np.float32)
            parts.append(torch.from_numpy(kept >= config.dropout).float() / (1 - config.dropout))
            return torch.cat(parts, dim=1), target[torch.from_numpy(rows)]

        def make() -> Course:
            network = _network(config, prepared, reading.sides)
            lecture = Lecture(network, batch, self.held)
            return course_of(config, lecture, self.goal, config.steps or 10 * batches.steps_per_epoch)

        return make


def _network(config: FusionConfig, prepared: Prepared, sides: Sides) -> nn.Module:
    """New weights, which follow from the seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(prepared.seed)
        network = FusionNetwork(sides, prepared.classes, config.hidden, config.embedding, config.width)
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]


def _held(part: Part, reading: Reading, goal: Goal) -> tuple[torch.Tensor, torch.Tensor]:
    """Rows held out, evenly chosen, as a batch; of recordings the first window."""
    chosen = np.unique(np.linspace(0, max(0, len(part) - 1), min(len(part), MOST_HELD)).astype(np.int64))
    feeds = {name: feed if name == "series" else feed[chosen] for name, feed in part.feeds.items()}
    parts = [torch.from_numpy(reading.table(Part(feeds, part.target[chosen], part.rows[chosen]), learning=False))]
    parts += [torch.from_numpy(picture).float().flatten(1) for picture in reading.pictures(feeds)]
    if reading.scale is not None:
        parts.append(_windows(part.feeds, chosen, reading.scale, None))
    return torch.cat(parts, dim=1), goal.values(part.target[chosen])


def _windows(
    feeds: Mapping[str, np.ndarray], rows: np.ndarray, scale: Scale, generator: np.random.Generator | None
) -> torch.Tensor:
    """One standardised window of each row (B, C T): by chance, or the first one."""
    if not len(rows):
        return torch.zeros((0, int(np.prod(feeds["series"].shape[1:]))))
    of_rows = feeds["series_rows"][rows] != 0
    counts = np.maximum(of_rows.sum(axis=1), 1)
    place = generator.integers(0, counts) if generator is not None else np.zeros(len(rows), dtype=np.int64)
    passed = np.cumsum(of_rows, axis=1)
    windows = (passed > place[:, None]).argmax(axis=1)
    return torch.from_numpy(scale.apply(feeds["series"][windows])).flatten(1)


def _plain(prepared: Prepared) -> Prepared:
    """The problem without pictures and recordings."""
    columns = tuple(column for column in prepared.schema.columns if column.kind not in PERCEIVED)
    return replace(prepared, schema=Schema(columns=columns, task=prepared.schema.task))


def _picture_names(feeds: Mapping[str, np.ndarray]) -> list[str]:
    return sorted((name for name in feeds if name.startswith("image_")), key=lambda name: int(name[6:]))


def _seen_nodes(builder: GraphBuilder, feed: str, shape_HWC: tuple[int, int, int], factor: int) -> str:
    """A picture as the network sees it (B, C, h, w)."""
    pixels = builder.node("Cast", builder.feed(feed, np.uint8, ("rows", *shape_HWC)), to=1)
    x_BCHW = builder.node("Transpose", pixels, perm=[0, 3, 1, 2])
    sides = [factor, factor]
    return builder.node("AveragePool", x_BCHW, kernel_shape=sides, strides=sides) if factor > 1 else x_BCHW
