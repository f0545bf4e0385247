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
from salus.learners.folds import (
    FOLDS,
    few,
    few_threads,
    folded,
    held_out,
    learnable,
    loss_of,
    repeats_of,
    some_rows,
    tabled,
)
from salus.learners.front import Front
from salus.learners.graphs import GraphBuilder
from salus.learners.options import config_from, derived
from salus.learners.tabular import Tabular
from salus.tasks.base import Task

SAMPLE_ROWS, IMPORTING_ROWS = (
    1000,
    50,
)  # rows on which the rate is measured, and before it what is only slow the first time
UNSEEN = 20.0  # how far below the others a class without train rows is scored
MAX_MATRIX_BYTES = 2**30
NEWTON_WIDTH = 300  # weights up to which a step with all second derivatives is the faster one
LASSO_CELLS = 2_000_000  # `auto` tries the lasso on matrices up to this size: its solvers are slow
SPARSE_SHARE = 0.2  # of numbers that are not 0, below which only those are kept
CHOOSING_ROWS, FEWEST_ROWS = (
    20_000,
    1000,
)  # of train, with which shapes and penalties are compared, and the fewest for it
COMPARING_SHARE = 0.6  # of the time
ENOUGH_WORSE = 2  # penalties in a row, each smaller and worse, end the search
TRIED_SHARE = 0.6  # of the penalties, before the search ends
BENT_WIDTH, PRODUCT_WIDTH = 1000, 150  # `auto` bends and multiplies as long as there are no more columns
PRODUCT_ROWS = 2000  # and with at least so many train rows


