"""Forecasting through the front door: a file of moments to a bundle that answers, in Python and on the real stations."""

from __future__ import annotations

import os
import tempfile
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import salus
from salus.core.errors import SalusError

FOLDER = os.environ.get("SALUS_BENCH_DATA", "")
CHANNELS = ["HUFL", "HULL", "MUFL", "MULL", "LUFL", "LULL", "OT"]


def written(folder: Path, moments: list[datetime], columns: dict[str, Any]) -> Path:
    path = folder / "rows.csv"
    lines = [",".join(["t", *columns])]
    lines += [",".join(map(str, row)) for row in zip(moments, *columns.values(), strict=True)]
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def hourly(count: int) -> list[datetime]:
    return [datetime(2024, 1, 1) + timedelta(hours=hour) for hour in range(count)]


def waves(count: int) -> np.ndarray:
    return np.sin(np.arange(count) * 2 * np.pi / 24) + np.random.default_rng(0).normal(0, 0.1, count)


@cache
def model() -> Any:
    with tempfile.TemporaryDirectory() as folder:
        path = written(Path(folder), hourly(900), {"x": waves(900) + 3, "y": waves(900) * 50})
        return salus.fit(path, ["x", "y"], time="t", horizon=24, learner="linear_forecast", budget=10, threads=1)


def test_it_learns_measures_and_answers() -> None:
    report = model().report
    assert report["task"] == "forecasting" and report["split"]["how"] == "given"
    assert report["metrics"]["scaled_mse"]["value"] < 0.7 * report["baseline"]["scaled_mse"]["value"]
    assert 0.6 < report["metrics"]["coverage_80"]["value"] < 0.97
    assert report["shown"]["kind"] == "traces" and report["headline"]["groups"] > 3
    past = waves(900)[-300:]
    row = {"x": (past + 3).tolist(), "y": (past * 50).tolist(), "t": "2024-02-07 11:00:00"}
    answer = model().predict([row])[0]
    assert answer["times"][0] == "2024-02-07T12:00:00" and len(answer["times"]) == 24
    truth = np.sin((900 + np.arange(24)) * 2 * np.pi / 24)
    assert np.abs(np.array(answer["forecast"]["x"]["mean"]) - 3 - truth).max() < 0.35
    assert np.abs(np.array(answer["forecast"]["y"]["mean"]) - 50 * truth).max() < 17
    assert (np.array(answer["forecast"]["x"]["0.1"]) < np.array(answer["forecast"]["x"]["0.9"])).all()


@pytest.mark.parametrize(
    "row",
    [
        {"x": [3.0], "y": None, "t": None},
        {"x": [None, None], "y": [1, 2, None], "t": "2030-01-01"},
        {"x": [3.0] * 2000, "y": [0] * 7, "t": "1999-12-31T23:59:59"},
        {"x": [1e30, 3], "y": [-1e30], "t": None},
    ],
)
def test_any_length_is_answered(row: dict[str, Any]) -> None:
    answer = model().predict([row])[0]
    numbers = np.array([values for channel in answer["forecast"].values() for values in channel.values()])
    assert numbers.shape == (20, 24) and np.isfinite(numbers).all()
    assert (answer["times"] is None) == (row["t"] is None)


@pytest.mark.parametrize(
    ("row", "code"),
    [
        ({"x": [1.0]}, "schema_mismatch"),
        ({"x": [], "y": [1], "t": None}, "series_empty"),
        ({"x": 4.0, "y": [1], "t": None}, "schema_mismatch"),
        ({"x": [1], "y": [1], "t": "2024-01-01T00:00:00Z"}, "time_zone_unknown"),
        ({"x": [1], "y": [1e300], "t": None}, "not_finite"),
    ],
)
def test_what_is_no_history_is_refused(row: dict[str, Any], code: str) -> None:
    with pytest.raises(SalusError) as caught:
        model().predict([row])
    assert caught.value.code == code


@pytest.mark.parametrize("what", ["constant", "far", "clock"])
def test_odd_series_are_forecast_all_the_same(tmp_path: Path, what: str) -> None:
    count, said = 400, {"horizon": 6, "history": 24}
    moments, values = hourly(count), waves(count)
    if what == "constant":
        values = np.full(count, 7.25)
    elif what == "far":
        said = {"horizon": 48, "history": 5}
    else:  # an hour is written twice, another one is missing
        moments = [
            moment - timedelta(hours=at >= 100) + timedelta(hours=at >= 200) for at, moment in enumerate(moments)
        ]
    found = salus.fit(written(tmp_path, moments, {"x": values}), "x", time="t", budget=5, threads=1, **said)
    report = found.report
    codes = {finding["code"] for finding in report["findings"]}
    answer = found.predict([{"x": values[-40:].tolist(), "t": None}])[0]["forecast"]["x"]
    assert np.isfinite(answer["mean"]).all()
    if what == "constant":
        assert "forecast_constant" in codes and "constant_column" not in codes
        assert np.allclose(answer["mean"], 7.25) and report["metrics"]["scaled_mse"]["value"] < 1e-9
    elif what == "far":
        assert "forecast_far" in codes and len(answer["mean"]) == 48
    else:
        assert codes & {"forecast_repeats", "forecast_clock_back"} and "forecast_gaps" in codes


@pytest.mark.skipif(not FOLDER, reason="SALUS_BENCH_DATA is not set: it names the folder with the public data sets")
@pytest.mark.parametrize(("station", "most"), [(1, 0.372), (2, 0.285)])
def test_the_stations_four_days_ahead(station: int, most: float) -> None:
    found = salus.fit(
        Path(FOLDER) / "etth" / f"ETTh{station}.csv",
        CHANNELS,
        time="date",
        horizon=96,
        history=512,
        split_at=(8640, 11520, 14400),
        learner="linear_forecast",
        budget=60,
        threads=1,
    ).report
    assert found["split"]["test"] == 2785
    assert found["metrics"]["scaled_mse"]["value"] <= most
    assert 0.75 <= found["metrics"]["coverage_80"]["value"] <= 0.85
    assert found["baseline"]["scaled_mse"]["value"] == pytest.approx({1: 0.512, 2: 0.391}[station], abs=0.001)
