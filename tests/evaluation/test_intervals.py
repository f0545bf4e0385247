"""Whether 95 % intervals hold the truth in about 95 of 100 cases, on rows and on people."""

from __future__ import annotations

import numpy as np
import pytest

from salus.evaluation.intervals import interval


def answers(right: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities that are right where `right` says so, and their targets."""
    target = np.arange(len(right)) % 2
    said = np.where(right, target, 1 - target)
    return np.eye(2)[said] * 0.8 + 0.1, target


@pytest.mark.parametrize("rows", [40, 200, 1000])
def test_rows(rows: int) -> None:
    held, draws, truth = 0, 200, 0.85
    for seed in range(draws):
        right = np.random.default_rng(seed).random(rows) < truth
        found = interval("accuracy", *answers(right), groups=None, seed=seed)
        held += found.low <= truth <= found.high
    assert 0.90 <= held / draws <= 1.0


@pytest.mark.parametrize("people", [3, 5, 10, 30])
def test_people_differ(people: int) -> None:
    """Each person has a rate of their own; the truth is the mean over all people there could be."""
    held, draws, truth = 0, 150, 0.8
    for seed in range(draws):
        generator = np.random.default_rng(seed)
        rate = generator.beta(8, 2, people)
        groups = np.repeat(np.arange(people), 30)
        right = generator.random(len(groups)) < rate[groups]
        found = interval("accuracy", *answers(right), groups=groups, seed=seed)
        held += found.low <= truth <= found.high
        assert found.wide == (people < 8)
    assert 0.88 <= held / draws <= 1.0


def test_all_right_is_not_certain() -> None:
    found = interval("accuracy", *answers(np.ones(20, dtype=bool)), groups=None, seed=0)
    assert found.value == 1.0 and found.high == 1.0 and found.low < 0.9


def test_two_people_prove_little() -> None:
    groups = np.repeat([0, 1], 14)
    right = np.ones(28, dtype=bool)
    right[0] = False
    found = interval("accuracy", *answers(right), groups=groups, seed=0)
    assert found.wide and found.low < 0.7


@pytest.mark.parametrize("name", ["rmse", "mae", "r2"])
def test_numbers(name: str) -> None:
    generator = np.random.default_rng(0)
    target = generator.normal(size=(500, 1))
    found = interval(name, target + generator.normal(size=(500, 1)) * 0.5, target, None, 0)
    assert found.low < found.value < found.high and found.high - found.low < 0.3


def test_equal_seeds_give_equal_intervals() -> None:
    raw, target = answers(np.random.default_rng(0).random(300) < 0.7)
    assert interval("auc", raw, target, None, 3) == interval("auc", raw, target, None, 3)
