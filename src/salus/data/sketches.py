"""What is remembered of columns of any length in bounded memory: distinct values, frequent labels, quantiles.

Up to their limits all of them are exact. Knows 64-bit keys, labels and numbers; does not know kinds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import numpy as np

from salus.data.row_keys import mixed

KEYS_OF_ALL = 2**22  # of all columns of a table together
MOST_KEYS, FEWEST_KEYS = 2**16, 2**10
MAX_LABELS = 50_000
MOST_SAMPLED, FEWEST_SAMPLED = 2**15, 2**9


def shared(columns: int, fewest: int, most: int) -> int:
    """What one of so many columns may keep."""
    return max(fewest, min(most, KEYS_OF_ALL // max(1, columns)))


class DistinctSample:
    """How many values are distinct, and how often they repeat, from the values whose key ends in enough zeros: each is
    kept with all its repeats (adaptive sampling: Flajolet 1990). Off by some 1 / sqrt(max_keys)."""

    def __init__(self, max_keys: int = MOST_KEYS) -> None:
        self.max_keys = max_keys
        self.halvings = 0
        self._keys = np.zeros(0, dtype=np.uint64)
        self._counts = np.zeros(0, dtype=np.int64)
        self._waiting: list[tuple[np.ndarray, np.ndarray]] = []
        self._waiting_keys = 0

    def add(self, keys: np.ndarray, counts: np.ndarray | None = None) -> None:
        """`counts`: how often each key came, once when left out."""
        counts = np.ones(len(keys), dtype=np.int64) if counts is None else counts
        chosen = keys & np.uint64(2**self.halvings - 1) == 0
        self._waiting.append((keys[chosen], counts[chosen]))
        self._waiting_keys += int(chosen.sum())
        if self._waiting_keys > self.max_keys:
            self._merge()

    @property
    def distinct(self) -> int:
        """All of them up to `max_keys`, else an estimate."""
        self._merge()
        return len(self._keys) << self.halvings

    @property
    def share(self) -> float:
        """Distinct values for each value, 0 to 1; 0 without values."""
        self._merge()
        return len(self._keys) / max(1, int(self._counts.sum()))

    def _merge(self) -> None:
        if not self._waiting:
            return
        keys = np.concatenate([self._keys, *(keys for keys, _ in self._waiting)])
        counts = np.concatenate([self._counts, *(counts for _, counts in self._waiting)])
        self._waiting, self._waiting_keys = [], 0
        self._keys, places = np.unique(keys, return_inverse=True)
        self._counts = np.bincount(places, weights=counts, minlength=len(self._keys)).astype(np.int64)
        while len(self._keys) > self.max_keys:
            self.halvings += 1
            chosen = self._keys & np.uint64(2**self.halvings - 1) == 0
            self._keys, self._counts = self._keys[chosen], self._counts[chosen]


class LabelCounts:
    """How often each label came. Past `max_labels` the rarest are forgotten again and again, so that a frequent label is
    counted a little too low (lossy counting: Manku and Motwani 2002)."""

    def __init__(self, max_labels: int = MAX_LABELS) -> None:
        self.max_labels = max_labels
        self.exact = True
        self._counts: Counter[str] = Counter()

    def add(self, counts: Mapping[str, int]) -> None:
        self._counts.update(counts)
        if len(self._counts) > 2 * self.max_labels:
            self.exact = False
            self._counts = Counter(dict(self._ordered()[: self.max_labels]))

    def top(self, count: int) -> list[tuple[str, int]]:
        return self._ordered()[:count]

    def __len__(self) -> int:
        return len(self._counts)

    def _ordered(self) -> list[tuple[str, int]]:
        return sorted(self._counts.items(), key=lambda item: (-item[1], item[0]))


class RowSample:
    """Which rows stand for all: those whose number, mixed, ends in enough zeros. The same for the same rows, in any parts."""

    def __init__(self, most: int = MOST_SAMPLED) -> None:
        self.most = most
        self.halvings = 0
        self._kept = np.zeros(0, dtype=np.int64)

    def add(self, first: int, count: int) -> tuple[np.ndarray, np.ndarray]:
        """(which of the rows kept before stay, as places among them; which of the new ones are kept, as places)."""
        old = len(self._kept)
        rows = np.concatenate([self._kept, np.arange(first, first + count)])
        places = np.flatnonzero(self._chosen(rows))
        while len(places) > self.most:
            self.halvings += 1
            places = places[self._chosen(rows[places])]
        self._kept = rows[places]
        return places[places < old], places[places >= old] - old

    def _chosen(self, rows: np.ndarray) -> np.ndarray:
        chosen: np.ndarray = mixed(rows.astype(np.uint64)) & np.uint64(2**self.halvings - 1) == 0
        return chosen
