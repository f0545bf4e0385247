"""95 % intervals: what a score could be on other rows, or on other people.

What is drawn together is a *unit*: a person where there are groups, else a row. Every metric is a function of sums over units.

Shares (accuracy, AUC, ...) are means of parts, one a class. Each part has Wilson's interval (1927) for as many independent
yes-or-no answers as would vary as much as the part does when rows are left out (the effective number, Korn and Graubard 1998); the
intervals of the parts give that of their mean (Zou and Donner 2008), with the correlations of the parts. With groups the answers count
less by as much as people vary more than rows (the design effect, Kish 1965), and Student's t has as many degrees of freedom as people.

Losses (log loss, RMSE, ...) are skewed: the studentised bootstrap (Efron 1979, Hall 1988) of their logarithm. Fewer than 8
groups: Student's t, marked wide. Knows no task and no report.
"""

from __future__ import annotations

import math

import numpy as np

from salus.core.nouns import Interval
from salus.evaluation.metrics import METRICS, Losses, Metric, Shares
from salus.evaluation.resampling import Units, t_975, wilson

# People whose scores happen to agree more than their rows could do by chance: the design effect is not believed below this.
LEAST_DESIGN_EFFECT = 0.2
MOST_QUANTILE = 2.5  # a studentised quantile is not believed beyond so many times Student's
FEW_UNITS = 8
STEP = 1e-5  # of numerical slopes, in spreads of a sum


def interval(name: str, raw: np.ndarray, target: np.ndarray, groups: np.ndarray | None, seed: int) -> Interval:
    """The metric `name` with its 95 % interval. raw: probabilities (B, K) or values (B, M); groups: codes (B,) or None."""
    return Resampling(target, groups, seed).interval(name, raw)


