"""Transcription: a sound in, the words that are said in it out. Raw output: `logits` float32 (B, T, 1 + characters), blank first.

The target's state holds its characters, learned from train rows. The most likely path is read: repeated characters once, blanks not at
all (Graves et al. 2006, connectionist temporal classification).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from salus.core.nouns import Column
from salus.data.kinds.base import Values
from salus.tasks.compound import TextAnswer, as_objects
from salus.tasks.edits import edits

MOST_CHARACTERS = 4000  # different ones


class Transcription(TextAnswer):
    name = "transcription"
    output = "logits"
    metrics = ("wer", "cer")
    rows_at_once = 32

    def accepts(self, input_kinds: frozenset[str], target_kinds: tuple[str, ...], levels: int) -> bool:
        return input_kinds == {"audio"} and target_kinds == ("text",)

    def fit_target(self, target: np.ndarray, column: Column) -> dict[str, Any]:
        counts = Counter(character for text in target.tolist() for character in spoken(text))
        return {"characters": sorted(character for character, _ in counts.most_common(MOST_CHARACTERS))}

    def settle(self, raw: np.ndarray, states: Sequence[Mapping[str, Any]]) -> np.ndarray:
        characters = states[0]["characters"]
        return as_objects([_read(path, characters) for path in raw.argmax(axis=2).tolist()])

    def losses(self, answers: np.ndarray, target: np.ndarray) -> np.ndarray:
        """Characters that are wrong, as a share of those that were said; at most 1."""
        pairs = ((said, spoken(wanted)) for said, wanted in zip(answers, target, strict=True))
        return np.array([min(1.0, edits(said, wanted) / max(1, len(wanted))) for said, wanted in pairs])

    def nothing(
        self, train_target: np.ndarray, states: Sequence[Mapping[str, Any]], values: Mapping[str, Values], count: int
    ) -> np.ndarray:
        """The most frequent text."""
        common = Counter(train_target.tolist()).most_common(1)
        return as_objects([spoken(common[0][0]) if common else ""] * count)


def spoken(text: str) -> str:
    """A text as it is learned and compared: small letters, one space between words."""
    return " ".join(text.lower().split())


def _read(path: Sequence[int], characters: Sequence[str]) -> str:
    kept = [code for at, code in enumerate(path) if code and (at == 0 or path[at - 1] != code)]
    return " ".join("".join(characters[code - 1] for code in kept).split())
