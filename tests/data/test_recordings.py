"""Long tables of samples: recordings are put together, and what is wrong with their clocks is said."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from salus.core.context import Context
from salus.core.errors import SalusError
from salus.core.specs import DataSpec, Recording
from salus.data.add import add
from salus.data.recordings import to_recordings
from salus.data.sources.base import Read


def samples(lengths: list[int], rate_hz: float = 50.0) -> dict[str, list[Any]]:
    """Recordings of these lengths, one after the other."""
    rows: dict[str, list[Any]] = {"session": [], "person": [], "t": [], "ax": [], "move": []}
    for number, length in enumerate(lengths):
        rows["session"] += [f"s{number}"] * length
        rows["person"] += [number // 2] * length
        rows["t"] += [step / rate_hz for step in range(length)]
        rows["ax"] += [float(100 * number + step) for step in range(length)]
        rows["move"] += [("walk", "run")[number % 2]] * length
    return rows


def put_together(rows: dict[str, list[Any]], part_rows: int = 10**6, **said: Any) -> tuple[pa.Table, DataSpec, Any]:
    table = pa.table(rows)
    spec = DataSpec(recording=Recording(id="session", time="t" if "t" in rows else None), **said)
    read = Read(lambda: (table.slice(at, part_rows) for at in range(0, len(table), part_rows)))
    made, changed, findings = to_recordings(read, spec, lambda rows: None)
    return made.table, changed, {finding.code: finding for finding in findings}


def test_rows_become_recordings() -> None:
    table, spec, findings = put_together(samples([5, 3, 4]))
    assert table.column_names == ["session", "person", "move", "ax"]
    assert table["ax"].to_pylist() == [[0, 1, 2, 3, 4], [100, 101, 102], [200, 201, 202, 203]]
    assert table["person"].to_pylist() == [0, 0, 1] and table["move"].to_pylist() == ["walk", "run", "walk"]
    assert spec.rate_hz == pytest.approx(50) and spec.kinds == {"ax": "series"} and spec.roles == {"session": "ignore"}
    assert set(findings) == {"recording_rate"} and spec.recording is None


@settings(max_examples=12, deadline=None)
@given(st.lists(st.integers(1, 9), min_size=1, max_size=8).filter(lambda lengths: max(lengths) > 1), st.integers(1, 12))
def test_the_parts_in_which_rows_come_do_not_matter(lengths: list[int], part_rows: int) -> None:
    rows = samples(lengths)
    whole, _, found = put_together(rows)
    parts, _, again = put_together(rows, part_rows)
    assert whole.equals(parts) and list(found) == list(again)
    assert [len(values) for values in whole["ax"].to_pylist()] == lengths


def test_missing_samples_become_missing_values() -> None:
    lost = (3, 4, 19)
    rows = {name: [v for row, v in enumerate(values) if row not in lost] for name, values in samples([18, 16]).items()}
    table, _, findings = put_together(rows)
    lists = [scalar.values.to_numpy() for scalar in table["ax"]]
    np.testing.assert_array_equal(lists[0], [0, 1, 2, np.nan, np.nan, *range(5, 18)])
    np.testing.assert_array_equal(lists[1], [100, np.nan, *range(102, 116)])
    assert findings["recording_gaps"].count == 2 and findings["recording_gaps"].rows == (3, 17)


def test_gaps_that_are_larger_than_what_lies_between_them_do_not_fill_the_memory() -> None:
    """A sensor that wakes for a second every few hours: 60 recordings, each of 20 bursts of 12 samples 20,000 samples apart."""
    burst = [20_000.0 * place + step for place in range(20) for step in range(12)]
    rows = {
        "session": [number for number in range(60) for _ in burst],
        "t": burst * 60,
        "ax": [float(step) for step in range(len(burst) * 60)],
    }
    read = Read.of(pa.table(rows), {}, {})
    made, _, findings = to_recordings(read, DataSpec(recording=Recording(id="session", time="t")), lambda rows: None)
    tables = list(made.parts())
    assert sum(map(len, tables)) == 60 and len(tables) > 2
    filled = tables[1]["ax"][0].values.to_numpy()
    assert len(filled) == 19 * 10_000 + 20 * 12 and np.isfinite(filled).sum() == len(burst)
    assert [found.code for found in findings if found.code == "recording_gaps"]


def test_a_recording_that_is_too_long_with_its_gaps_is_named() -> None:
    burst = [20_000.0 * place + step for place in range(600) for step in range(12)]
    rows = {"session": ["s"] * len(burst), "t": burst, "ax": [float(step) for step in range(len(burst))]}
    with pytest.raises(SalusError) as caught:
        put_together(rows)
    assert caught.value.code == "series_too_long" and "'s'" in caught.value.detail()


def test_clocks_that_jump_or_stand_are_counted_and_nothing_is_sorted() -> None:
    rows = samples([30, 30])
    rows["t"][10] = 0.0
    rows["t"][41] = rows["t"][40]
    table, _, findings = put_together(rows)
    assert findings["recording_jumps"].count == 1 and findings["recording_jumps"].rows == (10,)
    assert findings["recording_repeats"].count == 1 and findings["recording_repeats"].rows == (41,)
    assert [value for value in table["ax"][0].as_py() if value == value] == rows["ax"][:30]


def test_a_clock_of_whole_milliseconds_tells_the_true_rate() -> None:
    rows = samples([600], rate_hz=60)
    rows["t"] = [round(t, 3) for t in rows["t"]]
    _, spec, findings = put_together(rows)
    assert spec.rate_hz == pytest.approx(60, rel=1e-3) and set(findings) == {"recording_rate"}


def test_an_uneven_rhythm_is_said_and_not_filled() -> None:
    rows = samples([40])
    rows["t"] = list(itertools.accumulate(0.02 if step % 3 else 0.2 for step in range(40)))
    table, _, findings = put_together(rows)
    assert "recording_uneven" in findings and "recording_gaps" not in findings
    assert len(table["ax"][0]) == 40


def test_samples_of_several_devices_at_once_are_put_together() -> None:
    rows = samples([4, 4])
    order = [place for pair in zip(range(4), range(4, 8), strict=True) for place in pair]
    mixed = {name: [values[place] for place in order] for name, values in rows.items()}
    table, _, findings = put_together(mixed)
    assert table.equals(put_together(rows)[0])
    assert findings["recording_gathered"].count == 2


@pytest.mark.parametrize(
    ("factor", "written"),
    [(1e3, float), (1e6, int), (1.0, lambda t: f"2024-05-31T08:00:{t:09.6f}Z"), (1.0, lambda t: f"{t:.3f}")],
)
def test_clocks_of_any_writing_tell_the_rate(factor: float, written: Any) -> None:
    rows = samples([20, 20])
    rows["t"] = [written(t * factor) for t in rows["t"]]
    _, spec, findings = put_together(rows, rate_hz=50.0)
    assert spec.rate_hz == pytest.approx(50) and not findings
    moments = pa.array((np.array(samples([20])["t"]) * 1e6).astype("datetime64[us]"))
    assert put_together({**samples([20]), "t": moments})[1].rate_hz == pytest.approx(50)


@pytest.mark.parametrize(
    ("change", "said", "code"),
    [
        ({"session": [None, *["a"] * 11]}, {}, "recording_without_id"),
        ({"session": list(range(12))}, {}, "recording_no_channels"),
        ({"move": ["walk", "run"] * 6}, {"kinds": {"move": "category"}}, "recording_changes"),
        ({"t": ["soon"] * 12}, {}, "not_a_time"),
    ],
)
def test_what_cannot_be_put_together_is_refused_by_name(
    change: dict[str, Any], said: dict[str, Any], code: str
) -> None:
    with pytest.raises(SalusError) as caught:
        put_together(samples([5, 3, 4]) | change, **said)
    assert caught.value.code == code


def test_text_that_changes_inside_recordings_is_left_out_and_said() -> None:
    table, _, findings = put_together(samples([5, 3, 4]) | {"note": [f"n{row}" for row in range(12)]})
    assert "note" not in table.column_names and findings["recording_left_out"].columns == ("note",)
    table, _, findings = put_together(samples([5, 1, 4]))
    assert findings["recording_single"].count == 1 and len(table) == 3


def test_the_columns_that_are_named_must_be_there() -> None:
    for recording in (Recording(id="nobody"), Recording(id="session", time="never")):
        with pytest.raises(SalusError) as caught:
            to_recordings(Read.of(pa.table(samples([3]))), DataSpec(recording=recording), lambda rows: None)
        assert caught.value.code == "no_such_column"


def test_a_long_file_is_added_as_recordings(tmp_path: Path) -> None:
    rows = samples([60, 70, 80, 90] * 6)
    names = list(rows)
    lines = [",".join(names), *(",".join(str(rows[name][row]) for name in names) for row in range(len(rows["t"])))]
    (tmp_path / "long.csv").write_text("\n".join(lines))
    spec = DataSpec(recording=Recording(id="session", time="t"), window_s=1.0)
    version = add(tmp_path / "long.csv", spec, tmp_path / "version", Context())
    assert version.rows == 24
    column = version.schema.column("ax")
    assert column.kind == "series" and column.options == {"rate_hz": pytest.approx(50), "window_s": 1.0}
    assert version.schema.column("session").role == "ignore"
    assert "recording_rate" in {finding.code for finding in version.findings}
