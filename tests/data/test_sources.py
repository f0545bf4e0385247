"""The sources, through their contract and with the bad files that people have."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.data.test_kinds import picture

from salus.core.errors import SalusError
from salus.core.specs import DataSpec
from salus.data.sources import source_for
from salus.data.sources.base import Source
from salus.data.sources.bundled import Bundled
from salus.data.sources.class_folders import ClassFolders
from salus.data.sources.csv_table import CsvTable
from salus.data.sources.parquet import Parquet
from salus.data.sources.splits_folder import SplitsFolder
from salus.testing.source import SourceContract

CSV = "age;sex;ill\n31;f;no\n44;m;yes\n"


class TestCsv(SourceContract):
    def source(self) -> Source:
        return CsvTable()

    def good(self, folder: Path) -> Path:
        (folder / "table.csv").write_text(CSV)
        return folder / "table.csv"

    def foreign(self, folder: Path) -> Path:
        (folder / "table.parquet").write_bytes(b"PAR1")
        return folder / "table.parquet"


class TestParquet(SourceContract):
    def source(self) -> Source:
        return Parquet()

    def good(self, folder: Path) -> Path:
        pq.write_table(pa.table({"a": [1, 2], "trace": [[1.0], [2.0, 3.0]]}), folder / "rows.parquet")
        return folder / "rows.parquet"

    def foreign(self, folder: Path) -> Path:
        return TestCsv().good(folder)


class TestSplits(SourceContract):
    def source(self) -> Source:
        return SplitsFolder()

    def good(self, folder: Path) -> Path:
        (folder / "train.csv").write_text("a,b\n1,x\n2,y\n")
        (folder / "test.csv").write_text("b,a\nx,3\n")
        return folder

    def foreign(self, folder: Path) -> Path:
        (folder / "train.csv").write_text("a,b\n1,x\n")
        return folder

    def test_sides_become_a_column(self, tmp_path: Path) -> None:
        table = SplitsFolder().read(self.good(tmp_path), DataSpec()).table
        assert table.column("split").to_pylist() == ["train", "train", "test"]
        assert table.column("a").to_pylist() == [1, 2, 3]


class TestClassFolders(SourceContract):
    def source(self) -> Source:
        return ClassFolders()

    def good(self, folder: Path) -> Path:
        for side in ("Training", "Testing"):
            for label in ("cat", "dog"):
                (folder / side / label).mkdir(parents=True)
                (folder / side / label / "1.png").write_bytes(picture())
        return folder

    def foreign(self, folder: Path) -> Path:
        (folder / "notes").mkdir()
        (folder / "notes" / "a.txt").write_text("no picture")
        return folder

    def test_folders_name_classes_and_sides(self, tmp_path: Path) -> None:
        table = ClassFolders().read(self.good(tmp_path), DataSpec()).table
        assert set(table.column("label").to_pylist()) == {"cat", "dog"}
        assert set(table.column("split").to_pylist()) == {"train", "test"}


class TestBundled(SourceContract):
    def source(self) -> Source:
        return Bundled()

    def good(self, folder: Path) -> Path:
        return Path("sklearn:iris")

    def foreign(self, folder: Path) -> Path:
        return folder


def read_csv(folder: Path, content: str | bytes, **options: str) -> pa.Table:
    path = folder / "t.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return source_for(path).read(path, DataSpec(**options)).table


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found(tmp_path: Path, delimiter: str) -> None:
    table = read_csv(tmp_path, CSV.replace(";", delimiter))
    assert table.column_names == ["age", "sex", "ill"] and table.num_rows == 2


def test_marks_and_line_ends_of_other_systems(tmp_path: Path) -> None:
    assert read_csv(tmp_path, "\ufeff" + CSV).column_names[0] == "age"
    assert read_csv(tmp_path, CSV.replace("\n", "\r\n")).num_rows == 2
    assert read_csv(tmp_path, CSV.replace("\n", "\r")).num_rows == 2
    assert read_csv(tmp_path, CSV.encode("utf-16")).num_rows == 2
    assert read_csv(tmp_path, "a;b\nü;1\n".encode("latin-1"), encoding="latin-1").column("a").to_pylist() == ["ü"]


def test_a_nameless_field_at_every_end_is_left_out(tmp_path: Path) -> None:
    assert read_csv(tmp_path, "a,b\n1,2,\n3,4,\n").column_names == ["a", "b"]


@pytest.mark.parametrize(
    ("content", "code", "where"),
    [
        ("", "no_rows", "t.csv"),
        ("a,b\n", "no_rows", "t.csv"),
        ("a,b\n1,2\n3\n", "ragged_row", "line 3"),
        ("a,b\n1,2\n3,4,5\n", "ragged_row", "line 3"),
        ("a,a\n1,2\n", "duplicate_column", "t.csv"),
        ("a,,b\n1,2,3\n", "duplicate_column", "t.csv"),
        (b"a,b\n1,2\n\xff\xe4,3\n", "csv_malformed", "line 3"),
        (b"a,b\n1,\x002\n", "csv_malformed", "line 2"),
        ("a,b\n1,2\n\n\n3\n", "ragged_row", "line 5"),
        ('a,b\n"x\ny",2\n3\n', "ragged_row", "line 4"),
        ("\n\na,b\n1,2\n3\n", "ragged_row", "line 5"),
        ("a,b\n1,2,\n3,4,5\n", "ragged_row", "line 3"),
        ("a,b,\n1,2,7\n", "duplicate_column", "t.csv"),
        (",".join(f"c{i}" for i in range(100_000)) + "\n", "too_many_columns", "t.csv"),
        ("a" * 2_000_000 + "\n1\n", "line_too_long", "line 1"),
    ],
)
def test_bad_tables_are_named_with_their_line(tmp_path: Path, content: str | bytes, code: str, where: str) -> None:
    with pytest.raises(SalusError) as caught:
        read_csv(tmp_path, content)
    assert caught.value.code == code and where in caught.value.detail()


def test_parquet_that_is_none_is_refused(tmp_path: Path) -> None:
    for content in (b"", b"PAR1", b"\x80\x04pickle" * 10):
        (tmp_path / "x.parquet").write_bytes(content)
        with pytest.raises(SalusError) as caught:
            source_for(tmp_path / "x.parquet").read(tmp_path / "x.parquet", DataSpec())
        assert caught.value.code == "parquet_malformed"


def test_parquet_in_the_hugging_face_layout(tmp_path: Path) -> None:
    pictures = pa.array([{"bytes": picture(), "path": "a.png"}] * 2)
    pq.write_table(
        pa.table({"image": pictures, "label": pa.array(["a", "b"]).dictionary_encode()}), tmp_path / "x.parquet"
    )
    table = source_for(tmp_path / "x.parquet").read(tmp_path / "x.parquet", DataSpec()).table
    assert table.column("image").to_pylist()[0] == picture()
    assert table.column("label").to_pylist() == ["a", "b"]


def test_parts_with_other_columns_are_refused(tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text("a,b\n1,x\n")
    (tmp_path / "test.csv").write_text("a,c\n1,x\n")
    with pytest.raises(SalusError) as caught:
        source_for(tmp_path).read(tmp_path, DataSpec())
    assert caught.value.code == "columns_differ"


def test_an_unknown_layout_says_what_is_known(tmp_path: Path) -> None:
    (tmp_path / "notes.docx").write_bytes(np.zeros(4).tobytes())
    with pytest.raises(SalusError) as caught:
        source_for(tmp_path / "notes.docx")
    assert caught.value.code == "unknown_layout"


def test_a_folder_that_is_no_layout_says_what_it_holds(tmp_path: Path) -> None:
    (tmp_path / "Annotations").mkdir()
    for name in ("a.xml", "b.xml"):
        (tmp_path / "Annotations" / name).write_text("<annotation/>")
    with pytest.raises(SalusError) as caught:
        source_for(tmp_path)
    assert caught.value.code == "unknown_layout" and "2 .xml" in caught.value.detail()


@pytest.mark.parametrize("name", ["cough.wav", "cat.JPG"])
def test_a_single_picture_or_sound_is_told_to_be_no_set(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"RIFF")
    with pytest.raises(SalusError) as caught:
        source_for(tmp_path / name)
    assert caught.value.code == "one_file_only" and "folders" in caught.value.remedy()


def test_empty_lines_above_the_header_are_no_rows(tmp_path: Path) -> None:
    table = read_csv(tmp_path, "\n\na,b\n1,2\n")
    assert table.column_names == ["a", "b"] and table.to_pylist() == [{"a": 1, "b": 2}]


def test_a_header_may_hold_other_delimiters_and_line_ends(tmp_path: Path) -> None:
    assert read_csv(tmp_path, "a, with, commas;b\n1;2\n").column_names == ["a, with, commas", "b"]
    assert read_csv(tmp_path, '"a\nx",b\n1,2\n').to_pylist() == [{"a\nx": 1, "b": 2}]


@pytest.mark.parametrize("delimiter", ["", ";;", "\n", '"', "ü"])
def test_a_delimiter_is_one_plain_character(tmp_path: Path, delimiter: str) -> None:
    with pytest.raises(SalusError) as caught:
        read_csv(tmp_path, CSV, delimiter=delimiter)
    assert caught.value.code == "bad_spec"


def test_decimal_commas_are_read_where_they_can_be_nothing_else(tmp_path: Path) -> None:
    table = read_csv(tmp_path, "heat;pulse;people\n36,6;70;1,200\n37,12;80;3,400\n")
    assert table.column("heat").to_pylist() == [36.6, 37.12]
    assert table.column("people").to_pylist() == ["1,200", "3,400"]


def test_labels_stay_as_they_are_written(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("zip,when,clock\n00123,2020-01-01T10:00:00,10:05\n01234,2020-01-02T10:00:00,10:10\n")
    table = CsvTable().read(path, DataSpec(kinds={"zip": "category"})).table
    assert table.to_pylist()[0] == {"zip": "00123", "when": "2020-01-01T10:00:00", "clock": "10:05"}


@pytest.mark.parametrize("names", [["a", "a"], ["a", ""]])
def test_parquet_columns_have_names_of_their_own(tmp_path: Path, names: list[str]) -> None:
    pq.write_table(pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=names), tmp_path / "x.parquet")
    with pytest.raises(SalusError) as caught:
        Parquet().read(tmp_path / "x.parquet", DataSpec())
    assert caught.value.code == "duplicate_column"


@pytest.mark.parametrize(
    "column",
    [
        pa.array([b"0123456789abcdef"], pa.uuid()),
        pa.array(["{}"], pa.json_()),
        pa.array([{"a": 1}]),
        pa.array(
            [{"bytes": None, "path": "/etc/hostname"}], pa.struct([("bytes", pa.binary()), ("path", pa.string())])
        ),
    ],
)
def test_types_that_are_no_columns_are_refused(tmp_path: Path, column: pa.Array) -> None:
    pq.write_table(pa.table({"x": column, "y": [1]}), tmp_path / "x.parquet")
    with pytest.raises(SalusError) as caught:
        Parquet().read(tmp_path / "x.parquet", DataSpec())
    assert caught.value.code == "parquet_malformed" and "'x'" in caught.value.detail()


def test_sides_without_a_test_side_are_joined(tmp_path: Path) -> None:
    for name in ("train", "val"):
        (tmp_path / f"{name}.csv").write_text("a,b\n1,x\n")
    table = source_for(tmp_path).read(tmp_path, DataSpec()).table
    assert table.num_rows == 2 and "split" not in table.column_names


def test_a_column_of_numbers_on_one_side_and_text_on_the_other_is_text(tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text("a,b\n1,x\n")
    (tmp_path / "test.csv").write_text("a,b\nq,x\n")
    assert source_for(tmp_path).read(tmp_path, DataSpec()).table.column("a").to_pylist() == ["1", "q"]
