"""Whether the sentence is the very one, and a list of them for the report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import numpy as np

from salus.evaluation.measures.base import Measure
from salus.evaluation.metrics import HIGHER_IS_BETTER
from salus.evaluation.report.parts import Said
from salus.evaluation.report.scores import METRIC_WORDS

HIGHER_IS_BETTER["exact"] = True
METRIC_WORDS["en"]["exact"] = ("exact", "share of the very sentences")
METRIC_WORDS["zh"]["exact"] = ("完全一致", "完全一致的句子所占比例")


class Verdicts(Measure):
    metrics = ("exact",)

    def tally(self, answers: np.ndarray, target: np.ndarray, states: Sequence[Mapping[str, Any]]) -> np.ndarray:
        return np.stack([answers == target, np.ones(len(answers), dtype=bool)], axis=1).astype(np.float64)

    def figure(self, name: str, sums: np.ndarray) -> np.ndarray:
        return np.asarray(sums[..., 0] / sums[..., 1])

    def shown(
        self, answers: np.ndarray, target: np.ndarray, values: Mapping[str, Any], states: Sequence[Mapping[str, Any]]
    ) -> dict[str, Any]:
        return {"kind": "verdicts", "items": [{"said": said} for said in answers[:3]]}


def verdicts(said: Said, items: list[dict[str, Any]]) -> str:
    return "".join(f"<p>verdict: {escape(item['said'])}</p>" for item in items)
