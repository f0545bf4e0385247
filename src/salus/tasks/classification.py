"""Classification of tables, pictures and recordings: one label of a known set, with a probability for each.

Knows how labels become codes and probabilities become labels. Does not know how they were learned.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from salus.tasks.base import Task


class Classification(Task):
    """What all of them share. Raw output: `probabilities` (B, K), rows add up to 1."""

    output = "probabilities"
    classification = True
    metrics = ("accuracy", "balanced_accuracy", "macro_f1", "log_loss", "auc")
    perceived: ClassVar[str | None] = None  # the kind that makes the task
    binary: ClassVar[bool | None] = None  # only two levels, only more, or any

    def accepts(self, input_kinds: frozenset[str], target_kinds: tuple[str, ...], levels: int) -> bool:
        if target_kinds != ("category",):
            return False
        if self.perceived is not None:
            return self.perceived in input_kinds
        return not input_kinds & {"image", "series"} and (self.binary is None or self.binary == (levels <= 2))

    def encode_target(self, values: Sequence[Any], states: Sequence[Mapping[str, Any]]) -> np.ndarray:
        codes = {level: code for code, level in enumerate(states[0]["levels"])}
        return np.array([codes.get(value, -1) for value in values], dtype=np.int64)

    def baseline(self, target: np.ndarray, states: Sequence[Mapping[str, Any]]) -> np.ndarray:
        counts = np.bincount(target[target >= 0], minlength=len(states[0]["levels"])).astype(np.float64)
        return np.asarray(counts / counts.sum())

    def decode(
        self, raw: np.ndarray, states: Sequence[Mapping[str, Any]], names: Sequence[str]
    ) -> list[dict[str, Any]]:
        levels = states[0]["levels"]
        best = raw.argmax(axis=1).tolist()
        return [
            {"label": levels[code], "probability": row[code], "probabilities": dict(zip(levels, row, strict=True))}
            for code, row in zip(best, np.round(raw.astype(np.float64), 6).tolist(), strict=True)
        ]

    def output_schema(self, states: Sequence[Mapping[str, Any]], names: Sequence[str]) -> dict[str, Any]:
        share = {"type": "number", "minimum": 0, "maximum": 1}
        levels = list(states[0]["levels"])
        return {
            "type": "object",
            "properties": {
                "label": {"type": "string", "enum": levels},
                "probability": share,
                "probabilities": {"type": "object", "properties": {level: share for level in levels}},
            },
            "required": ["label", "probability", "probabilities"],
        }


class BinaryClassification(Classification):
    name = "binary-classification"
    binary = True


class MulticlassClassification(Classification):
    name = "multiclass-classification"
    binary = False


class ImageClassification(Classification):
    name = "image-classification"
    perceived = "image"


class SeriesClassification(Classification):
    name = "series-classification"
    perceived = "series"
