"""The metrics of the tasks, written so that thousands of resamplings cost one matrix product.

Most metrics are a function of sums over rows. `statistics` gives what is summed, a column each (B, S); `from_sums` turns sums
(..., S) into the metric. The area under the ROC curve is not such a sum and is computed from ranks under weights.
Definitions are those of scikit-learn, which the tests compare with.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import numpy as np

PROBABILITY_FLOOR = 1e-7


class Metric(ABC):
    """A metric that is a function of sums. bounded: lies in 0 to 1."""

    higher_is_better: ClassVar[bool] = True
    bounded: ClassVar[bool] = True

    @abstractmethod
    def statistics(self, raw: np.ndarray, target: np.ndarray) -> np.ndarray:
        """(B, S). raw: probabilities (B, K) or values (B, M)."""

    @abstractmethod
    def from_sums(self, sums: np.ndarray) -> np.ndarray:
        """(..., S) -> (...)."""


class Accuracy(Metric):
    """Share of rows whose most probable label is the true one."""

    def statistics(self, raw: np.ndarray, target: np.ndarray) -> np.ndarray:
        return np.stack([raw.argmax(axis=1) == target, np.ones(len(target))], axis=1).astype(np.float64)

    def from_sums(self, sums: np.ndarray) -> np.ndarray:
        return np.asarray(sums[..., 0] / sums[..., 1])


class BalancedAccuracy(Metric):
    """Mean over the classes that occur of the share of their rows that are right."""

    def statistics(self, raw: np.ndarray, target: np.ndarray) -> np.ndarray:
        true_BK = one_hot(target, raw.shape[1])
        right_B = raw.argmax(axis=1) == target
        return np.concatenate([true_BK * right_B[:, None], true_BK], axis=1)

    def from_sums(self, sums: np.ndarray) -> np.ndarray:
        right, true = np.split(sums, 2, axis=-1)
        return _mean_where(right, true)


class MacroF1(Metric):
    """Mean over the classes that occur (in truth or prediction) of 2 TP / (true + predicted)."""

    def statistics(self, raw: np.ndarray, target: np.ndarray) -> np.ndarray:
        classes = raw.shape[1]
        true_BK, said_BK = one_hot(target, classes), one_hot(raw.argmax(axis=1), classes)
        return np.concatenate([2 * true_BK * said_BK, true_BK + said_BK], axis=1)

    def from_sums(self, sums: np.ndarray) -> np.ndarray:
        twice_right, both = np.split(sums, 2, axis=-1)
        return _mean_where(twice_right, both)


class LogLoss(Metric):
    """Mean of -log of the probability of the true label (nats)."""

    higher_is_better = False
    bounded = False

    def statistics(self, raw: np.ndarray, target: np.ndarray) -> np.ndarray:
        said = raw[np.arange(len(target)), target].astype(np.float64)
        return np.stack([-np.log(np.clip(said, PROBABILITY_FLOOR, 1.0)), np.ones(len(target))], axis=1)

    def from_sums(self, sums: np.ndarray) -> np.ndarray:
        return np.asarray(sums[..., 0] / sums[..., 1])


class RootMeanSquaredError(Metric):
    """Square root of the mean squared error, over rows and targets, in the unit of the target."""

    higher_is_better = False
    bounded = False

    def statistics(self, raw: np.ndarray, target: np.ndarray) -> np.ndarray:
        return np.stack([np.mean((raw - target) ** 2, axis=1), np.ones(len(target))], axis=1)

    def from_sums(self, sums: np.ndarray) -> np.ndarray:
        return np.asarray(np.sqrt(sums[..., 0] / sums[..., 1]))


class MeanAbsoluteError(Metric):
    """Mean absolute error, over rows and targets."""

    higher_is_better = False
    bounded = False

    def statistics(self, raw: np.ndarray, target: np.ndarray) -> np.ndarray:
        return np.stack([np.mean(np.abs(raw - target), axis=1), np.ones(len(target))], axis=1)

    def from_sums(self, sums: np.ndarray) -> np.ndarray:
        return np.asarray(sums[..., 0] / sums[..., 1])


class R2(Metric):
    """1 - squared error / squared distance from the mean, the mean over the targets."""

    bounded = False

    def statistics(self, raw: np.ndarray, target: np.ndarray) -> np.ndarray:
        centred = target - target.mean(axis=0)  # shifts nothing in the formula, but keeps its digits
        parts = [(raw - target) ** 2, centred, centred**2, np.ones((len(target), 1))]
        return np.concatenate(parts, axis=1)

    def from_sums(self, sums: np.ndarray) -> np.ndarray:
        targets = (sums.shape[-1] - 1) // 3
        wrong, first, second = (sums[..., i * targets : (i + 1) * targets] for i in range(3))
        count = sums[..., -1:]
        spread = np.maximum(second - first**2 / count, 1e-12)
        return np.asarray(np.mean(1 - wrong / spread, axis=-1))


METRICS: dict[str, Metric] = {
    "accuracy": Accuracy(),
    "balanced_accuracy": BalancedAccuracy(),
    "macro_f1": MacroF1(),
    "log_loss": LogLoss(),
    "rmse": RootMeanSquaredError(),
    "mae": MeanAbsoluteError(),
    "r2": R2(),
}
HIGHER_IS_BETTER = {name: metric.higher_is_better for name, metric in METRICS.items()} | {"auc": True}


def score(name: str, raw: np.ndarray, target: np.ndarray) -> float:
    """One metric on all rows."""
    if name == "auc":
        return float(auc(raw, target, np.ones((1, len(target))))[0])
    metric = METRICS[name]
    return float(metric.from_sums(metric.statistics(raw, target).sum(axis=0)))


def auc(raw: np.ndarray, target: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Area under the ROC curve under row weights (D, B) -> (D,). More than two classes: the mean of each against the rest.

    The chance that a row of the class gets a higher probability than one that is not of it; equal ones count half.
    """
    classes = raw.shape[1]
    if classes == 2:
        return _auc_one(raw[:, 1], target == 1, weights)
    areas = np.stack([_auc_one(raw[:, k], target == k, weights) for k in np.unique(target)])
    return np.asarray(np.nanmean(areas, axis=0)) if len(areas) else np.full(len(weights), np.nan)


