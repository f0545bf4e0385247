"""Abstractive summarization: a text in, a shorter one out in words of its own. Raw output as that of a translation, whose way it goes.

What makes it another task is how it is judged (ROUGE, as summaries are) and what doing nothing is (the beginning of the text). A target may
hold several references; the first one is learned. It is never guessed: a person who names it knows that the answer may say what the
text does not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from salus.core.nouns import Column
from salus.data.kinds.base import Values
from salus.tasks.compound import as_objects
from salus.tasks.rouge import NAMES
from salus.tasks.summarization import Summarization, references_of
from salus.tasks.translation import Translation

SUMMARIES = Summarization()


class AbstractiveSummarization(Translation):
    name = "abstractive-summarization"
    metrics = NAMES

    def learned(self, target: np.ndarray) -> list[str]:
        return [references_of(text)[0] for text in target.tolist()]

    def fit_target(self, target: np.ndarray, column: Column) -> dict[str, Any]:
        """The pieces of summaries, and how many words a usual one has."""
        written = super().fit_target(as_objects(self.learned(target)), column)
        return {**written, **SUMMARIES.fit_target(target, column)}

    def losses(self, answers: np.ndarray, target: np.ndarray) -> np.ndarray:
        return SUMMARIES.losses(answers, target)

    def nothing(
        self, train_target: np.ndarray, states: Sequence[Mapping[str, Any]], values: Mapping[str, Values], count: int
    ) -> np.ndarray:
        """The beginning of the text (Lead)."""
        return SUMMARIES.nothing(train_target, states, values, count)
