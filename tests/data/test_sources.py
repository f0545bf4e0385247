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
        (",".join(f"c{i}" for i in range(100_000)) + "\n", "too_many_columns", "t.csv"),
        ("a" * 2_000_000 + "\n1\n", "csv_malformed", "line 1"),
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
