"""Whether probabilities mean what they say: bins of confidence, the mean gap (ECE) without the noise of few rows, and its interval.

Knows probabilities and the truth. Does not know how they were calibrated.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from salus.evaluation.metrics import one_hot, score
from salus.evaluation.resampling import Units

BINS = 10
# erf by Abramowitz and Stegun 7.1.26, to 1.5e-7
_ERF = (0.254829592, -0.284496736, 1.421413741, -1.453152027, 1.061405429)


def reliability(
    probabilities: np.ndarray, target: np.ndarray, groups: np.ndarray | None = None, seed: int = 0
) -> dict[str, Any]:
    """Bins of confidence with the accuracy in each; the expected calibration error with its 95 % interval; log loss and Brier score.

    ece_plain is the mean gap as it is usually given, which few rows make large by chance. ece is that less what the chance adds
    (Kumar, Liang and Ma 2019): of a bin whose true gap is g, with noise s, E|N(g, s)| - g.
    """
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == target
    place = np.minimum((confidence * BINS).astype(np.int64), BINS - 1)
    hot = one_hot(place, BINS)
    stacked = np.concatenate([hot, hot * confidence[:, None], hot * right[:, None]], axis=1)
    count, said, was = np.split(stacked.sum(axis=0), 3)
    bins = [
        {
            "low": index / BINS,
            "high": (index + 1) / BINS,
            "count": int(count[index]),
            "confidence": float(said[index] / count[index]),
            "accuracy": float(was[index] / count[index]),
        }
        for index in range(BINS)
        if count[index]
    ]
    units = Units(groups, len(target), seed)
    sums = units.sums(stacked)
    variance = _variance(sums)
    plain, ece = (float(_gap(stacked.sum(axis=0), variance, noise)) for noise in (0.0, 1.0))
    # A draw is off by the noise of the rows and by that of drawing them: twice the variance.
    drawn = np.concatenate([_gap(weights @ sums, variance, 2.0) for weights in units.weights])
    low, high = np.quantile(drawn, [0.025, 0.975])
    brier = float(np.mean(np.sum((probabilities - one_hot(target, probabilities.shape[1])) ** 2, axis=1)))
    return {
        "ece": ece,
        "ece_low": min(ece, float(low)),
        "ece_high": max(ece, float(high)),
        "ece_plain": plain,
        "log_loss": score("log_loss", probabilities, target),
        "brier": brier,
        "bins": bins,
    }


def _variance(sums: np.ndarray) -> np.ndarray:
    """Of every bin's summed gap (BINS,), over units: what chance alone moves it by."""
    count, said, was = np.split(sums, 3, axis=1)
    total = count.sum(axis=0)
    gap = (was.sum(axis=0) - said.sum(axis=0)) / np.maximum(total, 1)
    spread = np.sum((was - said - gap * count) ** 2, axis=0)
    # A bin whose few rows were all right shows no spread, but has it: at least that of the confidence itself.
    share = np.clip((said.sum(axis=0) + 0.5) / (total + 1), 0, 1)
    return np.asarray(np.maximum(spread, total * share * (1 - share)))


def _gap(sums: np.ndarray, variance: np.ndarray, noise: float) -> np.ndarray:
    """The mean gap (...,) of sums (..., 3 BINS), less what `noise` times the variance adds to it by chance; never below 0."""
    count, said, was = np.split(sums, 3, axis=-1)
    gap = np.abs(was - said)
    if noise:
        deviation = np.sqrt(noise * variance) + 1e-12
        likely, added = gap, np.zeros_like(gap)
        for _ in range(4):  # the gap that with such noise shows as this one
            z = likely / deviation
            expected = deviation * math.sqrt(2 / math.pi) * np.exp(-(z**2) / 2) + likely * _erf(z / math.sqrt(2))
            added = expected - likely
            likely = np.maximum(gap - added, 0)
        gap = gap - added
    return np.asarray(np.maximum(gap.sum(axis=-1) / count.sum(axis=-1), 0))


def _erf(x: np.ndarray) -> np.ndarray:
    """Of x at or above 0."""
    t = 1 / (1 + 0.3275911 * x)
    terms = sum(factor * t ** (power + 1) for power, factor in enumerate(_ERF))
    return np.asarray(1 - terms * np.exp(-(x**2)))
