"""Which rows are learned from, which choose, which judge: as given, by time, by group, stratified, or each in its turn.

Never one person on two sides.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from salus.core.errors import SalusError
from salus.core.nouns import Split
from salus.core.wire import canonical, digest

TEST_SHARE = 0.20
VALIDATION_SHARE = 0.15
MAX_VALIDATION_ROWS = 3000  # enough to choose and to calibrate; the rest is better learned from
MIN_ROWS = 6
DRAWS = 200
FOLDED_ROWS = 2000  # with fewer rows, or
FOLDED_GROUPS = 20  # fewer groups, one test side would say little: every row judges in its turn
FOLDS = 5
SIDES = {  # how people name the sides
    "train": Split.TRAIN,
    "training": Split.TRAIN,
    "test": Split.TEST,
    "testing": Split.TEST,
    "validation": Split.VALIDATION,
    "valid": Split.VALIDATION,
    "val": Split.VALIDATION,
    "dev": Split.VALIDATION,
}


@dataclass(frozen=True)
class Splits:
    """Positions in the labelled rows, each in ascending order; `digest` names exactly these sides.

    With `folds` (B,) every row is learned from and judges, but never in the same fold: all rows are in `train` and in `test`,
    and those of fold i are judged by a model that learned from the other folds alone.
    """

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray
    how: str  # given, time, group, stratified, random, folds or group-folds
    digest: str
    folds: np.ndarray | None = None


def side_of(name: str) -> Split | None:
    """The side that a folder, a file or a value names."""
    return SIDES.get(name.strip().lower())


def split_rows(
    target: np.ndarray,
    groups: np.ndarray | None,
    given: Sequence[str | None] | None,
    classification: bool,
    seed: int,
    times: np.ndarray | None = None,
    folded: bool = False,
) -> Splits:
    """The sides of rows 0..B-1.

    target: codes (B,) or numbers (B, M). groups: codes (B,) that stay whole. given: the name of a side or None a row; rows
    with None or another name are left out. times (B,): the latest rows judge. folded: few rows or groups are split into folds.
    Raises `too_few_rows`, `too_few_groups`.
    """
    if len(target) < MIN_ROWS:
        raise SalusError("too_few_rows", where="the data", expected=MIN_ROWS, found=len(target))
    generator = np.random.default_rng(seed)
    strata = target if classification else np.zeros(len(target), dtype=np.int64)
    every = np.arange(len(target))
    if given is not None:
        train, validation, test = _given(every, given, groups, strata, generator)
        how = "given"
    elif times is not None:
        train, validation, test = _by_time(times)
        how = "time"
    elif folded and _few(len(target), groups):
        return _folded(target, groups, classification, seed)
    elif groups is not None:
        test, rest = _by_group(every, groups, strata, TEST_SHARE, generator)
        validation, train = _by_group(rest, groups, strata, VALIDATION_SHARE, generator)
        how = "group"
    else:
        test, rest = _by_row(every, strata, TEST_SHARE, generator)
        validation, train = _by_row(rest, strata, _validation_share(len(rest)), generator)
        how = "stratified" if classification else "random"
    for name, side in (("train", train), ("validation", validation), ("test", test)):
        if len(side) == 0:
            raise SalusError("too_few_rows", where=f"the {name} side", expected=1, found=0)
    train, validation, test = np.sort(train), np.sort(validation), np.sort(test)
    sides = [side.tolist() for side in (train, validation, test)]
    return Splits(train, validation, test, how=how, digest=digest(canonical(sides)))


def fold_rows(target: np.ndarray, groups: np.ndarray | None, classification: bool, count: int, seed: int) -> np.ndarray:
    """The fold (B,) of every row, 0 to `count` - 1 (fewer folds with fewer groups): groups stay whole, folds have about as many rows,
    and classes are spread evenly over them. Raises `too_few_groups`."""
    units = np.arange(len(target)) if groups is None else np.unique(groups, return_inverse=True)[1]
    unit_count = int(units.max()) + 1
    count = min(count, unit_count)
    if count < 2:
        raise SalusError("too_few_groups", where="the group column", found=unit_count)
    generator = np.random.default_rng([seed, len(target), count])
    strata = np.unique(target, return_inverse=True)[1] if classification else np.zeros(len(target), dtype=np.int64)
    if groups is None:
        return _dealt(strata, count, generator)
    sizes = np.zeros((unit_count, int(strata.max()) + 1))
    np.add.at(sizes, (units, strata), 1)
    wanted = np.maximum(sizes.sum(axis=0) / count, 1e-9)
    held, units_of = np.zeros((count, sizes.shape[1])), np.zeros(count)
    fold_of = np.zeros(unit_count, dtype=np.int64)
    drawn = generator.permutation(unit_count)
    order = drawn[np.argsort(-sizes[drawn].sum(axis=1), kind="stable")]  # the largest groups first
    for place, unit in enumerate(order):
        uneven = (((held + sizes[unit]) / wanted) ** 2 - (held / wanted) ** 2).sum(axis=1)
        empty = units_of == 0
        open_ = empty if unit_count - place <= empty.sum() else units_of < -(-unit_count // count)
        fold = int(np.argmin(np.where(open_, uneven, np.inf)))
        fold_of[unit] = fold
        held[fold] += sizes[unit]
        units_of[fold] += 1
    return np.asarray(fold_of[units])


def _dealt(strata: np.ndarray, count: int, generator: np.random.Generator) -> np.ndarray:
    """Rows dealt like cards, class by class."""
    folds = np.zeros(len(strata), dtype=np.int64)
    order = generator.permutation(len(strata))
    order = order[np.argsort(strata[order], kind="stable")]
    names = generator.permutation(count)
    folds[order] = names[np.arange(len(order)) % count]
    return folds


def _few(rows: int, groups: np.ndarray | None) -> bool:
    return rows < FOLDED_ROWS or (groups is not None and len(np.unique(groups)) < FOLDED_GROUPS)


def _folded(target: np.ndarray, groups: np.ndarray | None, classification: bool, seed: int) -> Splits:
    folds = fold_rows(target, groups, classification, FOLDS, seed)
    every, none = np.arange(len(target)), np.zeros(0, dtype=np.int64)
    how = "folds" if groups is None else "group-folds"
    return Splits(every, none, every, how, digest(canonical(folds.tolist())), folds)


def _by_time(times: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The latest rows judge, those before them choose; rows of one moment stay together; rows without a time are left out."""
    dated = np.flatnonzero(np.isfinite(times))
    moments = np.sort(times[dated])
    if not len(moments) or moments[0] == moments[-1]:
        raise SalusError("too_few_rows", where="the time column", expected="at least two moments", found=len(moments))
    first_test = moments[min(len(moments) - 1, round((1 - TEST_SHARE) * len(moments)))]
    before = moments[moments < first_test]
    share = _validation_share(len(before)) if len(before) else 0.0
    first_validation = before[min(len(before) - 1, round((1 - share) * len(before)))] if len(before) else first_test
    sides = (times < first_validation, (times >= first_validation) & (times < first_test), times >= first_test)
    train, validation, test = (dated[np.isin(dated, np.flatnonzero(side))] for side in sides)
    return train, validation, test


