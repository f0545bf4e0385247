"""Whether 95 % intervals hold the truth in about 95 of 100 cases, on rows and on people, and are no wider than they must be."""

from __future__ import annotations

import json
import time

import numpy as np
import pytest

from salus.evaluation.intervals import interval
from salus.evaluation.measure import measure
from salus.evaluation.metrics import score, softmax
from salus.evaluation.resampling import t_975, wilson
from salus.tasks import task_named

DRAWS = 150


def answers(right: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities that are right where `right` says so, and their targets."""
    target = np.arange(len(right)) % 2
    said = np.where(right, target, 1 - target)
    return np.eye(2)[said] * 0.8 + 0.1, target


def skilled(
    generator: np.random.Generator, shares: list[float], rows: int, groups: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities and targets of classes that occur with these shares; people differ in how easy they are."""
    target = generator.choice(len(shares), rows, p=shares)
    skill = np.full(rows, 1.2) if groups is None else generator.normal(1.2, 0.5, groups.max() + 1)[groups]
    return softmax(generator.normal(size=(rows, len(shares))) + np.eye(len(shares))[target] * skill[:, None]), target


@pytest.mark.parametrize("truth", [0.6, 0.85, 0.97])
@pytest.mark.parametrize("rows", [20, 100, 1000])
def test_rows(rows: int, truth: float) -> None:
    held = 0
    for seed in range(DRAWS):
        right = np.random.default_rng(seed).random(rows) < truth
        found = interval("accuracy", *answers(right), groups=None, seed=seed)
        held += found.low <= truth <= found.high
        assert found.wide == (rows < 30)
    assert 0.90 <= held / DRAWS <= 0.995


@pytest.mark.parametrize("people", [3, 5, 10, 30])
def test_people_differ(people: int) -> None:
    """Each person has a rate of their own; the truth is the mean over all people there could be."""
    held, truth, scores, widths = 0, 0.8, [], []
    for seed in range(DRAWS):
        generator = np.random.default_rng(seed)
        rate = generator.beta(8, 2, people)
        groups = np.repeat(np.arange(people), 30)
        right = generator.random(len(groups)) < rate[groups]
        found = interval("accuracy", *answers(right), groups=groups, seed=seed)
        held += found.low <= truth <= found.high
        scores.append(found.value)
        widths.append(found.high - found.low)
        assert found.wide == (people < 8)
    assert 0.92 <= held / DRAWS <= 1.0
    if people >= 10:  # not wider than half again what the spread of the scores themselves asks for
        assert np.mean(widths) < 1.5 * 2 * 1.96 * np.std(scores)


@pytest.mark.parametrize("shares", [[0.5, 0.5], [0.9, 0.1], [0.4, 0.3, 0.2, 0.1]], ids=str)
@pytest.mark.parametrize("people", [0, 3, 5, 10, 30])
def test_every_metric_of_classes(shares: list[float], people: int) -> None:
    names, draws = ("balanced_accuracy", "macro_f1", "auc", "log_loss"), 100
    many = np.repeat(np.arange(5000), 10) if people else None
    truth = {name: score(name, *skilled(np.random.default_rng(99), shares, 50_000, many)) for name in names}
    held = dict.fromkeys(names, 0)
    for seed in range(draws):
        groups = np.repeat(np.arange(people), 20) if people else None
        raw, target = skilled(np.random.default_rng(seed), shares, 20 * people or 200, groups)
        for name in names:
            found = interval(name, raw, target, groups, seed)
            held[name] += found.low <= truth[name] <= found.high
    assert min(held.values()) >= 0.86 * draws, held


@pytest.mark.parametrize("name", ["rmse", "mae", "r2"])
@pytest.mark.parametrize("people", [0, 3, 5, 10, 30])
def test_every_metric_of_numbers(name: str, people: int) -> None:
    def drawn(generator: np.random.Generator, rows: int, groups: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
        target, error = generator.normal(size=(rows, 1)), generator.normal(size=(rows, 1)) * 0.5
        if groups is not None:
            error *= np.exp(generator.normal(0, 0.3, groups.max() + 1))[groups][:, None]
        return target + error, target

    many = np.repeat(np.arange(5000), 10) if people else None
    truth, held, draws = score(name, *drawn(np.random.default_rng(99), 50_000, many)), 0, 100
    for seed in range(draws):
        groups = np.repeat(np.arange(people), 20) if people else None
        found = interval(name, *drawn(np.random.default_rng(seed), 20 * people or 100, groups), groups, seed)
        held += found.low <= truth <= found.high
    assert held >= 0.88 * draws


def test_all_right_is_not_certain() -> None:
    found = interval("accuracy", *answers(np.ones(20, dtype=bool)), groups=None, seed=0)
    assert found.value == 1.0 and found.high == 1.0 and found.low < 0.9


def test_five_sick_people_all_found_prove_little() -> None:
    """The rarest class decides, not the 1,000 rows."""
    target = np.r_[np.ones(5, dtype=int), np.zeros(995, dtype=int)]
    raw = np.eye(2)[target] * 0.8 + 0.1
    assert interval("balanced_accuracy", raw, target, None, 0).low < 0.9
    assert interval("auc", raw, target, None, 0).low < 0.9
    assert interval("accuracy", raw, target, None, 0).low > 0.99


def test_two_people_prove_little() -> None:
    groups = np.repeat([0, 1], 14)
    right = np.ones(28, dtype=bool)
    right[0] = False
    found = interval("accuracy", *answers(right), groups=groups, seed=0)
    assert found.wide and found.low < 0.6


@pytest.mark.parametrize("name", ["accuracy", "auc", "log_loss"])
@pytest.mark.parametrize("rows", [1, 2, 40])
def test_one_person_one_row_and_one_class_have_intervals_that_are_json(name: str, rows: int) -> None:
    raw = np.tile([0.7, 0.3], (rows, 1))
    for target in (np.zeros(rows, dtype=int), np.arange(rows) % 2):
        for groups in (None, np.zeros(rows, dtype=int)):
            found = interval(name, raw, target, groups, 0)
            assert found.low <= found.value <= found.high
            json.dumps(found.model_dump(), allow_nan=False)


def test_equal_seeds_give_equal_intervals() -> None:
    raw, target = answers(np.random.default_rng(0).random(300) < 0.7)
    assert interval("log_loss", raw, target, None, 3) == interval("log_loss", raw, target, None, 3)


def test_many_rows_are_merged_without_harm() -> None:
    generator = np.random.default_rng(0)
    raw, target = skilled(generator, [0.5, 0.5], 20_000)
    found = interval("log_loss", raw, target, None, 0)
    each = -np.log(raw[np.arange(len(target)), target])
    assert (found.high - found.low) / 2 == pytest.approx(1.96 * each.std() / np.sqrt(len(each)), rel=0.1)


def test_the_tables_values_of_student_and_wilson() -> None:
    assert t_975(1) == pytest.approx(12.706) and t_975(30) == pytest.approx(2.042, abs=0.001)
    assert wilson(0.5, 10) == pytest.approx((0.2366, 0.7634), abs=1e-4)


@pytest.mark.parametrize(("rows", "classes"), [(14_000, 2), (10_000, 10)])
def test_measuring_is_quick(rows: int, classes: int) -> None:
    task = task_named("multiclass-classification")
    raw, target = skilled(np.random.default_rng(0), [1 / classes] * classes, rows)
    states = [{"levels": [str(code) for code in range(classes)]}]
    given = {"scores": np.log(raw), "probabilities": raw}
    began = time.process_time()
    measure(task, target, given, states, ["y"], None, task.baseline(target, states), 0)
    assert time.process_time() - began < 2.0
