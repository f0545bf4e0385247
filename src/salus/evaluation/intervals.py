"""95 % intervals: what a score could be on other rows, or on other people.

What is drawn together is a *unit*: a person where there are groups, else a row. Every metric is a function of sums over units.
Scores between 0 and 1: Wilson's interval (1927) for as many independent yes-or-no answers as would vary as much as leaving
units out does (the effective number, Korn and Graubard 1998), never more than the units can show. Other scores: the bootstrap over
units (Efron 1979), percentiles expanded for few units (Hesterberg 2015). Fewer than 8 groups: Student's t, marked wide.
Knows no task and no report.
"""

from __future__ import annotations

import math
from functools import cached_property
from statistics import NormalDist

import numpy as np

from salus.core.nouns import Interval
from salus.evaluation.metrics import METRICS, Metric

DRAWS = 1000
DRAWS_AT_ONCE = 100
MAX_UNITS = 4000  # more are merged at random: 4,000 parts tell the spread of a sum as well as 100,000 do
FEW_GROUPS = 8
FEW_ROWS = 30
# Rows of one person are alike: the least correlation assumed when the people in the test happen to score the same. Above ten people
# it falls as 1 / people, because they show by themselves how alike they are.
LEAST_CORRELATION = 0.1
Z = NormalDist().inv_cdf(0.975)
# Student's t, 97.5 %, by degrees of freedom 1, 2, ...
T_975 = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131)


def interval(name: str, raw: np.ndarray, target: np.ndarray, groups: np.ndarray | None, seed: int) -> Interval:
    """The metric `name` with its 95 % interval. raw: probabilities (B, K) or values (B, M); groups: codes (B,) or None."""
    return Resampling(target, groups, seed).interval(name, raw)


class Resampling:
    """The rows of one measurement as units; made once, asked for every metric."""

    def __init__(self, target: np.ndarray, groups: np.ndarray | None, seed: int) -> None:
        """target: codes (B,) or numbers (B, M), at least one row. groups: codes (B,) of people."""
        self.target = target
        self.rows = len(target)
        units = np.arange(self.rows) if groups is None else groups
        codes, sizes = np.unique(units, return_inverse=True, return_counts=True)[1:]
        self.groups = None if groups is None else len(sizes)
        self.wide = len(sizes) < FEW_GROUPS if groups is not None else self.rows < FEW_ROWS
        self.generator = np.random.default_rng([seed, self.rows, len(sizes)])
        rows_a_unit = float(np.sum(sizes.astype(np.float64) ** 2) / self.rows)
        self.alike = 1 + (rows_a_unit - 1) * min(LEAST_CORRELATION, 1 / len(sizes))
        if len(sizes) == 1:  # one person says nothing about others: what the rows show is all there is
            codes, sizes = np.arange(self.rows), np.ones(self.rows, dtype=np.int64)
        if len(sizes) > MAX_UNITS:
            codes = self.generator.permutation(len(sizes))[codes] % MAX_UNITS
        self.order = np.argsort(codes, kind="stable")
        self.starts = np.flatnonzero(np.r_[True, np.diff(codes[self.order]) > 0])

    def interval(self, name: str, raw: np.ndarray) -> Interval:
        """One metric of these answers."""
        metric = METRICS[name]
        sums = np.add.reduceat(metric.statistics(raw, self.target)[self.order], self.starts, axis=0)
        value = float(metric.from_sums(sums.sum(axis=0)))
        error = self._standard_error(metric, sums)
        if metric.bounded:
            low, high = self._of_share(value, error, self._most_answers(metric.balanced))
        else:
            draws = np.concatenate([metric.from_sums(weights @ sums) for weights in self.weights])
            low, high = self._percentiles(draws)
            if self.wide and self.groups is not None:
                margin = self._t * error
                low, high = min(low, value - margin), max(high, value + margin)
            low = low if metric.higher_is_better else max(0.0, low)
        return Interval(value=value, low=min(low, value), high=max(high, value), wide=self.wide)

    @cached_property
    def weights(self) -> list[np.ndarray]:
        """How often each unit was drawn, in blocks (D, U)."""
        units, blocks = len(self.starts), []
        for _ in range(DRAWS // DRAWS_AT_ONCE):
            drawn = self.generator.integers(0, units, (DRAWS_AT_ONCE, units))
            drawn += units * np.arange(DRAWS_AT_ONCE)[:, None]
            counts = np.bincount(drawn.ravel(), minlength=DRAWS_AT_ONCE * units)
            blocks.append(counts.reshape(DRAWS_AT_ONCE, units).astype(np.float64))
        return blocks

    @property
    def _t(self) -> float:
        """Student's t: as many degrees of freedom as people, or rows, less one."""
        return t_975((self.groups or len(self.starts)) - 1)

    def _standard_error(self, metric: Metric, sums: np.ndarray) -> float:
        """The jackknife: how much the metric varies when each unit in turn is left out. 0 for one unit."""
        units = len(sums)
        if units < 2:
            return 0.0
        without = metric.from_sums(sums.sum(axis=0) - sums)
        return math.sqrt((units - 1) / units * float(np.sum((without - without.mean()) ** 2)))

    def _most_answers(self, balanced: bool) -> float:
        """As how many independent answers the rows can count at most. Where classes weigh alike, the rarest decides."""
        most = float(self.rows)
        if balanced:
            counts = np.bincount(self.target)
            counts = counts[counts > 0]
            most = len(counts) ** 2 / float(np.sum(1 / counts))
        return most / self.alike

    def _of_share(self, value: float, error: float, most: float) -> tuple[float, float]:
        share = min(1.0, max(0.0, value))
        answers = min(most, share * (1 - share) / error**2) if error > 0 else most
        return wilson(share, max(1.0, answers), self._t)

    def _percentiles(self, draws: np.ndarray) -> tuple[float, float]:
        units = len(self.starts)
        if units < 2:
            return float(draws[0]), float(draws[0])
        tail = NormalDist().cdf(-math.sqrt(units / (units - 1)) * t_975(units - 1))
        low, high = np.quantile(draws, [tail, 1 - tail])
        return float(low), float(high)


def t_975(freedom: int) -> float:
    """Student's t for 95 % on both sides."""
    if freedom <= len(T_975):
        return T_975[max(1, freedom) - 1]
    return Z + (Z**3 + Z) / (4 * freedom) + (5 * Z**5 + 16 * Z**3 + 3 * Z) / (96 * freedom**2)


def wilson(share: float, answers: float, z: float = Z) -> tuple[float, float]:
    """The interval of a share of so many yes-or-no answers."""
    middle = (share + z**2 / (2 * answers)) / (1 + z**2 / answers)
    margin = z / (1 + z**2 / answers) * math.sqrt(share * (1 - share) / answers + z**2 / (4 * answers**2))
    return max(0.0, middle - margin), min(1.0, middle + margin)
