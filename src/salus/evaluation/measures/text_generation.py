"""How surprising texts are to a model that goes on from what stands before them: nats and bits a character, and perplexity.

Sums over texts, so intervals come from drawing texts. Knows answers of the task `text-generation`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from salus.evaluation.measures.base import MOST_SHOWN, Measure
from salus.tasks.text_generation import PROMPT, SCORED


class Surprise(Measure):
    metrics = ("nats_per_character", "bits_per_character", "perplexity")

    def tally(self, answers: np.ndarray, target: np.ndarray, states: Sequence[Mapping[str, Any]]) -> np.ndarray:
        """(B, 2): nats, characters."""
        rows = [[answer.get("nats", 0.0), answer.get("characters", 0)] for answer in answers]
        return np.array(rows, dtype=np.float64)

    def figure(self, name: str, sums: np.ndarray) -> np.ndarray:
        nats = sums[..., 0] / np.maximum(sums[..., 1], 1.0)
        if name == "bits_per_character":
            return np.asarray(nats / math.log(2))
        return np.asarray(np.exp(np.minimum(nats, 50.0)) if name == "perplexity" else nats)

    def shown(
        self,
        answers: np.ndarray,
        target: np.ndarray,
        values: Mapping[str, Any],
        states: Sequence[Mapping[str, Any]],
    ) -> dict[str, Any]:
        """Texts that were gone on from, with what was written."""
        items: list[dict[str, Any]] = []
        for row, answer in enumerate(answers):
            if answer["text"] and len(items) < MOST_SHOWN // 2:
                before = (values[PROMPT.name][row] or "") + (values[SCORED.name][row] or "")
                surprise = answer["nats"] / max(1, answer["characters"]) if "nats" in answer else None
                items.append({"source": before[-300:], "answer": answer["text"], "score": round(surprise or 0.0, 3)})
        return {"kind": "texts", "items": items}
