"""Detectors of one pass, without anchors: pictures to boxes, learned from few pictures by showing them in ever new views.

Knows which network, which views and how many steps fit a budget. What is taught and how maps become boxes is in `detection`, views are in
`training.scenes`, the layers in `networks.detecting`, how networks are taught in `deep` and `training`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Literal, TypeVar

import numpy as np
import torch
from pydantic import Field

from salus.core.context import Context
from salus.core.durable import write_file
from salus.learners.base import Fitted, Learner, LearnerConfig, Prepared, Proposal, searched
from salus.learners.deep import DeepConfig, measured_step_s, quickest, taught, told, widest
from salus.learners.detection import MapLoss, Maps, Reading, even_scores, power_of
from salus.learners.graphs import GraphBuilder
from salus.learners.networks.detecting import GROWTH, DetectionNetwork, SmallTrunk
from salus.learners.options import config_from
from salus.learners.pictures import pixel_statistics
from salus.tasks.base import Task
from salus.tasks.detection import ObjectDetection
from salus.training.batches import Batches, step_generator
from salus.training.loop import Course, threads
from salus.training.machine import device, has_fast_bf16
from salus.training.optimisers import Average, make_optimiser
from salus.training.scenes import Scenes
from salus.training.schedule import rate_at

PICTURE, SIZE = "image_0", "size_of_image_0"
RESERVED_SHARE = 0.06  # of the budget: export and validation
MEASURED_SHARE = 0.1  # of the budget, at most this many seconds:
MEASURED_S = 12.0
WIDTHS = (12, 16, 24, 32, 40)
COST_POWER = 1.5  # measured: a step with one and a half times the width takes 1.9 times as long, its views not counted
WIDE_EPOCHS = 160  # views of each picture that a wider network needs
MOST_EPOCHS = 400
ENOUGH_STEPS = 2500  # even when these are more epochs
CHUNK_ROWS = 16
FIRST_EVEN = 0.3  # the score from which boxes are best given, where no rows tell
PLAIN_SHARE = 0.15  # of the steps, the last ones, without mosaics
SURE_UP, CLEAR_UP = (
    4.0,
    5.0,
)  # standard errors, and grey levels, by which tops differ from bottoms in pictures that have an up

Switch = Literal["auto", "on", "off"]
C = TypeVar("C", bound="DetectorConfig")


class DetectorConfig(DeepConfig):
    width: int | None = Field(
        None,
        ge=4,
        le=256,
        description="channels of the largest map, smaller maps have multiples; none: what the budget allows",
    )
    batch_rows: int = Field(8, ge=1, le=1024, description="pictures a step")
    optimiser: Literal["sgd", "adam"] = Field("adam", description="sgd with Nesterov momentum 0.9, or adam")
    learning_rate: float = searched(
        2e-3, 2e-4, 1e-2, log=True, gt=0, le=10, description="the highest rate of the schedule"
    )
    schedule: Literal["one-cycle", "cosine", "constant"] = Field(
        "cosine", description="how the rate changes over the steps"
    )
    weight_decay: float = searched(
        5e-2, 1e-3, 2e-1, log=True, ge=0, le=1, description="how much weights shrink, times the rate, a step"
    )
    clip_norm: float = Field(10.0, ge=0, description="longest gradient, longer ones are shortened; 0: any")
    ema: float = Field(0.998, ge=0, lt=1, description="memory of the running average of weights; 0: none")
    label_smoothing: float = Field(0.0, ge=0, le=0, description="none: maps are smooth by themselves")
    mixup: float = Field(0.0, ge=0, le=0, description="none: boxes cannot be blended")
    patience: int = Field(0, ge=0, le=0, description="none: all steps are done")
    zoom_from: float = Field(0.6, gt=0, le=1, description="pictures are zoomed by factors from this")
    zoom_to: float = Field(1.6, ge=1, le=8, description="pictures are zoomed by factors up to this")
    mosaic: float = searched(0.5, 0.0, 1.0, ge=0, le=1, description="share of views made of four pictures")
    upright: Switch = Field(
        "auto", description="pictures have an up, so they are not turned; auto: where tops differ from bottoms"
    )
    even_scores: dict[str, float] | None = Field(
        None,
        description="score of the network at which boxes of a category are best given; none: found on rows held out, else 0.3",
    )
    colour: float = searched(0.2, 0.0, 0.5, ge=0, le=0.9, description="how much brightness, contrast and colours vary")


@dataclass(frozen=True)
class Truth:
    """What lies in the train pictures, in pixels of the frame: corners (M, 4) and codes (M,) of each."""

    boxes: list[np.ndarray]
    codes: list[np.ndarray]

    @classmethod
    def of(cls, prepared: Prepared, levels: list[str]) -> Truth:
        known = {level: code for code, level in enumerate(levels)}
        height, width = prepared.train.feeds[PICTURE].shape[1:3]
        boxes, codes = [], []
        for row, size in zip(prepared.train.target, prepared.train.feeds[SIZE], strict=True):
            factor = min(height / size[0], width / size[1])
            corners = np.array(
                [[box["left"], box["top"], box["right"], box["bottom"]] for box in row if box["label"] in known],
                dtype=np.float64,
            ).reshape(-1, 4)
            edge = np.array([size[1], size[0]] * 2, dtype=np.float64)
            corners = np.clip(corners, 0, edge) * factor
            kinds = np.array([known[box["label"]] for box in row if box["label"] in known], dtype=np.int64)
            real = (corners[:, 2:] > corners[:, :2]).all(axis=1)
            boxes.append(corners[real])
            codes.append(kinds[real])
        return cls(boxes, codes)

    @property
    def unit_px(self) -> float:
        """Half the median side."""
        sides = [np.sqrt((one[:, 2:] - one[:, :2]).prod(axis=1)) for one in self.boxes]
        found = np.concatenate(sides) if sides else np.zeros(0)
        return round(float(np.median(found)) / 2, 3) if len(found) else 8.0


class DetectorFitted(Fitted):
    """The network as it answers, folded, float32."""

    def __init__(
        self, network: DetectionNetwork, reading: Reading, channels: int, threads_: int, details: dict[str, Any]
    ):
        self.network, self._reading, self._channels, self._threads = network, reading, channels, threads_
        self.details = details

    def scale(self, even: Mapping[str, float], levels: Sequence[str]) -> None:
        """Makes these scores the one from which boxes are given."""
        powers = tuple(power_of(even.get(label, FIRST_EVEN)) for label in levels)
        self._reading = replace(self._reading, powers=powers)
        self.refit = {"even_scores": dict(even)}
        self.details |= {"even_scores": dict(even)}

    def raw(self, feeds: Mapping[str, np.ndarray]) -> np.ndarray:
        pictures, parts = feeds[PICTURE], list[np.ndarray]()
        with threads(self._threads), torch.inference_mode():
            for start in range(0, len(pictures), CHUNK_ROWS):
                some = torch.from_numpy(np.ascontiguousarray(pictures[start : start + CHUNK_ROWS]))
                sizes = torch.from_numpy(np.ascontiguousarray(feeds[SIZE][start : start + CHUNK_ROWS]))
                parts.append(self._reading.boxes(self.network(some.permute(0, 3, 1, 2)), sizes).numpy())
        return np.concatenate(parts)

    def export(self, path: Path) -> None:
        reading, builder = self._reading, GraphBuilder()
        picture = builder.feed(PICTURE, np.uint8, ("rows", reading.height, reading.width, self._channels))
        size = builder.feed(SIZE, np.float32, ("rows", 2))
        x = builder.node("Cast", builder.node("Transpose", picture, perm=[0, 3, 1, 2]), to=1)
        found = reading.nodes(builder, self.network.nodes(builder, x), size)
        write_file(path, builder.finish("detections", found, reading.kept, reading.categories + 4))


class Detector(Learner):
    name: ClassVar[str] = "detector"
    Config: ClassVar[type[LearnerConfig]] = DetectorConfig
    config: DetectorConfig

    @classmethod
    def learns(cls, task: Task, kinds: frozenset[str]) -> bool:
        return task.name == "object-detection" and kinds == {"image"}

    @classmethod
    def network(cls, config: DetectorConfig, prepared: Prepared) -> Callable[[int], DetectionNetwork]:
        """What makes its network for so many categories."""
        return small_network(config, prepared)

    @classmethod
    def propose(cls, prepared: Prepared, options: Mapping[str, Any], budget_s: float, context: Context) -> Proposal:
        assert issubclass(cls.Config, DetectorConfig)
        config = decided(config_from(cls.Config, options, cls.name), prepared)

        def make(trial: DetectorConfig) -> Callable[[], Course]:
            return making(trial, prepared, cls.network(trial, prepared))[0]

        limit_s = min(MEASURED_S, MEASURED_SHARE * budget_s)
        left_s = budget_s * (1 - RESERVED_SHARE) - limit_s
        epoch = Batches(len(prepared.train), config.batch_rows, prepared.seed).steps_per_epoch
        config, step_s, notes = quickest(config, make, prepared, limit_s / 2, context)
        width = cls.width_for(left_s / (epoch * step_s)) if options.get("width") is None else config.width
        if width != config.width:
            config = config.model_copy(update={"width": width})
            step_s = measured_step_s(make(config), config.threads or prepared.threads, limit_s / 4, context)
        steps = config.steps or max(1, min(int(left_s / step_s), max(MOST_EPOCHS * epoch, ENOUGH_STEPS)))
        chosen = config.model_copy(update={"steps": steps})
        told_of = {"step_ms": notes, "epochs": round(steps / epoch, 2)}
        return Proposal(chosen.model_dump(mode="json"), round(steps * step_s, 3), told_of)

    @classmethod
    def width_for(cls, epochs: float) -> int:
        """The width that is chosen, when the narrowest network would see the pictures `epochs` times."""
        return widest(WIDTHS, epochs, COST_POWER, WIDE_EPOCHS)

    def fit(self, prepared: Prepared, context: Context) -> Fitted:
        config = decided(self.config, prepared)
        make, reading = making(config, prepared, self.network(config, prepared))
        course, progress = taught(self.name, config, prepared, make, context)
        assert isinstance(course.network, DetectionNetwork)
        network = course.network.eval().folded().requires_grad_(False)
        for tensor in network.parameters():  # the layout of convolutions on processors is not that of graphs
            tensor.data = tensor.data.contiguous()
        epoch = Batches(len(prepared.train), config.batch_rows, prepared.seed).steps_per_epoch
        details = told(course, progress, epoch) | {
            "upright": config.upright,
            "frame_px": [reading.width, reading.height],
        }
        channels = prepared.train.feeds[PICTURE].shape[3]
        fitted = DetectorFitted(network, reading, channels, prepared.threads, details)
        fitted.scale(config.even_scores or _even_scores(fitted, prepared), levels_of(prepared))
        return fitted


def decided(config: C, prepared: Prepared) -> C:
    """The config without open questions but steps (none: fifty epochs) and precision (auto: what the processor has)."""
    changes: dict[str, Any] = {"width": config.width or WIDTHS[0]}
    if config.upright == "auto":
        changes["upright"] = "on" if has_an_up(prepared.train.feeds[PICTURE]) else "off"
    return config.model_copy(update=changes)


def _even_scores(fitted: DetectorFitted, prepared: Prepared) -> dict[str, float]:
    """Found on the rows held out."""
    if not len(prepared.validation):
        return {}
    task, states = ObjectDetection(), [column.state or {} for column in prepared.schema.targets]
    answers = task.settle(fitted.raw(prepared.validation.feeds), states)
    return even_scores(answers, prepared.validation.target, levels_of(prepared))


def has_an_up(pixels_BHWC: np.ndarray) -> bool:
    """Whether upper halves differ from lower halves in brightness or colour, alike in all pictures, as sky differs from ground."""
    halves = np.array_split(pixels_BHWC.mean(axis=2, dtype=np.float32), 2, axis=1)
    differences = halves[0].mean(axis=1) - halves[1].mean(axis=1)
    errors = differences.std(axis=0) / np.sqrt(len(differences))
    return bool(np.any(np.abs(differences.mean(axis=0)) > np.maximum(SURE_UP * errors, CLEAR_UP)))


def levels_of(prepared: Prepared) -> list[str]:
    """The categories that the train rows have."""
    return list((prepared.schema.targets[0].state or {})["levels"])


def small_network(config: DetectorConfig, prepared: Prepared) -> Callable[[int], DetectionNetwork]:
    """Makes the network for so many categories."""
    pictures, width = prepared.train.feeds[PICTURE], config.width or WIDTHS[0]
    mean, deviation = pixel_statistics(pictures)
    channels = pictures.shape[3]
    return lambda categories: DetectionNetwork(
        SmallTrunk(channels, width, mean, deviation), categories, width * GROWTH[1]
    )


def making(
    config: DetectorConfig, prepared: Prepared, made: Callable[[int], DetectionNetwork]
) -> tuple[Callable[[], Course], Reading]:
    """What begins the fit, as often as it must be begun, and how its maps are read. made: the network, of so many categories."""
    levels, pictures = levels_of(prepared), prepared.train.feeds[PICTURE]
    truth = Truth.of(prepared, levels)
    height, width = pictures.shape[1:3]
    reading = Reading(height, width, len(levels), truth.unit_px, (1.0,) * len(levels))
    maps, loss = Maps(height, width, len(levels)), MapLoss(len(levels), truth.unit_px)
    table = torch.from_numpy(np.require(pictures, dtype=np.uint8, requirements=["C", "W"]))
    scenes = Scenes(
        table,
        truth.boxes,
        truth.codes,
        (config.zoom_from, config.zoom_to),
        config.mosaic,
        config.upright == "on",
        config.colour,
    )
    batches = Batches(len(pictures), config.batch_rows, prepared.seed)
    steps = config.steps or 50 * batches.steps_per_epoch
    place = device()

    def batch(step: int) -> tuple[torch.Tensor, torch.Tensor]:
        generator = step_generator(prepared.seed, step)
        seen, boxes, codes = scenes.draw(batches.rows_of(step), generator, step < (1 - PLAIN_SHARE) * steps)
        return seen.to(place), maps.of(boxes, codes).to(place)

    def make() -> Course:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(prepared.seed)
            network = made(len(levels))
        network = network.to(place).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        return Course(
            network=network,
            optimiser=make_optimiser(config.optimiser, network, config.weight_decay),
            batch=batch,
            loss=loss,
            rate=lambda step: rate_at(config.schedule, step, steps, config.learning_rate),
            steps=min(steps, config.last_step or steps),
            average=Average(network, config.ema) if config.ema > 0 else None,
            precision=("bf16" if has_fast_bf16() else "float32") if config.precision == "auto" else config.precision,
            clip_norm=config.clip_norm,
        )

    return make, reading
