"""Transcripts against references: word and character error rate, as jiwer counts them: all edits over all words of the references.

Sums over rows, so intervals come from drawing rows. Case and spaces do not count.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from salus.evaluation.measures.base import MOST_SHOWN, Measure
from salus.tasks.edits import edits
from salus.tasks.playing import played
from salus.tasks.transcription import spoken


class Transcripts(Measure):
    metrics = ("wer", "cer")

    def tally(self, answers: np.ndarray, target: np.ndarray, states: Sequence[Mapping[str, Any]]) -> np.ndarray:
        """Edits of words, words, edits of characters, characters."""
        rows = []
        for said, wanted in zip(answers.tolist(), map(spoken, target.tolist()), strict=True):
            words = wanted.split()
            rows.append([edits(said.split(), words), len(words), edits(said, wanted), len(wanted)])
        return np.array(rows, dtype=np.float64).reshape(-1, 4)

    def figure(self, name: str, sums: np.ndarray) -> np.ndarray:
        first = 0 if name == "wer" else 2
        return np.asarray(sums[..., first] / np.maximum(sums[..., first + 1], 1))

    def shown(
        self,
        answers: np.ndarray,
        target: np.ndarray,
        values: Mapping[str, Any],
        states: Sequence[Mapping[str, Any]],
    ) -> dict[str, Any]:
        """From the worst to the best, evenly."""
        tallies = self.tally(answers, target, states)
        order = np.argsort(-tallies[:, 2] / np.maximum(tallies[:, 3], 1), kind="stable")
        chosen = order[np.unique(np.linspace(0, len(order) - 1, MOST_SHOWN).astype(np.int64))]
        sounds = next(iter(values.values()))
        items = [
            {"sound": played(sounds[row]), "reference": spoken(target[row]), "answer": answers[row]}
            for row in chosen.tolist()
        ]
        return {"kind": "sounds", "items": items}
