"""ROUGE: how much of the words, pairs of words and order of words of a reference a text has (Lin 2004).

ROUGE-1 and -2 count words and pairs that both have, ROUGE-L the longest run of words in common, gaps allowed. As the library `rouge-score`
0.1.2 defines them without stemming: lower case, marks left out, F-measure of precision and recall. Of scripts without spaces
every character is a word, and letters beyond a to z stay letters, which that library leaves out. Of several references the
best one counts, for each measure by itself.
"""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from salus.data.pieces import WITHOUT_SPACES

NAMES = ("rouge_1", "rouge_2", "rouge_l")
SIGNATURE = "ROUGE-1, -2, -L | F-measure | no stemming | characters of scripts without spaces | best of references"
_WORD = re.compile(f"[{WITHOUT_SPACES}]|[^\\W_{WITHOUT_SPACES}]+")


def words_of(text: str) -> list[str]:
    """What is counted of a text, in its order."""
    return _WORD.findall(unicodedata.normalize("NFC", text).lower())


def rouge(answer: Sequence[str], reference: Sequence[str]) -> tuple[float, float, float]:
    """F-measures of ROUGE-1, -2 and -L of words, each 0 to 1; 0 where either side has nothing to count."""
    return (
        _of_counts(Counter(answer), Counter(reference)),
        _of_counts(Counter(itertools.pairwise(answer)), Counter(itertools.pairwise(reference))),
        f_measure(common_run(answer, reference), len(answer), len(reference)),
    )


def best_rouge(answer: str, references: Sequence[str]) -> np.ndarray:
    """(3,) as `NAMES`: the best of the references for each measure."""
    words = words_of(answer)
    found = [rouge(words, words_of(reference)) for reference in references]
    return np.asarray(np.max(np.asarray(found, dtype=np.float64).reshape(-1, len(NAMES)), axis=0, initial=0.0))


def f_measure(common: int, answered: int, wanted: int) -> float:
    """The harmonic mean of precision and recall."""
    return 2.0 * common / (answered + wanted) if common else 0.0


def common_run(first: Sequence[str], second: Sequence[str]) -> int:
    """The length of the longest subsequence of both, a row of the table a whole number (Crochemore et al. 2001)."""
    places: dict[str, int] = {}
    for place, word in enumerate(first):
        places[word] = places.get(word, 0) | (1 << place)
    every = (1 << len(first)) - 1
    open_places = every
    for word in second:
        met = open_places & places.get(word, 0)
        open_places = ((open_places + met) | (open_places - met)) & every
    return len(first) - open_places.bit_count()


def _of_counts(first: Counter[Any], second: Counter[Any]) -> float:
    common = sum(min(count, second[item]) for item, count in first.items())
    return f_measure(common, first.total(), second.total())
