"""Rows held out of train, to choose a penalty or a size by: folds of train where validation rows are few or none.

Knows parts. Does not know what is chosen.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Any

import numpy as np

from salus.data.split import fold_rows
from salus.learners.base import Part, Prepared

FOLDED_ROWS = 3000  # with fewer rows to learn from, few validation rows choose badly
FOLDS = 5
THREADED_PRODUCTS = 1e8


def folded(prepared: Prepared) -> bool:
    """Whether to choose by folds of train instead of by validation rows."""
    return not len(prepared.validation) or len(prepared.train) <= FOLDED_ROWS


def held_out(part: Part, classification: bool, seed: int, folds: int = FOLDS) -> list[tuple[np.ndarray, np.ndarray]]:
    """(rows to learn from, rows held out) of every fold: groups stay whole, at least two classes are left to learn from."""
    groups = part.groups if part.groups is not None and len(np.unique(part.groups)) > 1 else None
    fold_of = fold_rows(part.target, groups, classification, folds, seed)
    pairs = [(np.flatnonzero(fold_of != fold), np.flatnonzero(fold_of == fold)) for fold in np.unique(fold_of)]
    if classification:
        pairs = [(train, held) for train, held in pairs if len(np.unique(part.target[train])) > 1]
    every = np.arange(len(part))
    return pairs or [(every, every)]


def some_rows(part: Part, limit: int, seed: int) -> Part:
    """The part, or `limit` of its rows drawn by the seed; only for feeds whose axis 0 is rows."""
    if len(part) <= limit:
        return part
    chosen = np.sort(np.random.default_rng(seed).permutation(len(part))[:limit])
    groups = None if part.groups is None else part.groups[chosen]
    feeds = {name: feed[chosen] for name, feed in part.feeds.items()}
    return Part(feeds, part.target[chosen], part.rows[chosen], groups)


def loss_of(raw: np.ndarray, target: np.ndarray, classification: bool) -> float:
    """Mean negative log likelihood of scores (B, K), or mean squared error of values (B, M) over the target's variance."""
    if not classification:
        return float(np.mean((raw - target) ** 2 / np.maximum(target.var(axis=0), 1e-12)))
    shifted = raw - raw.max(axis=1, keepdims=True)
    log_sums = np.log(np.exp(shifted).sum(axis=1))
    return float(np.mean(log_sums - shifted[np.arange(len(target)), target]))


def tempered_loss(raw: np.ndarray, target: np.ndarray, classification: bool) -> tuple[float, float]:
    """The loss that the best temperature gives, and the factor on scores that is that temperature."""
    if not classification:
        return loss_of(raw, target, classification), 1.0
    tried = [(loss_of(raw * factor, target, True), factor) for factor in _factors()]
    return min(tried)


def few_threads(products: float, threads: int) -> AbstractContextManager[Any]:
    """One thread of the BLAS for small matrices, whose threads would wait for each other longer than they work. products: how many
    numbers are multiplied at once."""
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    limits: AbstractContextManager[Any] = threadpool_limits(
        threads if products > THREADED_PRODUCTS else 1, user_api="blas"
    )
    return limits


def _factors() -> Iterator[float]:
    yield from np.geomspace(0.25, 64.0, 40).tolist()
