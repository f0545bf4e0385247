"""What all learners of forecasts share: channels standardised by train, a mean for every step ahead, bands around it, one graph.

The mean is the learner's own; the bands are quantiles of what it missed on rows held out, step by step and channel by channel, in
deviations of the history at hand, so that they widen where the channel has been restless (split conformal prediction with a
normalised score: Papadopoulos et al. 2002; Lei et al. 2018). Knows ONNX. Does not know how a learner learns.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

from salus.core.context import Context
from salus.core.durable import write_file
from salus.core.errors import SalusError
from salus.core.nouns import Schema
from salus.data.kinds.stamp import STAMP_PARTS, UNKNOWN_DAY
from salus.learners.base import Fitted, Learner, Part, Prepared
from salus.learners.folds import few_threads
from salus.learners.graphs import GraphBuilder
from salus.tasks.base import Task
from salus.tasks.forecasting import LEVELS

STILL = 0.05  # deviations of the channel in train that are added to those of a history, so that a still one has bands
MOST_DEVIATIONS = 1e12  # beyond it squares overflow, and a finite answer to an absurd value is better than none
CHUNK_ROWS = 256
SMOOTHED_STEPS = 2  # bands are averaged over so many steps on each side: neighbours ahead are missed alike
MOST_BAND_ROWS = 1000
MANY_ROWS, FEW_ROWS = 200, 50  # from which on every step has its own shape of errors; below which channels share one


@dataclass(frozen=True)
class Scales:
    """What a row is made of. mean, deviation: float64 (C,) of the channels in train, the targets first; K of them are targets.
    steps: T of the history; horizon: H; season: steps until things repeat, 1 where they do not. told: the other feeds with the shapes
    of a row: `stamp`, `ahead`."""

    mean: np.ndarray
    deviation: np.ndarray
    targets: int
    steps: int
    horizon: int
    season: int
    told: Mapping[str, tuple[int, ...]]

    @classmethod
    def of(cls, schema: Schema) -> Scales:
        future = (schema.targets[0].state or {}) | schema.targets[0].options
        histories = [column for column in schema.inputs if column.kind == "history"]
        states = [column.state or {} for column in histories]
        targets = len(future["names"])
        mean = np.array([state["mean"] for state in states], dtype=np.float64)
        deviation = np.array([state["deviation"] for state in states], dtype=np.float64)
        if "mean" in future:
            mean[:targets], deviation[:targets] = future["mean"], future["deviation"]
        return cls(
            mean=mean,
            deviation=np.where(deviation > 1e-7 * np.maximum(np.abs(mean), 1e-5), deviation, 1.0),
            targets=targets,
            steps=int(states[0]["steps"]),
            horizon=int(future["horizon"]),
            season=int(future["season"]),
            told=_told(schema, int(future["horizon"])),
        )

    def standard(self, history_BCT: np.ndarray) -> np.ndarray:
        """Histories in deviations of train, float32."""
        # Operation by operation as the graph does it, to the last bit: trees compare what comes of it.
        mean, deviation = (value.astype(np.float32)[:, None] for value in (self.mean, self.deviation))
        scaled = (history_BCT.astype(np.float32) - mean) / deviation
        return np.asarray(np.clip(scaled, np.float32(-MOST_DEVIATIONS), np.float32(MOST_DEVIATIONS)))

    def standard_target(self, target: np.ndarray) -> np.ndarray:
        """Futures (B,) of (H, K), or (B, H, K), likewise, channels before steps: float32 (B, K, H)."""
        count = self.targets
        futures = np.stack(list(target)) if len(target) else np.zeros((0, self.horizon, count))
        scaled = (futures.astype(np.float64) - self.mean[:count]) / self.deviation[:count]
        return np.ascontiguousarray(scaled.transpose(0, 2, 1), dtype=np.float32)


def _told(schema: Schema, horizon: int) -> dict[str, tuple[int, ...]]:
    counts = {kind: sum(column.kind == kind for column in schema.inputs) for kind in ("stamp", "ahead")}
    shapes: dict[str, tuple[int, ...]] = {"stamp": (len(STAMP_PARTS),), "ahead": (counts["ahead"], horizon)}
    return {kind: shape for kind, shape in shapes.items() if counts[kind]}


def told_in(feeds: Mapping[str, np.ndarray], rows: np.ndarray | slice = slice(None)) -> dict[str, np.ndarray]:
    """What these rows are told beside their histories."""
    return {name: feeds[name][rows] for name in ("stamp", "ahead") if name in feeds}


class Mean(ABC):
    """What a learner learned: standardised histories to standardised means. told: the feeds beside `history`."""

    @abstractmethod
    def said(self, x_BCT: np.ndarray, told: Mapping[str, np.ndarray]) -> np.ndarray:
        """(B, K, H), by the learner's own library."""

    @abstractmethod
    def nodes(self, builder: GraphBuilder, x: str, told: Mapping[str, str]) -> str:
        """The same as nodes of a graph: the name of a value (B, K, H)."""


