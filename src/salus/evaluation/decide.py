"""Decisions that are chosen on held-out rows: from which probability on a label is said, when a model does not answer, and how wide
an interval around a number must be.

Held-out rows are those that the model did not learn from and that are not the test: validation or out-of-fold answers. What the
decisions bring is measured on the test rows, in `decisions`. Chosen values go into the state of the target, where `task.decode` reads them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from salus.core.errors import SalusError
from salus.core.specs import Threshold
from salus.evaluation.calibrate import surely_less
from salus.tasks.classification import sureness

CONFORMAL_LEVEL = 0.9
CURVE_POINTS = 41


def choose_threshold(
    asked: Threshold,
    levels: Sequence[str],
    probabilities: np.ndarray,
    target: np.ndarray,
    groups: np.ndarray | None = None,
) -> dict[str, Any]:
    """{"level", "probability", "reached"}: the positive label is said from this probability on.

    probabilities: held-out, calibrated (B, 2); target: codes (B,). With a sensitivity: the highest probability that reaches it; with a
    specificity: the lowest one; with both: the one that misses least. With costs: alarm / (alarm + missed), which is best when
    probabilities mean what they say (Elkan 2001); another one only if it costs less by more than a standard error.
    reached: whether the held-out rows can have what was asked for.
    """
    code = positive_code(asked, levels)
    said, truth = probabilities[:, code].astype(np.float64), target == code
    if asked.sensitivity is None and asked.specificity is None:
        units = np.arange(len(target)) if groups is None else np.unique(groups, return_inverse=True)[1]
        missed, alarm = asked.missed_cost or 1.0, asked.alarm_cost or 1.0
        return {
            "level": asked.positive,
            "probability": _cheapest(said, truth, missed, alarm, units),
            "reached": True,
        }
    if truth.all() or not truth.any():
        raise SalusError("threshold_one_class", where=asked.positive, found=int(truth.sum()), expected=len(truth))
    at, sensitivity, specificity = roc(said, truth)
    short = np.maximum(
        0 if asked.sensitivity is None else asked.sensitivity - sensitivity,
        0 if asked.specificity is None else asked.specificity - specificity,
    )
    short = np.round(np.maximum(short, 0), 12)
    # Among those that miss least: the best of what was not asked for.
    other = specificity if asked.specificity is None else sensitivity
    if asked.sensitivity is not None and asked.specificity is not None:
        other = sensitivity + specificity
    best = int(np.lexsort((-other, short))[0])
    return {"level": asked.positive, "probability": float(at[best]), "reached": bool(short[best] == 0)}


def positive_code(asked: Threshold, levels: Sequence[str]) -> int:
    """The code of the positive label, or `bad_spec`: a threshold is for one of two labels."""
    if asked.positive not in levels or len(levels) != 2:
        expected = "one of two labels: " + ", ".join(levels[:10]) if len(levels) == 2 else "a target of two labels"
        found = asked.positive if len(levels) == 2 else f"{len(levels)} labels"
        raise SalusError("bad_spec", where="threshold, field 'positive'", expected=expected, found=found[:80])
    return list(levels).index(asked.positive)


def choose_abstention(probabilities: np.ndarray, coverage: float, state: dict[str, Any]) -> float:
    """`abstain_below`: the sureness that the wanted share of held-out rows reaches. state: levels and threshold of the target."""
    sure = np.sort(sureness(probabilities, state))[::-1]
    return float(sure[max(0, min(len(sure), round(coverage * len(sure))) - 1)])


def conformal_widths(
    values: np.ndarray,
    target: np.ndarray,
    names: Sequence[str],
    groups: np.ndarray | None = None,
    level: float = CONFORMAL_LEVEL,
) -> dict[str, float]:
    """Half widths {name: number} such that the truth of a new row lies inside in `level` of all cases (split conformal, Lei et al. 2018).

    With groups: of a row of a new person, every person weighing alike (Lee, Barber and Willett 2023). Fewer than 18 people cannot
    promise the level; then it is the error that 95 of 100 of their rows keep, and the test rows tell how often that holds. Fewer than 9
    rows: the largest error seen. values, target: held-out (B, M).
    """
    units = np.arange(len(target)) if groups is None else np.unique(groups, return_inverse=True)[1]
    count = int(units.max()) + 1
    share = level * (count + 1) / count  # the next one could be worse than all of these
    if groups is not None:
        share = min(share, (1 + level) / 2)
    weight = 1 / (np.bincount(units)[units] * count)
    widths = {}
    for column, name in enumerate(names):
        errors = np.abs(values[:, column] - target[:, column]).astype(np.float64)
        order = np.argsort(errors, kind="stable")
        reached = np.searchsorted(np.cumsum(weight[order]), share - 1e-12)
        widths[name] = float(errors[order][min(int(reached), len(errors) - 1)])
    return widths


def roc(said: np.ndarray, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Thresholds with the sensitivity and specificity of saying positive from each on; in between two probabilities that occur, from
    that which says positive of all (0) to that which says it of none (above 1)."""
    values, place = np.unique(said, return_inverse=True)
    positive = np.bincount(place[truth], minlength=len(values))
    negative = np.bincount(place[~truth], minlength=len(values))
    missed, cleared = np.r_[0, np.cumsum(positive)], np.r_[0, np.cumsum(negative)]
    between = np.r_[0.0, (values[1:] + values[:-1]) / 2, np.nextafter(max(1.0, float(values[-1])), 2)]
    return between, 1 - missed / max(1, missed[-1]), cleared / max(1, cleared[-1])


def operating_curve(said: np.ndarray, truth: np.ndarray, points: int = CURVE_POINTS) -> list[dict[str, float | None]]:
    """What every threshold would bring: {"threshold", "sensitivity", "specificity", "ppv", "npv", "positive"}, at most `points` of them,
    evenly along the curve. positive: the share of rows that would be called so."""
    at, sensitivity, specificity = roc(said, truth)
    along = np.r_[0, np.cumsum(np.abs(np.diff(sensitivity)) + np.abs(np.diff(specificity)))]
    chosen = np.unique(np.searchsorted(along, np.linspace(0, along[-1], points) - 1e-12).clip(0, len(at) - 1))
    share = float(truth.mean())
    curve: list[dict[str, float | None]] = []
    for index in chosen.tolist():
        found, cleared = sensitivity[index] * share, specificity[index] * (1 - share)
        called, uncalled = found + (1 - share) - cleared, share - found + cleared
        curve.append(
            {
                "threshold": float(min(1.0, at[index])),
                "sensitivity": float(sensitivity[index]),
                "specificity": float(specificity[index]),
                "ppv": float(found / called) if called > 1e-12 else None,
                "npv": float(cleared / uncalled) if uncalled > 1e-12 else None,
                "positive": float(called),
            }
        )
    return curve


def _cheapest(said: np.ndarray, truth: np.ndarray, missed: float, alarm: float, units: np.ndarray) -> float:
    theory = alarm / (alarm + missed)
    if truth.all() or not truth.any():
        return theory
    at, sensitivity, specificity = roc(said, truth)
    costs = missed * (1 - sensitivity) * truth.mean() + alarm * (1 - specificity) * (1 - truth.mean())
    best = float(min(1.0, at[int(costs.argmin())]))

    def of_rows(threshold: float) -> np.ndarray:
        called = said >= threshold
        return np.asarray(np.where(truth & ~called, missed, 0.0) + np.where(~truth & called, alarm, 0.0))

    return best if surely_less(of_rows(best), of_rows(theory), units) else theory
