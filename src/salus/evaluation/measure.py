"""What the report says of predictions on rows that were never learned from.

Takes what the packaged graph answered. Knows no graph, no file and no learner.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from salus.core.errors import SalusError
from salus.evaluation.intervals import Resampling
from salus.evaluation.metrics import HIGHER_IS_BETTER, score, softmax
from salus.evaluation.reliability import reliability
from salus.tasks.base import Task

ANSWER_BINS = 10
LEAST_ROWS_A_BIN = 5
MOST_PEOPLE = 500
MOST_LEVELS = 12


def measure(
    task: Task,
    target: np.ndarray,
    raw: Mapping[str, np.ndarray],
    states: Sequence[Mapping[str, Any]],
    names: Sequence[str],
    groups: np.ndarray | None,
    baseline: np.ndarray,
    seed: int,
    subsets: Mapping[str, Sequence[str | None]] | None = None,
) -> dict[str, Any]:
    """Metrics with intervals beside the do-nothing baseline; classes and calibration, or how far numbers are off; people; subsets.

    target: codes (B,) or numbers (B, M). raw: what the graph gave: `probabilities` and `scores` (B, K), or `values` (B, M).
    groups: codes (B,) of people, over whom intervals are taken. baseline: the one answer of doing nothing.
    subsets: column -> its level for every row (sex, site, device): each level is measured by itself.
    """
    answers = _checked(np.asarray(raw[task.output], dtype=np.float64), names)
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
            "groups": resampling.groups,
        },
        "metrics": {name: found.model_dump() for name, found in metrics.items()},
        "baseline": {name: found.model_dump() for name, found in of_nothing.items()},
        "wide": metrics[main].wide,
        "confusion": None,
        "calibration": None,
        "per_class": [],
        "people": None if groups is None else _people(main, answers, target, groups),
        "subsets": _subsets(main, answers, target, groups, seed, subsets or {}),
    }
    if task.classification:
        return report | _of_classes(answers, np.asarray(raw["scores"]), target, list(states[0]["levels"]), groups, seed)
    return report | _of_numbers(task, answers, target, names, groups, seed)


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


def _checked(answers: np.ndarray, names: Sequence[str]) -> np.ndarray:
    if not len(answers):
        raise SalusError("nothing_to_measure", where=", ".join(names))
    wrong = int(np.sum(~np.isfinite(answers).all(axis=1)))
    if wrong:
        raise SalusError("answers_not_finite", where=", ".join(names), found=wrong)
    return answers


def _of_classes(
    answers: np.ndarray, scores: np.ndarray, target: np.ndarray, levels: list[str], groups: np.ndarray | None, seed: int
) -> dict[str, Any]:
    counts = confusion(answers.argmax(axis=1), target, len(levels))
    return {
        "confusion": {"levels": levels, "counts": counts.tolist()},
        "per_class": per_class(counts, levels),
        "calibration": {
            "before": reliability(softmax(scores), target, groups, seed),
            "after": reliability(answers, target, groups, seed),
        },
    }


def _of_numbers(
    task: Task, answers: np.ndarray, target: np.ndarray, names: Sequence[str], groups: np.ndarray | None, seed: int
) -> dict[str, Any]:
    found: dict[str, Any] = {"answers": []}
    if len(names) > 1:
        found["per_target"] = []
    for i, name in enumerate(names):
        said, true = answers[:, [i]], target[:, [i]]
        found["answers"].append({"target": name, "bins": _answer_bins(said[:, 0], true[:, 0])})
        if len(names) > 1:
            resampling = Resampling(true, groups, seed)
            figures = {metric: resampling.interval(metric, said).model_dump() for metric in task.metrics}
            found["per_target"].append({"target": name, **figures})
    return found


def _answer_bins(said: np.ndarray, true: np.ndarray) -> list[dict[str, Any]]:
    """Rows in the order of what was said, in parts of equal size: what was said there, and where nine of ten truths lay."""
    parts = np.array_split(np.argsort(said, kind="stable"), max(1, min(ANSWER_BINS, len(said) // LEAST_ROWS_A_BIN)))
    bins = []
    for part in parts:
        low, middle, high = np.quantile(true[part], [0.05, 0.5, 0.95]).tolist()
        bins.append({"said": float(said[part].mean()), "low": low, "median": middle, "high": high, "count": len(part)})
    return bins


def _people(main: str, answers: np.ndarray, target: np.ndarray, groups: np.ndarray) -> dict[str, Any]:
    """The main metric of each person by itself, worst first, without names."""
    codes, count = np.unique(groups, return_inverse=True)[1], len(np.unique(groups))
    parts = np.split(np.argsort(codes, kind="stable"), np.cumsum(np.bincount(codes))[:-1])
    scores = [score(main, answers[part], target[part]) for part in parts[:MOST_PEOPLE]]
    return {"metric": main, "count": count, "scores": sorted(scores, reverse=not HIGHER_IS_BETTER[main])}


def _subsets(
    main: str,
    answers: np.ndarray,
    target: np.ndarray,
    groups: np.ndarray | None,
    seed: int,
    subsets: Mapping[str, Sequence[str | None]],
) -> list[dict[str, Any]]:
    table = []
    for column, levels in subsets.items():
        of_rows = np.array(["" if level is None else level for level in levels], dtype=object)
        names, counts = np.unique(of_rows.astype(str), return_counts=True)
        for name in names[np.argsort(-counts, kind="stable")][:MOST_LEVELS].tolist():
            rows = np.flatnonzero(of_rows == name)
            of_groups = None if groups is None else groups[rows]
            found = Resampling(target[rows], of_groups, seed).interval(main, answers[rows])
            table.append({"column": column, "level": name, "rows": len(rows), "metric": main, **found.model_dump()})
    return table
