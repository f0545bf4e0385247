"""Measures of forecasts against their definitions, intervals over blocks, and the page that shows them."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from salus.evaluation.answers import measure_answers
from salus.evaluation.measures import measure_of
from salus.evaluation.metrics import HIGHER_IS_BETTER
from salus.evaluation.report.parts import Said
from salus.evaluation.report.scores import METRIC_WORDS
from salus.evaluation.report.shown import shown
from salus.evaluation.report.text import WORDS
from salus.tasks.compound import as_objects
from salus.tasks.forecasting import LEVELS, Forecast

STATE: dict[str, Any] = {
    "names": ["a<b", "pulse"],
    "horizon": 4,
    "season": 2,
    "step_s": 60.0,
    "months": 0,
    "mean": [0.0, 60.0],
    "deviation": [2.0, 5.0],
    "scale": [1.0, 4.0],
}
ROWS = 60


@pytest.fixture
def said() -> tuple[np.ndarray, np.ndarray]:
    """Answers whose quantiles are those of the law that the truths are drawn from, around a mean that is off by a little."""
    generator = np.random.default_rng(3)
    normal = np.quantile(generator.normal(size=20000), LEVELS)
    truth = generator.normal(size=(ROWS, 4, 2)) * [2.0, 5.0] + [0.0, 60.0]
    values = np.empty((ROWS, 4, 2, 10), dtype=np.float32)
    values[..., 0] = [0.1, 60.0]
    values[..., 1:] = np.array([0.0, 60.0])[:, None] + np.array([2.0, 5.0])[:, None] * normal
    return as_objects([Forecast(row, 0.0, STATE) for row in values]), as_objects(list(truth.astype(np.float32)))


def figures(answers: np.ndarray, target: np.ndarray) -> dict[str, float]:
    measure = measure_of("forecasting")
    sums = measure.tally(answers, target, [STATE]).sum(axis=0)
    return {name: float(measure.figure(name, sums)) for name in measure.metrics}


def test_figures_are_what_their_names_say(said: tuple[np.ndarray, np.ndarray]) -> None:
    answers, target = said
    found = figures(answers, target)
    values, truth = np.stack([a.values for a in answers]).astype(float), np.stack(list(target)).astype(float)
    apart = truth - values[..., 0]
    assert found["scaled_mse"] == pytest.approx(np.mean((apart / [2, 5]) ** 2))
    assert found["scaled_mae"] == pytest.approx(np.mean(np.abs(apart) / [2, 5]))
    assert found["mase"] == pytest.approx(np.mean(np.abs(apart) / [1, 4]))
    assert found["rmse"] == pytest.approx(np.sqrt(np.mean(apart**2)))
    assert found["mae"] == pytest.approx(np.mean(np.abs(apart)))
    losses = []
    for channel in range(2):
        pinball = [
            np.where(beyond >= 0, level * beyond, (level - 1) * beyond).sum()
            for level, beyond in zip(
                LEVELS, np.moveaxis(truth[..., None] - values[..., 1:], 3, 0)[:, :, :, channel], strict=True
            )
        ]
        losses.append(2 * np.mean(pinball) / np.abs(truth[..., channel]).sum())
    assert found["quantile_loss"] == pytest.approx(np.mean(losses))
    assert 0.75 < found["coverage_80"] < 0.85
    assert set(found) <= set(HIGHER_IS_BETTER) and set(found) <= set(METRIC_WORDS["zh"])


def test_a_right_forecast_has_no_error() -> None:
    truth = np.random.default_rng(0).normal(size=(5, 4, 2)).astype(np.float32)
    answers = as_objects([Forecast(np.repeat(row[..., None], 10, axis=2), None, STATE) for row in truth])
    found = figures(answers, as_objects(list(truth)))
    assert found.pop("coverage_80") == 1.0
    assert set(found.values()) == {0.0}


def test_intervals_are_over_blocks(said: tuple[np.ndarray, np.ndarray]) -> None:
    answers, target = said
    twice = np.repeat(np.arange(ROWS), 5)  # neighbours that say the same add nothing
    blocks = measure_of("forecasting").tally(answers, target, [STATE])
    wide = measure_of("forecasting").intervals(blocks, np.arange(ROWS), 0)["scaled_mse"]
    same = measure_of("forecasting").intervals(blocks[twice], twice, 0)["scaled_mse"]
    fooled = measure_of("forecasting").intervals(blocks[twice], None, 0)["scaled_mse"]
    assert same.high - same.low == pytest.approx(wide.high - wide.low, rel=0.15)
    assert fooled.high - fooled.low < 0.6 * (same.high - same.low)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_page_shows_traces_with_bands(said: tuple[np.ndarray, np.ndarray], language: str) -> None:
    answers, target = said
    past = [np.array([1.0, np.nan, 2.0])] * (ROWS - 1) + [None]
    report = measure_answers(
        measure_of("forecasting"),
        "forecasting",
        answers,
        target,
        answers,
        {"a<b": past, "pulse": past},
        [STATE],
        np.arange(ROWS) // 4,
        0,
    )
    page = shown(Said(report, WORDS[language], METRIC_WORDS[language], language))
    assert (
        page.count("<polygon") == 12 and page.count("<svg") == 8
    )  # two bands of two channels of three rows; two plots
    assert "a&lt;b" in page and "a<b" not in page
    assert not re.search(r"\bnan\b|None|inf\b", page)
    assert [level for level, _ in report["facts"]["below"]] == list(LEVELS)
    assert all(abs(share - level) < 0.1 for level, share in report["facts"]["below"])
