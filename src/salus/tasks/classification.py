"""Classification of tables, pictures, texts and recordings: one label of a known set, with a probability for each.

Knows how labels become codes and probabilities become labels. Does not know how they were learned.
A state may say how labels are decided: `threshold` {"level", "probability"}: that level is said from this probability on;
`abstain_below`: answers that are less sure than this have no label.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from salus.tasks.base import Task


class Classification(Task):
    """What all of them share. Raw output: `probabilities` (B, K), rows add up to 1."""

    output = "probabilities"
    goal = "label"
    metrics = ("accuracy", "balanced_accuracy", "macro_f1", "log_loss", "auc")
    perceived: ClassVar[str | None] = None  # the kind that makes the task
    binary: ClassVar[bool | None] = None  # only two levels, only more, or any

    def accepts(self, input_kinds: frozenset[str], target_kinds: tuple[str, ...], levels: int) -> bool:
        if target_kinds != ("category",):
            return False
        if self.perceived is not None:
            return self.perceived in input_kinds
        return not input_kinds & {"image", "series", "audio"} and (self.binary is None or self.binary == (levels <= 2))

    def encode_target(self, values: Sequence[Any], states: Sequence[Mapping[str, Any]]) -> np.ndarray:
        codes = {level: code for code, level in enumerate(states[0]["levels"])}
        return np.array([codes.get(value, -1) for value in values], dtype=np.int64)

    def baseline(self, target: np.ndarray, states: Sequence[Mapping[str, Any]]) -> np.ndarray:
        counts = np.bincount(target[target >= 0], minlength=len(states[0]["levels"])).astype(np.float64)
        return np.asarray(counts / counts.sum())

    def decode(
        self, raw: np.ndarray, states: Sequence[Mapping[str, Any]], names: Sequence[str]
    ) -> list[dict[str, Any]]:
        state, rounded = states[0], np.round(raw.astype(np.float64), 6).tolist()
        levels, codes = state["levels"], label_codes(raw, state).tolist()
        answers: list[dict[str, Any]] = [
            {"label": levels[code], "probability": row[code], "probabilities": dict(zip(levels, row, strict=True))}
            for code, row in zip(codes, rounded, strict=True)
        ]
        if (least := state.get("abstain_below")) is not None:
            for answer, sure in zip(answers, sureness(raw, state).tolist(), strict=True):
                answer["abstained"] = sure < least
                answer["label"] = None if answer["abstained"] else answer["label"]
        return answers

    def output_schema(self, states: Sequence[Mapping[str, Any]], names: Sequence[str]) -> dict[str, Any]:
        share = {"type": "number", "minimum": 0, "maximum": 1}
        levels = list(states[0]["levels"])
        label: dict[str, Any] = {"type": "string", "enum": levels}
        probabilities = {"type": "object", "properties": {level: share for level in levels}}
        properties: dict[str, Any] = {"label": label, "probability": share, "probabilities": probabilities}
        if threshold := states[0].get("threshold"):
            label["description"] = f"'{threshold['level']}' from a probability of {threshold['probability']:.6g} on"
        if (least := states[0].get("abstain_below")) is not None:
            label |= {"type": ["string", "null"], "enum": [*levels, None]}
            properties["abstained"] = {"type": "boolean", "description": f"true where it is less sure than {least:.6g}"}
        return {"type": "object", "properties": properties, "required": list(properties)}


def label_codes(raw: np.ndarray, state: Mapping[str, Any]) -> np.ndarray:
    """The code (B,) of the label that is said: the most probable one, or as the state's threshold decides."""
    threshold = state.get("threshold")
    if not threshold:
        return np.asarray(raw.argmax(axis=1))
    code = list(state["levels"]).index(threshold["level"])
    others = np.where(np.arange(raw.shape[1]) == code, -1.0, raw).argmax(axis=1)
    return np.where(raw[:, code] >= threshold["probability"], code, others)


def sureness(raw: np.ndarray, state: Mapping[str, Any]) -> np.ndarray:
    """How sure a label is (B,), 0.5 to 1 for two classes: its probability; with a threshold how far the probability is from it, where
    at the threshold is 0.5 and at the end 1."""
    threshold = state.get("threshold")
    if not threshold or raw.shape[1] != 2:
        return np.asarray(raw.max(axis=1), dtype=np.float64)
    said = raw[:, list(state["levels"]).index(threshold["level"])].astype(np.float64)
    at = float(threshold["probability"])
    above, below = (said - at) / max(1 - at, 1e-9), (at - said) / max(at, 1e-9)
    return np.asarray(0.5 + 0.5 * np.clip(np.where(said >= at, above, below), 0, 1))


class BinaryClassification(Classification):
    name = "binary-classification"
    binary = True


class MulticlassClassification(Classification):
    name = "multiclass-classification"
    binary = False


class ImageClassification(Classification):
    name = "image-classification"
    perceived = "image"


class TextClassification(Classification):
    """Of one or several texts and nothing else."""

    name = "text-classification"
    reads: ClassVar[Mapping[str, Mapping[str, Any]]] = {"text": {"pieces": 8000}}

    def accepts(self, input_kinds: frozenset[str], target_kinds: tuple[str, ...], levels: int) -> bool:
        return input_kinds == {"text"} and target_kinds == ("category",)


class SeriesClassification(Classification):
    name = "series-classification"
    perceived = "series"


class AudioClassification(Classification):
    name = "audio-classification"
    perceived = "audio"
