"""Moments and values to lines of regular steps: the step is found, rows are sorted, repeated moments become one, gaps are seen.

Knows moments and numbers. Does not know columns, origins or sides. What was found is counted, and how it is handled is fixed: values
of one moment are averaged (a clock that is put back writes an hour twice), short gaps are bridged by a straight line (a clock that
is put forward leaves one out), long gaps stay missing, very long ones end a line.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from itertools import pairwise

import numpy as np

from salus.data.steps import DAY_S, EPOCH, Step

NEAR = 0.25  # of a step: how far from a whole number of steps a moment may lie
UNEVEN = 0.1  # share of steps that are nowhere near: the moments are irregular
BRIDGED_STEPS = 3  # gaps up to this are bridged
MONTHS = ((1, 27.5, 31.5), (3, 89.0, 92.5), (12, 364.5, 366.5))  # (months, fewest days, most days)
WHOLE = 2e-3  # relative: a step this near a whole number of seconds is meant to be it
SUNDAY = 3  # 1970-01-04 was one: days since 1970 modulo 7
CLOCK_MONTHS = (3, 4, 9, 10, 11)
SEASONS_S = (DAY_S, 7 * DAY_S, 3600.0, 60.0)  # what repeats, the most usual first
MOST_SEASON = 366
MOST_LOOKED_AT = 10_000  # steps in which a season is looked for
AS_HIGH = 0.1  # an echo that is this near to the highest is as high
LEAST_ECHO = 0.2  # autocorrelation of a season that is found in the values


@dataclass
class Noticed:
    """What was found, in numbers of moments; `uneven`: steps that are no whole ones, of `steps`."""

    repeated: int = 0
    clock_changes: int = 0
    gaps: int = 0
    missing: int = 0
    uneven: int = 0
    steps: int = 0
    unordered: int = 0
    undated: int = 0
    first_repeated: list[int] = field(default_factory=list)


@dataclass(frozen=True)
class Line:
    """One series, or a part of it between very long gaps, on regular steps.

    values: float32 (N, C), NaN missing. moments: float64 (N,) seconds, or positions where no time is known. rows: (N,) the row of
    the table that a step comes from, -1 where none does.
    """

    series: str
    values: np.ndarray
    moments: np.ndarray
    rows: np.ndarray

    def __len__(self) -> int:
        return len(self.values)


def find_step(moments: list[np.ndarray]) -> Step:
    """The step that most neighbouring moments are apart. moments: of each series, sorted."""
    steps = np.concatenate([np.diff(np.unique(of_series)) for of_series in moments] or [np.zeros(0)])
    if not len(steps):
        return Step(DAY_S)
    usual = float(np.median(steps))
    for months, fewest, most in MONTHS:
        if fewest * DAY_S <= usual <= most * DAY_S and np.median(np.abs(steps / DAY_S % 1)) == 0:
            return Step(months=months)
    near = steps[np.abs(steps - usual) <= 0.5 * usual]
    mean = float(near.mean())
    whole = round(mean)
    return Step(float(whole) if whole and abs(mean - whole) <= WHOLE * mean else mean)


def lines_of(
    series: str, moments: np.ndarray, values: np.ndarray, rows: np.ndarray, step: Step, longest_gap: int, seen: Noticed
) -> list[Line]:
    """The lines of one series; moments (N,) in any order, values (N, C)."""
    seen.unordered += int(np.sum(np.diff(moments) < 0))
    order = np.argsort(moments, kind="stable")
    moments, values, rows = moments[order], values[order], rows[order]
    starts = np.flatnonzero(np.concatenate([[True], np.diff(moments) > 0]))
    repeated = len(moments) - len(starts)
    if repeated:
        doubled = np.setdiff1d(np.arange(len(moments)), starts)
        seen.repeated += repeated
        seen.clock_changes += _clock_changes(moments[doubled])
        seen.first_repeated += rows[doubled].tolist()[:20]
        values = _averaged(values, starts)
        moments, rows = moments[starts], rows[starts]
    places = _places(moments, step, seen)
    same = np.flatnonzero(np.concatenate([[True], np.diff(places) > 0]))
    if len(same) < len(places):
        values, moments, rows, places = _averaged(values, same), moments[same], rows[same], places[same]
    gaps = np.diff(places)
    seen.gaps += int(np.sum(gaps > 1))
    seen.missing += int(np.sum(gaps[gaps <= longest_gap] - 1))
    cuts = [0, *(np.flatnonzero(gaps > longest_gap) + 1).tolist(), len(places)]
    return [
        _line(series, moments[a:b], values[a:b], rows[a:b], places[a:b] - places[a], step) for a, b in pairwise(cuts)
    ]


def bridged(values: np.ndarray) -> np.ndarray:
    """The values (N, C) with gaps of a few steps bridged by a line."""
    filled = values.copy()
    for channel in range(values.shape[1]):
        column = filled[:, channel]
        missing = ~np.isfinite(column)
        if not missing.any() or missing.all():
            continue
        begins = np.flatnonzero(missing & ~np.concatenate([[False], missing[:-1]]))
        ends = np.flatnonzero(missing & ~np.concatenate([missing[1:], [False]])) + 1
        for begin, end in zip(begins.tolist(), ends.tolist(), strict=True):
            if begin > 0 and end < len(column) and end - begin <= BRIDGED_STEPS:
                column[begin:end] = np.linspace(column[begin - 1], column[end], end - begin + 2)[1:-1]
    return filled


def find_season(lines: list[Line], step: Step, channels: int) -> int:
    """How many steps until things repeat: of the clock and the calendar where the values say so too, else what they alone say; 1
    where nothing repeats."""
    longest = max(lines, key=len)
    values = longest.values[-MOST_LOOKED_AT:, :channels].astype(np.float64)
    most = min(MOST_SEASON, len(values) // 3)
    if most < 2:
        return 1
    echoes = np.array([_echo(values, lag) for lag in range(1, most + 1)])
    calendar = {1: 12, 3: 4, 12: 1}.get(step.months)
    usual = [calendar] if calendar else [round(s / step.seconds) for s in SEASONS_S if step.seconds >= 1]
    for lag in usual:
        if 1 < lag <= most and echoes[lag - 1] >= LEAST_ECHO and echoes[lag - 1] >= echoes[max(0, lag // 2 - 1)]:
            return lag
    # Without a calendar: the shortest of the highest echoes after they first fall; a season's multiples echo as much.
    peaks = [lag for lag in range(2, most) if echoes[lag - 1] > echoes[lag - 2] and echoes[lag - 1] >= echoes[lag]]
    highest = max((echoes[lag - 1] for lag in peaks), default=0.0)
    if highest < LEAST_ECHO:
        return 1
    first = next(lag for lag in peaks if echoes[lag - 1] >= highest - AS_HIGH)
    return max((lag for lag in peaks if first <= lag <= 1.25 * first), key=lambda lag: float(echoes[lag - 1]))


def _echo(values: np.ndarray, lag: int) -> float:
    """Mean autocorrelation over the channels that move."""
    found = []
    for column in values.T:
        first, second = column[:-lag], column[lag:]
        good = np.isfinite(first) & np.isfinite(second)
        first, second = first[good] - np.nanmean(column), second[good] - np.nanmean(column)
        spread = np.sqrt((first**2).mean() * (second**2).mean()) if good.any() else 0.0
        if spread > 0:
            found.append(float((first * second).mean() / spread))
    return float(np.mean(found)) if found else 0.0


def _clock_changes(moments: np.ndarray) -> int:
    """How many of these repeated moments lie in nights in which clocks are put back."""
    sundays = (np.floor(moments / DAY_S) % 7 == SUNDAY) & (moments % DAY_S < 4 * 3600) & (np.abs(moments) < 8e10)
    months = [(EPOCH + timedelta(seconds=float(moment))).month for moment in moments[sundays]]
    return sum(month in CLOCK_MONTHS for month in months)


def _averaged(values: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Means of the rows between `starts`, of what is known."""
    known = np.isfinite(values)
    total = np.add.reduceat(np.where(known, values, 0.0).astype(np.float64), starts, axis=0)
    count = np.add.reduceat(known.astype(np.int64), starts, axis=0)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan).astype(np.float32)


