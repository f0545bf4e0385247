"""What the report says of the answers of a compound task on rows that were never learned from.

The counterpart of `measure`, which does the same for labels and numbers. Knows no graph, no file and no learner.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from salus.core.errors import SalusError
from salus.evaluation.measures.base import Measure
from salus.evaluation.metrics import HIGHER_IS_BETTER

EMPTY: dict[str, Any] = {
    "confusion": None,
    "calibration": None,
    "per_class": [],
    "people": None,
    "subgroups": None,
    "without_overlap": None,
    "versus": None,
    "errors": [],
    "importance": None,
    "partial_dependence": [],
    "saliency": [],
}


def measure_answers(
    measure: Measure,
    task: str,
    answers: np.ndarray,
    target: np.ndarray,
    nothing: np.ndarray,
    values: Mapping[str, Any],
    states: Sequence[Mapping[str, Any]],
    groups: np.ndarray | None,
    seed: int,
) -> dict[str, Any]:
    """Metrics with intervals beside what doing nothing answers, and a few rows to look at.

    answers, target, nothing: (B,). values: input column -> values of the rows. states: of the targets. groups: codes (B,).
    """
    if not len(answers):
        raise SalusError("nothing_to_measure", where=task)
    found = measure.intervals(measure.tally(answers, target, states), groups, seed)
    of_nothing = measure.intervals(measure.tally(nothing, target, states), groups, seed)
    main = measure.metrics[0]
    headline = {
        "metric": main,
        "interval": found[main].model_dump(),
        "baseline": of_nothing[main].value,
        "higher_is_better": HIGHER_IS_BETTER[main],
        "rows": len(target),
        "groups": None if groups is None else len(np.unique(groups)),
    }
    return {
        "task": task,
        "headline": headline,
        "metrics": {name: item.model_dump() for name, item in found.items()},
        "baseline": {name: item.model_dump() for name, item in of_nothing.items()},
        "wide": found[main].wide,
        **EMPTY,
        "facts": measure.facts(answers, target, states),
        "shown": measure.shown(answers, target, values, states),
    }
