"""What the report says of predictions on rows that were never learned from.

Takes what the packaged graph answered. Knows no graph, no file and no learner.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from salus.evaluation.calibrate import reliability
from salus.evaluation.intervals import Resampling
from salus.evaluation.metrics import HIGHER_IS_BETTER, softmax
from salus.tasks.base import Task


def measure(
    task: Task,
    target: np.ndarray,
    raw: Mapping[str, np.ndarray],
    states: Sequence[Mapping[str, Any]],
    names: Sequence[str],
    groups: np.ndarray | None,
    baseline: np.ndarray,
    seed: int,
) -> dict[str, Any]:
    """Metrics with intervals beside the do-nothing baseline, confusion matrix, classes, calibration.

    target: codes (B,) or numbers (B, M). raw: what the graph gave: `probabilities` and `scores` (B, K), or `values` (B, M).
    groups: codes (B,) of people, over whom intervals are taken. baseline: the one answer of doing nothing.
    """
    answers = np.asarray(raw[task.output], dtype=np.float64)
    nothing = np.tile(baseline, (len(target), 1))
    resampling = Resampling(target, groups, seed)
    metrics = {name: resampling.interval(name, answers) for name in task.metrics}
    of_nothing = {name: resampling.interval(name, nothing) for name in task.metrics}
    main = task.metrics[0]
    report: dict[str, Any] = {
        "task": task.name,
        "headline": {
            "metric": main,
            "interval": metrics[main].model_dump(),
            "baseline": of_nothing[main].value,
            "higher_is_better": HIGHER_IS_BETTER[main],
            "rows": len(target),
            "groups": None if groups is None else len(np.unique(groups)),
        },
        "metrics": {name: found.model_dump() for name, found in metrics.items()},
        "baseline": {name: found.model_dump() for name, found in of_nothing.items()},
        "wide": metrics[main].wide,
        "confusion": None,
        "calibration": None,
        "per_class": [],
    }
    if task.classification:
        levels = list(states[0]["levels"])
        counts = confusion(answers.argmax(axis=1), target, len(levels))
        report["confusion"] = {"levels": levels, "counts": counts.tolist()}
        report["per_class"] = per_class(counts, levels)
        report["calibration"] = {
            "before": reliability(softmax(np.asarray(raw["scores"])), target),
            "after": reliability(answers, target),
        }
    elif len(names) > 1:
        report["per_target"] = [
            {"target": name, **_of_one_target(task, answers[:, [i]], target[:, [i]], groups, seed)}
            for i, name in enumerate(names)
        ]
    return report


def confusion(said: np.ndarray, target: np.ndarray, classes: int) -> np.ndarray:
    """(K, K): rows are the truth, columns what was said."""
    return np.bincount(target * classes + said, minlength=classes * classes).reshape(classes, classes)


def per_class(counts: np.ndarray, levels: Sequence[str]) -> list[dict[str, Any]]:
    """Rows, recall and precision of every class; None where there is nothing to divide by."""
    table = []
    for code, level in enumerate(levels):
        right, true, said = int(counts[code, code]), int(counts[code].sum()), int(counts[:, code].sum())
        recall, precision = (right / true if true else None), (right / said if said else None)
        table.append({"level": level, "rows": true, "recall": recall, "precision": precision})
    return table


def _of_one_target(
    task: Task, answers: np.ndarray, target: np.ndarray, groups: np.ndarray | None, seed: int
) -> dict[str, Any]:
    resampling = Resampling(target, groups, seed)
    return {name: resampling.interval(name, answers).model_dump() for name in task.metrics}
