"""Logistic regression, and ridge regression for numbers: the first to try on a table, hard to beat on a small one.

Knows scikit-learn. Does not know where the columns come from; see `tabular` for what is done to them.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Mapping
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
from salus.learners.options import config_from
from salus.learners.tabular import Tabular

SAMPLE_ROWS = 2000  # rows on which the rate is measured
UNSEEN = 20.0  # how far below the others a class without train rows is scored
MAX_MATRIX_BYTES = 2**30


FOLDED_ROWS = 3000
FOLDS = 5


class LinearConfig(LearnerConfig):
    penalties: tuple[float, ...] = Field(
        (0.01, 0.1, 1.0, 10.0, 100.0),
        min_length=1,
        max_length=20,
        description="strengths of the L2 penalty to choose from on rows held out",
    )
    max_iterations: int = Field(300, ge=1, le=100_000, description="most steps of the solver for one penalty")
    max_rows: int = Field(1_000_000, ge=10, description="train rows beyond this are left out by chance")


@dataclass
class LinearFitted(Fitted):
    """Weights (width, K) and intercepts (K,) over the columns of `tabular`; the library's own models beside them."""

    tabular: Tabular
    weights: np.ndarray
    intercepts: np.ndarray
    classification: bool
    details: dict[str, Any]

    def raw(self, feeds: Mapping[str, np.ndarray]) -> np.ndarray:
        rows = len(next(iter(feeds.values())))
        matrix = self.tabular.matrix(feeds, rows).astype(np.float64)
        scores: np.ndarray = matrix @ self.weights + self.intercepts
        return scores

    def export(self, path: Path) -> None:
        builder = GraphBuilder()
        total = builder.constant(self.intercepts)
        for term in self.tabular.score_nodes(builder, self.weights):
            total = builder.node("Add", term, total)
        output = "scores" if self.classification else "values"
        write_file(path, builder.finish(output, total, len(self.intercepts)))


class Linear(Learner):
    name: ClassVar[str] = "linear"
    Config: ClassVar[type[LearnerConfig]] = LinearConfig
    config: LinearConfig

    @classmethod
    def learns(cls, classification: bool, kinds: frozenset[str]) -> bool:
        return bool(kinds) and kinds <= {"number", "category"}

    @classmethod
    def propose(cls, prepared: Prepared, options: Mapping[str, Any], budget_s: float, context: Context) -> Proposal:
        config = config_from(LinearConfig, options, cls.name)
        rows = len(prepared.train)
        sample = min(rows, SAMPLE_ROWS)
        small = config.model_copy(update={"penalties": (1.0,), "max_iterations": 20, "max_rows": sample})
        cls(small.model_copy(update={"max_rows": 100, "max_iterations": 1})).fit(prepared, Context())  # imports
        started = time.monotonic()
        cls(small).fit(prepared, Context())
        row_steps_per_s = sample * 20 * _solves(sample, 1) / max(time.monotonic() - started, 1e-3)
        width = Tabular.fit(prepared.train.feeds, prepared.schema).width
        # Few penalties need all their steps: about a third of them on average.
        steps = _solves(rows, len(config.penalties)) * config.max_iterations / 3
        affordable = int(min(row_steps_per_s * budget_s / steps, MAX_MATRIX_BYTES / (4 * max(width, 1))))
        values = {"max_rows": max(1000, min(rows, affordable))} | dict(options)
        return Proposal(
            config=LinearConfig(**values).model_dump(mode="json"),
            expected_s=round(min(rows, values["max_rows"]) * steps / row_steps_per_s, 3),
            notes={"row_steps_per_s": round(row_steps_per_s)},
        )

    def fit(self, prepared: Prepared, context: Context) -> Fitted:
        part = some_rows(prepared.train, self.config.max_rows, prepared.seed)
        tabular = Tabular.fit(part.feeds, prepared.schema)
        matrix = tabular.matrix(part.feeds, len(part))
        losses = self._losses(matrix, part, tabular, prepared, context)
        penalty = min(losses, key=lambda tried: losses[tried])
        weights, intercepts = self._solve(matrix, part.target, penalty, prepared)
        named = {f"{tried:g}": round(loss, 6) for tried, loss in losses.items()}
        details = {"penalty": penalty, "losses": named, "columns": tabular.width, "rows": len(part)}
        return LinearFitted(tabular, weights, intercepts, prepared.classification, details)

    def _losses(
        self, matrix: np.ndarray, part: Part, tabular: Tabular, prepared: Prepared, context: Context
    ) -> dict[float, float]:
        """The loss of each penalty: on validation rows, and with few rows over folds of train instead, since few validation rows choose badly."""
        if len(part) > FOLDED_ROWS:
            validation = tabular.matrix(prepared.validation.feeds, len(prepared.validation))
            pairs = [(np.arange(len(part)), (validation, prepared.validation.target))]
        else:
            pairs = []
            for fold in _folds(part, prepared):
                inside = np.flatnonzero(fold)
                pairs.append((np.flatnonzero(~fold), (matrix[inside], part.target[inside])))
        losses: dict[float, float] = {}
        for penalty in self.config.penalties:
            total, rows = 0.0, 0
            for train, (held_out, truth) in pairs:
                context.stop_if_asked("learning the linear model")
                weights, intercepts = self._solve(matrix[train], part.target[train], penalty, prepared)
                total += _loss(held_out @ weights + intercepts, truth, prepared.classification) * len(truth)
                rows += len(truth)
            losses[penalty] = total / rows
            context.event("step", learner=self.name, penalty=penalty, loss=losses[penalty])
        return losses

    def _solve(
        self, matrix: np.ndarray, target: np.ndarray, penalty: float, prepared: Prepared
    ) -> tuple[np.ndarray, np.ndarray]:
        """Weights (width, K) and intercepts (K,), float64."""
        from sklearn.linear_model import LogisticRegression, Ridge

        if not prepared.classification:
            means, deviations = target.mean(axis=0), np.maximum(target.std(axis=0), 1e-12)
            model = Ridge(alpha=penalty).fit(matrix, ((target - means) / deviations).astype(np.float32))
            coefficients = np.asarray(model.coef_, dtype=np.float64).reshape(prepared.classes, -1)
            return coefficients.T * deviations, np.asarray(model.intercept_, dtype=np.float64) * deviations + means
        seen = np.unique(target)
        if len(seen) < 2:
            raise SalusError("learner_one_class", where="the linear model", found=len(seen))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # not converged: validation rows tell how good it is
            model = LogisticRegression(C=1 / penalty, max_iter=self.config.max_iterations).fit(matrix, target)
        return _spread(np.asarray(model.coef_, dtype=np.float64), np.asarray(model.intercept_), seen, prepared.classes)


