"""Which words of a text speak for what a model says of it, for the report: some test texts, each word left out in turn.

Knows how texts are parted. How the question is put is known by `evaluation`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from salus.data.kinds.base import Values
from salus.data.kinds.text import spans_of
from salus.evaluation.saliency import text_saliency

MOST_TEXTS = 6
MOST_CHARACTERS = 700  # of a text that is shown; what follows is never left out
MOST_PARTS = 80  # a longer text is parted into runs of words


def passages(
    predict: Callable[[dict[str, Values]], np.ndarray],
    column: str,
    values: dict[str, Values],
    truth: np.ndarray,
    levels: list[str],
    left_s: Callable[[], float],
) -> list[dict[str, Any]]:
    """{"column", "truth", "said", "passage": [[part of the text, weight from -1 to 1], ...], "cut"} of texts of each class in turn."""
    shown: list[dict[str, Any]] = []
    for row in _in_turn(truth, values[column]):
        if len(shown) == MOST_TEXTS or left_s() <= 0:
            break
        one = {name: of_rows[row : row + 1] for name, of_rows in values.items()}
        text = one[column][0]
        answer = int(predict(one)[0].argmax())
        parts = _parts(text[:MOST_CHARACTERS])

        def changed(texts: list[str], one: dict[str, Values] = one) -> np.ndarray:
            count = len(texts)
            same = {n: np.repeat(v, count) if isinstance(v, np.ndarray) else [v[0]] * count for n, v in one.items()}
            return predict(same | {column: texts})

        rest = text[MOST_CHARACTERS:]
        weights = text_saliency(changed, parts, rest, answer, lambda: left_s() * 0.5)
        if weights is not None:
            passage = [[part, weight] for part, weight in zip(parts, weights, strict=True)]
            said = {"column": column, "truth": levels[int(truth[row])], "said": levels[answer]}
            shown.append(said | {"passage": passage, "cut": bool(rest)})
    return shown


def _in_turn(truth: np.ndarray, texts: list[Any]) -> list[int]:
    """Rows that have a text, one of each class after the other."""
    filled = np.array([bool(text and text.strip()) for text in texts])
    of_classes = [np.flatnonzero((truth == code) & filled).tolist() for code in np.unique(truth)]
    longest = max((len(rows) for rows in of_classes), default=0)
    return [rows[place] for place in range(min(longest, MOST_TEXTS)) for rows in of_classes if place < len(rows)]


def _parts(text: str) -> list[str]:
    """The text from end to end in at most MOST_PARTS parts: a word with what follows it up to the next one, or several."""
    starts = [0, *(start for start, _ in spans_of(text)[1:])]
    chosen = [starts[place] for place in np.unique(np.linspace(0, len(starts) - 1, MOST_PARTS).astype(int))]
    return [text[start:end] for start, end in zip(chosen, [*chosen[1:], len(text)], strict=True)]
