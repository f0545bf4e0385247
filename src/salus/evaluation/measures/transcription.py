"""Transcripts against references: word and character error rate, as jiwer counts them: all edits over all words of the references.

Sums over rows, so intervals come from drawing rows. Case and spaces do not count.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from salus.core.errors import SalusError
from salus.data.kinds.audio import samples_of, wav_of
from salus.evaluation.measures.base import MOST_SHOWN, Measure
from salus.tasks.edits import edits
from salus.tasks.transcription import spoken

PLAYED_S = 5.0  # of a sound, in the report
PLAYED_HZ = 8000


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
            {"sound": _played(sounds[row]), "reference": spoken(target[row]), "answer": answers[row]}
            for row in chosen.tolist()
        ]
        return {"kind": "sounds", "items": items}


def _played(content: bytes | None) -> str:
    """The beginning as base64 of a small WAV; nothing where there is none."""
    if content is None:
        return ""
    try:
        samples, rate_hz = samples_of(content, "a sound")
    except SalusError:
        return ""
    step = max(1, rate_hz // PLAYED_HZ)
    return base64.b64encode(wav_of(samples[: int(PLAYED_S * rate_hz) : step], rate_hz // step)).decode()
