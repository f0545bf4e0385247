"""A table of moments as rows of forecasts: what a row holds, on which side it lies, and what cannot be forecast."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import salus
from salus.core.errors import SalusError
from salus.core.specs import TrainSpec
from salus.data.origins import Origins, origins_of

START = datetime(2024, 1, 1)


def table(path: Path, columns: dict[str, list[Any]]) -> Path:
    rows = [",".join(columns), *(",".join(map(str, row)) for row in zip(*columns.values(), strict=True))]
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


def hours(count: int) -> list[str]:
    return [(START + timedelta(hours=hour)).isoformat(sep=" ") for hour in range(count)]


def view(folder: Path, columns: dict[str, list[Any]], **said: Any) -> Origins:
    spec = TrainSpec(**{"target": ("x",), "time": "t", "horizon": 5, "history": 10} | said)
    return origins_of(salus.read(table(folder / "rows.csv", columns)), spec)[0]


def futures(found: Origins, side: str) -> set[int]:
    """Steps that rows of this side have in their futures; the values of the tables here are their own places."""
    rows = np.flatnonzero([one == side for one in found.columns(["split"])["split"]])
    return {
        int(value) for future in found.take([found.layout.future], rows)[found.layout.future] for value in future[:, 0]
    }


@pytest.fixture
def counted() -> dict[str, list[Any]]:
    return {"t": hours(200), "x": list(range(200)), "y": [value % 7 for value in range(200)]}


def test_a_row_is_what_was_before_and_what_follows(tmp_path: Path, counted: dict[str, list[Any]]) -> None:
    found = view(tmp_path, counted)
    taken = found.take(["x", "y", "t", found.layout.future], np.array([0, 3]))
    assert taken["x"][0].tolist() == list(range(10)) and taken["x"][1].tolist() == list(range(3, 13))
    assert taken["y"][0].tolist() == [value % 7 for value in range(10)]
    assert taken[found.layout.future][0][:, 0].tolist() == [10, 11, 12, 13, 14]
    assert taken["t"][0] == "2024-01-01T09:00:00"
    assert [c.kind for c in found.schema.inputs] == ["history", "history", "stamp"]
    assert taken["x"][0].base is not None, "a view, not a copy"


def test_no_value_of_a_future_lies_on_two_sides(tmp_path: Path, counted: dict[str, list[Any]]) -> None:
    found = view(tmp_path, counted)
    train, validation, test = (futures(found, side) for side in ("train", "validation", "test"))
    assert train and validation and test
    assert not train & validation and not validation & test and not train & test
    assert max(train) < min(validation) and max(validation) < min(test)


def test_borders_are_taken_as_said(tmp_path: Path, counted: dict[str, list[Any]]) -> None:
    found = view(tmp_path, counted, split_at=(100, 140, 180))
    assert futures(found, "train") == set(range(10, 100))
    assert futures(found, "validation") == set(range(100, 140)) and futures(found, "test") == set(range(140, 180))
    moments = view(tmp_path, counted, split_at=("2024-01-05 04:00", "2024-01-06 20:00", "2024-01-08 12:00"))
    assert np.array_equal(moments.places, found.places)


def test_a_split_column_is_taken_as_said(tmp_path: Path, counted: dict[str, list[Any]]) -> None:
    sides = ["train"] * 120 + ["test"] * 80
    found = view(tmp_path, counted | {"side": sides}, split="side")
    assert futures(found, "test") == set(range(120, 200))
    assert max(futures(found, "train")) < min(futures(found, "validation")) < max(futures(found, "validation")) < 120


def test_every_person_is_split_in_time_or_lies_on_one_side(tmp_path: Path) -> None:
    people = [name for name in "abcdef" for _ in range(80)]
    columns = {"t": hours(80) * 6, "x": list(range(480)), "who": people}
    apart = view(tmp_path, columns, group="who")
    in_test = set(apart.take(["who"], np.flatnonzero(apart.places[:, 2] == 2))["who"])
    assert in_test == set("abcdef")
    new = view(tmp_path, columns, group="who", new_series=True)
    sides = [set(new.take(["who"], np.flatnonzero(new.places[:, 2] == side))["who"]) for side in range(3)]
    assert sides[0] | sides[1] | sides[2] == set("abcdef")
    assert not sides[0] & sides[1] and not sides[1] & sides[2] and not sides[0] & sides[2]


def test_a_future_with_a_long_gap_is_no_row(tmp_path: Path, counted: dict[str, list[Any]]) -> None:
    keep = [row for row in range(200) if not 60 <= row < 70]
    found = view(tmp_path, {name: [values[row] for row in keep] for name, values in counted.items()})
    told = found.columns([found.layout.future])[found.layout.future]
    assert all(np.isfinite(future).all() for future in told)
    assert {one.code for one in found.findings} >= {"forecast_gaps", "forecast_step"}


def test_blocks_never_reach_over_a_side(tmp_path: Path, counted: dict[str, list[Any]]) -> None:
    found = view(tmp_path, counted)
    told = found.columns(["block", "split"])
    sides: dict[str, set[str]] = {}
    for block, side in zip(told["block"], told["split"], strict=True):
        sides.setdefault(block, set()).add(side)
    assert all(len(of_block) == 1 for of_block in sides.values())


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"target": ("name",)}, "forecast_target"),
        ({"target": ("nobody",)}, "no_such_column"),
        ({"horizon": 100}, "forecast_too_short"),
        ({"split_at": (100, 50)}, "bad_spec"),
        ({"split_at": (150, 199)}, "forecast_no_origins"),
    ],
)
def test_what_cannot_be_forecast_is_said(
    tmp_path: Path, counted: dict[str, list[Any]], change: dict[str, Any], code: str
) -> None:
    names = [("up", "down", "left")[value % 3] for value in range(200)]
    with pytest.raises(SalusError) as caught:
        view(tmp_path, counted | {"name": names}, **change)
    assert caught.value.code == code
    assert caught.value.detail("zh") and caught.value.detail("en")


def test_one_moment_is_too_few(tmp_path: Path) -> None:
    with pytest.raises(SalusError) as caught:
        view(tmp_path, {"t": hours(1), "x": [1.5]})
    assert caught.value.code == "forecast_too_short"


def test_a_target_that_never_changes_is_told_once_and_in_words_of_forecasts(
    tmp_path: Path, counted: dict[str, list[Any]]
) -> None:
    found = view(tmp_path, counted | {"x": [7] * 200}, target=("x", "y"))
    told = [(one.code, one.columns) for one in found.findings if "constant" in one.code]
    assert told == [("forecast_constant", ("x",))]
