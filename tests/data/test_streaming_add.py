"""Adding part by part: the parts leave no trace, kinds hold for all rows, memory is bounded, few rows are read as few."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.data.test_kinds import picture

from salus.core.context import Context
from salus.core.errors import SalusError
from salus.core.nouns import Finding, Role
from salus.core.specs import DataSpec
from salus.data import add as adding
from salus.data import row_groups
from salus.data.row_groups import evened, grouped, row_sizes
from salus.data.sketches import DistinctSample, LabelCounts, RowSample
from salus.data.sources.base import Read
from salus.data.version import DataVersion


def cut(table: pa.Table, borders: list[int]) -> Iterator[pa.Table]:
    """The same rows in parts that end at the borders."""
    ends = sorted({0, table.num_rows, *(border for border in borders if border < table.num_rows)})
    for begin, end in pairwise(ends):
        yield table.slice(begin, end - begin)


@pytest.fixture
def add_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    """Adds rows that come in given parts."""
    count = iter(range(1000))

    def added(parts: object, **options: object) -> DataVersion:
        monkeypatch.setattr(adding, "read_data", lambda path, spec: Read(parts, {"format": "toy"}))  # type: ignore[arg-type]
        spec = DataSpec.model_validate(options)
        return adding.add(Path("toy"), spec, tmp_path / f"version_{next(count)}", Context())

    return added


def finding(version: DataVersion, code: str) -> Finding:
    return next(found for found in version.findings if found.code == code)


def mixed_table(rows: int) -> pa.Table:
    generator = np.random.default_rng(1)
    numbers = [None if row % 13 == 5 else float(value) for row, value in enumerate(generator.normal(size=rows))]
    return pa.table(
        {
            "x": numbers,
            "n": generator.integers(0, 50, rows),
            "word": pa.array(["a", "b", "long" * 20, None]).take(pa.array(np.arange(rows) % 4)),
            "trace": [list(range(row % 5)) if row % 7 else None for row in range(rows)],
            "when": pa.array(np.arange(rows) * 86_400).cast(pa.timestamp("s")),
            "image": [picture(size=(3 + row % 3, 4)) if row % 11 else b"\x89PNG broken" for row in range(rows)],
        }
    )


@pytest.mark.parametrize("borders", [[1], [7, 8, 9, 80], list(range(0, 150, 10))])
def test_the_parts_leave_no_trace(add_parts, borders: list[int], monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr(row_groups, "GROUP_ROWS", 64)
    table = mixed_table(150)
    whole = add_parts(lambda: iter([table]))
    parted = add_parts(lambda: cut(table, borders))
    assert parted.tree == whole.tree
    assert pq.read_metadata(whole.files["shards/00000.parquet"]).num_row_groups == 3
    broken = [row for row, image in enumerate(whole.columns(["image"])["image"]) if image is None]
    assert broken == list(range(0, 150, 11)) and finding(whole, "undecodable_pictures").count == len(broken)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.one_of(st.none(), st.text(max_size=30)), min_size=1, max_size=60),
    st.lists(st.integers(1, 59), max_size=8),
    st.integers(1, 20),
    st.integers(1, 120),
)
def test_groups_follow_from_the_rows_alone(
    texts: list[str | None], borders: list[int], most_rows: int, most_bytes: int
) -> None:
    table = pa.table({"t": pa.array(texts, pa.large_string()), "x": pa.array(np.arange(len(texts), dtype=np.float64))})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(row_groups, "GROUP_ROWS", most_rows)
        patch.setattr(row_groups, "GROUP_BYTES", most_bytes)
        groups = list(grouped(cut(table, borders)))
        assert [group.num_rows for group in groups] == [group.num_rows for group in grouped([table])]
        pieces = list(evened(cut(table, borders)))
    assert pa.concat_tables(groups).equals(table) and pa.concat_tables(pieces).equals(table)
    assert all(piece.num_rows <= most_rows for piece in pieces)
    for group in groups:
        size = int(row_sizes(group).sum())
        assert group.num_rows <= most_rows and (size <= most_bytes or group.num_rows == 1)
        assert all(column.num_chunks == 1 for column in group.columns)


@pytest.mark.parametrize(
    ("usual", "last", "kind", "mixed"),
    [
        ("1.5", "1,5", "category", True),
        ("12", "007", "category", False),
        ("2020-02-03 10:00:00", "2020-02-04 11:00:00", "time", False),
        ("03.02.2020", "04.02.2020", "time", False),
        ("03.02.2020", "soon", "category", False),
        ("2020-02-03", "never", "category", False),
    ],
)
def test_the_last_row_may_change_the_kind(add_parts, usual: str, last: str, kind: str, mixed: bool) -> None:  # type: ignore[no-untyped-def]
    values = [usual] * 3000 + [last]
    table = pa.table({"x": values, "y": [1.0, 2.0, 3.5] * 1000 + [4.0]})
    version = add_parts(lambda: cut(table, [1000, 2000, 3000]))
    assert version.schema.column("x").kind == kind
    found = [found.rows for found in version.findings if found.code == "mixed_types"]
    assert found == ([(3000,)] if mixed else [])


def test_parts_of_different_types_are_one_column(add_parts) -> None:  # type: ignore[no-untyped-def]
    parts = [pa.table({"x": pa.array([None, None]), "w": [1, 2]}), pa.table({"x": [1, 2], "w": ["a", "b"]})]
    version = add_parts(lambda: iter(parts))
    assert [column.kind for column in version.schema.columns] == ["number", "category"]
    columns = version.columns(["x", "w"])
    assert columns["w"] == ["1", "2", "a", "b"] and columns["x"][2:].tolist() == [1.0, 2.0]


def test_moments_of_arrow_are_times_in_utc_where_a_zone_is_said(add_parts) -> None:  # type: ignore[no-untyped-def]
    seconds = pa.array([0, 3600])
    zoned = seconds.cast(pa.timestamp("s", "Europe/Berlin"))
    table = pa.table({"day": pa.array([0, 1]).cast(pa.int32()).cast(pa.date32()), "zoned": zoned})
    version = add_parts(lambda: iter([table]))
    assert {column.kind for column in version.schema.columns} == {"time"}
    assert version.columns(["zoned"])["zoned"] == ["1970-01-01 00:00:00Z", "1970-01-01 01:00:00Z"]


def test_roles_units_and_rates_are_as_the_person_said(add_parts) -> None:  # type: ignore[no-untyped-def]
    table = pa.table(
        {"who": ["a", "b"] * 20, "id": list(range(40)), "load": [1.5, 2.5] * 20, "trace": [[1.0, 2.0]] * 40}
    )
    roles, units = {"who": "group", "id": "input"}, {"load": "kg", "trace": "mV"}
    version = add_parts(lambda: iter([table]), roles=roles, units=units, rate_hz=50, window_s=2.0)
    schema = version.schema
    assert schema.column("who").role is Role.GROUP and schema.column("id").role is Role.INPUT
    assert schema.column("load").options == {"unit": "kg"}
    assert schema.column("trace").options == {"unit": "mV", "rate_hz": 50.0, "window_s": 2.0}
    assert "id_column" not in {found.code for found in version.findings}


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"roles": {"z": "input"}}, "no_such_column"),
        ({"units": {"z": "kg"}}, "no_such_column"),
        ({"roles": {"x": "goal"}}, "bad_spec"),
    ],
)
def test_what_is_said_of_nothing_is_refused(add_parts, options: dict[str, object], code: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(SalusError) as caught:
        add_parts(lambda: iter([pa.table({"x": [1.0, 2.0]})]), **options)
    assert caught.value.code == code


def test_memory_does_not_grow_with_the_rows(add_parts) -> None:  # type: ignore[no-untyped-def]
    def parts(count: int) -> Iterator[pa.Table]:
        for number in range(count):
            values = np.random.default_rng(number).normal(size=(20_000, 2))
            yield pa.table({f"x{index}": values[:, index] for index in range(2)})

    def peak(count: int) -> int:
        before = pa.default_memory_pool()
        pool = pa.proxy_memory_pool(before)
        pa.set_memory_pool(pool)
        try:
            assert add_parts(lambda: parts(count)).rows == count * 20_000
            return int(pool.max_memory())
        finally:
            pa.set_memory_pool(before)

    assert peak(24) < 1.5 * peak(6) < 100 * 2**20


def test_few_rows_are_read_from_their_groups_alone(add_parts, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr(row_groups, "GROUP_ROWS", 50)
    table = pa.table({"x": np.arange(1000, dtype=np.float64) + 0.5, "w": [f"w{row % 9}" for row in range(1000)]})
    version = add_parts(lambda: iter([table]))
    monkeypatch.setattr(DataVersion, "table", lambda self, names: pytest.fail("whole columns were read"))
    rows = np.array([999, 0, 3, 3, 998])
    taken = version.take(["w", "x"], rows)
    assert taken["x"].tolist() == (rows + 0.5).tolist() and taken["w"] == [f"w{row % 9}" for row in rows]
    assert version.take(["w"], np.zeros(0, dtype=np.int64)) == {"w": []}
    with pytest.raises(IndexError):
        version.take(["x"], np.array([1000]))


def test_sketches_are_exact_when_small_and_close_when_large() -> None:
    generator = np.random.default_rng(0)
    keys = generator.integers(0, 2**63, 200_000).astype(np.uint64)
    sample = DistinctSample(max_keys=4096)
    for _ in range(2):
        for part in np.array_split(keys, 7):
            sample.add(part)
    assert abs(sample.distinct / 200_000 - 1) < 0.06 and sample.share == 0.5
    small = DistinctSample()
    small.add(np.array([1, 2, 2, 3], dtype=np.uint64))
    assert small.distinct == 3 and small.share == 0.75
    labels = LabelCounts(max_labels=100)
    for start in range(0, 5000, 50):
        labels.add({"often": 10, **{f"rare {start + number}": 1 for number in range(50)}})
    assert labels.top(1) == [("often", 1000)] and not labels.exact and len(labels) <= 250


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(1, 400), min_size=1, max_size=12), st.integers(1, 100))
def test_a_sample_of_rows_is_the_same_for_any_parts(counts: list[int], most: int) -> None:
    rows = np.arange(sum(counts))

    def sampled(parts: list[int]) -> list[int]:
        sample, kept, first = RowSample(most), np.zeros(0, dtype=np.int64), 0
        for count in parts:
            old, new = sample.add(first, count)
            kept = np.concatenate([kept[old], rows[first : first + count][new]])
            first += count
        return [int(row) for row in kept]

    assert sampled(counts) == sampled([sum(counts)]) and len(sampled(counts)) <= most


def test_the_profile_tells_quantiles_and_labels(add_parts) -> None:  # type: ignore[no-untyped-def]
    table = pa.table({"x": np.arange(101, dtype=np.float64) / 2, "w": ["a", "b", "a"] * 33 + ["b", None]})
    columns = add_parts(lambda: cut(table, [10, 50])).profile["columns"]
    assert columns["x"]["median"] == 25.0 and columns["x"]["p5"] == 2.5 and columns["x"]["mean"] == 25.0
    assert columns["w"] == {"kind": "category", "missing": 1, "distinct": 2, "top": [["a", 66], ["b", 34]]}
