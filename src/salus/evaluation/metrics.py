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
    """A metric that is a function of sums. of_labels: asks only which label is said, so that it follows a threshold."""

    higher_is_better: ClassVar[bool] = True
    of_labels: ClassVar[bool] = False

    @abstractmethod
    def statistics(self, raw: np.ndarray, target: np.ndarray) -> np.ndarray:
        """(B, S). raw: probabilities (B, K) or values (B, M)."""

    @abstractmethod
    def from_sums(self, sums: np.ndarray) -> np.ndarray:
        """(..., S) -> (...)."""


class Shares(Metric):
    """A metric from 0 to 1: the mean of parts that are shares or behave like shares (one a class)."""

    empty: ClassVar[float] = 0.0  # the value where no part has anything to count

    @abstractmethod
    def parts(self, sums: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(..., S) -> the parts (..., K), and where there is anything to count (..., K)."""

    @abstractmethod
    def answers(self, sums: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(S,) -> as how many independent yes-or-no answers each part counts (K,): where all rows agree, and at the most."""

    def from_sums(self, sums: np.ndarray) -> np.ndarray:
        values, there = self.parts(sums)
        mean = np.where(there, values, 0).sum(axis=-1) / np.maximum(there.sum(axis=-1), 1)
        return np.where(there.any(axis=-1), mean, self.empty)


class Losses(Metric):
    """A metric without an upper end. Its loss is above 0 and its logarithm nearly normal, which intervals make use of."""

    higher_is_better = False

    def loss(self, sums: np.ndarray) -> np.ndarray:
        """(..., S) -> (...)."""
        return self.from_sums(sums)

    def from_loss(self, loss: float) -> float:
        """The metric again."""
        return loss


class Accuracy(Shares):
    """Share of rows whose most probable label is the true one."""

    of_labels = True

    def statistics(self, raw: np.ndarray, target: np.ndarray) -> np.ndarray:
        return np.stack([raw.argmax(axis=1) == target, np.ones(len(target))], axis=1).astype(np.float64)

    def parts(self, sums: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return _ratios(sums[..., :1], sums[..., 1:])

    def answers(self, sums: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return sums[1:], sums[1:]


class BalancedAccuracy(Shares):
    """Mean over the classes that occur of the share of their rows that are right."""

    of_labels = True

    def statistics(self, raw: np.ndarray, target: np.ndarray) -> np.ndarray:
        true_BK = one_hot(target, raw.shape[1])
        right_B = raw.argmax(axis=1) == target
        return np.concatenate([true_BK * right_B[:, None], true_BK], axis=1)

    def parts(self, sums: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return _ratios(*np.split(sums, 2, axis=-1))

    def answers(self, sums: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        true = np.split(sums, 2)[1]
        return true, true


class MacroF1(Shares):
    """Mean over the classes that occur (in truth or prediction) of 2 TP / (true + predicted)."""

    of_labels = True

    def statistics(self, raw: np.ndarray, target: np.ndarray) -> np.ndarray:
        classes = raw.shape[1]
        true_BK, said_BK = one_hot(target, classes), one_hot(raw.argmax(axis=1), classes)
        return np.concatenate([2 * true_BK * said_BK, true_BK + said_BK], axis=1)

    def parts(self, sums: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return _ratios(*np.split(sums, 2, axis=-1))

    def answers(self, sums: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """F1 = 2 J / (1 + J), where J is the share of the rows that are of the class or said to be so which are both. Its error as that
        of a share: m (1 + J)^2 / 2 answers."""
        twice_right, both = np.split(sums, 2)
        rows = both - twice_right / 2
        of_both = np.divide(twice_right / 2, rows, out=np.zeros_like(rows), where=rows > 0)
        return rows * (1 + of_both) ** 2 / 2, 2 * rows


class LogLoss(Losses):
    """Mean of -log of the probability of the true label (nats)."""

    def statistics(self, raw: np.ndarray, target: np.ndarray) -> np.ndarray:
        said = raw[np.arange(len(target)), target].astype(np.float64)
        return np.stack([-np.log(np.clip(said, PROBABILITY_FLOOR, 1.0)), np.ones(len(target))], axis=1)

    def from_sums(self, sums: np.ndarray) -> np.ndarray:
        return np.asarray(sums[..., 0] / sums[..., 1])


class Auc(Shares):
    """Area under the ROC curve: the chance that a row of the class gets a higher probability than one that is not of it;
    equal ones count half. More than two classes: the mean of each against the rest. 0.5 where there is one class only.

    As sums: the mean over the rows of a class of the share of the others below them, and the reverse (DeLong 1988). All rows
    once give the area itself; other weights give it to first order, which is what its variance is made of.
    """

    empty = 0.5

    def statistics(self, raw: np.ndarray, target: np.ndarray) -> np.ndarray:
        codes = [1] if raw.shape[1] == 2 else range(raw.shape[1])
        above_BK, positive_BK, below_BK = (np.zeros((len(target), len(codes))) for _ in range(3))
        for column, code in enumerate(codes):
            positive = target == code
            positive_BK[:, column] = positive
            if 0 < positive.sum() < len(target):
                above_BK[:, column], below_BK[:, column] = _placements(raw[:, code], positive)
        return np.concatenate([above_BK, positive_BK, below_BK, 1 - positive_BK], axis=1)

    def parts(self, sums: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        above, positive, below, negative = np.split(sums, 4, axis=-1)
        there = (positive > 0) & (negative > 0)
        area = above / np.where(there, positive, 1) + below / np.where(there, negative, 1)
        return np.clip(area, 0, 1), there

    def answers(self, sums: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The rarer side decides."""
        _, positive, _, negative = np.split(sums, 4)
        most = 4 / (1 / np.maximum(positive, 1e-9) + 1 / np.maximum(negative, 1e-9))
        return most, 2 * most


class RootMeanSquaredError(Losses):
    """Square root of the mean squared error, over rows and targets, in the unit of the target."""

    def statistics(self, raw: np.ndarray, target: np.ndarray) -> np.ndarray:
        return np.stack([np.mean((raw - target) ** 2, axis=1), np.ones(len(target))], axis=1)

    def from_sums(self, sums: np.ndarray) -> np.ndarray:
        return np.asarray(np.sqrt(sums[..., 0] / sums[..., 1]))


class MeanAbsoluteError(Losses):
    """Mean absolute error, over rows and targets."""

    def statistics(self, raw: np.ndarray, target: np.ndarray) -> np.ndarray:
        return np.stack([np.mean(np.abs(raw - target), axis=1), np.ones(len(target))], axis=1)

    def from_sums(self, sums: np.ndarray) -> np.ndarray:
        return np.asarray(sums[..., 0] / sums[..., 1])


class R2(Losses):
    """1 - squared error / squared distance from the mean, the mean over the targets."""

    higher_is_better = True

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

    def loss(self, sums: np.ndarray) -> np.ndarray:
        return np.asarray(1 - self.from_sums(sums))

    def from_loss(self, loss: float) -> float:
        return 1 - loss


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
HIGHER_IS_BETTER |= {
    "nats_per_character": False,
    "bits_per_character": False,
    "perplexity": False,
    "bleu": True,
    "wer": False,
    "cer": False,
    "rouge_1": True,
    "rouge_2": True,
    "rouge_l": True,
    "chrf": True,
    "frechet": False,
    "class_accuracy": True,
    "manifold_recall": True,
    "manifold_precision": True,
    "scaled_mse": False,
    "scaled_mae": False,
    "mase": False,
    "quantile_loss": False,
    "coverage_80": True,
    "map50": True,
    "map50_95": True,
}


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


def _ratios(above: np.ndarray, below: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """above / below, and where there is anything below."""
    there = below > 0
    return np.divide(above, below, out=np.zeros_like(above), where=there), there


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
