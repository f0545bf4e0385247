"""Texts for the tests of learners: what is said hangs on which word stands behind "not" and which does not."""

from __future__ import annotations

import numpy as np

from salus.core.nouns import Column, Schema
from salus.data.encoding import encode_columns
from salus.data.kinds import kind_named
from salus.learners.base import Part, Prepared
from salus.testing.learner import LearnerContract

FILLING = ("the", "room", "was", "we", "had", "it", "there", "today", "very", "food")
SAID = (("awful", "cold", "dirty"), ("lovely", "warm", "clean"), ("late", "slow", "far"))


def said(target: np.ndarray, seed: int) -> list[str | None]:
    """Texts of 4 to 12 words with one that tells."""
    generator = np.random.default_rng(seed)
    texts: list[str | None] = []
    for row, code in enumerate(target):
        words = generator.choice(FILLING, generator.integers(3, 12)).tolist()
        words.insert(int(generator.integers(len(words))), str(generator.choice(SAID[code])))
        texts.append(None if row % 29 == 28 else " ".join(words))
    return texts


def problem_of_texts(classification: bool, rows: int = 160, columns: int = 1, seed: int = 3) -> Prepared:
    """One column tells, the others do not; `texts` and `pieces` are fed."""
    parts, fitted = [], tuple[Column, ...]()
    for side in range(2):
        target = np.arange(rows) % 3
        values = {f"text{c}": said(target if c == 0 else np.roll(target, c), 10 * side + c) for c in range(columns)}
        if side == 0:
            kind = kind_named("text")
            fitted = tuple(Column(name=n, kind="text", state=kind.fit(v, {"pieces": 320})) for n, v in values.items())
        answer = target if classification else np.stack([target * 50.0 + 7, -target], axis=1)
        parts.append(Part(encode_columns(fitted, values), answer, np.arange(rows)))
    return Prepared(Schema(columns=fitted), *parts, classification, 3 if classification else 2, seed, 1)


class TextContract(LearnerContract):
    """The contract, for learners of texts."""

    def problem(self, classification: bool) -> Prepared:
        return problem_of_texts(classification)
