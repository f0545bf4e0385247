"""What the decisions of a model bring on the test rows: the operating point, how often it does not answer, how often intervals hold.

Knows the state in which `task.decode` reads the decisions. How they were chosen is in `decide`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from salus.evaluation.decide import CONFORMAL_LEVEL, operating_curve
from salus.evaluation.intervals import Resampling
from salus.tasks.classification import label_codes, sureness

COVERAGES = 20


def decision(
    answers: np.ndarray, target: np.ndarray, state: Mapping[str, Any], resampling: Resampling
) -> dict[str, Any] | None:
    """For two classes: {"level", "threshold" (None: the more probable label), "figures": {sensitivity, specificity, ppv, npv}, "curve"}.

    answers: probabilities (B, 2). Without a threshold the rarer label counts as the positive one.
    """
    levels = list(state["levels"])
    if len(levels) != 2:
        return None
    threshold = state.get("threshold")
    code = levels.index(threshold["level"]) if threshold else int(np.mean(target == 1) <= 0.5)
    truth, called = target == code, label_codes(answers, state) == code
    shares = {
        "sensitivity": resampling.share(called, truth),
        "specificity": resampling.share(~called, ~truth),
        "ppv": resampling.share(truth, called),
        "npv": resampling.share(~truth, ~called),
    }
    return {
        "level": levels[code],
        "threshold": threshold["probability"] if threshold else None,
        "reached": threshold.get("reached", True) if threshold else True,
        "positive": float(called.mean()),
        "figures": {name: None if found is None else found.model_dump() for name, found in shares.items()},
        "curve": operating_curve(answers[:, code], truth),
    }


def abstention(
    answers: np.ndarray, target: np.ndarray, state: Mapping[str, Any], resampling: Resampling
) -> dict[str, Any]:
    """{"below", "coverage", "accuracy" of the answered, "curve": [{"coverage", "accuracy", "below"}]}: the surest rows first."""
    sure, right = sureness(answers, state), label_codes(answers, state) == target
    order = np.argsort(-sure, kind="stable")
    right_so_far = np.cumsum(right[order])
    counts = np.unique(np.ceil(np.linspace(0, 1, COVERAGES + 1)[1:] * len(order)).astype(int))
    curve = [
        {
            "coverage": count / len(order),
            "accuracy": float(right_so_far[count - 1] / count),
            "below": float(sure[order[count - 1]]),
        }
        for count in counts.tolist()
    ]
    below = state.get("abstain_below")
    answered = sure >= (0.0 if below is None else below)
    coverage, accuracy = resampling.share(answered, np.ones_like(answered)), resampling.share(right, answered)
    return {
        "below": below,
        "coverage": None if coverage is None else coverage.model_dump(),
        "accuracy": None if accuracy is None else accuracy.model_dump(),
        "curve": curve,
    }


def conformal(
    answers: np.ndarray,
    target: np.ndarray,
    states: Sequence[Mapping[str, Any]],
    names: Sequence[str],
    resampling: Resampling,
) -> dict[str, Any] | None:
    """{"level", "targets": [{"target", "half_width", "covered"}]}: how often the truth lay inside, with its interval; None without widths."""
    widths = {name: half for state in states for name, half in (state.get("conformal") or {}).items()}
    if not widths:
        return None
    targets = []
    for column, name in enumerate(names):
        if name in widths:
            inside = np.abs(answers[:, column] - target[:, column]) <= widths[name]
            covered = resampling.share(inside, np.ones_like(inside))
            assert covered is not None
            targets.append({"target": name, "half_width": widths[name], "covered": covered.model_dump()})
    return {"level": CONFORMAL_LEVEL, "targets": targets}
