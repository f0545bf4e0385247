"""Texts that are parts of other texts of the same data: a sentence and the phrases cut from it.

A model that learned a sentence knows its phrases, so they must not lie on the side that chooses: it would choose what remembers
best, not what will be right. Knows words in their order, no task and no learner.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from salus.core.wire import canonical, digest
from salus.data.kinds.text import words_of
from salus.data.split import Splits

SHARE = 0.2  # of the texts; when fewer are parts of others, it is by chance
MOST_PROBES = 12
GRAM = 3  # words in a row by which a longer text is looked up


def families(texts: Sequence[Any]) -> np.ndarray:
    """For each text the number of the longest one that was found to hold it, or its own number, int64 (B,)."""
    words = [[word for _, word in words_of(text[:2000])] if text else [] for text in texts]
    family = np.arange(len(texts))
    holders: dict[tuple[str, ...], int] = {}
    joined: dict[int, str] = {}
    for place in sorted(range(len(texts)), key=lambda at: (-len(words[at]), at)):
        of_text = words[place]
        whole = f" {' '.join(of_text)} "
        length = min(GRAM, len(of_text))
        grams = [tuple(of_text[at : at + length]) for at in range(len(of_text) - length + 1)] if of_text else []
        step = max(1, len(grams) // MOST_PROBES)
        found = (holders.get(gram) for gram in grams[::step])
        holder = next((at for at in found if at is not None and whole in joined[at]), None)
        if holder is not None:
            family[place] = holder
            continue
        joined[place] = whole
        for size in range(1, GRAM + 1):
            for at in range(len(of_text) - size + 1):
                holders.setdefault(tuple(of_text[at : at + size]), place)
    return family


def apart(splits: Splits, texts: Sequence[Any], seed: int) -> tuple[Splits, int]:
    """The splits whose validation side holds whole families of train, about as many rows as before, and how many texts are parts
    of others; (the same, 0) when these are few. texts: of all rows."""
    rows = np.sort(np.concatenate([splits.train, splits.validation]))
    family = families([texts[row] for row in rows])
    parts = int((family != np.arange(len(rows))).sum())
    if splits.folds is not None or not len(splits.validation) or parts < SHARE * len(rows):
        return splits, 0
    order = np.random.default_rng([seed, len(rows)]).permutation(np.unique(family))
    ends = np.cumsum(np.bincount(family, minlength=len(rows))[order])
    chosen = order[: 1 + int(np.searchsorted(ends, len(splits.validation)))]
    held = np.isin(family, chosen)
    if held.all():
        return splits, 0
    train, validation = rows[~held], rows[held]
    sides = [side.tolist() for side in (train, validation, splits.test)]
    return replace(splits, train=train, validation=validation, digest=digest(canonical(sides))), parts
