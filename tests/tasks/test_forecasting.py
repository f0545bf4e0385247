"""Forecasting: what a graph gave becomes channels with quantiles and moments; what doing nothing says; what a miss costs."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from salus.tasks import task_named
from salus.tasks.compound import as_objects
from salus.tasks.forecasting import LEVELS, NAMES, Forecast, Forecasting, repeated

STATE: dict[str, Any] = {
    "names": ["steps", "pulse"],
    "horizon": 3,
    "season": 2,
    "step_s": 3600.0,
    "months": 0,
    "zoned": False,
    "dates": False,
    "mean": [10.0, 60.0],
    "deviation": [2.0, 5.0],
    "scale": [1.0, 4.0],
}


def task() -> Forecasting:
    found = task_named("forecasting")
    assert isinstance(found, Forecasting)
    return found


def raw(rows: int, since: tuple[float, float] | None) -> np.ndarray:
    values = np.random.default_rng(0).normal(size=(rows, 3, 3, 10)).astype(np.float32)
    values[:, :, 2] = 0
    values[:, :, 2, :2] = since or (-1e6, 0)
    return values


def test_answers_are_json_that_fits_its_schema() -> None:
    answers = task().settle(raw(2, (19723, 82800)), [STATE])
    decoded = task().decode(answers, [STATE], ["future"])
    assert json.loads(json.dumps(decoded, allow_nan=False)) == decoded
    assert decoded[0]["times"] == ["2024-01-02T00:00:00", "2024-01-02T01:00:00", "2024-01-02T02:00:00"]
    schema = task().output_schema([STATE], ["future"])
    assert set(decoded[0]) == set(schema["required"])
    channel = schema["properties"]["forecast"]["properties"]["pulse"]
    assert list(decoded[0]["forecast"]) == ["steps", "pulse"]
    assert set(decoded[0]["forecast"]["pulse"]) == set(channel["required"]) == set(NAMES)
    assert all(len(numbers) == 3 for numbers in decoded[1]["forecast"]["steps"].values())
    np.testing.assert_allclose(decoded[1]["forecast"]["pulse"]["0.3"], raw(2, None)[1, :, 1, 3], rtol=1e-5)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"zoned": True}, "2024-01-02T00:00:00Z"),
        ({"step_s": 86400.0, "dates": True}, "2024-01-02T23:00:00"),
        ({"step_s": 0.0, "months": 1}, "2024-02-01T23:00:00"),
        ({"step_s": 0.5}, "2024-01-01T23:00:00.500000"),
    ],
)
def test_moments_are_written_as_the_data_write_them(change: dict[str, Any], expected: str) -> None:
    states = [STATE | change]
    assert task().decode(task().settle(raw(1, (19723, 82800)), states), states, ["future"])[0]["times"][0] == expected


@pytest.mark.parametrize("since", [None, (2.9e6, 0.0), (-719162.0 - 400000, 0.0)])
def test_without_a_moment_that_can_be_written_there_are_no_times(since: tuple[float, float] | None) -> None:
    assert task().decode(task().settle(raw(1, since), [STATE]), [STATE], ["future"])[0]["times"] is None


def test_doing_nothing_repeats_the_last_season_and_grows_unsure() -> None:
    values = {"steps": [np.array([1.0, 2.0, 3.0]), None], "pulse": [np.array([5.0]), np.array([np.nan, 7.0])]}
    answers = task().nothing(as_objects([]), [STATE], values, 2)
    assert answers[0].mean[:, 0].tolist() == [2, 3, 2] and answers[0].mean[:, 1].tolist() == [5, 5, 5]
    assert answers[1].mean[:, 0].tolist() == [10, 10, 10] and answers[1].mean[:, 1].tolist() == [7, 7, 7]
    widths = answers[0].values[:, 0, 9] - answers[0].values[:, 0, 1]
    assert widths[0] == pytest.approx(widths[1]) and widths[1] < 0.8 * widths[2]
    assert (np.diff(answers[0].values[..., 1:], axis=2) > 0).all()


@pytest.mark.parametrize(
    ("history", "season", "expected"), [([1, 2, 3], 3, [1, 2, 3, 1]), ([1, 2], 3, [2, 2, 2, 2]), ([], 3, [9] * 4)]
)
def test_a_season_needs_its_values(history: list[float], season: int, expected: list[float]) -> None:
    assert repeated(np.array(history, dtype=float), 4, season, 9.0).tolist() == expected


def test_a_miss_costs_its_square_in_variances() -> None:
    said = np.zeros((3, 2, 1 + len(LEVELS)), dtype=np.float32)
    answers = as_objects([Forecast(said, None, STATE)] * 2)
    right, off = np.zeros((3, 2)), np.tile([2.0, 10.0], (3, 1))
    assert task().losses(answers, as_objects([right, off])).tolist() == [0.0, (1 + 4) / 2]
    assert len(task().losses(answers[:0], as_objects([]))) == 0


def test_agreement_is_measured_by_the_size_of_a_channel() -> None:
    expected = np.ones((2, 3, 2, 10)) * np.array([1.0, 1e6])[:, None]
    found = expected.copy()
    found[0, 0, 1, 0] += 50
    assert 0.4 < task().agree(expected, found) < 0.6
    found[0, 0, 0, 0] += 1
    assert task().agree(expected, found) > 1
    assert task().agree(expected, found[:1]) == float("inf")
