"""Text tables: without a header, between blanks, packed, with counts above, with quotes that are only marks, and in parts."""

from __future__ import annotations

import gzip
import tracemalloc
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from salus.core.errors import SalusError
from salus.core.specs import DataSpec
from salus.data.sources import csv_parts, csv_table, read_data
from salus.data.sources.base import Read, Source
from salus.data.sources.csv_table import CsvTable
from salus.data.sources.told import told
from salus.testing.source import SourceContract


def read(folder: Path, content: str | bytes, name: str = "t.csv", **options: object) -> Read:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return read_data(path, DataSpec.model_validate(options))


def refused(folder: Path, content: str | bytes, name: str = "t.csv", **options: object) -> SalusError:
    with pytest.raises(SalusError) as caught:
        read(folder, content, name, **options).table  # noqa: B018
    return caught.value


class TestBlanks(SourceContract):
    def source(self) -> Source:
        return CsvTable()

    def good(self, folder: Path) -> Path:
        (folder / "table.txt").write_text("Chins  Situps Jumps\n 5 162   60\n 2 110 60\n")
        return folder / "table.txt"

    def foreign(self, folder: Path) -> Path:
        (folder / "table.json").write_text("{}")
        return folder / "table.json"

    def test_runs_of_blanks_divide(self, tmp_path: Path) -> None:
        found = CsvTable().read(self.good(tmp_path), DataSpec())
        assert found.table.to_pylist()[0] == {"Chins": 5, "Situps": 162, "Jumps": 60}
        assert found.facts["delimiter"] == "white space"


def test_without_a_header_columns_are_numbered(tmp_path: Path) -> None:
    found = read(tmp_path, "6,148,x\n1,85,y\n", header=False)
    assert found.table.to_pylist() == [{"c0": 6, "c1": 148, "c2": "x"}, {"c0": 1, "c1": 85, "c2": "y"}]
    blanks = read(tmp_path, "   1.0e+00  -1.5 3\n   2.0e+00  -2.5 4\n", "t.txt", header=False)
    assert blanks.table.to_pylist()[0] == {"c0": 1.0, "c1": -1.5, "c2": 3}


def test_a_header_of_numbers_is_pointed_at(tmp_path: Path) -> None:
    assert [one.code for one in told(read(tmp_path, "6,148\n1,85\n").facts)] == ["first_line_is_numbers"]
    assert not told(read(tmp_path, "6,148\n1,85\n", header=False).facts)
    error = refused(tmp_path, "1,1\n1,85\n")
    assert error.code == "header_is_a_row" and "--no-header" in error.remedy()


def test_counts_and_class_names_in_the_first_line(tmp_path: Path) -> None:
    found = read(tmp_path, "3,2,malignant,benign\n1.5,2.5,0\n2.5,3.5,1\n4.5,1.5,1\n")
    assert found.table.column_names == ["c0", "c1", "c2"] and found.table.num_rows == 3
    assert found.kinds == {"c2": "category"} and found.table.column("c2").to_pylist() == ["0", "1", "1"]
    assert found.facts["classes"] == {"0": "malignant", "1": "benign"}
    assert refused(tmp_path, "3,2,malignant,benign\n1.5,2.5\n2.5,3.5\n").code == "ragged_row"


@pytest.mark.parametrize("delimiter", ["^", ":", "~"])
def test_any_one_character_divides_when_it_is_named(tmp_path: Path, delimiter: str) -> None:
    found = read(tmp_path, f"a{delimiter}b\n1{delimiter}2\n", delimiter=delimiter)
    assert found.table.to_pylist() == [{"a": 1, "b": 2}] and found.facts["delimiter"] == delimiter


@pytest.mark.parametrize("name", ["tab", "\\t"])
def test_a_tab_can_be_spelled(tmp_path: Path, name: str) -> None:
    assert read(tmp_path, "a,b\tc\n1,5\t2\n", delimiter=name).table.column_names == ["a,b", "c"]


def test_prose_is_not_divided_at_its_blanks(tmp_path: Path) -> None:
    assert read(tmp_path, "full name\nJohn Smith\nMary Jane\n").table.column_names == ["full name"]


def test_quotes_that_are_only_marks_stay_in_the_text(tmp_path: Path) -> None:
    found = read(tmp_path, 'label\ttext\n0\t"Why?" he said.\n1\tno\n', "t.tsv")
    assert found.table.column("text").to_pylist() == ['"Why?" he said.', "no"] and "quotes" in found.facts
    quoted = read(tmp_path, 'label\ttext\n0\t"a\tb ""c"""\n', "t.tsv")
    assert quoted.table.column("text").to_pylist() == ['a\tb "c"']


def test_texts_that_mean_missing_can_be_named(tmp_path: Path) -> None:
    assert read(tmp_path, "a,b\n-9,x\n3,?\n", missing=("-9",)).table.to_pylist() == [
        {"a": None, "b": "x"},
        {"a": 3, "b": None},
    ]


def test_packed_text_is_read_as_it_is(tmp_path: Path) -> None:
    found = read(tmp_path, gzip.compress(b"a;b\n1;2\n"), "t.csv.gz")
    assert found.table.to_pylist() == [{"a": 1, "b": 2}]
    assert refused(tmp_path, gzip.compress(b"a;b\n1;2\n" * 99)[:-9], "t.csv.gz").code == "archive_malformed"


def test_a_packed_bomb_is_refused_in_little_memory(tmp_path: Path) -> None:
    with gzip.open(tmp_path / "t.csv.gz", "wb", compresslevel=6) as file:
        for _ in range(90):
            file.write(b"1,2\n" * 2**18)
    tracemalloc.start()
    with pytest.raises(SalusError) as caught:
        read_data(tmp_path / "t.csv.gz", DataSpec(header=False))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert caught.value.code == "archive_too_large" and peak < 160 * 2**20


