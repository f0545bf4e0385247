"""Folds and splits by time: every row judges once, groups stay whole, the future is never learned from."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from salus.core.errors import SalusError
from salus.data.split import fold_rows, split_rows


@given(rows=st.integers(10, 300), people=st.integers(2, 40), classes=st.integers(2, 5), seed=st.integers(0, 99))
def test_groups_stay_whole_and_folds_are_about_even(rows: int, people: int, classes: int, seed: int) -> None:
    generator = np.random.default_rng(seed)
    groups, target = generator.integers(0, people, rows), generator.integers(0, classes, rows)
    if len(np.unique(groups)) < 2:
        return
    folds = fold_rows(target, groups, True, 5, seed)
    assert all(len(np.unique(folds[groups == person])) == 1 for person in np.unique(groups))
    assert len(np.unique(folds)) == min(5, len(np.unique(groups)))
    assert np.array_equal(folds, fold_rows(target, groups, True, 5, seed))


@given(rows=st.integers(10, 500), seed=st.integers(0, 99))
def test_classes_are_dealt_evenly(rows: int, seed: int) -> None:
    target = (np.arange(rows) % 7 == 0).astype(np.int64)
    folds = fold_rows(target, None, True, 5, seed)
    for fold in range(5):
        share = target[folds == fold].sum() - target.sum() / 5
        assert abs(share) < 1.01
    sizes = np.bincount(folds)
    assert sizes.max() - sizes.min() <= 2


def test_few_rows_judge_each_in_its_turn() -> None:
    splits = split_rows(np.arange(100) % 2, None, None, True, 0, folded=True)
    assert splits.how == "folds" and splits.folds is not None
    assert np.array_equal(splits.train, splits.test) and not len(splits.validation)


def test_few_people_judge_each_in_their_turn() -> None:
    groups = np.arange(5000) % 12
    splits = split_rows(np.arange(5000) % 2, groups, None, True, 0, folded=True)
    assert splits.how == "group-folds" and splits.folds is not None
    assert split_rows(np.arange(5000) % 2, np.arange(5000) % 30, None, True, 0, folded=True).how == "group"


@given(rows=st.integers(10, 200), moments=st.integers(2, 50), seed=st.integers(0, 99))
def test_the_future_judges(rows: int, moments: int, seed: int) -> None:
    generator = np.random.default_rng(seed)
    times = generator.integers(0, moments, rows).astype(np.float64)
    if len(np.unique(times)) < 3:
        return
    try:
        splits = split_rows(np.arange(rows) % 2, None, None, True, seed, times=times)
    except SalusError as error:
        assert error.code == "too_few_rows"
        return
    assert times[splits.train].max() < times[splits.validation].min() <= times[splits.validation].max()
    assert times[splits.validation].max() < times[splits.test].min()


def test_one_moment_cannot_be_split() -> None:
    with pytest.raises(SalusError) as caught:
        split_rows(np.arange(20) % 2, None, None, True, 0, times=np.ones(20))
    assert caught.value.code == "too_few_rows"
