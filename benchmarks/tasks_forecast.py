"""Forecasts: the two transformer stations a day-by-hour four days ahead, daily activity of people a week ahead, pulse half a second ahead.

The stations keep the protocol of the papers: 8,640 / 2,880 / 2,880 hours, all seven channels, standardised by train, 96 ahead, a history
of 512, every window of the test hours (2,785, none dropped). The peer is a closed-form ridge regression shared over the channels, as
the papers' linear models are (the newest value taken away; penalty chosen on the validation hours), fitted and asked in the same run.
Some windows are also asked as a request would, and scored here from the answers alone.
"""

from __future__ import annotations

import csv
import time
from pathlib import Path
from typing import Any

import numpy as np

import salus
from figures import short

NAMES = ("etth1", "etth2", "fitbit", "ppg")
CHANNELS = ("HUFL", "HULL", "MUFL", "MULL", "LUFL", "LULL", "OT")
BORDERS = (8640, 11520, 14400)
HORIZON, HISTORY = 96, 512
PENALTIES = (1.0, 1e1, 1e2, 1e3, 1e4, 1e5)
CHUNK = 512
ASKED_EVERY = 48  # windows that are asked as a request would
BUDGET_S = 300.0
SHORT_BUDGET_S, LONGER_BUDGET_S = 60.0, 180.0


def run(name: str, data: Path, budget_s: float | None, threads: int, seed: int) -> dict[str, Any]:
    """Figures of one set."""
    if name in ("etth1", "etth2"):
        return _etth(data / "etth" / f"ETTh{name[-1]}.csv", budget_s or BUDGET_S, threads, seed)
    said: dict[str, Any] = {"budget": budget_s or SHORT_BUDGET_S, "threads": threads, "seed": seed}
    if name == "fitbit":
        said |= {"time": "ActivityDate", "group": "Id", "horizon": 7}
        path = data / "fitbit_daily" / "dailyActivity_merged.csv"
        return _told(salus.fit(path, ["TotalSteps", "Calories"], **said))
    path = data / "heartpy_ppg" / "data2.csv"
    said["budget"] = budget_s or LONGER_BUDGET_S
    return _told(salus.fit(path, "hr", time="timer", horizon=58, history=512, **said))


def _etth(path: Path, budget_s: float, threads: int, seed: int) -> dict[str, Any]:
    began = time.monotonic()
    said = {"time": "date", "horizon": HORIZON, "history": HISTORY, "split_at": BORDERS, "seed": seed}
    model = salus.fit(path, CHANNELS, budget=budget_s, threads=threads, **said)
    found = _told(model) | {"seconds": round(time.monotonic() - began, 1)}
    rows = list(csv.reader(path.open(encoding="utf-8")))[1 : BORDERS[2] + 1]
    values = np.array([row[1:] for row in rows], dtype=np.float64)
    mean, deviation = values[: BORDERS[0]].mean(axis=0), values[: BORDERS[0]].std(axis=0)
    scaled = (values - mean) / deviation
    found["ridge"] = _ridge(scaled)
    found["beside_ridge"] = round(found["metrics"]["scaled_mse"]["value"] - found["ridge"]["mse"], 5)
    asked = list(range(BORDERS[1], BORDERS[2] - HORIZON + 1, ASKED_EVERY))
    errors = []
    for origin in asked:
        past = values[origin - HISTORY : origin]
        row: dict[str, Any] = {name: past[:, place].tolist() for place, name in enumerate(CHANNELS)}
        forecast = model.predict([row | {"date": rows[origin - 1][0]}])[0]["forecast"]
        means = np.array([forecast[name]["mean"] for name in CHANNELS]).T
        errors.append(np.mean(((means - mean) / deviation - scaled[origin : origin + HORIZON]) ** 2))
    found["as_requests"] = {"windows": len(asked), "mse": round(float(np.mean(errors)), 5)}
    return found


def _told(model: Any) -> dict[str, Any]:
    report = model.report
    return {
        "metrics": {name: short(item) for name, item in report["metrics"].items()},
        "seasonal_naive": {name: round(item["value"], 5) for name, item in report["baseline"].items()},
        "split": {side: report["split"][side] for side in ("train", "validation", "test")},
        "learner": report["learner"]["name"],
        "tried": [{**one, "score": round(one["score"], 5)} for one in report["tried"]],
        "one_row_ms": report["latency"]["one_row_ms"],
        "graph_bytes": report["size_bytes"],
        "fit_seconds": report["seconds"],
    }


def _ridge(scaled: np.ndarray) -> dict[str, Any]:
    """The closed form, its penalty chosen on the validation hours, over every test window."""
    began = time.monotonic()
    windows = np.lib.stride_tricks.sliding_window_view(
        scaled, HISTORY + HORIZON, axis=0
    )  # by the first hour of a history
    train = windows[: BORDERS[0] - HISTORY - HORIZON + 1]
    validation = windows[BORDERS[0] - HISTORY : BORDERS[1] - HISTORY - HORIZON + 1]
    test = windows[BORDERS[1] - HISTORY : BORDERS[2] - HISTORY - HORIZON + 1]
    gram, cross = np.zeros((HISTORY, HISTORY)), np.zeros((HISTORY, HORIZON))
    for start in range(0, len(train), CHUNK):
        past, future = _levelled(train[start : start + CHUNK])
        gram += past.T @ past
        cross += past.T @ future
    tried = []
    for penalty in PENALTIES:
        weights = np.linalg.solve(gram + penalty * np.eye(HISTORY), cross)
        tried.append((_error(weights, validation), penalty, weights))
    chosen = min(tried, key=lambda one: one[0])
    return {
        "mse": round(_error(chosen[2], test), 5),
        "penalty": chosen[1],
        "windows": len(test),
        "seconds": round(time.monotonic() - began, 1),
    }


def _levelled(windows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Histories (N, T) and futures (N, H) of single channels less the newest value."""
    both = (windows - windows[:, :, HISTORY - 1 : HISTORY]).reshape(-1, HISTORY + HORIZON)
    return both[:, :HISTORY], both[:, HISTORY:]


def _error(weights: np.ndarray, windows: np.ndarray) -> float:
    total, count = 0.0, 0
    for start in range(0, len(windows), CHUNK):
        past, future = _levelled(windows[start : start + CHUNK])
        total += float(np.sum((past @ weights - future) ** 2))
        count += future.size
    return total / count