def _places(moments: np.ndarray, step: Step, seen: Noticed) -> np.ndarray:
    """Whole numbers of steps from the first moment."""
    if not len(moments):
        return np.zeros(0, dtype=np.int64)
    if step.months:
        dates = [EPOCH + timedelta(seconds=float(moment)) for moment in moments]
        months = np.array([date.year * 12 + date.month for date in dates])
        seen.steps += len(months) - 1
        return np.asarray((months - months[0]) // step.months)
    steps = np.diff(moments) / step.seconds
    uneven = int(np.sum(np.abs(steps - np.maximum(1, np.round(steps))) > NEAR))
    seen.uneven += uneven
    seen.steps += len(steps)
    if uneven > UNEVEN * max(1, len(steps)):
        return np.asarray(np.floor((moments - moments[0]) / step.seconds + 0.5), dtype=np.int64)
    # From one moment to the next: a clock that runs a little wrong opens no gaps.
    return np.concatenate([[0], np.cumsum(np.maximum(1, np.round(steps)))]).astype(np.int64)


def _line(
    series: str, moments: np.ndarray, values: np.ndarray, rows: np.ndarray, places: np.ndarray, step: Step
) -> Line:
    count = int(places[-1]) + 1
    on_grid = np.full((count, values.shape[1]), np.nan, dtype=np.float32)
    on_grid[places] = values
    row_of = np.full(count, -1, dtype=np.int64)
    row_of[places] = rows
    every = np.interp(np.arange(count), places, moments)
    return Line(series, bridged(on_grid), every, row_of)