class ForecastFitted(Fitted):
    """A mean with its bands: float32 (H, K, Q), in deviations of a history."""

    def __init__(self, mean: Mean, scales: Scales, bands: np.ndarray, details: dict[str, Any]) -> None:
        self._mean, self._scales, self._bands, self.details = mean, scales, bands, details

    def raw(self, feeds: Mapping[str, np.ndarray]) -> np.ndarray:
        rows = len(feeds["history"])
        parts = [
            self._some({name: feed[at : at + CHUNK_ROWS] for name, feed in feeds.items()})
            for at in range(0, rows, CHUNK_ROWS)
        ]
        shape = (0, self._scales.horizon, self._scales.targets + 1, 1 + len(LEVELS))
        return np.concatenate(parts) if parts else np.zeros(shape, dtype=np.float32)

    def _some(self, feeds: Mapping[str, np.ndarray]) -> np.ndarray:
        scales, count = self._scales, self._scales.targets
        x_BCT, told = scales.standard(feeds["history"]), told_in(feeds)
        mean_BHK = self._mean.said(x_BCT, told).transpose(0, 2, 1)[..., None]
        bands = mean_BHK + restlessness(x_BCT[:, :count])[:, None, :, None] * self._bands
        said = np.concatenate([mean_BHK, bands], axis=3)
        said = said * scales.deviation[:count, None] + scales.mean[:count, None]
        clock = np.zeros((len(said), scales.horizon, 1, said.shape[3]))
        clock[:, :, 0, :2] = told["stamp"][:, None, :2] if "stamp" in told else UNKNOWN_DAY
        return np.concatenate([said, clock], axis=2).astype(np.float32)

    def export(self, path: Path) -> None:
        scales, count, builder = self._scales, self._scales.targets, GraphBuilder()
        history = builder.feed("history", np.float32, ("rows", len(scales.mean), scales.steps))
        told = {name: builder.feed(name, np.float32, ("rows", *shape)) for name, shape in scales.told.items()}
        centred = builder.node("Sub", history, builder.constant(scales.mean[:, None]))
        scaled = builder.node("Div", centred, builder.constant(scales.deviation[:, None]))
        x = builder.node("Clip", scaled, builder.constant(-MOST_DEVIATIONS), builder.constant(MOST_DEVIATIONS))
        means = builder.node("Transpose", self._mean.nodes(builder, x, told), perm=[0, 2, 1])
        mean = builder.node("Unsqueeze", means, builder.constant([3], np.int64))
        restless = builder.node("Unsqueeze", _restless_nodes(builder, x, scales), builder.constant([1, 3], np.int64))
        bands = builder.node("Add", mean, builder.node("Mul", restless, builder.constant(self._bands)))
        said = builder.node("Concat", mean, bands, axis=3)
        said = builder.node("Mul", said, builder.constant(scales.deviation[:count, None]))
        said = builder.node("Add", said, builder.constant(scales.mean[:count, None]))
        values = builder.node("Concat", said, _clock_nodes(builder, said, told.get("stamp")), axis=2)
        write_file(path, builder.finish("values", values, scales.horizon, count + 1, 1 + len(LEVELS)))


class ForecastLearner(Learner):
    """A learner says how its mean is learned; the rest is done here."""

    @classmethod
    def learns(cls, task: Task, kinds: frozenset[str]) -> bool:
        return task.name == "forecasting"

    @abstractmethod
    def teach(self, prepared: Prepared, scales: Scales, context: Context) -> tuple[Mean, dict[str, Any]]:
        """The mean, and details for the report."""

    def fit(self, prepared: Prepared, context: Context) -> Fitted:
        context.stop_if_asked(f"the learner {self.name}")
        scales = Scales.of(prepared.schema)
        if not len(prepared.train):
            raise SalusError("forecast_no_origins", where="the train side", expected=scales.horizon, found=0)
        # Rows that were learned from are missed by less; they are asked only where none are held out.
        judged = prepared.validation if len(prepared.validation) else prepared.train
        # On a busy machine several threads of the BLAS wait for each other ten times as long as one works.
        with few_threads(0, 1):
            mean, details = self.teach(prepared, scales, context)
            bands = bands_of(mean, scales, judged)
        return ForecastFitted(mean, scales, bands, details)


