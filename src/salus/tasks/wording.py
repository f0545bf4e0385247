"""How near two texts are, for choosing among candidates: the F1 of their character trigrams. A small cousin of chrF (Popović 2015).

The field's own metrics, with intervals, are in `salus.evaluation.measures`.
"""

from __future__ import annotations

from collections import Counter

GRAM = 3


def nearness(said: str, wanted: str) -> float:
    """1 for equal texts, 0 for texts that share no three characters."""
    if said == wanted:
        return 1.0
    ours, theirs = _grams(said), _grams(wanted)
    both = sum((ours & theirs).values())
    return 2 * both / max(1, sum(ours.values()) + sum(theirs.values()))


def _grams(text: str) -> Counter[str]:
    padded = f" {' '.join(text.split())} "
    return Counter(padded[at : at + GRAM] for at in range(max(1, len(padded) - GRAM + 1)))
