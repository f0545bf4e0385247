"""The metrics of the tasks, written so that thousands of resamplings cost one matrix product.

Every metric is a function of sums over rows. `statistics` gives what is summed, a column each (B, S); `from_sums` turns sums
(..., S) into the metric. Knows what a score is, not how sure one can be of it.
Definitions are those of scikit-learn, which the tests compare with.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import numpy as np

PROBABILITY_FLOOR = 1e-7


class Metric(ABC):
    """A metric that is a function of sums. bounded: lies in 0 to 1. balanced: a rare class weighs as much as a common one.
    of_labels: asks only which label is said, so that it follows a threshold."""

    higher_is_better: ClassVar[bool] = True
    bounded: ClassVar[bool] = True
    balanced: ClassVar[bool] = False
    of_labels: ClassVar[bool] = False

    @abstractmethod
    def statistics(self, raw: np.ndarray, target: np.ndarray) -> np.ndarray:
        """(B, S). raw: probabilities (B, K) or values (B, M)."""

    @abstractmethod
    def from_sums(self, sums: np.ndarray) -> np.ndarray:
        """(..., S) -> (...)."""


class Accuracy(Metric):
    """Share of rows whose most probable label is the true one."""

    of_labels = True

    def statistics(self, raw: np.ndarray, target: np.ndarray) -> np.ndarray:
        return np.stack([raw.argmax(axis=1) == target, np.ones(len(target))], axis=1).astype(np.float64)

    def from_sums(self, sums: np.ndarray) -> np.ndarray:
        return np.asarray(sums[..., 0] / sums[..., 1])


class BalancedAccuracy(Metric):
    """Mean over the classes that occur of the share of their rows that are right."""

    balanced = True
    of_labels = True

    def statistics(self, raw: np.ndarray, target: np.ndarray) -> np.ndarray:
        true_BK = one_hot(target, raw.shape[1])
        right_B = raw.argmax(axis=1) == target
        return np.concatenate([true_BK * right_B[:, None], true_BK], axis=1)

    def from_sums(self, sums: np.ndarray) -> np.ndarray:
        right, true = np.split(sums, 2, axis=-1)
        return _mean_where(right, true)


class MacroF1(Metric):
    """Mean over the classes that occur (in truth or prediction) of 2 TP / (true + predicted)."""

    balanced = True
    of_labels = True

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


class Auc(Metric):
    """Area under the ROC curve: the chance that a row of the class gets a higher probability than one that is not of it;
    equal ones count half. More than two classes: the mean of each against the rest. 0.5 where there is one class only.

    As sums: the mean over the rows of a class of the share of the others below them, and the reverse (DeLong 1988). All rows
    once give the area itself; other weights give it to first order, which is what its variance is made of.
    """

    balanced = True

    def statistics(self, raw: np.ndarray, target: np.ndarray) -> np.ndarray:
        codes = [1] if raw.shape[1] == 2 else range(raw.shape[1])
        above_BK, positive_BK, below_BK = (np.zeros((len(target), len(codes))) for _ in range(3))
        for column, code in enumerate(codes):
            positive = target == code
            positive_BK[:, column] = positive
            if 0 < positive.sum() < len(target):
                above_BK[:, column], below_BK[:, column] = _placements(raw[:, code], positive)
        return np.concatenate([above_BK, positive_BK, below_BK, 1 - positive_BK], axis=1)

    def from_sums(self, sums: np.ndarray) -> np.ndarray:
        above, positive, below, negative = np.split(sums, 4, axis=-1)
        there = (positive > 0) & (negative > 0)
        area = above / np.where(there, positive, 1) + below / np.where(there, negative, 1)
        mean = np.where(there, area, 0).sum(axis=-1) / np.maximum(there.sum(axis=-1), 1)
        return np.where(there.any(axis=-1), np.clip(mean, 0, 1), 0.5)


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
    "auc": Auc(),
    "rmse": RootMeanSquaredError(),
    "mae": MeanAbsoluteError(),
    "r2": R2(),
}
HIGHER_IS_BETTER = {name: metric.higher_is_better for name, metric in METRICS.items()}


def score(name: str, raw: np.ndarray, target: np.ndarray) -> float:
    """One metric on all rows."""
    metric = METRICS[name]
    return float(metric.from_sums(metric.statistics(raw, target).sum(axis=0)))


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


def _placements(said: np.ndarray, positive: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For rows of the class the share of the others below them, for the others the share of the class above them; 0 elsewhere.
    Each less half the area, so that their two means add up to the area."""
    rank, ranks = np.unique(said, return_inverse=True)[1], len(np.unique(said))
    of_class = np.bincount(rank[positive], minlength=ranks)
    others = np.bincount(rank[~positive], minlength=ranks)
    share_below = (np.cumsum(others) - others / 2) / others.sum()
    share_above = 1 - (np.cumsum(of_class) - of_class / 2) / of_class.sum()
    half = float(np.mean(share_below[rank[positive]])) / 2
    return np.where(positive, share_below[rank] - half, 0), np.where(positive, 0, share_above[rank] - half)
