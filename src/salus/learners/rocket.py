"""Fixed random kernels and a ridge head: the first thing to try on recordings, and seldom beaten on few of them.

Every window is scored, a row is the mean of its windows. Numbers and categories beside the recordings take part in the same head.
With few rows the penalty is chosen by leaving whole groups (or rows) out of train, without solving anew for each: what ridge
regression would have said without some rows follows from what it says with them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from salus.core.context import Context
from salus.core.durable import write_file
from salus.core.errors import SalusError
from salus.learners.base import Fitted, Learner, LearnerConfig, Part, Prepared, Proposal, searched
from salus.learners.folds import folded, held_out, tempered_loss
from salus.learners.graphs import GraphBuilder
from salus.learners.kernels import KERNELS, Kernels
from salus.learners.options import config_from
from salus.learners.tabular import Tabular
from salus.tasks.base import Task

MEASURED_WINDOWS = 64
MOST_FEATURES, WIDE_WINDOWS = 9996, 3000  # more features are proposed where the time allows, for up to so many windows
MAX_MATRIX_BYTES = 2**30
FOLDS = 10  # of groups or rows left out in turn
TABLE_FEEDS = ("numbers", "categories")


class RocketConfig(LearnerConfig):
    features: int = searched(3024, 504, 10_080, log=True, ge=84, le=50_000, description="features of a window, about")
    max_windows: int = Field(100_000, ge=10, description="train windows beyond this are left out by chance")
    penalties: tuple[float, ...] = Field(
        (0.001, 0.01, 0.1, 1.0, 10.0),
        min_length=1,
        max_length=20,
        description="L2 penalties a window to choose from on rows held out",
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
        for term in self.tabular.score_nodes(builder, self.head.weights[width:], self._number_nodes):
            total = builder.node("Add", term, total)
        output = "scores" if self.classification else "values"
        write_file(path, builder.finish(output, total, len(self.head.intercepts)))

    def _number_nodes(self, builder: GraphBuilder) -> str:
        return builder.feed("numbers", np.float32, ("rows", len(self.tabular.medians)))


class Rocket(Learner):
    name: ClassVar[str] = "rocket"
    Config: ClassVar[type[LearnerConfig]] = RocketConfig
    config: RocketConfig

    @classmethod
    def learns(cls, task: Task, kinds: frozenset[str]) -> bool:
        return task.plain and "series" in kinds and kinds <= {"series", "number", "category"}

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
        fits = 0.5 * budget_s * windows_per_s / total  # how often the features may be multiplied
        if fits < 1:  # too short a budget: fewer features for more windows
            derived["features"] = max(len(KERNELS) * 6, config.features // 4)
        elif len(windows) <= WIDE_WINDOWS:  # with more the head costs more than the features
            derived["features"] = max(config.features, min(MOST_FEATURES, int(fits * config.features)))
        measured = config.features
        config = config.model_copy(update=derived | dict(options))
        return Proposal(
            config=RocketConfig(**config.model_dump()).model_dump(mode="json"),
            expected_s=round(1.5 * min(total, config.max_windows * 2) / windows_per_s * config.features / measured, 3),
            notes={"windows_per_s": round(windows_per_s, 1)},
        )

    def fit(self, prepared: Prepared, context: Context) -> Fitted:
        def pause() -> None:
            context.stop_if_asked("learning recordings")

        train = prepared.train
        if prepared.classification and len(np.unique(train.target)) < 2:
            raise SalusError("learner_one_class", where="rocket", found=1)
        row_of = train.feeds["series_rows"].argmax(axis=0)
        chosen = np.sort(np.random.default_rng(prepared.seed).permutation(len(row_of))[: self.config.max_windows])
        windows, row_of = train.feeds["series"][chosen], row_of[chosen]
        kernels = Kernels.fit(windows, self.config.features, prepared.seed)
        context.event("step", learner=self.name, stage="features", windows=len(windows))
        features = kernels.features(windows, prepared.threads, pause)
        tabular = Tabular.fit(_table_feeds(train), prepared.schema)
        table = tabular.matrix(_table_feeds(train), len(train))
        ridges = Ridges.of(features, table[row_of], _answers(train.target, prepared)[row_of], pause)
        judge = self._judge(prepared, ridges, kernels, tabular, row_of, pause)
        losses: dict[float, tuple[float, float]] = {}
        for penalty in self.config.penalties:
            losses[penalty] = judge(penalty)
            context.event("step", learner=self.name, stage="head", penalty=penalty, loss=losses[penalty][0])
        penalty = min(losses, key=lambda tried: losses[tried])
        head, scale = ridges.head(penalty), losses[penalty][1]
        head = Head(head.means, head.scales, head.weights * scale, head.intercepts * scale)
        details = {
            "penalty": penalty,
            "losses": {f"{p:g}": round(loss, 6) for p, (loss, _) in losses.items()},
            "features": kernels.width,
            "windows": len(windows),
        }
        return RocketFitted(kernels, tabular, head, prepared.classification, details)

    def _judge(
        self,
        prepared: Prepared,
        ridges: Ridges,
        kernels: Kernels,
        tabular: Tabular,
        row_of: np.ndarray,
        pause: Callable[[], None],
    ) -> Callable[[float], tuple[float, float]]:
        """penalty -> (loss on rows held out, the factor on scores that gives it)."""
        train, validation = prepared.train, prepared.validation
        if not folded(prepared):
            checked = kernels.features(validation.feeds["series"], prepared.threads, pause)
            table = tabular.matrix(_table_feeds(validation), len(validation))

            def by_validation(penalty: float) -> tuple[float, float]:
                raw = _scores(checked, table, validation.feeds["series_rows"], ridges.head(penalty))
                return tempered_loss(raw, validation.target, prepared.classification)

            return by_validation
        folds = [held for _, held in held_out(train, prepared.classification, prepared.seed, FOLDS)]
        of_windows = [np.flatnonzero(np.isin(row_of, held)) for held in folds]
        counts = np.bincount(row_of, minlength=len(train))
        judged = np.flatnonzero(counts)

        def by_folds(penalty: float) -> tuple[float, float]:
            raws = ridges.left_out(penalty, [held for held in of_windows if len(held)])
            sums = np.zeros((len(train), raws.shape[1]))
            np.add.at(sums, row_of, raws)
            return tempered_loss(sums[judged] / counts[judged, None], train.target[judged], prepared.classification)

        return by_folds


def _table_feeds(part: Part) -> dict[str, np.ndarray]:
    return {name: part.feeds[name] for name in TABLE_FEEDS if name in part.feeds}


def _answers(target: np.ndarray, prepared: Prepared) -> np.ndarray:
    """What ridge regression learns, float64 (B, K): -1 and 1 a class, or the targets."""
    if not prepared.classification:
        return np.asarray(target, dtype=np.float64)
    signs: np.ndarray = 2.0 * np.eye(prepared.classes)[target] - 1.0
    return signs


@dataclass(frozen=True)
class Ridges:
    """Ridge regressions of all penalties, from one Gram matrix of the smaller side. z (n, P + Q) and answers (n, K) are centred."""

    z: np.ndarray
    answers: np.ndarray
    gram: np.ndarray
    means: np.ndarray
    scales: np.ndarray
    centre: np.ndarray
    middle: np.ndarray
    pause: Callable[[], None]

    @classmethod
    def of(cls, features: np.ndarray, table: np.ndarray, answers: np.ndarray, pause: Callable[[], None]) -> Ridges:
        deviations = features.std(axis=0, dtype=np.float64)
        scales = np.where(deviations < 1e-6, 1.0, deviations).astype(np.float32)
        means = features.mean(axis=0, dtype=np.float64).astype(np.float32)
        z = np.concatenate([(features - means) / scales, table], axis=1).astype(np.float64)
        centre, middle = z.mean(axis=0), answers.mean(axis=0)
        z -= centre
        pause()
        gram = z @ z.T if z.shape[1] > len(z) else z.T @ z
        return cls(z, answers - middle, gram, means, scales, centre, middle, pause)

    def head(self, penalty: float) -> Head:
        """penalty: a window."""
        self.pause()
        if self._wide:
            weights = self.z.T @ np.linalg.solve(self._ridge(penalty), self.answers)
        else:
            weights = np.linalg.solve(self._ridge(penalty), self.z.T @ self.answers)
        return Head(self.means, self.scales, weights, self.middle - self.centre @ weights)

    def left_out(self, penalty: float, folds: list[np.ndarray]) -> np.ndarray:
        """What is said (n, K) of the windows of each fold by the regression that did not see them: with the hat matrix H their errors
        are (I - H_ff)^-1 times those of the regression that saw them."""
        self.pause()
        if self._wide:
            half = np.linalg.solve(self._ridge(penalty), self.gram)
            fitted = half.T @ self.answers
        else:
            half = np.linalg.solve(self._ridge(penalty), self.z.T)
            fitted = self.z @ (half @ self.answers)
        said = np.empty_like(self.answers)
        for fold in folds:
            self.pause()
            hat = half[np.ix_(fold, fold)] if self._wide else self.z[fold] @ half[:, fold]
            errors = self.answers[fold] - fitted[fold]
            said[fold] = self.answers[fold] - np.linalg.solve(np.eye(len(fold)) - hat - 1 / len(self.z), errors)
        said += self.middle
        return said

    @property
    def _wide(self) -> bool:
        return bool(self.z.shape[1] > len(self.z))

    def _ridge(self, penalty: float) -> np.ndarray:
        ridge: np.ndarray = self.gram + penalty * len(self.z) * np.eye(len(self.gram))
        return ridge


def _scores(features: np.ndarray, table: np.ndarray, series_rows: np.ndarray, head: Head) -> np.ndarray:
    standard = ((features - head.means) / head.scales).astype(np.float64)
    windows = standard @ head.weights[: standard.shape[1]]
    scores: np.ndarray = (
        series_rows.astype(np.float64) @ windows + table @ head.weights[standard.shape[1] :] + head.intercepts
    )
    return scores