class Resampling:
    """The rows of one measurement; made once, asked for every metric."""

    def __init__(self, target: np.ndarray, groups: np.ndarray | None, seed: int) -> None:
        """target: codes (B,) or numbers (B, M), at least one row. groups: codes (B,) of people."""
        self.target = target
        self.units = Units(groups, len(target), seed)
        self.single_rows = self.units if groups is None else Units(None, len(target), seed)

    @property
    def groups(self) -> int | None:
        """How many people there are; None without groups."""
        return self.units.groups

    def interval(self, name: str, raw: np.ndarray) -> Interval:
        """One metric of these answers."""
        metric = METRICS[name]
        statistics = metric.statistics(raw, self.target)
        value = float(metric.from_sums(statistics.sum(axis=0)))
        if isinstance(metric, Shares):
            low, high = self._of_shares(metric, statistics, value)
        else:
            assert isinstance(metric, Losses)
            low, high = self._of_loss(metric, self.units.sums(statistics))
        return Interval(value=value, low=min(low, value), high=max(high, value), wide=self.units.wide)

    def share(self, counted: np.ndarray, among: np.ndarray) -> Interval | None:
        """The share of the rows `among` that are `counted` too (both (B,) of bool); None where there are none."""
        if not among.any():
            return None
        statistics = np.stack([counted & among, among], axis=1).astype(np.float64)
        metric = METRICS["accuracy"]
        assert isinstance(metric, Shares)
        value = float(metric.from_sums(statistics.sum(axis=0)))
        low, high = self._of_shares(metric, statistics, value)
        return Interval(value=value, low=min(low, value), high=max(high, value), wide=self.units.wide)

    def _of_shares(self, metric: Shares, statistics: np.ndarray, value: float) -> tuple[float, float]:
        total = statistics.sum(axis=0)
        parts, there = metric.parts(total)
        if not there.any():
            return 0.0, 1.0
        parts, (agreed, most) = parts[there], (answers[there] for answers in metric.answers(total))
        errors, correlation = self._spread(metric, statistics, there)
        effective = np.where(errors > 1e-9, parts * (1 - parts) / np.maximum(errors, 1e-9) ** 2, agreed)
        effective = np.maximum(1, np.minimum(effective, most) / self._design_effect(metric, statistics))
        ends = np.array([wilson(share, count, self.units.t) for share, count in zip(parts, effective, strict=True)])
        down, up = parts - ends[:, 0], ends[:, 1] - parts
        reach = [math.sqrt(max(0.0, float(side @ correlation @ side))) / len(parts) for side in (down, up)]
        return max(0.0, value - reach[0]), min(1.0, value + reach[1])

    def _spread(self, metric: Shares, statistics: np.ndarray, there: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """By how much each part varies when rows are left out (K,), and how the parts go together (K, K)."""
        units = self.single_rows
        sums = units.sums(statistics)
        if len(sums) < 2:
            return np.zeros(int(there.sum())), np.eye(int(there.sum()))
        without = metric.parts(sums.sum(axis=0) - sums)[0][:, there]
        apart = without - without.mean(axis=0)
        covariance = (len(sums) - 1) / len(sums) * (apart.T @ apart)
        errors = np.sqrt(np.diag(covariance))
        scale = np.maximum(errors, 1e-12)
        correlation = covariance / scale[:, None] / scale
        np.fill_diagonal(correlation, 1.0)
        return errors, correlation

    def _design_effect(self, metric: Metric, statistics: np.ndarray) -> float:
        """How much more the score varies over people than over as many independent rows; 1 without groups."""
        if self.units is self.single_rows:
            return 1.0
        over_people, over_rows = (
            units.standard_error(metric.from_sums, units.sums(statistics)) for units in (self.units, self.single_rows)
        )
        if over_people < 1e-9 or over_rows < 1e-9:
            return self.units.alike
        return max(LEAST_DESIGN_EFFECT, (over_people / over_rows) ** 2)

    def _of_loss(self, metric: Losses, sums: np.ndarray) -> tuple[float, float]:
        total = sums.sum(axis=0)
        value = float(metric.loss(total))
        if value <= 1e-12 or len(sums) < 2:
            same = metric.from_loss(value)
            return same, same
        products = (sums[:, :, None] * sums[:, None, :]).reshape(len(sums), -1)
        scale = np.sqrt(np.sum(sums**2, axis=0)) + 1e-12
        error = float(_log_error(metric, total, products.sum(axis=0), scale))
        student = t_975(len(sums) - 1)
        if len(sums) < FEW_UNITS or error < 1e-12:
            error = self.units.standard_error(lambda some: np.log(np.maximum(metric.loss(some), 1e-300)), sums)
            quantiles = np.array([-student, student])
        else:
            drawn = [
                (np.log(np.maximum(metric.loss(weights @ sums), 1e-300)) - math.log(value))
                / np.maximum(_log_error(metric, weights @ sums, weights @ products, scale), 1e-3 * error)
                for weights in self.units.weights
            ]
            low, high = np.quantile(np.concatenate(drawn), [0.025, 0.975])
            # Never narrower than Student's: the largest losses there are may not lie among these rows.
            quantiles = np.array(
                [max(min(low, -student), -MOST_QUANTILE * student), min(max(high, student), MOST_QUANTILE * student)]
            )
        ends = [metric.from_loss(value * math.exp(min(50.0, -quantile * error))) for quantile in quantiles.tolist()]
        return min(ends), max(ends)


def _log_error(metric: Losses, sums: np.ndarray, products: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """The standard error (...,) of the log of a loss: its slopes by the sums (..., S), and the products of the units' sums (..., S * S).

    The infinitesimal jackknife; the slopes are numerical, since every metric is smooth in its sums.
    """
    size = sums.shape[-1]
    slopes = []
    for place in range(size):
        step = np.zeros(size)
        step[place] = STEP * scale[place]
        above, below = (np.log(np.maximum(metric.loss(sums + sign * step), 1e-300)) for sign in (1, -1))
        slopes.append((above - below) / (2 * step[place]))
    slope = np.stack(slopes, axis=-1)
    square = products.reshape(*products.shape[:-1], size, size)
    return np.asarray(np.sqrt(np.maximum(np.einsum("...i,...ij,...j->...", slope, square, slope), 0)))
