"""Transcription: a sound in, the words that are said in it out. Raw output: `logits` float32 (B, T, 1 + characters), blank first.

The target's state holds its characters, learned from train rows, and its phrases where the same few texts are said again and again,
such as digits and orders: then an answer is the phrase that the paths most probably spell. Otherwise the most likely path is read
(Graves et al. 2006, connectionist temporal classification).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from salus.core.nouns import Column
from salus.data.kinds.base import Values
from salus.tasks.compound import TextAnswer, as_objects
from salus.tasks.edits import edits
from salus.tasks.paths import Phrases, spelled

MOST_CHARACTERS = 4000  # different ones
MOST_PHRASES, MOST_PHRASE_CHARACTERS = 500, 5000  # all phrases together; each step of a sound costs as much
TIMES_SAID, LEAST_TIMES_SAID = 10, 3  # on average, and the rarest: whoever speaks freely seldom says the same twice


class Transcription(TextAnswer):
    name = "transcription"
    output = "logits"
    metrics = ("wer", "cer")
    rows_at_once = 32

    def accepts(self, input_kinds: frozenset[str], target_kinds: tuple[str, ...], levels: int) -> bool:
        return input_kinds == {"audio"} and target_kinds == ("text",)

    def fit_target(self, target: np.ndarray, column: Column) -> dict[str, Any]:
        texts = [spoken(text) for text in target.tolist()]
        counts = Counter(character for text in texts for character in text)
        characters = sorted(character for character, _ in counts.most_common(MOST_CHARACTERS))
        return {"characters": characters, "phrases": _phrases(texts) if len(counts) <= MOST_CHARACTERS else []}

    def settle(self, raw: np.ndarray, states: Sequence[Mapping[str, Any]]) -> np.ndarray:
        characters, phrases = states[0]["characters"], states[0].get("phrases", [])
        if not phrases:
            return as_objects([_read(path, characters) for path in raw.argmax(axis=2).tolist()])
        coded = _coded(tuple(characters), tuple(phrases))
        return as_objects([phrases[coded.likeliest(logits_TK)] for logits_TK in raw])

    def output_schema(self, states: Sequence[Mapping[str, Any]], names: Sequence[str]) -> dict[str, Any]:
        schema = super().output_schema(states, names)
        if states[0].get("phrases"):
            schema["properties"]["text"]["enum"] = list(states[0]["phrases"])
        return schema

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


def _phrases(texts: Sequence[str]) -> list[str]:
    """The texts that are all there is to say, sorted; none where there are many, or one is rare: then others may be said too, and what
    one person said alone is no business of those who ask."""
    counts = Counter(texts)
    few = len(counts) <= MOST_PHRASES and sum(map(len, counts)) <= MOST_PHRASE_CHARACTERS
    often = len(texts) >= TIMES_SAID * len(counts) and min(counts.values(), default=0) >= LEAST_TIMES_SAID
    return sorted(counts) if few and often and "" not in counts else []


@lru_cache(maxsize=16)
def _coded(characters: tuple[str, ...], phrases: tuple[str, ...]) -> Phrases:
    """Made once for a model, not at every request."""
    known = {character: code for code, character in enumerate(characters, start=1)}
    return Phrases([[known[character] for character in phrase] for phrase in phrases])


def _read(path: Sequence[int], characters: Sequence[str]) -> str:
    return " ".join("".join(characters[code - 1] for code in spelled(path)).split())
