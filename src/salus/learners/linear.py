"""Logistic regression, and ridge regression and the lasso for numbers: the first to try on a table, hard to beat on a small one.

Knows scikit-learn, and chooses by rows held out how strong the penalty is and whether lines may bend (an additive model) or
columns multiply. Does not know where the columns come from; see `front` for how they are made and `tabular` for what is done
to them.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from salus.core.context import Context
from salus.core.durable import write_file
from salus.core.errors import SalusError
from salus.learners.base import Fitted, Learner, LearnerConfig, Part, Prepared, Proposal, searched
from salus.learners.folds import FOLDS, few, few_threads, folded, held_out, learnable, loss_of, some_rows, tabled
from salus.learners.front import Front
from salus.learners.graphs import GraphBuilder
from salus.learners.options import config_from, derived
from salus.learners.tabular import Tabular

SAMPLE_ROWS, IMPORTING_ROWS = (
    1000,
    50,
)  # rows on which the rate is measured, and before it what is only slow the first time
UNSEEN = 20.0  # how far below the others a class without train rows is scored
MAX_MATRIX_BYTES = 2**30
NEWTON_WIDTH = 300  # weights up to which a step with all second derivatives is the faster one
LASSO_CELLS = 2_000_000  # `auto` tries the lasso on matrices up to this size: its solvers are slow
BENT_WIDTH, PRODUCT_WIDTH = 1000, 150  # `auto` bends and multiplies as long as there are no more columns
PRODUCT_ROWS = 10  # and with at least so many train rows a product


class LinearConfig(LearnerConfig):
    penalties: tuple[float, ...] = Field(
        (0.03, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0),
        min_length=1,
        max_length=20,
        description="strengths of the penalty to choose from on rows held out",
    )
    penalty_kind: Literal["auto", "l2", "l1"] = Field(
        "auto", description="l2: ridge, small weights; l1: lasso, few weights; auto: both are tried where that is quick"
    )
    splines: Literal["auto", "on", "off"] = Field(
        "auto", description="whether lines may bend; auto: chosen on rows held out"
    )
    knots: int = searched(5, 2, 12, ge=1, le=50, description="bends a number")
    products: Literal["auto", "on", "off"] = Field(
        "auto", description="whether numbers are multiplied two by two; auto: chosen on rows held out"
    )
    max_iterations: int = Field(300, ge=1, le=100_000, description="most steps of the solver for one penalty")
    max_rows: int = Field(1_000_000, ge=10, description="train rows beyond this are left out by chance")


@dataclass
class LinearFitted(Fitted):
    """Weights (width, K) and intercepts (K,) over the columns of `tabular`."""

    front: Front
    tabular: Tabular
    weights: np.ndarray
    intercepts: np.ndarray
    classification: bool
    details: dict[str, Any]

    def raw(self, feeds: Mapping[str, np.ndarray]) -> np.ndarray:
        table = self.front.feeds(feeds)
        matrix = self.tabular.matrix(table, len(next(iter(table.values()))))
        scores: np.ndarray = matrix.astype(np.float64) @ self.weights + self.intercepts
        return scores

    def export(self, path: Path) -> None:
        builder = GraphBuilder()
        total = builder.constant(self.intercepts)
        for term in self.tabular.score_nodes(builder, self.weights, self.front.number_nodes):
            total = builder.node("Add", term, total)
        output = "scores" if self.classification else "values"
        write_file(path, builder.finish(output, total, len(self.intercepts)))


@dataclass(frozen=True)
class Shape:
    """What may be done to the columns, and how weights are held small."""

    kind: str
    knots: int
    products: bool

    def __str__(self) -> str:
        return self.kind + (" bent" if self.knots else "") + (" products" if self.products else "")


class Linear(Learner):
    name: ClassVar[str] = "linear"
    Config: ClassVar[type[LearnerConfig]] = LinearConfig
    config: LinearConfig

    @classmethod
    def learns(cls, classification: bool, kinds: frozenset[str]) -> bool:
        return Front.takes(kinds)

    @classmethod
    def propose(cls, prepared: Prepared, options: Mapping[str, Any], budget_s: float, context: Context) -> Proposal:
        config = config_from(LinearConfig, options, cls.name)
        rows, small = len(prepared.train), few(prepared, SAMPLE_ROWS)
        sample = len(small.train)
        one = {"penalties": (1.0,), "penalty_kind": "l2", "splines": "off", "products": "off"}
        measured = cls(config.model_copy(update=one))
        measured.fit(few(prepared, IMPORTING_ROWS), Context())
        started = time.monotonic()
        width = measured.fit(small, Context()).details["columns"]
        row_solves_per_s = sample * _solves(small, 1, sample) / max(time.monotonic() - started, 1e-3)
        # A bent shape has several times the columns.
        shapes = sum(
            2 if shape.knots or shape.products else 1 for shape in cls(config)._shapes(rows, width, width, small)
        )
        solves = _solves(prepared, len(config.penalties) * shapes, rows)
        affordable = int(min(row_solves_per_s * budget_s / solves, MAX_MATRIX_BYTES / (4 * max(width, 1))))
        config = derived(config, options, {"max_rows": max(1000, min(rows, affordable))})
        return Proposal(
            config=config.model_dump(mode="json"),
            expected_s=round(min(rows, config.max_rows) * solves / row_solves_per_s, 3),
            notes={"row_solves_per_s": round(row_solves_per_s)},
        )

    def fit(self, prepared: Prepared, context: Context) -> Fitted:
        if prepared.classification and len(np.unique(prepared.train.target)) < 2:
            raise SalusError("learner_one_class", where="the linear model", found=1)
        front = Front.fit(prepared)
        part = some_rows(learnable(front, prepared), self.config.max_rows, prepared.seed)
        checked = tabled(front, prepared.validation)
        width = Tabular.fit(part.feeds, prepared.schema).width
        with few_threads(len(part) * width**2, prepared.threads):
            return self._chosen(front, part, checked, prepared, context)

    def _chosen(
        self,
        front: Front,
        part: Part,
        checked: Part,
        prepared: Prepared,
        context: Context,
    ) -> Fitted:
        """The best of all shapes and penalties, learned from all rows of the part."""
        losses: dict[tuple[Shape, float], float] = {}
        tabulars: dict[Shape, Tabular] = {}
        numbers = part.feeds["numbers"].shape[1] if "numbers" in part.feeds else 0
        width = Tabular.fit(part.feeds, prepared.schema).width
        for shape in self._shapes(len(part), width, numbers, prepared):
            tabulars[shape] = Tabular.fit(part.feeds, prepared.schema, shape.knots, shape.products)
            for penalty, loss in self._losses(shape, tabulars[shape], part, checked, prepared, context):
                losses[shape, penalty] = loss
                context.event("step", learner=self.name, shape=str(shape), penalty=penalty, loss=loss)
        shape, penalty = min(losses, key=lambda tried: losses[tried])
        matrix = tabulars[shape].matrix(part.feeds, len(part))
        weights, intercepts = self._solve(matrix, part.target, shape.kind, penalty, prepared)
        details = {
            "penalty": penalty,
            "shape": str(shape),
            "losses": {f"{of} {tried:g}": round(loss, 6) for (of, tried), loss in losses.items()},
            "columns": tabulars[shape].width,
            "rows": len(part),
        }
        return LinearFitted(front, tabulars[shape], weights, intercepts, prepared.classification, details)

    def _shapes(self, rows: int, width: int, numbers: int, prepared: Prepared) -> list[Shape]:
        """The shapes to try: as asked, and for `auto` those that the sizes allow."""
        config = self.config
        kinds = [config.penalty_kind] if config.penalty_kind != "auto" else ["l2"]
        quick = not prepared.classification or prepared.classes == 2  # of more classes the lasso is slow
        if config.penalty_kind == "auto" and quick and rows * width <= LASSO_CELLS:
            kinds.append("l1")
        bent_fits = numbers > 0 and width + numbers * config.knots <= BENT_WIDTH
        bends = {"on": [config.knots], "off": [0], "auto": [0, config.knots] if bent_fits else [0]}[config.splines]
        pairs = numbers * (numbers + 1) // 2
        multiplied_fits = 0 < pairs <= min(PRODUCT_WIDTH, rows // PRODUCT_ROWS)
        products = {"on": [True], "off": [False], "auto": [False, True] if multiplied_fits else [False]}[
            config.products
        ]
        shapes = [Shape(kind, knots, product) for kind in kinds for knots in bends for product in products]
        # Everything at once is a different model from either alone, the lasso of it is slow and seldom better.
        return [shape for shape in shapes if shape.kind == "l2" or not shape.products or config.penalty_kind == "l1"]

    def _losses(
        self,
        shape: Shape,
        tabular: Tabular,
        part: Part,
        checked: Part,
        prepared: Prepared,
        context: Context,
    ) -> Iterator[tuple[float, float]]:
        """(penalty, loss): on validation rows, and with few rows over folds of train instead, since few validation rows choose badly."""
        matrix = tabular.matrix(part.feeds, len(part))
        if folded(prepared):
            pairs = [
                (train, (matrix[held], part.target[held]))
                for train, held in held_out(part, prepared.classification, prepared.seed)
            ]
        else:
            pairs = [(np.arange(len(part)), (tabular.matrix(checked.feeds, len(checked)), checked.target))]
        for penalty in self.config.penalties:
            total, rows = 0.0, 0
            for train, (held, truth) in pairs:
                context.stop_if_asked("learning the linear model")
                chosen = matrix if len(train) == len(matrix) else matrix[train]
                weights, intercepts = self._solve(chosen, part.target[train], shape.kind, penalty, prepared)
                total += loss_of(held @ weights + intercepts, truth, prepared.classification) * len(truth)
                rows += len(truth)
            yield penalty, total / rows

    def _solve(
        self, matrix: np.ndarray, target: np.ndarray, kind: str, penalty: float, prepared: Prepared
    ) -> tuple[np.ndarray, np.ndarray]:
        """Weights (width, K) and intercepts (K,), float64."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # not converged: rows held out tell how good it is
            if not prepared.classification:
                return _numbers(matrix, target, kind, penalty, self.config.max_iterations)
            seen = np.unique(target)
            model = self._logistic(matrix, len(seen), kind, penalty, prepared.seed).fit(matrix, target)
        return _spread(np.asarray(model.coef_, dtype=np.float64), np.asarray(model.intercept_), seen, prepared.classes)

    def _logistic(self, matrix: np.ndarray, classes: int, kind: str, penalty: float, seed: int) -> Any:
        from sklearn.linear_model import LogisticRegression

        options: dict[str, Any] = {"C": 1 / penalty, "max_iter": self.config.max_iterations}
        if kind == "l1":
            solver = "liblinear" if classes == 2 else "saga"
            return LogisticRegression(
                **options | {"max_iter": 100}, l1_ratio=1.0, solver=solver, tol=1e-3, random_state=seed
            )
        weights = matrix.shape[1] * (1 if classes == 2 else classes)
        return LogisticRegression(**options, solver="newton-cholesky" if weights <= NEWTON_WIDTH else "lbfgs")


def _numbers(
    matrix: np.ndarray, target: np.ndarray, kind: str, penalty: float, iterations: int
) -> tuple[np.ndarray, np.ndarray]:
    """Ridge regression or the lasso on standardised targets, scaled back. `penalty` is that of half the sum of squares."""
    from sklearn.linear_model import Lasso, Ridge

    means, deviations = target.mean(axis=0), np.maximum(target.std(axis=0), 1e-12)
    scaled = ((target - means) / deviations).astype(matrix.dtype)
    if kind == "l1":
        model = Lasso(alpha=penalty / len(matrix), max_iter=iterations, tol=1e-3).fit(matrix, scaled)
    else:
        model = Ridge(alpha=penalty).fit(matrix, scaled)
    coefficients = np.asarray(model.coef_, dtype=np.float64).reshape(target.shape[1], -1)
    return coefficients.T * deviations, np.asarray(model.intercept_, dtype=np.float64) * deviations + means


def _solves(prepared: Prepared, tried: int, rows: int) -> int:
    """How many times the solver runs: everything tried on every fold, and once more for the best."""
    return tried * (FOLDS if folded(prepared) else 1) + 1


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
