"""95 % intervals: what a score could be on other rows, or on other people.

With many rows or groups: the bootstrap, resampling whole groups where there are groups (Efron 1979), with percentiles expanded for
small numbers (Hesterberg 2015, "What teachers should know about the bootstrap"). With fewer than 8 groups: Student's t over the
groups' own scores, marked wide. Never narrower than what the number of units can show at all (Wilson 1927).
"""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np

from salus.core.nouns import Interval
from salus.evaluation.metrics import METRICS, auc

DRAWS = 1000
AUC_DRAWS = 400
FEW_GROUPS = 8
FEW_ROWS = 30
CELLS = 8_000_000  # of one block of weights
Z = NormalDist().inv_cdf(0.975)
# Student's t, 97.5 %, by degrees of freedom 1, 2, ...
T_975 = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131)


def interval(name: str, raw: np.ndarray, target: np.ndarray, groups: np.ndarray | None, seed: int) -> Interval:
    """The metric `name` with its 95 % interval. raw: probabilities (B, K) or values (B, M); groups: codes (B,) or None."""
    units = np.arange(len(target)) if groups is None else np.unique(groups, return_inverse=True)[1]
    count = int(units.max()) + 1
    generator = np.random.default_rng([seed, len(target), count])
    value = _value(name, raw, target)
    few = groups is not None and count < FEW_GROUPS
    if count < 2:  # one person says nothing about others; what the rows show is all there is
        units, count = np.arange(len(target)), len(target)
    low, high = _bootstrap(name, raw, target, units, count, generator)
    if few:
        if count < len(target):
            low, high = _widest((low, high), _over_groups(name, raw, target, units, count, value))
        rows = np.arange(len(target))
        low, high = _widest((low, high), _bootstrap(name, raw, target, rows, len(target), generator))
    if name == "auc" or METRICS[name].bounded:
        people = count if groups is None else len(np.unique(groups))
        low, high = _widest((low, high), _wilson(value, people))
        low, high = max(0.0, low), min(1.0, high)
    elif not METRICS[name].higher_is_better:
        low = max(0.0, low)
    wide = few or (groups is None and len(target) < FEW_ROWS)
    return Interval(value=value, low=min(low, value), high=max(high, value), wide=wide)


def t_975(freedom: int) -> float:
    """Student's t for 95 % on both sides."""
    if freedom <= len(T_975):
        return T_975[max(1, freedom) - 1]
    return Z + (Z**3 + Z) / (4 * freedom) + (5 * Z**5 + 16 * Z**3 + 3 * Z) / (96 * freedom**2)


def _value(name: str, raw: np.ndarray, target: np.ndarray) -> float:
    if name == "auc":
        return float(np.nan_to_num(auc(raw, target, np.ones((1, len(target))))[0], nan=0.5))
    return float(METRICS[name].from_sums(METRICS[name].statistics(raw, target).sum(axis=0)))


def _no_interval(name: str, raw: np.ndarray, target: np.ndarray) -> tuple[float, float]:
    """No interval at all: one row, or draws that hold one class only."""
    value = _value(name, raw, target)
    return value, value


def _bootstrap(
    name: str, raw: np.ndarray, target: np.ndarray, units: np.ndarray, count: int, generator: np.random.Generator
) -> tuple[float, float]:
    values = (
        _auc_draws(raw, target, units, count, generator)
        if name == "auc"
        else _sum_draws(name, raw, target, units, count, generator)
    )
    values = values[np.isfinite(values)]
    if not len(values) or count < 2:
        return _no_interval(name, raw, target)
    tail = NormalDist().cdf(-math.sqrt(count / (count - 1)) * t_975(count - 1))
    low, high = np.quantile(values, [tail, 1 - tail])
    return float(low), float(high)


def _sum_draws(
    name: str, raw: np.ndarray, target: np.ndarray, units: np.ndarray, count: int, generator: np.random.Generator
) -> np.ndarray:
    metric = METRICS[name]
    of_rows = metric.statistics(raw, target)
    sums = np.zeros((count, of_rows.shape[1]))
    np.add.at(sums, units, of_rows)
    return np.concatenate([metric.from_sums(weights @ sums) for weights in _weights(count, DRAWS, generator)])


def _auc_draws(
    raw: np.ndarray, target: np.ndarray, units: np.ndarray, count: int, generator: np.random.Generator
) -> np.ndarray:
    draws = AUC_DRAWS if len(target) * raw.shape[1] < 100_000 else AUC_DRAWS // 2
    return np.concatenate([auc(raw, target, weights[:, units]) for weights in _weights(count, draws, generator)])


def _weights(count: int, draws: int, generator: np.random.Generator) -> list[np.ndarray]:
    """How often each unit was drawn, in blocks (D, count)."""
    blocks = []
    at_once = max(1, min(draws, CELLS // count))
    for start in range(0, draws, at_once):
        size = min(at_once, draws - start)
        if count > 20_000:
            blocks.append(generator.poisson(1.0, (size, count)).astype(np.float64))
            continue
        drawn = generator.integers(0, count, (size, count)) + count * np.arange(size)[:, None]
        blocks.append(np.bincount(drawn.ravel(), minlength=size * count).reshape(size, count).astype(np.float64))
    return blocks


def _over_groups(
    name: str, raw: np.ndarray, target: np.ndarray, units: np.ndarray, count: int, value: float
) -> tuple[float, float]:
    """value -+ t * deviation of the groups' own scores / sqrt(groups)."""
    own = np.array([_value(name, raw[units == unit], target[units == unit]) for unit in range(count)])
    margin = t_975(count - 1) * float(np.std(own, ddof=1)) / math.sqrt(count)
    return value - margin, value + margin


def _wilson(value: float, count: int) -> tuple[float, float]:
    """The interval of a share `value` of `count` yes-or-no answers."""
    share = min(1.0, max(0.0, value))
    middle = (share + Z**2 / (2 * count)) / (1 + Z**2 / count)
    margin = Z / (1 + Z**2 / count) * math.sqrt(share * (1 - share) / count + Z**2 / (4 * count**2))
    return middle - margin, middle + margin


def _widest(first: tuple[float, float], second: tuple[float, float]) -> tuple[float, float]:
    return min(first[0], second[0]), max(first[1], second[1])
