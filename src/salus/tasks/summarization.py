"""Summarization: a text in, a shorter one out that says what matters in it.

Raw output: `summary` float32 (B, 4 + S): how many words are wanted, what a sentence costs that repeats those already taken, 1 where
sentences are given in the order of their scores and 0 in that of the text, 1 where clauses are meant instead of sentences, then the
score of every sentence of the source, `ABSENT` or less where there is none. The answer is made of the source's own sentences. A
target may hold several references. Knows no learner; how a text is cut into sentences stands in `data/sentences`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from salus.core.nouns import Column
from salus.data.kinds.base import Values
from salus.data.kinds.text import MAX_CHARACTERS
from salus.data.pieces import WITHOUT_SPACES
from salus.data.sentences import ITEM, sentences_of
from salus.tasks.compound import TextAnswer, as_objects
from salus.tasks.rouge import NAMES, best_rouge, words_of

WANTED, REPEATING, BY_SCORE, CLAUSES, SCORES = range(
    5
)  # places in a row of the raw output; scores from the last one on
ABSENT = -100.0
SHORT = 0.5  # of a usual sentence: summaries that are shorter are made of clauses
MEASURED_TEXTS = 300
OPEN_END = "，；：、,;: "  # with which an answer of clauses does not end
_CLOSE = re.compile(
    f"[{WITHOUT_SPACES}。，、；：！？”’」』）《》]"
)  # nothing stands between such a character and the next


class Summarization(TextAnswer):
    name = "summarization"
    output = "summary"
    metrics = NAMES
    rows_at_once = 32
    most_of_source: ClassVar[float | None] = 0.5
    reads: ClassVar[Mapping[str, Mapping[str, Any]]] = {"text": {"grams": False, "sentences": True}}

    def accepts(self, input_kinds: frozenset[str], target_kinds: tuple[str, ...], levels: int) -> bool:
        return input_kinds == {"text"} and target_kinds == ("text",)

    def fit_target(self, target: np.ndarray, column: Column) -> dict[str, Any]:
        """words: of a usual summary."""
        lengths = [len(words_of(references_of(text)[0])) for text in target.tolist()]
        return {"words": max(1.0, float(np.median(lengths))) if lengths else 1.0}

    def fit_input(
        self, values: Values, kind: str, options: Mapping[str, Any], states: Sequence[Mapping[str, Any]]
    ) -> dict[str, Any]:
        """Titles are far shorter than sentences: then what stands between commas is picked."""
        some = [text for text in values if text][:MEASURED_TEXTS]
        lengths = [len(words_of(one)) for text in some for one in sentences_of(text[:MAX_CHARACTERS])]
        if lengths and options.get("sentences") and states[0]["words"] < SHORT * float(np.median(lengths)):
            options = {**options, "sentences": "clauses"}
        return super().fit_input(values, kind, options, states)

    def settle(self, raw: np.ndarray, states: Sequence[Mapping[str, Any]]) -> np.ndarray:
        raise AssertionError("a summary is made of its source: see `answers`")

    def answers(self, raw: np.ndarray, states: Sequence[Mapping[str, Any]], values: Mapping[str, Values]) -> np.ndarray:
        return as_objects([summary_of(row, text) for row, text in zip(raw, source_of(values), strict=True)])

    def losses(self, answers: np.ndarray, target: np.ndarray) -> np.ndarray:
        """What lacks to 1 of the mean of ROUGE-1 and ROUGE-L."""
        pairs = zip(answers, target, strict=True)
        found = [best_rouge(answer, references_of(wanted)) for answer, wanted in pairs]
        return np.array([1 - float(scores[[0, 2]].mean()) for scores in found])

    def nothing(
        self, train_target: np.ndarray, states: Sequence[Mapping[str, Any]], values: Mapping[str, Values], count: int
    ) -> np.ndarray:
        """The beginning of the text, as many sentences as are about as long as a usual summary (Lead)."""
        wanted = float(states[0]["words"])
        answers = []
        for text in source_of(values):
            sentences = sentences_of((text or "")[:MAX_CHARACTERS])
            scores = -np.arange(len(sentences), dtype=np.float64)
            taken = picked(scores, [words_of(sentence) for sentence in sentences], wanted, 0.0)
            answers.append(joined([sentences[place] for place in taken]))
        return as_objects(answers)


def source_of(values: Mapping[str, Values]) -> list[str | None]:
    """The text of every row that a summary is made of."""
    return list(next(iter(values.values())))


def references_of(target: str) -> list[str]:
    """The summaries that somebody wrote of one text: a list in the data is one text with a separator between."""
    found = [text.strip() for text in target.split(ITEM) if text.strip()]
    return found or [""]


def as_lines(text: str) -> str:
    """A list that became one text, as a person would want to see it."""
    return text.replace(ITEM, "\n")


def summary_of(row: np.ndarray, text: str | None) -> str:
    """The answer that a row of the raw output says of its text."""
    scores = np.asarray(row[SCORES:], dtype=np.float64)
    sentences = sentences_of((text or "")[:MAX_CHARACTERS], len(scores), bool(row[CLAUSES] > 0.5))
    words = [words_of(sentence) for sentence in sentences]
    taken = picked(scores[: len(sentences)], words, float(row[WANTED]), float(row[REPEATING]))
    answer = joined([sentences[place] for place in (taken if row[BY_SCORE] > 0.5 else sorted(taken))])
    return answer.rstrip(OPEN_END) if row[CLAUSES] > 0.5 else answer


def picked(scores: np.ndarray, words: Sequence[Sequence[str]], wanted: float, repeating: float) -> list[int]:
    """Places of sentences, the best first, that together have about the wanted number of words; at least one where there is any.

    A sentence that shares all its words with one that was taken loses `repeating` (maximal marginal relevance, Carbonell and
    Goldstein 1998).
    """
    left = [place for place in range(len(words)) if words[place]]
    sets = [frozenset(of_one) for of_one in words]
    shared = np.zeros(len(words))
    taken, total = list[int](), 0
    while left:
        best = max(left, key=lambda place: (scores[place] - repeating * shared[place], -place))
        longer = total + len(words[best])
        if taken and abs(longer - wanted) >= abs(total - wanted):
            break
        taken.append(best)
        left.remove(best)
        total = longer
        if repeating:
            for place in left:
                shared[place] = max(shared[place], len(sets[place] & sets[best]) / len(sets[place]))
    return taken


def joined(sentences: Sequence[str]) -> str:
    """Sentences as one text, with a space between where the script has spaces."""
    text = ""
    for sentence in sentences:
        close = not text or _CLOSE.match(text[-1]) or _CLOSE.match(sentence)
        text += sentence if close else f" {sentence}"
    return text
