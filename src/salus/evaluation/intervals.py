"""95 % intervals: what a score could be on other rows, or on other people.

What is drawn together is a *unit*: a person where there are groups, else a row. Every metric is a function of sums over units.
Scores between 0 and 1: Wilson's interval (1927) for as many independent yes-or-no answers as would vary as much as leaving
units out does (the effective number, Korn and Graubard 1998), never more than the units can show. Other scores: the bootstrap over
units (Efron 1979), percentiles expanded for few units (Hesterberg 2015). Fewer than 8 groups: Student's t, marked wide.
Knows no task and no report.
"""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np

from salus.core.nouns import Interval
from salus.evaluation.metrics import METRICS
from salus.evaluation.resampling import Units, t_975, wilson


def interval(name: str, raw: np.ndarray, target: np.ndarray, groups: np.ndarray | None, seed: int) -> Interval:
    """The metric `name` with its 95 % interval. raw: probabilities (B, K) or values (B, M); groups: codes (B,) or None."""
    return Resampling(target, groups, seed).interval(name, raw)


class Resampling:
    """The rows of one measurement; made once, asked for every metric."""

    def __init__(self, target: np.ndarray, groups: np.ndarray | None, seed: int) -> None:
        """target: codes (B,) or numbers (B, M), at least one row. groups: codes (B,) of people."""
        self.target = target
        self.units = Units(groups, len(target), seed)

    @property
    def groups(self) -> int | None:
        """How many people there are; None without groups."""
        return self.units.groups

    def interval(self, name: str, raw: np.ndarray) -> Interval:
        """One metric of these answers."""
        metric, units = METRICS[name], self.units
        sums = units.sums(metric.statistics(raw, self.target))
        value = float(metric.from_sums(sums.sum(axis=0)))
        error = units.standard_error(metric.from_sums, sums)
        if metric.bounded:
            low, high = self._of_share(value, error, self._most_answers(metric.balanced))
        else:
            draws = np.concatenate([metric.from_sums(weights @ sums) for weights in units.weights])
            low, high = self._percentiles(draws)
            if units.wide and units.groups is not None:
                margin = units.t * error
                low, high = min(low, value - margin), max(high, value + margin)
            low = low if metric.higher_is_better else max(0.0, low)
        return Interval(value=value, low=min(low, value), high=max(high, value), wide=units.wide)

    def share(self, counted: np.ndarray, among: np.ndarray) -> Interval | None:
        """The share of the rows `among` that are `counted` too (both (B,) of bool); None where there are none."""
        if not among.any():
            return None
        units = self.units
        sums = units.sums(np.stack([counted & among, among], axis=1).astype(np.float64))

        def ratio(of: np.ndarray) -> np.ndarray:
            return np.asarray(of[..., 0] / np.maximum(of[..., 1], 1))

        value, error = float(ratio(sums.sum(axis=0))), units.standard_error(ratio, sums)
        low, high = self._of_share(value, error, float(among.sum()) / units.alike)
        return Interval(value=value, low=min(low, value), high=max(high, value), wide=units.wide)

    def _most_answers(self, balanced: bool) -> float:
        """As how many independent answers the rows can count at most. Where classes weigh alike, the rarest decides."""
        most = float(self.units.rows)
        if balanced:
            counts = np.bincount(self.target)
            counts = counts[counts > 0]
            most = len(counts) ** 2 / float(np.sum(1 / counts))
        return most / self.units.alike

    def _of_share(self, value: float, error: float, most: float) -> tuple[float, float]:
        share = min(1.0, max(0.0, value))
        answers = min(most, share * (1 - share) / error**2) if error > 0 else most
        return wilson(share, max(1.0, answers), self.units.t)

    def _percentiles(self, draws: np.ndarray) -> tuple[float, float]:
        units = len(self.units)
        if units < 2:
            return float(draws[0]), float(draws[0])
        tail = NormalDist().cdf(-math.sqrt(units / (units - 1)) * t_975(units - 1))
        low, high = np.quantile(draws, [tail, 1 - tail])
        return float(low), float(high)
