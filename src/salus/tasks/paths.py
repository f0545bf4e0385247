"""Paths of connectionist temporal classification (Graves et al. 2006): what they spell, and how likely they spell one of a few phrases.

Knows numbers and codes (0 is the blank), not sounds and not texts.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

STILL = 9.0  # a blank that leads every other score by so much says nothing


def spelled(path: Sequence[int]) -> list[int]:
    """The codes of a path: repeated ones once, blanks not at all."""
    return [code for at, code in enumerate(path) if code and (at == 0 or path[at - 1] != code)]


class Phrases:
    """phrases: the codes of each, none empty. It tells which of them the paths of a sound spell most probably, by the forward
    algorithm over all phrases at once; blanks stand between, before and behind the codes."""

    def __init__(self, phrases: Sequence[Sequence[int]]) -> None:
        longest = max(map(len, phrases))
        self._codes = np.zeros((len(phrases), 2 * longest + 1), dtype=np.int64)  # (P, S), odd places are codes
        for row, codes in enumerate(phrases):
            self._codes[row, 1 : 2 * len(codes) : 2] = codes
        self._ends = 2 * np.array([len(codes) for codes in phrases])
        over = np.zeros(self._codes.shape)  # whether a path may step over the blank before this place
        over[:, 2:] = (self._codes[:, 2:] > 0) & (self._codes[:, 2:] != self._codes[:, :-2])
        self._over = over

    def likeliest(self, logits_TK: np.ndarray) -> int:
        """The index of the phrase; of phrases that no path is long enough for, the first."""
        logs = self.log_likelihoods(logits_TK)
        return int(np.argmax(logs))

    def log_likelihoods(self, logits_TK: np.ndarray) -> np.ndarray:
        """float64 (P,): the logarithm of the probability of each phrase, -inf where no path is long enough."""
        shares_TK = _shares(_said(logits_TK))
        count, places = self._codes.shape
        ahead, scale = np.zeros((count, places)), 0.0
        ahead[:, :2] = shares_TK[0][self._codes[:, :2]]
        for shares_K in shares_TK[1:]:
            moved = ahead.copy()
            moved[:, 1:] += ahead[:, :-1]
            moved[:, 2:] += ahead[:, :-2] * self._over[:, 2:]
            ahead = moved * shares_K[self._codes]
            most = float(ahead.max())
            if most <= 0.0:
                break
            ahead /= most
            scale += float(np.log(most))
        rows = np.arange(count)
        found = ahead[rows, self._ends] + ahead[rows, self._ends - 1]
        with np.errstate(divide="ignore"):
            logs: np.ndarray = np.log(found) + scale
        return logs


def _said(logits_TK: np.ndarray) -> np.ndarray:
    """Without the steps at the end that say nothing for sure, such as those behind the end of the sound; at least one."""
    others = logits_TK[:, 1:].max(axis=1, initial=-np.inf)
    saying = np.flatnonzero(logits_TK[:, 0] - others < STILL)
    return logits_TK[: max(1, int(saying[-1]) + 1 if len(saying) else 1)]


def _shares(logits_TK: np.ndarray) -> np.ndarray:
    """Probabilities float64 (T, K)."""
    raised = np.exp(logits_TK.astype(np.float64) - logits_TK.max(axis=1, keepdims=True))
    shares: np.ndarray = raised / raised.sum(axis=1, keepdims=True)
    return shares