def selection_loss(raw: np.ndarray, target: np.ndarray, classification: bool) -> float:
    """What a fit is chosen by, lower is better: log loss of softmax(scores), or the squared error in target variances."""
    if classification:
        return score("log_loss", softmax(raw), target)
    return float(np.mean((raw - target) ** 2 / np.maximum(target.var(axis=0), 1e-12)))


def softmax(scores: np.ndarray) -> np.ndarray:
    shifted = np.exp(scores.astype(np.float64) - scores.max(axis=1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=1, keepdims=True))


def one_hot(codes: np.ndarray, classes: int) -> np.ndarray:
    """(B,) -> (B, K) of 0 and 1."""
    hot = np.zeros((len(codes), classes))
    hot[np.arange(len(codes)), codes] = 1.0
    return hot


def _mean_where(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    """The mean over the last axis of above / below where there is anything below."""
    there = below > 0
    ratio = np.divide(above, below, out=np.zeros_like(above), where=there)
    return np.asarray(ratio.sum(axis=-1) / np.maximum(there.sum(axis=-1), 1))


def _auc_one(said: np.ndarray, positive: np.ndarray, weights: np.ndarray) -> np.ndarray:
    order = np.argsort(said, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(said[order]) > 0])
    ordered = weights[:, order]
    of_positive = np.add.reduceat(ordered * positive[order], starts, axis=1)
    of_negative = np.add.reduceat(ordered * ~positive[order], starts, axis=1)
    below = np.cumsum(of_negative, axis=1) - of_negative / 2
    pairs = of_positive.sum(axis=1) * of_negative.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(pairs > 0, (of_positive * below).sum(axis=1) / pairs, np.nan))
