"""How many insertions, deletions and substitutions make one sequence of another (Levenshtein 1966)."""

from __future__ import annotations

from collections.abc import Sequence


def edits(said: Sequence[str], wanted: Sequence[str]) -> int:
    """The fewest; both may be empty."""
    row = list(range(len(wanted) + 1))
    for place, ours in enumerate(said, start=1):
        before, row[0] = row[0], place
        for at, theirs in enumerate(wanted, start=1):
            before, row[at] = row[at], min(row[at] + 1, row[at - 1] + 1, before + (ours != theirs))
    return row[-1]