def bands_of(mean: Mean, scales: Scales, part: Part) -> np.ndarray:
    """Float32 (H, K, Q): quantiles of what the mean missed, in deviations of the histories, rising with their level."""
    rows = np.unique(np.linspace(0, len(part) - 1, MOST_BAND_ROWS).astype(np.int64))
    missed = []
    for start in range(0, len(rows), CHUNK_ROWS):
        some = rows[start : start + CHUNK_ROWS]
        x_BCT = scales.standard(part.feeds["history"][some])
        said = mean.said(x_BCT, told_in(part.feeds, some))
        apart = scales.standard_target(part.target[some]) - said
        missed.append(apart / restlessness(x_BCT[:, : scales.targets])[:, :, None])
    groups = None if part.groups is None else part.groups[rows]
    blocks = max(1.0, len(rows) / scales.horizon) if groups is None else float(len(np.unique(groups)))
    return quantiles_of(np.concatenate(missed), blocks)


def quantiles_of(missed_NKH: np.ndarray, blocks: float) -> np.ndarray:
    """Float32 (H, K, Q) of errors (N, K, H) of which so many blocks are independent.

    With many rows the quantiles of each step and channel; with few ones one shape for all steps, by how much each is missed. Few blocks
    say little of the ends, so the bands are wider by as much as Student's t is wider than the normal law."""
    size_KH = averaged_over_steps(np.sqrt((missed_NKH**2).mean(axis=0)))
    if len(missed_NKH) >= MANY_ROWS:
        quantiles_QKH = averaged_over_steps(np.quantile(missed_NKH, LEVELS, axis=0))
    else:
        shape = missed_NKH / np.maximum(size_KH, 1e-12)
        pooled = shape.transpose(1, 0, 2).reshape(shape.shape[1], -1)
        pooled = np.broadcast_to(shape.reshape(1, -1), (len(pooled), shape.size)) if len(shape) < FEW_ROWS else pooled
        quantiles_QKH = np.quantile(pooled, LEVELS, axis=1)[:, :, None] * size_KH
    levels = np.abs(np.asarray(LEVELS) - 0.5) + 0.5
    wider = np.where(levels > 0.5, stats.t.ppf(levels, blocks) / np.maximum(stats.norm.ppf(levels), 1e-9), 1.0)
    middle = quantiles_QKH[len(LEVELS) // 2]
    said_QKH = middle + (quantiles_QKH - middle) * wider[:, None, None]
    return np.ascontiguousarray(said_QKH.transpose(2, 1, 0), dtype=np.float32)


def averaged_over_steps(values: np.ndarray) -> np.ndarray:
    """Means over neighbouring steps, which are the last axis."""
    around = [(0, 0)] * (values.ndim - 1) + [(SMOOTHED_STEPS, SMOOTHED_STEPS)]
    windows = np.lib.stride_tricks.sliding_window_view(
        np.pad(values, around, mode="edge"), 2 * SMOOTHED_STEPS + 1, axis=-1
    )
    return np.asarray(windows.mean(axis=-1))


def restlessness(x_BKT: np.ndarray) -> np.ndarray:
    """Deviation of each history (B, K), and a little."""
    centred = x_BKT - x_BKT.mean(axis=2, keepdims=True)
    return np.asarray(np.sqrt((centred**2).mean(axis=2)) + np.float32(STILL))


def _restless_nodes(builder: GraphBuilder, x: str, scales: Scales) -> str:
    of_targets = targets_nodes(builder, x, scales)
    last = builder.constant([2], np.int64)
    centred = builder.node("Sub", of_targets, builder.node("ReduceMean", of_targets, last, keepdims=1))
    square = builder.node("ReduceMean", builder.node("Mul", centred, centred), last, keepdims=0)
    return builder.node("Add", builder.node("Sqrt", square), builder.constant(np.float32(STILL)))


def targets_nodes(builder: GraphBuilder, x: str, scales: Scales) -> str:
    """The channels that are forecast, of all that are looked at."""
    if scales.targets == len(scales.mean):
        return x
    first, end, axis = (builder.constant([place], np.int64) for place in (0, scales.targets, 1))
    return builder.node("Slice", x, first, end, axis)


def _clock_nodes(builder: GraphBuilder, said: str, stamp: str | None) -> str:
    """(B, H, 1, 1 + Q) whose first two places say when the newest value was measured."""
    channel = builder.node(
        "Slice", said, builder.constant([0], np.int64), builder.constant([1], np.int64), builder.constant([2], np.int64)
    )
    nothing = builder.node("Mul", channel, builder.constant(np.float32(0)))
    places = np.zeros((len(STAMP_PARTS), 1 + len(LEVELS)), dtype=np.float32)
    places[0, 0] = places[1, 1] = 1
    if stamp is None:
        unknown = np.zeros(1 + len(LEVELS), dtype=np.float32)
        unknown[0] = unknown[1] = UNKNOWN_DAY
        return builder.node("Add", nothing, builder.constant(unknown))
    moments = builder.node("MatMul", stamp, builder.constant(places))
    return builder.node("Add", nothing, builder.node("Unsqueeze", moments, builder.constant([1, 2], np.int64)))
