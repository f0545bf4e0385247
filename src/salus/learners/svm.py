"""Support vector machines: with the radial kernel on few rows, on random features of that kernel, or linear, on many.

Knows scikit-learn's machines (Cortes and Vapnik 1995) and random Fourier features (Rahimi and Recht 2007). One machine a class
against the rest, or one a target; the distances from their boundaries are the scores.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from salus.core.context import Context
from salus.core.durable import write_file
from salus.core.errors import SalusError
from salus.learners.base import Fitted, Learner, LearnerConfig, Prepared, Proposal, searched
from salus.learners.folds import few, few_threads, folded, held_out, learnable, some_rows, tabled, tempered_loss
from salus.learners.front import Front
from salus.learners.graphs import GraphBuilder
from salus.learners.options import config_from, derived
from salus.learners.tabular import Tabular
from salus.tasks.base import Task

MOST_KERNEL_ROWS = 10_000
SAMPLE_ROWS, IMPORTING_ROWS = 600, 50
ENOUGH_KERNEL_ROWS = 3000  # with so many the exact kernel is rather kept than all rows
MORE_ROWS = 3  # times as many make up for random features
KERNEL_POWERS = (1.2, 2.2)  # of the rows, with which the exact kernel's time grows: measured, believed between these
LARGER = 3  # times the sample, that tells the power
CLEAN = 0.1  # error of a sample's machine, in deviations of the target, below which numbers hold little noise
MARGINS, MARGIN_SHARE = (0.002, 0.02), 0.1  # of that error, below which errors cost nothing
CLEAN_COSTS = (10.0, 50.0)  # worth trying where there is little noise
FOLDS = 3
MEASURED_SHARE = 0.2  # of the budget, that finding out may take
UNSEEN = -20.0  # the score of a class without train rows
PIECE_ROWS = 1000
MOST_STEPS = 1_000_000
FEATURES_THREADED = 100
MAX_MATRIX_BYTES = 2**29
CACHE_MB = 200
TOLERANCE = 1e-2


class SvmConfig(LearnerConfig):
    kernel: Literal["rbf", "fourier", "linear"] = Field(
        "rbf", description="rbf: exact, for up to some thousand rows; fourier: random features of it; linear: none"
    )
    costs: tuple[float, ...] = Field(
        (0.1, 0.5, 2.0, 10.0),
        min_length=1,
        max_length=20,
        description="costs of an error to choose from on rows held out",
    )
    sharpness: float = searched(
        1.0,
        0.03,
        10.0,
        log=True,
        gt=0,
        le=1e4,
        description="how fast the kernel falls off, 1 over the spread of the columns",
    )
    margin: float = searched(
        0.02,
        0.002,
        0.3,
        log=True,
        ge=0,
        le=10,
        description="errors below this cost nothing (numbers), in deviations of the target",
    )
    features: int = Field(1024, ge=16, le=8192, description="random features (fourier)")
    max_rows: int = Field(MOST_KERNEL_ROWS, ge=10, description="train rows beyond this are left out by chance")


@dataclass(frozen=True)
class Machine:
    """rbf: support (S, width) rows; fourier: support (S, width) frequencies with phases (S,); linear: no support. The scores are
    weights (S, K) times what `features` gives, and intercepts (K,)."""

    kernel: str
    support: np.ndarray
    phases: np.ndarray
    gamma: float
    weights: np.ndarray
    intercepts: np.ndarray

    def features(self, matrix: np.ndarray) -> np.ndarray:
        """(B, S) of the columns of `tabular` (B, width)."""
        if self.kernel == "linear":
            return matrix
        products = matrix @ self.support.T
        if self.kernel == "fourier":
            waves: np.ndarray = np.cos(products + self.phases)
            return waves
        distances = (matrix**2).sum(axis=1)[:, None] + (self.support**2).sum(axis=1) - 2 * products
        near: np.ndarray = np.exp(-self.gamma * np.maximum(distances, 0))
        return near

    def scores(self, matrix: np.ndarray) -> np.ndarray:
        """(B, K), in pieces: the features of many rows do not fit into memory."""
        pieces = np.array_split(matrix.astype(np.float64), max(1, len(matrix) // PIECE_ROWS))
        return np.concatenate([self.features(piece) @ self.weights + self.intercepts for piece in pieces])

    def nodes(self, builder: GraphBuilder, matrix: str) -> str:
        """The graph value (rows, K) of the same."""
        value = matrix
        if self.kernel != "linear":
            value = builder.node("MatMul", matrix, builder.constant(self.support.T))
        if self.kernel == "fourier":
            value = builder.node("Cos", builder.node("Add", value, builder.constant(self.phases)))
        if self.kernel == "rbf":
            own = builder.node("ReduceSumSquare", matrix, builder.constant([1], np.int64), keepdims=1)
            both = builder.node("Add", own, builder.constant((self.support**2).sum(axis=1)))
            distances = builder.node("Sub", both, builder.node("Mul", value, builder.constant(2.0)))
            cut = builder.node("Relu", distances)
            value = builder.node("Exp", builder.node("Mul", cut, builder.constant(-self.gamma)))
        scores = builder.node("MatMul", value, builder.constant(self.weights))
        return builder.node("Add", scores, builder.constant(self.intercepts))


@dataclass
class SvmFitted(Fitted):
    front: Front
    tabular: Tabular
    machine: Machine
    classification: bool
    details: dict[str, Any]

    def raw(self, feeds: Mapping[str, np.ndarray]) -> np.ndarray:
        table = self.front.feeds(feeds)
        return self.machine.scores(self.tabular.matrix(table, len(next(iter(table.values())))))

    def export(self, path: Path) -> None:
        builder = GraphBuilder()
        value = self.machine.nodes(builder, self.tabular.matrix_nodes(builder, self.front.number_nodes))
        output = "scores" if self.classification else "values"
        write_file(path, builder.finish(output, value, len(self.machine.intercepts)))


class Svm(Learner):
    name: ClassVar[str] = "svm"
    Config: ClassVar[type[LearnerConfig]] = SvmConfig
    config: SvmConfig

    @classmethod
    def learns(cls, task: Task, kinds: frozenset[str]) -> bool:
        return task.plain and Front.takes(kinds)

    @classmethod
    def propose(cls, prepared: Prepared, options: Mapping[str, Any], budget_s: float, context: Context) -> Proposal:
        """The exact kernel as long as there is time for all rows, or for thousands of them; else random features."""
        config = config_from(SvmConfig, options, cls.name)
        rows, small = len(prepared.train), few(prepared, SAMPLE_ROWS)
        if not prepared.classification:
            config = derived(config, options, cls._fine(config, prepared))
        seconds: dict[str, float] = {}
        clean = config.costs == CLEAN_COSTS  # random features are too coarse for numbers without noise
        kernels = [config.kernel] if clean or "kernel" in options else ["rbf", "fourier"]
        for kernel in kernels:
            one = config.model_copy(
                update={
                    "kernel": kernel,
                    "costs": (_measured_cost(config),),
                    "features": min(config.features, 256),
                }
            )
            cls(one).fit(few(prepared, IMPORTING_ROWS), Context())
            started = time.monotonic()
            cls(one).fit(small, Context())
            seconds[kernel] = max(time.monotonic() - started, 1e-3) / _solves(small, 1)
        power = cls._power(config, prepared, seconds["rbf"], budget_s) if "rbf" in kernels else 1.0
        costs = {kernel: _Cost.of(kernel, seconds[kernel], len(small.train), config, power) for kernel in kernels}
        solves = _solves(prepared, len(config.costs))
        affordable = {kernel: min(rows, cost.rows_in(budget_s / solves)) for kernel, cost in costs.items()}
        kernel = kernels[0]
        if len(kernels) > 1 and affordable["rbf"] < min(rows, ENOUGH_KERNEL_ROWS):
            kernel = "fourier" if affordable["fourier"] > MORE_ROWS * affordable["rbf"] else "rbf"
        limit = MOST_KERNEL_ROWS if kernel == "rbf" else MAX_MATRIX_BYTES // (8 * config.features)
        most = max(min(rows, 200), min(affordable[kernel], limit))
        config = derived(config, options, {"kernel": kernel, "max_rows": most})
        return Proposal(
            config=config.model_dump(mode="json"),
            expected_s=round(solves * costs[kernel].seconds(min(rows, config.max_rows)), 3),
            notes={"sample_s": {name: round(value, 4) for name, value in seconds.items()}, "power": round(power, 2)},
        )

    @classmethod
    def _fine(cls, config: SvmConfig, prepared: Prepared) -> dict[str, Any]:
        """Margin and costs for numbers that hold little noise, as the machine of a sample shows on rows that it did not see."""
        small = few(prepared, SAMPLE_ROWS)
        held = small.validation if len(small.validation) else small.train
        one = config.model_copy(update={"kernel": "rbf", "costs": (10.0,)})
        said = cls(one).fit(small, Context()).raw(held.feeds)
        deviation = np.maximum(prepared.train.target.std(axis=0), 1e-12)
        error = float(np.sqrt(np.mean(((said - held.target) / deviation) ** 2)))
        if error > CLEAN:
            return {}
        margin = round(min(MARGINS[1], max(MARGINS[0], MARGIN_SHARE * error)), 4)
        return {"margin": margin, "costs": CLEAN_COSTS}

    @classmethod
    def _power(cls, config: SvmConfig, prepared: Prepared, sample_s: float, budget_s: float) -> float:
        """With which power of the rows the exact kernel's time grows here; the most where it would take long to find out."""
        rows = LARGER * SAMPLE_ROWS
        if (
            len(prepared.train) < rows
            or sample_s * LARGER ** KERNEL_POWERS[1] * (FOLDS + 1) > MEASURED_SHARE * budget_s
        ):
            return KERNEL_POWERS[1]
        larger = few(prepared, rows)
        one = config.model_copy(update={"kernel": "rbf", "costs": (_measured_cost(config),)})
        started = time.monotonic()
        cls(one).fit(larger, Context())
        larger_s = (time.monotonic() - started) / _solves(larger, 1)
        power = np.log(max(larger_s, 1e-3) / sample_s) / np.log(LARGER)
        return float(np.clip(power, *KERNEL_POWERS))

    def fit(self, prepared: Prepared, context: Context) -> Fitted:
        if prepared.classification and len(np.unique(prepared.train.target)) < 2:
            raise SalusError("learner_one_class", where="the support vector machine", found=1)
        front = Front.fit(prepared)
        part = some_rows(learnable(front, prepared), self.config.max_rows, prepared.seed)
        tabular = Tabular.fit(part.feeds, prepared.schema)
        matrix = tabular.matrix(part.feeds, len(part)).astype(np.float64)
        if folded(prepared):
            folds = held_out(part, prepared.classification, prepared.seed, FOLDS)
            pairs = [(train, matrix[held], part.target[held]) for train, held in folds]
        else:
            checked = tabled(front, prepared.validation)
            checked_matrix = tabular.matrix(checked.feeds, len(checked))
            pairs = [(np.arange(len(part)), checked_matrix, checked.target)]
        losses: dict[float, float] = {}
        with few_threads(float(matrix.size) * FEATURES_THREADED, prepared.threads):
            for cost in sorted(self.config.costs):
                raws = []
                for train, held, _ in pairs:
                    context.stop_if_asked("learning support vectors")
                    raws.append(self._solve(matrix[train], part.target[train], cost, prepared).scores(held))
                truths = np.concatenate([truth for _, _, truth in pairs])
                losses[cost] = tempered_loss(np.concatenate(raws), truths, prepared.classification)[0]
                context.event("step", learner=self.name, cost=cost, loss=losses[cost])
                if losses[cost] > min(losses.values()):  # a higher one takes longer and fits closer still
                    break
            cost = min(losses, key=lambda tried: losses[tried])
            machine = self._solve(matrix, part.target, cost, prepared)
        details = {
            "kernel": self.config.kernel,
            "cost": cost,
            "losses": {f"{tried:g}": round(loss, 6) for tried, loss in losses.items()},
            "support": len(machine.support),
            "rows": len(part),
        }
        return SvmFitted(front, tabular, machine, prepared.classification, details)

    def _solve(self, matrix: np.ndarray, target: np.ndarray, cost: float, prepared: Prepared) -> Machine:
        """One machine a class or target, on the same support."""
        gamma = self.config.sharpness / max(float(matrix.var(axis=0).sum()), 1e-9)
        frame = self._frame(matrix, gamma, prepared.seed)
        features = frame.features(matrix) if self.config.kernel != "rbf" else matrix
        if not prepared.classification:
            means, deviations = target.mean(axis=0), np.maximum(target.std(axis=0), 1e-12)
            answers = (target - means) / deviations
            solved = [self._one(features, column, cost, gamma, False, prepared.seed) for column in answers.T]
            weights, intercepts = _side_by_side(solved)
            return _kept(replace(frame, weights=weights * deviations, intercepts=intercepts * deviations + means))
        seen = np.unique(target)
        asked = seen[1:] if len(seen) == 2 else seen
        solved = [self._one(features, target == code, cost, gamma, True, prepared.seed) for code in asked]
        weights, intercepts = _side_by_side(solved)
        if len(seen) == 2:
            weights, intercepts = np.hstack([-weights, weights]) / 2, np.concatenate([-intercepts, intercepts]) / 2
        spread, shifts = np.zeros((len(weights), prepared.classes)), np.full(prepared.classes, UNSEEN)
        spread[:, seen], shifts[seen] = weights, intercepts
        return _kept(replace(frame, weights=spread, intercepts=shifts))

    def _frame(self, matrix: np.ndarray, gamma: float, seed: int) -> Machine:
        """The machine without weights."""
        kernel, none = self.config.kernel, np.zeros(0)
        support, phases = matrix if kernel == "rbf" else np.zeros((0, matrix.shape[1])), none
        if kernel == "fourier":
            generator = np.random.default_rng([seed, self.config.features])
            support = generator.normal(size=(self.config.features, matrix.shape[1])) * np.sqrt(2 * gamma)
            phases = generator.uniform(0, 2 * np.pi, self.config.features)
        return Machine(kernel, support, phases, gamma, none, none)

    def _one(
        self, features: np.ndarray, answers: np.ndarray, cost: float, gamma: float, classification: bool, seed: int
    ) -> tuple[np.ndarray, float]:
        """Weights of the features, or of the rows for the kernel, and the intercept."""
        from sklearn import svm

        margin = self.config.margin
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # not converged: rows held out tell how good it is
            if self.config.kernel != "rbf":
                options: dict[str, Any] = {
                    "C": cost,
                    "dual": False,
                    "max_iter": 50,
                    "tol": TOLERANCE,
                    "random_state": seed,
                }
                if classification:
                    model: Any = svm.LinearSVC(**options)
                else:
                    model = svm.LinearSVR(**options, epsilon=margin, loss="squared_epsilon_insensitive")
                model.fit(features, answers)
                return np.asarray(model.coef_).ravel(), float(np.ravel(model.intercept_)[0])
            options = {"C": cost, "gamma": gamma, "tol": TOLERANCE, "cache_size": CACHE_MB, "max_iter": MOST_STEPS}
            model = svm.SVC(**options) if classification else svm.SVR(**options, epsilon=margin)
            model.fit(features, answers)
        weights = np.zeros(len(features))
        weights[model.support_] = np.ravel(model.dual_coef_)
        return weights, float(model.intercept_[0])


