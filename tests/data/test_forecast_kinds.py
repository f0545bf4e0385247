"""Histories, futures and stamps through the contract of kinds, and what is particular to each."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from salus.data.kinds import kind_named
from salus.data.kinds.base import Kind
from salus.data.kinds.history import lengthened
from salus.data.kinds.stamp import UNKNOWN_DAY
from salus.testing.kind import KindContract


class Made(KindContract):
    """Kinds that no column of a file has: they come into being with a horizon."""

    def test_recognises_its_own(self) -> None:
        present = [raw for raw in self.good() if raw is not None]
        assert self.kind().recognise(present) == 0.0
        assert self.kind().recognise([]) == 0.0


class TestHistory(Made):
    def kind(self) -> Kind:
        return kind_named("history")

    def good(self) -> list[Any]:
        return [[1.0, 2.0, 3.0, 4.0], None, [5, None, 7], [0.5], [9.0] * 12, [None, None]]

    def bad(self) -> list[Any]:
        return [[], "1,2,3", 4.0, [True], ["a"]]


class TestAhead(Made):
    def kind(self) -> Kind:
        return kind_named("ahead")

    def good(self) -> list[Any]:
        return [[0, 1], [1.0, None], None, [2.0], [None, None], [0.0, 0.0, 1.0]]

    def bad(self) -> list[Any]:
        return [[], "soon", 4.0, [True]]


class TestFuture(Made):
    def kind(self) -> Kind:
        return kind_named("future")

    def good(self) -> list[Any]:
        return [[[1.0], [2.0]], [[2.0], [3.0]], None, [[0.0], [0.0]], [[5.0], [1.0]], [[7.0], [7.5]]]

    def bad(self) -> list[Any]:
        return [[], "soon", [["a"]], [[[1.0]]]]


class TestStamp(Made):
    def kind(self) -> Kind:
        return kind_named("stamp")

    def good(self) -> list[Any]:
        return [
            "2024-05-31T08:30:00Z",
            None,
            "2024-05-31 10:30:00+02:00",
            "2023-01-01T00:00:00Z",
            None,
            "2020-02-29 00:00Z",
        ]

    def bad(self) -> list[Any]:
        return ["soon", True, [1], "2024-13-01"]


def test_a_stamp_goes_through_float32_to_the_second() -> None:
    kind = kind_named("stamp")
    values = kind.column_values(["2024-05-31 23:59:59", None, "1969-12-31 00:00:01", "2262-04-11 23:47:16"], "x")
    stamp = kind.encode(values, kind.fit(values, {}))["stamp"]
    seconds = stamp[:, 0].astype(np.float64) * 86400 + stamp[:, 1]
    assert stamp[1, 0] == np.float32(UNKNOWN_DAY)
    assert [seconds[row] for row in (0, 2, 3)] == [float(values[row]) for row in (0, 2, 3)]


def test_the_newest_values_count_and_a_short_history_repeats_its_season() -> None:
    kind = kind_named("history")
    state = {"steps": 6, "season": 3, "mean": 2.5, "deviation": 1.0}
    values = kind.column_values([list(range(10)), [1, 2, 3, 4], [7, 8], None, [5, None, None, 6, 6, 6]], "x")
    found = kind.encode(values, state)["history"]
    assert found.tolist() == [
        [4, 5, 6, 7, 8, 9],
        [2, 3, 1, 2, 3, 4],
        [7, 7, 7, 7, 7, 8],
        [2.5] * 6,
        [5, 5, 5, 6, 6, 6],
    ]


@given(st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=30), st.integers(1, 40), st.integers(1, 12))
def test_any_history_becomes_as_long_as_is_asked(items: list[float], steps: int, season: int) -> None:
    values = np.array(items[-steps:])
    longer = lengthened(values, steps, season)
    assert len(longer) == steps
    np.testing.assert_array_equal(longer[steps - len(values) :], values)
    if 1 < season <= len(values):
        begun = steps - len(values)
        np.testing.assert_array_equal(longer[:begun], longer[season : season + begun])


@pytest.mark.parametrize("missing", ["deviation", "scale"])
def test_a_constant_channel_is_measured_by_one(missing: str) -> None:
    kind = kind_named("future")
    state = kind.fit(kind.column_values([[[3.0], [3.0]]] * 4, "x"), {"mean": [3.0], missing: [0.0]})
    assert state["deviation"] == [1.0] and state["scale"] == [1.0]