@pytest.mark.parametrize(
    ("content", "code", "where"),
    [
        ('a,b\n1,2\n"x,3\n4,5\n', "quote_unclosed", "line 3"),
        ('a,b\n1,2\n3,"x\n', "quote_unclosed", "line 3"),
        ('"a,b\n1,2\n', "quote_unclosed", "line 1"),
        (b"a,b\n1,2\n" + b"x" * 2**21, "line_too_long", "line 3"),
        (b"a\n" + b"ok\n" * 400_000 + b"\xff\n", "csv_malformed", "line 400002"),
        (b"a\n" + b"ok\n" * 400_000 + b"\0\n", "csv_malformed", "line 400002"),
        (b"\xef\xbb\xbf", "no_rows", "t.csv"),
    ],
)
def test_faults_are_named_with_their_line(tmp_path: Path, content: str | bytes, code: str, where: str) -> None:
    error = refused(tmp_path, content)
    assert error.code == code and where in error.detail()


def test_an_unknown_encoding_and_a_wrong_one(tmp_path: Path) -> None:
    for encoding in ("klingon", "rot13", "base64", "undefined"):
        assert refused(tmp_path, "a\nx\n", encoding=encoding).code == "csv_malformed"
    assert refused(tmp_path, "a,b\nü,2\n".encode(), encoding="ascii").code == "csv_malformed"
    assert read(tmp_path, "a,b\nü,2\n".encode("utf-16-le"), encoding="utf-16-le").table.column("a").to_pylist() == ["ü"]


def test_a_line_without_end_is_refused_after_its_first_blocks(tmp_path: Path) -> None:
    with (tmp_path / "t.csv").open("wb") as file:
        file.write(b"a,b\n1,2\n")
        file.truncate(2**30)  # a GiB of NUL bytes that no disk has to hold
    assert refused_at(tmp_path / "t.csv").code == "csv_malformed"


def refused_at(path: Path) -> SalusError:
    with pytest.raises(SalusError) as caught:
        read_data(path, DataSpec())
    return caught.value


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_table, "IN_MEMORY_BYTES", 64)
    monkeypatch.setattr(csv_parts, "BLOCK_BYTES", 4096)


LARGE = "id,size,late,flag,text,none\n" + "".join(
    f"{row},{row / 7:.3f},{row if row < 900 else 'x'},{'true' if row % 2 else 'False'},note {row},\n"
    for row in range(1000)
)


@pytest.mark.usefixtures("small_parts")
def test_large_tables_come_in_parts_of_one_schema(tmp_path: Path) -> None:
    found = read(tmp_path, LARGE)
    parts = list(found.parts())
    assert len(parts) > 3 and len({str(part.schema) for part in parts}) == 1
    types = {field.name: str(field.type) for field in parts[0].schema}
    assert types == {
        "id": "int64",
        "size": "double",
        "late": "string",
        "flag": "bool",
        "text": "string",
        "none": "null",
    }
    assert found.table.column("id").to_pylist() == list(range(1000))
    assert found.table.equals(found.table)


@pytest.mark.usefixtures("small_parts")
@pytest.mark.parametrize(
    ("content", "code", "where"),
    [
        (LARGE + "1,2\n", "ragged_row", "line 1002"),
        (LARGE + "7,1,x,true,\0,\n", "csv_malformed", "line 1002"),
        (LARGE + '7,1,x,true,"open,\n', "quote_unclosed", "line 1002"),
    ],
)
def test_faults_of_large_tables_are_named(tmp_path: Path, content: str, code: str, where: str) -> None:
    error = refused(tmp_path, content)
    assert error.code == code and where in error.detail()


@pytest.mark.usefixtures("small_parts")
def test_large_tables_know_commas_codes_and_empty_fields(tmp_path: Path) -> None:
    rows = "".join(f"{row},{row % 10};0{row};{row};\n" for row in range(500))
    found = read(tmp_path, "heat;code;n\n" + rows, kinds={"code": "category"})
    assert found.facts["decimal"] == ","
    assert found.table.slice(36, 1).to_pylist() == [{"heat": 36.6, "code": "036", "n": 36}]
    assert refused(tmp_path, "heat;code;n\n" + rows + "1;2;3;4\n").code == "ragged_row"


cells = st.one_of(
    st.integers(-(2**40), 2**40).map(str),
    st.floats(allow_nan=False, allow_infinity=False, width=32).map(repr),
    st.text(st.characters(codec="utf-8", exclude_characters='\0\r\n"', exclude_categories=["Cs"]), max_size=8),
    st.sampled_from(["", "NA", "true", "False", "007", "1,5", "2020-01-01"]),
)


@settings(max_examples=60, deadline=None)
@given(
    rows=st.lists(st.tuples(cells, cells, cells), min_size=1, max_size=30), mark=st.sampled_from([",", ";", "|", "\t"])
)
def test_parts_are_what_memory_would_hold(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, ...]], mark: str
) -> None:
    folder = tmp_path_factory.mktemp("parts")
    quoted = (mark.join('"' + cell + '"' if mark in cell else cell for cell in row) for row in rows)
    content = mark.join(("first", "second", "third")) + "\n" + "\n".join(quoted) + "\n"
    try:
        whole: pa.Table | str = read(folder, content, delimiter=mark).table
    except SalusError as error:
        whole = error.code
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(csv_table, "IN_MEMORY_BYTES", 8)
        try:
            parts: pa.Table | str = read(folder, content, delimiter=mark).table
        except SalusError as error:
            parts = error.code
    if isinstance(whole, str) or isinstance(parts, str):
        assert whole == parts
    else:
        assert parts.to_pylist() == whole.to_pylist()
