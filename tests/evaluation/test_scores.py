"""The metrics against scikit-learn's, and calibration."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as reference

from salus.evaluation.calibrate import fit_temperature
from salus.evaluation.metrics import score, softmax
from salus.evaluation.reliability import reliability


def example(rows: int, classes: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    target = generator.integers(0, classes, rows)
    target[:classes] = np.arange(classes)
    scores = generator.normal(size=(rows, classes)) + 1.5 * np.eye(classes)[target]
    return np.round(softmax(scores), 3) + 1e-9, target


@settings(max_examples=40, deadline=None)
@given(st.integers(12, 120), st.integers(2, 5), st.integers(0, 10_000))
def test_they_are_scikit_learns(rows: int, classes: int, seed: int) -> None:
    raw, target = example(rows, classes, seed)
    said = raw.argmax(axis=1)
    assert score("accuracy", raw, target) == pytest.approx(reference.accuracy_score(target, said))
    assert score("balanced_accuracy", raw, target) == pytest.approx(reference.balanced_accuracy_score(target, said))
    assert score("macro_f1", raw, target) == pytest.approx(reference.f1_score(target, said, average="macro"))
    if classes > 2:
        area = reference.roc_auc_score(target, raw / raw.sum(axis=1, keepdims=True), multi_class="ovr")
        assert score("auc", raw / raw.sum(axis=1, keepdims=True), target) == pytest.approx(area)
    for k in range(classes):
        two = np.stack([1 - raw[:, k], raw[:, k]], axis=1)
        expected = reference.roc_auc_score(target == k, raw[:, k])
        assert score("auc", two, (target == k).astype(int)) == pytest.approx(expected)


def test_the_metrics_of_numbers_are_scikit_learns() -> None:
    generator = np.random.default_rng(0)
    target = generator.normal(size=(50, 2)) * [1, 100] + 7
    raw = target + generator.normal(size=(50, 2))
    assert score("mae", raw, target) == pytest.approx(reference.mean_absolute_error(target, raw))
    assert score("rmse", raw, target) == pytest.approx(np.sqrt(reference.mean_squared_error(target, raw)))
    assert score("r2", raw, target) == pytest.approx(reference.r2_score(target, raw))


def test_a_sure_of_itself_model_is_cooled_and_a_shy_one_warmed() -> None:
    generator = np.random.default_rng(1)
    scores = generator.normal(size=(4000, 3)) * 2
    target = np.array([generator.choice(3, p=p) for p in softmax(scores)])
    assert fit_temperature(scores * 4, target) == pytest.approx(4, rel=0.1)
    assert fit_temperature(scores / 4, target) == pytest.approx(0.25, rel=0.1)
    before, after = reliability(softmax(scores * 4), target), reliability(softmax(scores), target)
    assert after["ece"] < 0.03 < before["ece"]


def test_few_rows_that_happen_to_be_right_make_nobody_sure_of_everything() -> None:
    scores = np.eye(2)[np.arange(20) % 2] * 2.0
    assert fit_temperature(scores, np.arange(20) % 2) > 0.4
