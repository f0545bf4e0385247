"""Moments as lines: the step is found, what repeats or is missing is seen and handled, months are months."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from salus.data.steps import Step
from salus.data.timeline import Line, Noticed, bridged, find_season, find_step, lines_of

HOUR = 3600.0
START = datetime(2024, 1, 1, tzinfo=UTC).timestamp()


def lines(moments: np.ndarray, values: np.ndarray, longest_gap: int = 100) -> tuple[list[Line], Noticed, Step]:
    step, seen = find_step([np.sort(moments)]), Noticed()
    table = values.reshape(len(moments), -1).astype(np.float32)
    return lines_of("a", moments, table, np.arange(len(moments)), step, longest_gap, seen), seen, step


def test_regular_hours_are_one_line() -> None:
    found, seen, step = lines(START + HOUR * np.arange(50), np.arange(50.0))
    assert step == Step(HOUR) and len(found) == 1
    assert found[0].values[:, 0].tolist() == list(range(50))
    assert (seen.gaps, seen.repeated, seen.uneven, seen.unordered) == (0, 0, 0, 0)


def test_rows_in_any_order_are_sorted_and_known_by_their_row() -> None:
    order = np.random.default_rng(0).permutation(40)
    found, seen, _ = lines(START + HOUR * order, order.astype(float))
    assert found[0].values[:, 0].tolist() == list(range(40))
    assert (order[found[0].rows] == np.arange(40)).all() and seen.unordered > 0


def test_moments_that_repeat_are_averaged() -> None:
    moments = START + HOUR * np.array([0, 1, 1, 2, 3, 3, 3, 4.0])
    found, seen, _ = lines(moments, np.array([0, 1, 3, 5, 1, 2, 6, 9.0]))
    assert found[0].values[:, 0].tolist() == [0, 2, 5, 3, 9]
    assert seen.repeated == 3


def test_short_gaps_are_bridged_long_ones_stay_and_very_long_ones_end_a_line() -> None:
    places = np.array([0, 1, 4, 5, 12, 13, 200, 201])
    found, seen, _ = lines(START + HOUR * places, places.astype(float), longest_gap=50)
    assert [len(line) for line in found] == [14, 2]
    assert found[0].values[:6, 0].tolist() == [0, 1, 2, 3, 4, 5]
    assert np.isnan(found[0].values[6:12]).all()
    assert (seen.gaps, seen.missing) == (3, 8)


def test_a_clock_that_is_put_forward_and_back_leaves_a_whole_line() -> None:
    utc = [datetime(2024, 3, 1, tzinfo=UTC) + timedelta(hours=hour) for hour in range(6000)]
    summer = (datetime(2024, 3, 31, 1, tzinfo=UTC), datetime(2024, 10, 27, 1, tzinfo=UTC))
    local = np.array([t.timestamp() + (7200 if summer[0] <= t < summer[1] else 3600) for t in utc])
    found, seen, step = lines(local, np.sin(np.arange(6000) * 2 * np.pi / 24))
    assert step == Step(HOUR) and len(found) == 1 and len(found[0]) == 6000
    assert np.isfinite(found[0].values).all()
    assert (seen.repeated, seen.clock_changes, seen.gaps) == (1, 1, 1)


def test_months_are_steps_of_their_own() -> None:
    moments = np.array([datetime(2000 + m // 12, m % 12 + 1, 1, tzinfo=UTC).timestamp() for m in range(60)])
    found, seen, step = lines(moments, np.arange(60.0))
    assert step == Step(months=1) and len(found[0]) == 60 and seen.gaps == 0


@pytest.mark.parametrize(
    ("start", "count", "expected"),
    [("2024-01-31", 1, "2024-02-29"), ("2024-02-29", 1, "2024-03-31"), ("2024-01-15", 13, "2025-02-15")],
)
def test_months_end_where_months_end(start: str, count: int, expected: str) -> None:
    moment = datetime.fromisoformat(start).replace(tzinfo=UTC).timestamp()
    after = Step(months=1).after(moment, count)
    assert datetime.fromtimestamp(after, UTC).date().isoformat() == expected


def test_irregular_moments_go_to_their_nearest_step_and_are_told() -> None:
    moments = START + np.cumsum(np.random.default_rng(1).exponential(HOUR, 400))
    found, seen, step = lines(moments, np.arange(400.0), longest_gap=1000)
    assert seen.uneven > 0.1 * seen.steps
    span = (moments[-1] - moments[0]) / step.seconds
    assert abs(len(found[0]) - span) < 2


def test_a_timer_that_ticks_unevenly_opens_no_gaps() -> None:
    moments = np.cumsum(np.where(np.arange(1000) % 3 == 0, 17.0, 16.0))
    found, seen, _ = lines(moments, np.arange(1000.0))
    assert len(found[0]) == 1000 and seen.gaps == 0


@pytest.mark.parametrize(("period", "step"), [(24, Step(HOUR)), (7, Step(86400.0)), (12, Step(months=1)), (37, Step())])
def test_seasons_are_found_where_they_are(period: int, step: Step) -> None:
    trace = np.sin(np.arange(900) * 2 * np.pi / period) + np.random.default_rng(0).normal(0, 0.2, 900)
    line = Line("a", trace[:, None].astype(np.float32), np.arange(900.0), np.arange(900))
    assert find_season([line], step, 1) == period


@pytest.mark.parametrize("kind", ["noise", "constant", "short"])
def test_where_nothing_repeats_there_is_no_season(kind: str) -> None:
    noise = np.random.default_rng(0).normal(size=3 if kind == "short" else 500)
    trace = np.ones(500) if kind == "constant" else noise
    line = Line("a", trace[:, None].astype(np.float32), np.arange(float(len(trace))), np.arange(len(trace)))
    assert find_season([line], Step(HOUR), 1) == 1


def test_bridges_reach_neither_over_the_ends_nor_over_nothing() -> None:
    values = np.array([[np.nan, 1.0, np.nan, 3.0, np.nan]], dtype=np.float32).T
    assert np.isnan(bridged(values)[:, 0]).tolist() == [True, False, False, False, True]
    assert np.isnan(bridged(np.full((4, 1), np.nan, dtype=np.float32))).all()
