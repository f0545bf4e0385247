"""What the report says of predictions on rows that were never learned from.

Takes what the packaged graph answered. Knows no graph, no file and no learner.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from salus.core.errors import SalusError
from salus.core.nouns import Interval
from salus.evaluation.compare import versus
from salus.evaluation.decisions import abstention, conformal, decision
from salus.evaluation.intervals import Resampling
from salus.evaluation.metrics import HIGHER_IS_BETTER, METRICS, one_hot, score, softmax
from salus.evaluation.reliability import reliability
from salus.evaluation.subgroups import subgroups
from salus.tasks.base import Task
from salus.tasks.classification import label_codes

ANSWER_BINS = 10
LEAST_ROWS_A_BIN = 5
MOSTLY_ONE = 0.85  # share of the commonest class
MOST_PEOPLE = 500
MOST_CLASSES_WITH_INTERVALS = 20


def measure(
    task: Task,
    target: np.ndarray,
    raw: Mapping[str, np.ndarray],
    states: Sequence[Mapping[str, Any]],
    names: Sequence[str],
    groups: np.ndarray | None,
    baseline: np.ndarray,
    seed: int,
    columns: Mapping[str, Sequence[Any] | np.ndarray] | None = None,
    overlap: np.ndarray | None = None,
    before: np.ndarray | None = None,
    before_name: str = "",
) -> dict[str, Any]:
    """Metrics with intervals beside the do-nothing baseline; classes and calibration, or how far numbers are off; people; decisions;
    subgroups; the rows that also lie in train left out; an earlier version on the same rows.

    target: codes (B,) or numbers (B, M). raw: what the graph gave: `probabilities` and `scores` (B, K), or `values` (B, M).
    states: of the targets, with the decisions that `task.decode` reads (`threshold`, `abstain_below`, `conformal`).
    groups: codes (B,) of people, over whom intervals are taken. baseline: the one answer of doing nothing.
    columns: column -> values of the test rows (texts or numbers), whose levels and quarters are measured by themselves.
    overlap: positions of test rows that also lie in train. before: probabilities or values that an earlier version gives.
    """
    answers = _checked(np.asarray(raw[task.output], dtype=np.float64), names)
    nothing = np.tile(baseline, (len(target), 1))
    resampling = Resampling(target, groups, seed)
    labels = _label_answers(task, answers, states)
    metrics = {name: resampling.interval(name, _for(name, answers, labels)) for name in task.metrics}
    of_nothing = {name: resampling.interval(name, nothing) for name in task.metrics}
    main = main_metric(task, baseline, states)
    said = _for(main, answers, labels)
    report: dict[str, Any] = {
        "task": task.name,
        "headline": _headline(main, metrics[main], of_nothing[main].value, len(target), resampling.groups),
        "metrics": {name: found.model_dump() for name, found in metrics.items()},
        "baseline": {name: found.model_dump() for name, found in of_nothing.items()},
        "wide": metrics[main].wide,
        "confusion": None,
        "calibration": None,
        "per_class": [],
        "people": None
        if groups is None
        else _people(task.metrics[0], _for(task.metrics[0], answers, labels), target, groups),
        "subgroups": subgroups(main, said, target, columns, groups, seed) if columns else None,
        "without_overlap": _without(task, answers, labels, target, groups, seed, overlap),
        "versus": None,
    }
    if before is not None:
        report["versus"] = versus(task, answers, before, target, groups, seed, before_name, main)
    if task.classification:
        return report | _of_classes(answers, np.asarray(raw["scores"]), target, states[0], resampling, groups, seed)
    return report | _of_numbers(task, answers, target, states, names, resampling, groups, seed)


def _headline(main: str, found: Interval, nothing: float, rows: int, groups: int | None) -> dict[str, Any]:
    """The main score for the sentence that stands first."""
    return {
        "metric": main,
        "interval": found.model_dump(),
        "baseline": nothing,
        "higher_is_better": HIGHER_IS_BETTER[main],
        "rows": rows,
        "groups": groups,
    }


def _label_answers(task: Task, answers: np.ndarray, states: Sequence[Mapping[str, Any]]) -> np.ndarray | None:
    """(B, K) of 0 and 1: the labels that a threshold decides; None where the most probable one is said."""
    if not task.classification or not states[0].get("threshold"):
        return None
    return one_hot(label_codes(answers, states[0]), answers.shape[1])


def _for(name: str, answers: np.ndarray, labels: np.ndarray | None) -> np.ndarray:
    """What a metric looks at: the labels as they are said, or the probabilities."""
    return labels if labels is not None and METRICS[name].of_labels else answers


def _without(
    task: Task,
    answers: np.ndarray,
    labels: np.ndarray | None,
    target: np.ndarray,
    groups: np.ndarray | None,
    seed: int,
    overlap: np.ndarray | None,
) -> dict[str, Any] | None:
    """The same answers scored without the test rows that the model may have learned by heart."""
    if overlap is None or not len(overlap) or len(overlap) >= len(target):
        return None
    keep = np.ones(len(target), dtype=bool)
    keep[overlap] = False
    resampling = Resampling(target[keep], None if groups is None else groups[keep], seed)
    metrics = {name: resampling.interval(name, _for(name, answers, labels)[keep]) for name in task.metrics}
    found = {name: item.model_dump() for name, item in metrics.items()}
    return {"rows": int(keep.sum()), "left_out": int((~keep).sum()), "metrics": found}


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


def _with_intervals(
    table: list[dict[str, Any]], said: np.ndarray, target: np.ndarray, resampling: Resampling
) -> list[dict[str, Any]]:
    """The classes with the intervals of recall and precision, where they are few enough for each to be looked at."""
    if len(table) > MOST_CLASSES_WITH_INTERVALS:
        return table
    for code, item in enumerate(table):
        of_class, called = target == code, said == code
        for name, found in (
            ("recall", resampling.share(called, of_class)),
            ("precision", resampling.share(of_class, called)),
        ):
            item[f"{name}_interval"] = None if found is None else [found.low, found.high]
    return table


def _checked(answers: np.ndarray, names: Sequence[str]) -> np.ndarray:
    if not len(answers):
        raise SalusError("nothing_to_measure", where=", ".join(names))
    wrong = int(np.sum(~np.isfinite(answers).all(axis=1)))
    if wrong:
        raise SalusError("answers_not_finite", where=", ".join(names), found=wrong)
    return answers


def _of_classes(
    answers: np.ndarray,
    scores: np.ndarray,
    target: np.ndarray,
    state: Mapping[str, Any],
    resampling: Resampling,
    groups: np.ndarray | None,
    seed: int,
) -> dict[str, Any]:
    levels = list(state["levels"])
    said = label_codes(answers, state)
    counts = confusion(said, target, len(levels))
    return {
        "confusion": {"levels": levels, "counts": counts.tolist()},
        "per_class": _with_intervals(per_class(counts, levels), said, target, resampling),
        "calibration": {
            "before": reliability(softmax(scores), target, groups, seed),
            "after": reliability(answers, target, groups, seed),
        },
        "decision": decision(answers, target, state, resampling),
        "abstention": abstention(answers, target, state, resampling),
    }


def _of_numbers(
    task: Task,
    answers: np.ndarray,
    target: np.ndarray,
    states: Sequence[Mapping[str, Any]],
    names: Sequence[str],
    resampling: Resampling,
    groups: np.ndarray | None,
    seed: int,
) -> dict[str, Any]:
    found: dict[str, Any] = {"answers": [], "conformal": conformal(answers, target, states, names, resampling)}
    if len(names) > 1:
        found["per_target"] = []
    for i, name in enumerate(names):
        said, true = answers[:, [i]], target[:, [i]]
        found["answers"].append({"target": name, "bins": _answer_bins(said[:, 0], true[:, 0])})
        if len(names) > 1:
            of_target = Resampling(true, groups, seed)
            figures = {metric: of_target.interval(metric, said).model_dump() for metric in task.metrics}
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


def main_metric(task: Task, baseline: np.ndarray, states: Sequence[Mapping[str, Any]]) -> str:
    """The first of the task. The AUC where one class has nearly all rows, since saying always that one is nearly always right, and
    where a threshold was asked for, which gives up right answers for what matters more."""
    uneven = task.classification and float(np.max(baseline)) >= MOSTLY_ONE
    return "auc" if uneven or any(state.get("threshold") for state in states) else task.metrics[0]


def _people(main: str, answers: np.ndarray, target: np.ndarray, groups: np.ndarray) -> dict[str, Any]:
    """The main metric of each person by itself, worst first, without names."""
    codes, count = np.unique(groups, return_inverse=True)[1], len(np.unique(groups))
    parts = np.split(np.argsort(codes, kind="stable"), np.cumsum(np.bincount(codes))[:-1])
    scores = [score(main, answers[part], target[part]) for part in parts[:MOST_PEOPLE]]
    return {"metric": main, "count": count, "scores": sorted(scores, reverse=not HIGHER_IS_BETTER[main])}