class LinearConfig(LearnerConfig):
    penalties: tuple[float, ...] = Field(
        (0.1, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0),
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
    max_iterations: int = Field(150, ge=1, le=100_000, description="most steps of the solver for one penalty")
    max_rows: int = Field(1_000_000, ge=10, description="train rows beyond this are left out by chance")
    choosing_rows: int = Field(20_000, ge=10, description="train rows with which shapes and penalties are compared")


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

    def width(self, width: int, numbers: int) -> int:
        """Columns, at most, of so many plain ones."""
        return width + numbers * self.knots + (numbers * (numbers + 1) // 2 if self.products else 0)

    def __str__(self) -> str:
        return self.kind + (" bent" if self.knots else "") + (" products" if self.products else "")


class Linear(Learner):
    name: ClassVar[str] = "linear"
    Config: ClassVar[type[LearnerConfig]] = LinearConfig
    config: LinearConfig

    @classmethod
    def learns(cls, task: Task, kinds: frozenset[str]) -> bool:
        return task.plain and Front.takes(kinds)

    @classmethod
    def propose(cls, prepared: Prepared, options: Mapping[str, Any], budget_s: float, context: Context) -> Proposal:
        config = config_from(LinearConfig, options, cls.name)
        rows, small = len(prepared.train), few(prepared, SAMPLE_ROWS)
        one = {"penalties": (10.0,), "penalty_kind": "l2", "splines": "off", "products": "off"}
        found = cls(config.model_copy(update=one)).fit(few(prepared, IMPORTING_ROWS), Context()).details
        width, numbers = max(1, found["columns"]), found["numbers"]
        widths = {shape: shape.width(width, numbers) for shape in cls(config)._shapes(rows, width, numbers, small)}
        widest = max(widths, key=lambda shape: widths[shape])
        one |= {"splines": "on" if widest.knots else "off", "products": "on" if widest.products else "off"}
        started = time.monotonic()
        cls(config.model_copy(update=one)).fit(small, Context())
        sample = len(small.train)
        row_solves_per_s = sample * _solves(small, 1.0, sample) / max(time.monotonic() - started, 1e-3)
        tried = sum(widths.values()) / widths[widest] * len(config.penalties) * TRIED_SHARE
        choosing = _solves(prepared, tried, rows) - 1
        # Most of the time is for comparing, on few rows if need be; the one that is best is learned of as many as possible.
        compared = int(
            max(FEWEST_ROWS, min(rows, CHOOSING_ROWS, COMPARING_SHARE * budget_s * row_solves_per_s / choosing))
        )
        left_s = budget_s - choosing * compared / row_solves_per_s
        most = int(max(compared, min(row_solves_per_s * left_s, MAX_MATRIX_BYTES / (4 * width))))
        config = derived(config, options, {"choosing_rows": compared, "max_rows": most})
        learned = min(rows, config.max_rows)
        return Proposal(
            config=config.model_dump(mode="json"),
            expected_s=round((choosing * min(learned, config.choosing_rows) + learned) / row_solves_per_s, 3),
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
        weights, intercepts = self._solver(shape.kind, matrix, part.target, prepared).solve(penalty)
        details = {
            "penalty": penalty,
            "shape": str(shape),
            "losses": {f"{of} {tried:g}": round(loss, 6) for (of, tried), loss in losses.items()},
            "columns": tabulars[shape].width,
            "numbers": numbers,
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
        multiplied_fits = 0 < pairs <= PRODUCT_WIDTH and rows >= PRODUCT_ROWS
        products = {"on": [True], "off": [False], "auto": [False, True] if multiplied_fits else [False]}[
            config.products
        ]
        shapes = [Shape(kind, knots, product) for kind in kinds for knots in bends for product in products]
        if config.penalty_kind != "auto":
            return shapes
        # The lasso of many columns is slow and seldom better: it is tried on plain ones, if it may be.
        plain = min(shapes, key=lambda shape: (shape.knots, shape.products))
        return [s for s in shapes if s.kind == "l2" or (s.knots, s.products) == (plain.knots, plain.products)]

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
        few = some_rows(part, self.config.choosing_rows, prepared.seed)
        matrix = tabular.matrix(few.feeds, len(few))
        if folded(prepared):
            folds = held_out(few, prepared.classification, prepared.seed, repeats=repeats_of(len(few)))
            pairs = [(matrix[train], few.target[train], matrix[held], few.target[held]) for train, held in folds]
        else:
            pairs = [(matrix, few.target, tabular.matrix(checked.feeds, len(checked)), checked.target)]
        solvers = [self._solver(shape.kind, seen, truth, prepared) for seen, truth, _, _ in pairs]
        least, worse = np.inf, 0
        for penalty in sorted(self.config.penalties, reverse=True):
            total, rows = 0.0, 0
            for solver, (_, _, held, truth) in zip(solvers, pairs, strict=True):
                context.stop_if_asked("learning the linear model")
                weights, intercepts = solver.solve(penalty)
                total += loss_of(held @ weights + intercepts, truth, prepared.classification) * len(truth)
                rows += len(truth)
            yield penalty, total / rows
            least, worse = min(least, total / rows), worse + 1 if total / rows > least else 0
            if worse == ENOUGH_WORSE:
                return

    def _solver(self, kind: str, matrix: np.ndarray, target: np.ndarray, prepared: Prepared) -> Solver:
        return Solver.of(kind, matrix, target, prepared, self.config.max_iterations)


@dataclass
class Solver:
    """Solves for one penalty after another, each from where the one before ended. model: of scikit-learn, not for numbers."""

    kind: str
    matrix: Any
    target: np.ndarray
    classes: int
    iterations: int
    model: Any | None

    @classmethod
    def of(cls, kind: str, matrix: np.ndarray, target: np.ndarray, prepared: Prepared, iterations: int) -> Solver:
        if not prepared.classification:
            return cls(kind, matrix, target, prepared.classes, iterations, None)
        from scipy.sparse import csr_matrix
        from sklearn.linear_model import LogisticRegression

        seen = len(np.unique(target))
        weights = matrix.shape[1] * (1 if seen == 2 else seen)
        solver = "newton-cholesky" if weights <= NEWTON_WIDTH else "lbfgs"
        options: dict[str, Any] = {"max_iter": iterations, "warm_start": True}
        if kind == "l1":
            solver = "liblinear" if seen == 2 else "saga"
            options = {"max_iter": min(iterations, 100), "l1_ratio": 1.0, "tol": 1e-3, "random_state": prepared.seed}
        full = solver != "lbfgs" or np.count_nonzero(matrix) > SPARSE_SHARE * matrix.size
        model = LogisticRegression(**options, solver=solver)
        return cls(kind, matrix if full else csr_matrix(matrix), target, prepared.classes, iterations, model)

    def solve(self, penalty: float) -> tuple[np.ndarray, np.ndarray]:
        """Weights (width, K) and intercepts (K,), float64."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # not converged: rows held out tell how good it is
            if self.model is None:
                return _numbers(self.matrix, self.target, self.kind, penalty, self.iterations)
            model = self.model.set_params(C=1 / penalty).fit(self.matrix, self.target)
        coefficients, intercepts = np.asarray(model.coef_, dtype=np.float64), np.asarray(model.intercept_)
        return _spread(coefficients, intercepts, np.unique(self.target), self.classes)


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


def _solves(prepared: Prepared, tried: float, rows: int) -> float:
    """How many times the solver runs: everything tried on every fold, and once more for the best."""
    return tried * (FOLDS * repeats_of(rows) if folded(prepared) else 1) + 1


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
