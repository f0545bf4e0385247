"""Fixed random kernels and a ridge head: the first thing to try on recordings, and seldom beaten on few of them.

Every window is scored, a row is the mean of its windows. Numbers and categories beside the recordings take part in the same head.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from salus.core.context import Context
from salus.core.durable import write_file
from salus.core.errors import SalusError
from salus.learners.base import Fitted, Learner, LearnerConfig, Part, Prepared, Proposal
from salus.learners.graphs import GraphBuilder
from salus.learners.kernels import KERNELS, Kernels
from salus.learners.options import config_from
from salus.learners.tabular import Tabular

MEASURED_WINDOWS = 64
MAX_MATRIX_BYTES = 2**30
TEMPERATURES = np.geomspace(0.02, 2.0, 40)
TABLE_FEEDS = ("numbers", "categories")


class RocketConfig(LearnerConfig):
    features: int = Field(3024, ge=84, le=50_000, description="features of a window, about")
    max_windows: int = Field(100_000, ge=10, description="train windows beyond this are left out by chance")
    penalties: tuple[float, ...] = Field(
        (0.001, 0.01, 0.1, 1.0, 10.0),
        min_length=1,
        max_length=20,
        description="L2 penalties a window to choose from on validation rows",
    )


@dataclass(frozen=True)
class Head:
    """Linear over standardised features (P of windows, then those of the table): weights (P + Q, K), intercepts (K,)."""

    means: np.ndarray
    scales: np.ndarray
    weights: np.ndarray
    intercepts: np.ndarray


@dataclass
class RocketFitted(Fitted):
    kernels: Kernels
    tabular: Tabular
    head: Head
    classification: bool
    details: dict[str, Any]

    def raw(self, feeds: Mapping[str, np.ndarray]) -> np.ndarray:
        features = self.kernels.features(feeds["series"], 1)
        return _scores(features, self.tabular.matrix(feeds, len(feeds["series_rows"])), feeds["series_rows"], self.head)

    def export(self, path: Path) -> None:
        builder, width = GraphBuilder(), self.kernels.width
        features = self.kernels.feature_nodes(builder)
        centred = builder.node("Sub", features, builder.constant(self.head.means))
        standard = builder.node("Div", centred, builder.constant(self.head.scales))
        scores = builder.node("MatMul", standard, builder.constant(self.head.weights[:width]))
        rows = builder.feed("series_rows", np.float32, ("rows", "windows"))
        total = builder.node("Add", builder.node("MatMul", rows, scores), builder.constant(self.head.intercepts))
        for term in self.tabular.score_nodes(builder, self.head.weights[width:]):
            total = builder.node("Add", term, total)
        output = "scores" if self.classification else "values"
        write_file(path, builder.finish(output, total, len(self.head.intercepts)))


class Rocket(Learner):
    name: ClassVar[str] = "rocket"
    Config: ClassVar[type[LearnerConfig]] = RocketConfig
    config: RocketConfig

    @classmethod
    def learns(cls, classification: bool, kinds: frozenset[str]) -> bool:
        return "series" in kinds and kinds <= {"series", "number", "category"}

    @classmethod
    def propose(cls, prepared: Prepared, options: Mapping[str, Any], budget_s: float, context: Context) -> Proposal:
        config = config_from(RocketConfig, options, cls.name)
        windows = prepared.train.feeds["series"]
        sample = windows[:: max(1, len(windows) // MEASURED_WINDOWS)][:MEASURED_WINDOWS]
        kernels = Kernels.fit(sample, config.features, prepared.seed)
        seconds = []
        for _ in range(2):  # the first time warms up
            context.stop_if_asked("measuring the rate of windows")
            started = time.monotonic()
            kernels.features(sample, prepared.threads)
            seconds.append(time.monotonic() - started)
        windows_per_s = len(sample) / max(min(seconds), 1e-3)
        total = len(windows) + len(prepared.validation.feeds["series"])
        affordable = int(min(0.5 * windows_per_s * budget_s, MAX_MATRIX_BYTES / (4 * config.features)))
        derived: dict[str, Any] = {"max_windows": max(100, min(len(windows), affordable))}
        if budget_s * windows_per_s < 2 * total:  # too short a budget: fewer features for more windows
            derived["features"] = max(len(KERNELS) * 6, config.features // 4)
        config = config.model_copy(update=derived | dict(options))
        return Proposal(
            config=RocketConfig(**config.model_dump()).model_dump(mode="json"),
            expected_s=round(1.5 * min(total, config.max_windows * 2) / windows_per_s, 3),
            notes={"windows_per_s": round(windows_per_s, 1)},
        )

    def fit(self, prepared: Prepared, context: Context) -> Fitted:
        def pause() -> None:
            context.stop_if_asked("learning recordings")

        train, validation = prepared.train, prepared.validation
        if prepared.classification and len(np.unique(train.target)) < 2:
            raise SalusError("learner_one_class", where="rocket", found=1)
        row_of = train.feeds["series_rows"].argmax(axis=0)
        chosen = np.sort(np.random.default_rng(prepared.seed).permutation(len(row_of))[: self.config.max_windows])
        windows, row_of = train.feeds["series"][chosen], row_of[chosen]
        kernels = Kernels.fit(windows, self.config.features, prepared.seed)
        context.event("step", learner=self.name, stage="features", windows=len(windows))
        features = kernels.features(windows, prepared.threads, pause)
        checked = kernels.features(validation.feeds["series"], prepared.threads, pause)
        tabular = Tabular.fit(_table_feeds(train), prepared.schema)
        tables = [tabular.matrix(_table_feeds(part), len(part)) for part in (train, validation)]
        answers = _answers(train.target, prepared)[row_of]
        head, losses = None, {}
        for penalty, found in _ridges(features, tables[0][row_of], answers, self.config.penalties, pause):
            raw = _scores(checked, tables[1], validation.feeds["series_rows"], found)
            loss, scale = _loss(raw, validation.target, prepared.classification)
            losses[penalty] = loss
            context.event("step", learner=self.name, stage="head", penalty=penalty, loss=loss)
            if head is None or loss < min(v for p, v in losses.items() if p != penalty):
                head = Head(found.means, found.scales, found.weights * scale, found.intercepts * scale)
        assert head is not None
        details = {
            "penalty": min(losses, key=lambda p: losses[p]),
            "validation_losses": {f"{p:g}": round(loss, 6) for p, loss in losses.items()},
            "features": kernels.width,
            "windows": len(windows),
        }
        return RocketFitted(kernels, tabular, head, prepared.classification, details)


def _table_feeds(part: Part) -> dict[str, np.ndarray]:
    return {name: part.feeds[name] for name in TABLE_FEEDS if name in part.feeds}


def _answers(target: np.ndarray, prepared: Prepared) -> np.ndarray:
    """What ridge regression learns, float64 (B, K): -1 and 1 a class, or the targets."""
    if not prepared.classification:
        return np.asarray(target, dtype=np.float64)
    signs: np.ndarray = 2.0 * np.eye(prepared.classes)[target] - 1.0
    return signs


def _ridges(
    features: np.ndarray,
    table: np.ndarray,
    answers: np.ndarray,
    penalties: tuple[float, ...],
    pause: Callable[[], None],
) -> Iterator[tuple[float, Head]]:
    """(penalty, head) one after another, from one Gram matrix of the smaller side."""
    deviations = features.std(axis=0, dtype=np.float64)
    scales = np.where(deviations < 1e-6, 1.0, deviations).astype(np.float32)
    means = features.mean(axis=0, dtype=np.float64).astype(np.float32)
    standard = np.concatenate([(features - means) / scales, table], axis=1).astype(np.float64)
    centre, middle = standard.mean(axis=0), answers.mean(axis=0)
    centred, moved = standard - centre, answers - middle
    rows, columns = centred.shape
    wide = columns > rows
    pause()
    gram = centred @ centred.T if wide else centred.T @ centred
    for penalty in penalties:
        pause()
        ridge = gram + penalty * rows * np.eye(len(gram))
        weights = centred.T @ np.linalg.solve(ridge, moved) if wide else np.linalg.solve(ridge, centred.T @ moved)
        yield float(penalty), Head(means, scales, weights, middle - centre @ weights)


def _scores(features: np.ndarray, table: np.ndarray, series_rows: np.ndarray, head: Head) -> np.ndarray:
    standard = ((features - head.means) / head.scales).astype(np.float64)
    windows = standard @ head.weights[: standard.shape[1]]
    scores: np.ndarray = (
        series_rows.astype(np.float64) @ windows + table @ head.weights[standard.shape[1] :] + head.intercepts
    )
    return scores


def _loss(raw: np.ndarray, target: np.ndarray, classification: bool) -> tuple[float, float]:
    """The loss on rows, and the factor on scores that gives it: the mean negative log likelihood, or squared error a variance."""
    if not classification:
        return float(np.mean((raw - target) ** 2 / np.maximum(target.var(axis=0), 1e-12))), 1.0
    losses = []
    for temperature in TEMPERATURES:
        shifted = (raw - raw.max(axis=1, keepdims=True)) / temperature
        losses.append(float(np.mean(np.log(np.exp(shifted).sum(axis=1)) - shifted[np.arange(len(target)), target])))
    best = int(np.argmin(losses))
    return losses[best], float(1 / TEMPERATURES[best])