@dataclass(frozen=True)
class _Cost:
    """What one solution costs: seconds for so many rows, and how they grow with the rows."""

    sample_s: float
    sample: int
    power: float

    @classmethod
    def of(cls, kernel: str, sample_s: float, sample: int, config: SvmConfig, power: float) -> _Cost:
        if kernel == "fourier":  # measured with fewer features
            sample_s *= max(1.0, config.features / 256)
        return cls(sample_s, sample, power if kernel == "rbf" else 1.0)

    def rows_in(self, seconds: float) -> int:
        return int(self.sample * (max(seconds, 0.0) / self.sample_s) ** (1 / self.power))

    def seconds(self, rows: int) -> float:
        return float(self.sample_s * (rows / self.sample) ** self.power)


def _measured_cost(config: SvmConfig) -> float:
    """The cost by which seconds are measured: where there is little noise the highest one wins, and it takes longest."""
    return max(config.costs) if config.costs == CLEAN_COSTS else min(2.0, max(config.costs))


def _solves(prepared: Prepared, costs: int) -> int:
    return costs * (FOLDS if folded(prepared) else 1) + 1


def _side_by_side(solved: list[tuple[np.ndarray, float]]) -> tuple[np.ndarray, np.ndarray]:
    return np.stack([weights for weights, _ in solved], axis=1), np.array([intercept for _, intercept in solved])


def _kept(machine: Machine) -> Machine:
    """Only the rows that are support vectors of some machine."""
    if machine.kernel != "rbf":
        return machine
    used = np.flatnonzero(np.any(machine.weights != 0, axis=1))
    return replace(machine, support=machine.support[used], weights=machine.weights[used])
