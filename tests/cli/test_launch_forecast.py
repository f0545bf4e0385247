"""The line that `launch` shows for a forecast asks about the first rows of the data, as lists."""

from __future__ import annotations

from salus.cli.launch import _plain, _recent


def test_moments_become_lists_and_the_newest_moment() -> None:
    synthetic = {"x": [1.0, 2.0], "y": [0.5], "t": "2024-01-01"}
    rows = [{"x": 3, "y": None, "t": "a", "who": 1}, {"x": 4.5, "y": 2, "t": "b", "who": 1}]
    assert _recent(synthetic, rows) == {"x": [3, 4.5], "y": [None, 2], "t": "b"}


def test_recordings_and_plain_rows_are_left_to_others() -> None:
    assert _recent({"trace": [1.0]}, [{"trace": [1, 2, 3]}]) is None
    assert _recent({"age": 40}, [{"age": 41}]) is None
    assert _recent({"x": [1.0]}, []) is None
    assert _recent({"x": [1.0]}, [{"y": 1}]) is None


def test_whole_numbers_are_asked_without_a_point() -> None:
    assert [repr(_plain(value)) for value in (13437007.0, 0.5, 3)] == ["13437007", "0.5", "3"]
