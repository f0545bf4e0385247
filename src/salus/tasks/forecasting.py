"""Forecasting: histories of one or several channels -> what each will be, step by step, and how sure that is.

Raw output: `values` float32 (B, H, C + 1, 1 + Q): for every step ahead and channel the mean and the quantiles 0.1 to 0.9; the last
channel is the clock: in its first two places the day and the second of the newest value, so that an answer can name its moments.
Knows no learner. What repeats and how far steps are apart is in the state of the target (`data/kinds/future`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import NormalDist
from typing import Any, ClassVar

import numpy as np

from salus.data.kinds.base import Values
from salus.data.kinds.stamp import UNKNOWN_DAY
from salus.data.steps import DAY_S, Step
from salus.tasks.compound import CompoundTask, as_objects

LEVELS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
NAMES = ("mean", *(f"{level:g}" for level in LEVELS))
EPOCH = datetime(1970, 1, 1)
MOST_YEARS_S = 2.5e11  # moments beyond the year 9999 cannot be written
ABSOLUTE_TO_DEVIATION = 1.2533  # of a normal law: its deviation over its mean absolute deviation
DIGITS = 6  # that an answer shows


@dataclass(frozen=True)
class Forecast:
    """One answer. values: float32 (H, C, 1 + Q). since_s: when the newest value was measured, None where nobody said. state: of the
    target: names, and what errors are scaled by."""

    values: np.ndarray
    since_s: float | None
    state: Mapping[str, Any]

    @property
    def mean(self) -> np.ndarray:
        """(H, C)."""
        return self.values[:, :, 0]


class Forecasting(CompoundTask):
    name = "forecasting"
    output = "values"
    metrics = ("scaled_mse", "scaled_mae", "mase", "quantile_loss", "coverage_80", "rmse", "mae")
    target_kind: ClassVar[str] = "future"
    rows_at_once = 256

    def accepts(self, input_kinds: frozenset[str], target_kinds: tuple[str, ...], levels: int) -> bool:
        return "history" in input_kinds and target_kinds == ("future",)

    def settle(self, raw: np.ndarray, states: Sequence[Mapping[str, Any]]) -> np.ndarray:
        channels = len(states[0]["names"])
        clock = raw[:, 0, channels, :2].astype(np.float64)
        answers = []
        for values, (day, second) in zip(raw, clock.tolist(), strict=True):
            since_s = None if day <= UNKNOWN_DAY else day * DAY_S + second
            answers.append(Forecast(values[:, :channels], since_s, states[0]))
        return as_objects(answers)

    def losses(self, answers: np.ndarray, target: np.ndarray) -> np.ndarray:
        """Mean squared error in variances of the channels in train."""
        if not len(answers):
            return np.zeros(0)
        deviation = np.asarray(answers[0].state["deviation"])
        apart = [(answer.mean - wanted) / deviation for answer, wanted in zip(answers, target, strict=True)]
        return np.array([float(np.mean(np.square(one, dtype=np.float64))) for one in apart])

    def nothing(
        self, train_target: np.ndarray, states: Sequence[Mapping[str, Any]], values: Mapping[str, Values], count: int
    ) -> np.ndarray:
        """The last season again and again, with the width that its error had in train and that grows with every season ahead."""
        state = states[0]
        horizon, season = int(state["horizon"]), int(state["season"])
        normal = [0.0, *(NormalDist().inv_cdf(level) for level in LEVELS)]
        seasons = 1 + np.arange(horizon) // season
        widths = np.asarray(state["scale"]) * ABSOLUTE_TO_DEVIATION * np.sqrt(seasons)[:, None]
        answers = []
        for row in range(count):
            means = [repeated(values[name][row], horizon, season, at) for name, at in _means(state)]
            said = np.stack(means, axis=1)[:, :, None] + widths[:, :, None] * np.asarray(normal)
            answers.append(Forecast(said.astype(np.float32), None, state))
        return as_objects(answers)

    def agree(self, expected: np.ndarray, found: np.ndarray) -> float:
        """In ten-thousandths of what an answer varies by: of the size of numbers of each channel among these rows, at least 1e-6."""
        if expected.shape != found.shape:
            return float("inf")
        size = np.abs(expected.astype(np.float64)).max(axis=(0, 1, 3), keepdims=True, initial=1e-6)
        return float(np.max(np.abs(expected.astype(np.float64) - found) / (1e-4 * size), initial=0.0))

    def decode(
        self, raw: np.ndarray, states: Sequence[Mapping[str, Any]], names: Sequence[str]
    ) -> list[dict[str, Any]]:
        """Answers -> {"forecast": {channel: {"mean": [...], "0.1": [...], ...}}, "times": the moments, where the request said when
        its newest value was measured}."""
        found = []
        for answer in raw:
            channels = answer.state["names"]
            table = np.asarray(answer.values, dtype=np.float64).transpose(1, 2, 0)
            forecast = {
                channel: dict(zip(NAMES, _rounded(of_channel), strict=True))
                for channel, of_channel in zip(channels, table, strict=True)
            }
            found.append({"forecast": forecast, "times": times_of(answer)})
        return found

    def output_schema(self, states: Sequence[Mapping[str, Any]], names: Sequence[str]) -> dict[str, Any]:
        horizon = int(states[0]["horizon"])
        numbers = {"type": "array", "items": {"type": "number"}, "minItems": horizon, "maxItems": horizon}
        channel = {"type": "object", "properties": dict.fromkeys(NAMES, numbers), "required": list(NAMES)}
        forecast = {
            "type": "object",
            "properties": dict.fromkeys(states[0]["names"], channel),
            "required": list(states[0]["names"]),
        }
        times = {
            "type": ["array", "null"],
            "items": {"type": "string"},
            "description": "the moments of the steps; null where the request did not say when its newest value was measured",
        }
        return {
            "type": "object",
            "properties": {"forecast": forecast, "times": times},
            "required": ["forecast", "times"],
        }


def repeated(history: np.ndarray | None, horizon: int, season: int, otherwise: float) -> np.ndarray:
    """The last season (H,) again and again; the newest value where there is no whole season; `otherwise` where there is none."""
    known = np.zeros(0) if history is None else np.asarray(history, dtype=np.float64)
    known = known[np.isfinite(known)] if not np.isfinite(known).all() else known
    if not len(known):
        return np.full(horizon, otherwise)
    period = season if len(known) >= season else 1
    return known[len(known) - period + np.arange(horizon) % period]


def times_of(answer: Forecast) -> list[str] | None:
    """ISO 8601 moments of every step, as the data write them."""
    step = Step(float(answer.state.get("step_s") or 0.0), int(answer.state.get("months") or 0))
    if answer.since_s is None or (not step.seconds and not step.months):
        return None
    moments = [step.after(answer.since_s, count) for count in range(1, len(answer.values) + 1)]
    if max(map(abs, moments)) > MOST_YEARS_S or min(moments) < -6e10:
        return None
    return [_written(moment, answer.state) for moment in moments]


def _written(moment_s: float, state: Mapping[str, Any]) -> str:
    moment = EPOCH + timedelta(seconds=round(moment_s, 6))
    if state.get("dates") and not state.get("zoned") and moment_s % DAY_S == 0:
        return moment.date().isoformat()
    return moment.isoformat() + ("Z" if state.get("zoned") else "")


def _means(state: Mapping[str, Any]) -> list[tuple[str, float]]:
    return list(zip(state["names"], state["mean"], strict=True))


def _rounded(table: np.ndarray) -> list[list[float]]:
    """Lists of numbers with as many digits as float32 has."""
    return [[float(f"{value:.{DIGITS}g}") for value in row] for row in table.tolist()]
