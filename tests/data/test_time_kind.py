"""Times: how they are written, what is refused, and what is learned of them."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from salus.core.errors import SalusError
from salus.core.nouns import Column, Schema
from salus.data.findings import Checker
from salus.data.kinds import kind_named
from salus.data.kinds.base import Kind
from salus.data.kinds.time import PARTS, moment_of, part_names
from salus.inference.requests import RowReader
from salus.testing.kind import KindContract

MARCH = datetime(2020, 3, 4, tzinfo=UTC).timestamp()


class TestTime(KindContract):
    def kind(self) -> Kind:
        return kind_named("time")

    def good(self) -> list[Any]:
        return [
            "2024-05-31T08:30:00Z",
            None,
            "2024-05-31 10:30:00+02:00",
            "2023-01-01T00:00:00.5Z",
            "2020-02-29 00:00Z",
            None,
        ]

    def bad(self) -> list[Any]:
        return ["tomorrow", "2023-02-29", True, [1], {}, math.nan, math.inf, "2024-13-01", "12:30", "x" * 100]


class TestDates(TestTime):
    def good(self) -> list[Any]:
        return ["2024-05-31", None, "2020-02-29", "2019-12-31", "2024-01-01", "1999-07-04"]


@pytest.mark.parametrize(
    "text",
    [
        "2020-03-04",
        "2020/3/4",
        "2020.03.04",
        "4.3.2020",
        "3/4/2020",
        "03-04-2020",
        "3/4/20",
        "4 March 2020",
        "04-Mar-2020",
        "4-Mar-20",
        "Mar 4, 2020",
        "March 4th, 2020",
        "Wed, 04 Mar 2020 00:00:00 GMT",
        "2020年3月4日",
        "20200304",
        "2020-03-04T00:00:00Z",
        "2020-03-04T02:00:00+02:00",
        "2020-03-03 19:00:00.000-0500",
        "3/4/2020 12:00:00 AM",
        "2020-W10-3",
    ],
)
def test_one_day_in_many_spellings(text: str) -> None:
    assert moment_of(text) == MARCH


@pytest.mark.parametrize("number", [MARCH, MARCH * 1e3, MARCH * 1e6, MARCH * 1e9, str(int(MARCH)), "1.58328e9"])
def test_epoch_numbers_are_moments_when_a_person_says_so(number: Any) -> None:
    assert kind_named("time").read(number, "x") == MARCH
    assert kind_named("time").recognise([number, number]) == 0.0


def test_numbers_and_labels_are_not_taken_for_times() -> None:
    for values in (["1", "2", "3"], ["20200304", "20200305"], ["a 2020-01-01", "b"], ["12:30"], ["may", "june"], [1.5]):
        assert kind_named("time").recognise(values) == 0.0


@given(st.text(max_size=40))
def test_any_text_is_a_moment_or_none(text: str) -> None:
    moment = moment_of(text)
    assert moment is None or math.isfinite(moment)


@given(st.datetimes(min_value=datetime(1000, 1, 1), max_value=datetime(9998, 1, 1)))
def test_what_is_written_is_read(moment: datetime) -> None:
    seconds = (moment - datetime(1970, 1, 1)).total_seconds()
    assert moment_of(moment.isoformat()) == seconds
    assert moment_of(
        moment.strftime("%d %b ").lstrip("0") + f"{moment.year:04d} {moment:%H:%M:%S.%f}"
    ) == pytest.approx(seconds, abs=1e-4)


def _state(raws: list[Any]) -> tuple[Any, dict[str, Any]]:
    kind = kind_named("time")
    values = kind.column_values(raws, "column 't'")
    return values, kind.fit(values, {})


def test_the_column_tells_the_order_of_day_and_month() -> None:
    american, state = _state(["3/4/2020", "12/25/2020"])
    assert american[0] == MARCH and not state["day_first"]
    european, state = _state(["4/3/2020", "25/12/2020"])
    assert european[0] == MARCH and state["day_first"]
    kind = kind_named("time")
    alone = kind.column_values(["4/3/2020"], "x")
    np.testing.assert_array_equal(kind.encode(alone, state)["seconds"], [MARCH])
    with pytest.raises(SalusError) as caught:
        kind.encode(kind.column_values(["12/25/2020"], "x"), state)
    assert caught.value.code == "time_order_mixed"


@pytest.mark.parametrize(
    ("raws", "code"),
    [
        (["2020-01-01T00:00:00Z", "2020-01-01T00:00:00"], "time_zone_mixed"),
        (["12/25/2020", "25/12/2020"], "time_order_mixed"),
        (["2020-01-01", "unknown"], "not_a_time"),
        (["2020-01-01", "0000-01-01"], "not_a_time"),
        (["1/1/2020", "1/1/0000"], "not_a_time"),
    ],
)
def test_a_column_that_cannot_be_told_is_refused_by_name(raws: list[str], code: str) -> None:
    with pytest.raises(SalusError) as caught:
        _state(raws)
    assert caught.value.code == code and "column 't'" in caught.value.detail()


def test_a_request_keeps_the_zone_rule_of_training() -> None:
    kind = kind_named("time")
    for learned, sent, code in (
        ("2020-01-01T00:00:00Z", "2020-01-01T00:00:00", "time_zone_missing"),
        ("2020-01-01T00:00:00", "2020-01-01T00:00:00Z", "time_zone_unknown"),
    ):
        _, state = _state([learned])
        with pytest.raises(SalusError) as caught:
            kind.encode(kind.column_values([sent], "x"), state)
        assert caught.value.code == code and caught.value.status == 422


def test_parts_keep_a_minute_apart_far_from_the_beginning() -> None:
    values, state = _state(["1990-01-01T00:00:00Z", "2024-05-31T08:30:00Z", "2024-05-31T08:40:00Z", None])
    kind = kind_named("time")
    times = kind.join({"t": kind.encode(values, state)}, {"t": state})["times"]
    assert times.dtype == np.float32 and times.shape == (4, len(PARTS))
    assert times[2, 0] > times[1, 0] and np.isnan(times[3]).all()
    assert times[1, PARTS.index("weekend")] == 0  # a Friday


def test_two_columns_also_tell_how_far_they_lie_apart() -> None:
    kind = kind_named("time")
    columns: dict[str, list[Any]] = {"admitted": ["2024-01-01", "2024-02-01"], "left": ["2024-01-08", None]}
    read = {name: kind.column_values(raws, name) for name, raws in columns.items()}
    states = {name: kind.fit(values, {}) for name, values in read.items()}
    times = kind.join({name: kind.encode(read[name], states[name]) for name in columns}, states)["times"]
    names = part_names(list(columns))
    assert times.shape == (2, len(names)) and names[-1] == ("left - admitted (days)", "left")
    assert times[0, -1] == 7 and np.isnan(times[1, -1])


def test_the_row_and_column_of_a_wrong_time_are_named_to_who_asks() -> None:
    _, state = _state(["2020-01-01T00:00:00Z", "2021-01-01T00:00:00Z"])
    reader = RowReader(Schema(columns=(Column(name="seen", kind="time", state=state),)))
    good = {"seen": "2020-06-01T00:00:00Z"}
    assert reader.encode(reader.read([good, {"seen": None}]))["times"].shape == (2, len(PARTS))
    for row, code in (({"seen": "2020-06-01T00:00:00"}, "time_zone_missing"), ({"seen": "soon"}, "schema_mismatch")):
        with pytest.raises(SalusError) as caught:
            reader.encode(reader.read([good, row] if code != "time_zone_missing" else [row]))
        assert caught.value.code == code and "/seen" in caught.value.detail()


@pytest.mark.parametrize(
    ("raws", "code", "count"),
    [
        (["2020-01-01T00:00:00Z", None, "2020-01-01T10:00:00+02:00"], None, 0),
        (["2020-01-01T00:00:00Z", "2020-01-02T00:00:00", "2020-01-03T00:00:00.5-01:00"], "time_zone_mixed", 1),
        (["2020-01-01", "2020-01-02"], None, 0),
        (["1/13/2020", "2/14/2020", "15/1/2020"], "time_order_mixed", 1),
        (["13/1/2020", "1/1/2020", "15/1/2020"], None, 0),
    ],
)
def test_times_that_do_not_fit_together_are_found_while_adding(
    raws: list[str | None], code: str | None, count: int
) -> None:
    checker = Checker(Schema(columns=(Column(name="seen", kind="time"),)))
    for start in range(0, len(raws), 2):
        checker.part(pa.table({"seen": pa.chunked_array([pa.array(raws[start : start + 2], pa.large_string())])}))
    found = {finding.code: finding for finding in checker.finish() if finding.code.startswith("time_")}
    assert set(found) == ({code} if code else set())
    assert code is None or found[code].count == count