def _solves(rows: int, penalties: int) -> int:
    """How many times the solver runs: every penalty on every fold, and once more for the best."""
    return penalties * (FOLDS if rows <= FOLDED_ROWS else 1) + 1


def _folds(part: Part, prepared: Prepared) -> list[np.ndarray]:
    """Masks of the held-out rows of each fold: groups stay whole, every fold leaves at least two classes to learn from."""
    generator = np.random.default_rng([prepared.seed, len(part)])
    units = np.arange(len(part)) if part.groups is None else np.unique(part.groups, return_inverse=True)[1]
    count = int(units.max()) + 1
    of_unit = generator.permutation(count) % min(FOLDS, count)
    masks = [of_unit[units] == fold for fold in range(min(FOLDS, count))]
    if prepared.classification:
        masks = [mask for mask in masks if len(np.unique(part.target[~mask])) > 1]
    return masks or [np.arange(len(part)) % 2 == 0]


def _spread(
    coefficients: np.ndarray, intercepts: np.ndarray, seen: np.ndarray, classes: int
) -> tuple[np.ndarray, np.ndarray]:
    """scikit-learn's rows for the classes it saw, as columns for all classes."""
    if len(seen) == 2:
        coefficients = np.concatenate([-coefficients / 2, coefficients / 2])
        intercepts = np.concatenate([-intercepts / 2, intercepts / 2])
    weights = np.zeros((coefficients.shape[1], classes))
    spread = np.full(classes, float(intercepts.min()) - UNSEEN)
    weights[:, seen] = coefficients.T
    spread[seen] = intercepts
    return weights, spread


def _loss(raw: np.ndarray, target: np.ndarray, classification: bool) -> float:
    """Mean negative log likelihood of classes, or mean squared error over the target's variance."""
    if not classification:
        return float(np.mean((raw - target) ** 2 / np.maximum(target.var(axis=0), 1e-12)))
    shifted = raw - raw.max(axis=1, keepdims=True)
    log_sums = np.log(np.exp(shifted).sum(axis=1))
    return float(np.mean(log_sums - shifted[np.arange(len(target)), target]))


def some_rows(part: Part, limit: int, seed: int) -> Part:
    """The part, or `limit` of its rows drawn by the seed; only for feeds whose axis 0 is rows."""
    if len(part) <= limit:
        return part
    chosen = np.sort(np.random.default_rng(seed).permutation(len(part))[:limit])
    groups = None if part.groups is None else part.groups[chosen]
    feeds = {name: feed[chosen] for name, feed in part.feeds.items()}
    return Part(feeds, part.target[chosen], part.rows[chosen], groups)
