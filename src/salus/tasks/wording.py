"""How near two texts are, for choosing among candidates: the F1 of their character trigrams. A small cousin of chrF (Popović 2015).

The field's own metrics, with intervals, are in `salus.evaluation.measures`.
"""

from __future__ import annotations

import re
from collections import Counter

from salus.data.pieces import WITHOUT_SPACES

GRAM = 3
_WITHOUT_SPACES = re.compile(f"[{WITHOUT_SPACES}]")


def nearness(said: str, wanted: str) -> float:
    """1 for equal texts, 0 for texts that share no three characters."""
    if said == wanted:
        return 1.0
    ours, theirs = _grams(said), _grams(wanted)
    both = sum((ours & theirs).values())
    return 2 * both / max(1, sum(ours.values()) + sum(theirs.values()))


def share_without_spaces(text: str) -> float:
    """The share of characters of scripts that are written without spaces."""
    return len(_WITHOUT_SPACES.findall(text)) / max(1, len(text))


def _grams(text: str) -> Counter[str]:
    padded = f" {' '.join(text.split())} "
    return Counter(padded[at : at + GRAM] for at in range(max(1, len(padded) - GRAM + 1)))
