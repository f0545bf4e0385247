"""Two models on the same rows: the difference of a score with its 95 % interval, taken row by row or person by person.

Two intervals may overlap where the paired difference is sure, since both models find the same rows hard.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from salus.core.nouns import Interval
from salus.evaluation.metrics import HIGHER_IS_BETTER, METRICS, score
from salus.evaluation.resampling import Units
from salus.tasks.base import Task


def paired(
    metric: str, answers_a: np.ndarray, answers_b: np.ndarray, target: np.ndarray, groups: np.ndarray | None, seed: int
) -> Interval:
    """The score of a less that of b. answers: probabilities (B, K) or values (B, M) for the same rows; groups: codes (B,) or None.

    The jackknife over units with Student's t.
    """
    found = METRICS[metric]
    both = np.concatenate([found.statistics(answers, target) for answers in (answers_a, answers_b)], axis=1)

    def difference(sums: np.ndarray) -> np.ndarray:
        of_a, of_b = np.split(sums, 2, axis=-1)
        return np.asarray(found.from_sums(of_a) - found.from_sums(of_b))

    return difference_interval(difference, both, Units(groups, len(target), seed))


def difference_interval(difference: Any, statistics: np.ndarray, units: Units) -> Interval:
    """The interval of a figure that is a difference of functions of sums. statistics: (B, S); difference: (..., S) -> (...)."""
    sums = units.sums(statistics)
    value = float(difference(sums.sum(axis=0)))
    margin = units.t * units.standard_error(difference, sums)
    return Interval(value=value, low=value - margin, high=value + margin, wide=units.wide)


def versus(
    task: Task,
    now: np.ndarray,
    before: np.ndarray,
    target: np.ndarray,
    groups: np.ndarray | None,
    seed: int,
    called: str = "",
    main: str = "",
) -> dict[str, Any]:
    """This model against an earlier version on the same rows, metric by metric; `surely`: better, worse or neither by the main one.

    now, before: answers of both. called: how the earlier one is called. main: the metric that decides; the first of the task without.
    """
    table: dict[str, Any] = {}
    for name in task.metrics:
        found = paired(name, now, before, target, groups, seed)
        sides = {"now": score(name, now, target), "before": score(name, before, target)}
        table[name] = {**sides, "difference": found.model_dump(), "surely": surely(name, found)}
    main = main or task.metrics[0]
    return {"name": called, "metric": main, "rows": len(target), "surely": table[main]["surely"], "metrics": table}


def surely(metric: str, difference: Interval | Mapping[str, Any]) -> str:
    """better, worse or neither, by the whole interval of a difference."""
    found = difference.model_dump() if isinstance(difference, Interval) else difference
    sign = 1 if HIGHER_IS_BETTER[metric] else -1
    ends = sorted((sign * found["low"], sign * found["high"]))
    return "better" if ends[0] > 0 else ("worse" if ends[1] < 0 else "neither")
