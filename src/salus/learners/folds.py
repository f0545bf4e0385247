"""Rows held out of train, to choose a penalty or a size by: folds of train where validation rows are few or none.

Knows parts. Does not know what is chosen.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

import numpy as np

from salus.data.split import fold_rows
from salus.learners.base import Part, Prepared
from salus.learners.front import Front

FOLDED_ROWS = 3000  # with fewer rows to learn from, few validation rows choose badly
FOLDS = 5
REPEATED_ROWS, REPEATS = 1000, 2  # with so few rows even folds choose badly once
THREADED_PRODUCTS = 1e8


def folded(prepared: Prepared) -> bool:
    """Whether to choose by folds of train instead of by validation rows."""
    return not len(prepared.validation) or len(prepared.train) <= FOLDED_ROWS


def repeats_of(rows: int) -> int:
    """How often folds are drawn anew to choose by."""
    return REPEATS if rows < REPEATED_ROWS else 1


def held_out(
    part: Part, classification: bool, seed: int, folds: int = FOLDS, repeats: int = 1
) -> list[tuple[np.ndarray, np.ndarray]]:
    """(rows to learn from, rows held out) of every fold: groups stay whole, at least two classes are left to learn from."""
    groups = part.groups if part.groups is not None and len(np.unique(part.groups)) > 1 else None
    pairs = []
    for repeat in range(repeats):
        fold_of = fold_rows(part.target, groups, classification, folds, seed + repeat)
        pairs += [(np.flatnonzero(fold_of != fold), np.flatnonzero(fold_of == fold)) for fold in np.unique(fold_of)]
    if classification:
        pairs = [(train, held) for train, held in pairs if len(np.unique(part.target[train])) > 1]
    every = np.arange(len(part))
    return pairs or [(every, every)]


def tabled(front: Front, part: Part) -> Part:
    """The part with what `front` makes of its feeds, in which axis 0 is rows."""
    return replace(part, feeds=front.feeds(part.feeds))


def learnable(front: Front, prepared: Prepared) -> Part:
    """The train rows with what `front`, fitted on them, makes of their feeds to learn from."""
    return replace(prepared.train, feeds=front.learning(prepared.train))


def some_rows(part: Part, limit: int, seed: int) -> Part:
    """The part, or `limit` of its rows drawn by the seed; only for feeds whose axis 0 is rows, as those of `tabled`."""
    return (
        part if len(part) <= limit else take(part, np.sort(np.random.default_rng(seed).permutation(len(part))[:limit]))
    )


def few(prepared: Prepared, count: int) -> Prepared:
    """The problem with about `count` rows to learn from and to validate on, every class among those to learn from: to measure rates."""
    sides = [_some(side, count, prepared) for side in (prepared.train, prepared.validation)]
    return replace(prepared, train=sides[0], validation=sides[1])


def _some(part: Part, count: int, prepared: Prepared) -> Part:
    if len(part) <= count:
        return part
    order = np.random.default_rng(prepared.seed).permutation(len(part))
    kept = order[:count]
    if prepared.classification:
        kept = np.union1d(kept, np.unique(part.target, return_index=True)[1])
    kept = np.sort(kept)
    if "series" not in part.feeds:
        return take(part, kept)
    rows = take(replace(part, feeds={n: f for n, f in part.feeds.items() if n != "series"}), kept)
    windows = np.flatnonzero(rows.feeds["series_rows"].any(axis=0))
    series_rows = np.ascontiguousarray(rows.feeds["series_rows"][:, windows])
    return replace(rows, feeds=rows.feeds | {"series": part.feeds["series"][windows], "series_rows": series_rows})


def take(part: Part, rows: np.ndarray) -> Part:
    """These rows; only for feeds whose axis 0 is rows."""
    groups = None if part.groups is None else part.groups[rows]
    return Part({name: feed[rows] for name, feed in part.feeds.items()}, part.target[rows], part.rows[rows], groups)


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