def _validation_share(rows: int) -> float:
    return min(VALIDATION_SHARE, MAX_VALIDATION_ROWS / rows)


def _given(
    every: np.ndarray,
    given: Sequence[str | None],
    groups: np.ndarray | None,
    strata: np.ndarray,
    generator: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The official sides; validation rows are taken from train when there are none."""
    named = np.asarray([side_of(value or "") or "" for value in given])
    train, validation, test = (every[named == side.value] for side in (Split.TRAIN, Split.VALIDATION, Split.TEST))
    if len(validation) or not len(train):
        return train, validation, test
    if groups is not None and len(np.unique(groups[train])) >= 2:
        validation, train = _by_group(train, groups, strata, VALIDATION_SHARE, generator)
    else:
        validation, train = _by_row(train, strata, _validation_share(len(train)), generator)
    return train, validation, test


def _by_row(
    rows: np.ndarray, strata: np.ndarray, share: float, generator: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """(taken, left): the share of every stratum, at least one row of it where it has two."""
    taken: list[np.ndarray] = []
    for stratum in np.unique(strata[rows]):
        members = generator.permutation(rows[strata[rows] == stratum])
        count = round(share * len(members))
        if count == 0 and len(members) >= 2:
            count = 1
        taken.append(members[: min(count, len(members) - 1)])
    chosen = np.concatenate(taken)
    return chosen, np.setdiff1d(rows, chosen)


def _by_group(
    rows: np.ndarray, groups: np.ndarray, strata: np.ndarray, share: float, generator: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """(taken, left): whole groups, about the share of the rows, with the strata as even as such a draw can be.

    Of many random draws the one that leaves every stratum rows to learn from, shows every stratum, and whose shares are
    nearest to `share` is kept, in this order.
    """
    names, codes = np.unique(groups[rows], return_inverse=True)
    if len(names) < 2:
        raise SalusError("too_few_groups", where="the group column", found=len(np.unique(groups)))
    levels, stratum = np.unique(strata[rows], return_inverse=True)
    counts = np.zeros((len(names), len(levels)))
    np.add.at(counts, (codes, stratum), 1)
    total = counts.sum(axis=0)
    fewest = 2 if share == TEST_SHARE and len(names) >= 5 else 1  # one person would say nothing about others
    count = min(max(fewest, round(share * len(names))), len(names) - 1)
    best, best_rank = np.arange(count), (np.inf, np.inf, np.inf)
    for _ in range(DRAWS):
        chosen = generator.permutation(len(names))[:count]
        taken = counts[chosen].sum(axis=0)
        rank = (float(np.sum(taken == total)), float(np.sum(taken == 0)), float(np.sum((taken - total * share) ** 2)))
        if rank < best_rank:
            best, best_rank = chosen, rank
    inside = np.isin(codes, best)
    return rows[inside], rows[~inside]
