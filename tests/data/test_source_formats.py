"""JSON lines, Arrow, ARFF, Orange's .tab, IDX and .ts: what they give, and what is wrong with broken ones."""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import struct
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.ipc as ipc
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as Pillow

from salus.core.errors import SalusError
from salus.core.specs import DataSpec
from salus.data.sources import read_data
from salus.data.sources.arff import Arff
from salus.data.sources.arrow_file import ArrowFile
from salus.data.sources.base import Read, Source
from salus.data.sources.idx_pictures import IdxPictures
from salus.data.sources.json_lines import JsonLines
from salus.data.sources.orange_tab import OrangeTab
from salus.data.sources.ts_series import TsSeries
from salus.testing.source import SourceContract

TS = "@problemName Moves\n@classLabel true run rest\n@data\n1,2,3:4,5,6:run\n1,?:0,0:rest\n"
ARFF = """% a comment
@relation 'some thing'
@attribute 'long name' numeric
@ATTRIBUTE kind {a, 'b c', "d"}
@attribute note string
@data
1.5, a, 'it\\'s, so'
?, 'b c', ?

3e2,d,plain
"""
TAB = "age\tsex\tpain\tname\till\nc\td\tnone some\\ pain\tstring\td\n\t\t\tmeta\tclass\n63\t1\tsome pain\tAnn\t0\n?\t2\tnone\tBob\t1\n"


def read(folder: Path, content: str | bytes, name: str, **options: object) -> Read:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return read_data(path, DataSpec.model_validate(options))


def refused(folder: Path, content: str | bytes, name: str, **options: object) -> SalusError:
    with pytest.raises(SalusError) as caught:
        read(folder, content, name, **options).table  # noqa: B018
    return caught.value


def idx(values: np.ndarray) -> bytes:
    return struct.pack(f">HBB{values.ndim}I", 0, 8, values.ndim, *values.shape) + values.tobytes()


class Foreign(SourceContract):
    def foreign(self, folder: Path) -> Path:
        (folder / "notes.docx").write_bytes(b"PK")
        return folder / "notes.docx"


class TestJsonLines(Foreign):
    def source(self) -> Source:
        return JsonLines()

    def good(self, folder: Path) -> Path:
        (folder / "rows.jsonl").write_text('{"a": 1, "b": "x"}\n{"b": null, "c": [1, 2.5]}\n')
        return folder / "rows.jsonl"


class TestArrow(Foreign):
    def source(self) -> Source:
        return ArrowFile()

    def good(self, folder: Path) -> Path:
        table = pa.table({"a": [1, 2], "trace": [[1.0], [2.0, 3.0]]})
        with ipc.new_file(str(folder / "rows.arrow"), table.schema) as file:
            file.write_table(table)
        return folder / "rows.arrow"


class TestArff(Foreign):
    def source(self) -> Source:
        return Arff()

    def good(self, folder: Path) -> Path:
        (folder / "rows.arff").write_text(ARFF)
        return folder / "rows.arff"


class TestOrange(Foreign):
    def source(self) -> Source:
        return OrangeTab()

    def good(self, folder: Path) -> Path:
        (folder / "rows.tab").write_text(TAB)
        return folder / "rows.tab"


class TestTs(Foreign):
    def source(self) -> Source:
        return TsSeries()

    def good(self, folder: Path) -> Path:
        (folder / "rows.ts").write_text(TS.replace("?", "7"))  # not-a-number equals nothing
        return folder / "rows.ts"


class TestIdx(Foreign):
    def source(self) -> Source:
        return IdxPictures()

    def good(self, folder: Path) -> Path:
        for side, count in (("train", 3), ("t10k", 2)):
            pictures = np.arange(count * 20, dtype=np.uint8).reshape(count, 4, 5)
            (folder / f"{side}-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(pictures)))
            (folder / f"{side}-labels-idx1-ubyte").write_bytes(idx(np.arange(count, dtype=np.uint8)))
        return folder

    def test_pictures_keep_their_values(self, tmp_path: Path) -> None:
        found = read_data(self.good(tmp_path), DataSpec())
        assert found.table.column("split").to_pylist() == ["train"] * 3 + ["test"] * 2
        assert found.table.column("label").to_pylist() == ["0", "1", "2", "0", "1"]
        assert found.kinds == {"image": "image", "label": "category"}
        with Pillow.open(io.BytesIO(found.table.column("image")[1].as_py())) as picture:
            assert np.asarray(picture).tolist() == np.arange(20, 40).reshape(4, 5).tolist()

    def test_one_side_is_no_split(self, tmp_path: Path) -> None:
        (tmp_path / "train-images-idx3-ubyte").write_bytes(idx(np.zeros((2, 3, 3), np.uint8)))
        (tmp_path / "train-labels-idx1-ubyte").write_bytes(idx(np.zeros(2, np.uint8)))
        assert read_data(tmp_path, DataSpec()).table.column_names == ["image", "label"]

    @pytest.mark.parametrize(
        ("content", "code"),
        [
            (struct.pack(">HBBIII", 0, 8, 3, 2**31, 2**15, 2**15), "format_malformed"),
            (struct.pack(">HBBIII", 0, 13, 3, 1, 1, 1) + b"1234", "format_malformed"),
            (idx(np.zeros((3, 2, 2), np.uint8))[:-1], "format_malformed"),
            (idx(np.zeros((0, 2, 2), np.uint8)), "no_rows"),
            (b"\0\0", "format_malformed"),
        ],
    )
    def test_heads_that_lie_are_refused(self, tmp_path: Path, content: bytes, code: str) -> None:
        (tmp_path / "train-images-idx3-ubyte").write_bytes(content)
        with pytest.raises(SalusError) as caught:
            read_data(tmp_path, DataSpec()).table  # noqa: B018
        assert caught.value.code == code

    def test_labels_must_be_there_and_as_many(self, tmp_path: Path) -> None:
        self.good(tmp_path)
        (tmp_path / "train-labels-idx1-ubyte").write_bytes(idx(np.zeros(2, np.uint8)))
        with pytest.raises(SalusError, match="3 labels"):
            read_data(tmp_path, DataSpec())
        (tmp_path / "train-labels-idx1-ubyte").unlink()
        with pytest.raises(SalusError) as caught:
            read_data(tmp_path, DataSpec())
        assert caught.value.code == "file_missing"


def test_json_lines_get_one_type_a_column(tmp_path: Path) -> None:
    rows = [
        {"whole": 1, "real": 1, "mixed": 1, "yes": True, "trace": [1, None], "lines": ["a", "b"], "huge": 2**70},
        {"whole": 2, "real": 0.5, "mixed": "x", "yes": False, "trace": [], "lines": ["c"], "late": "-"},
    ]
    found = read(tmp_path, "\n".join(map(json.dumps, rows)), "t.jsonl", missing=("-",))
    types = {field.name: str(field.type) for field in found.table.schema}
    assert types == {
        "whole": "int64",
        "real": "double",
        "mixed": "string",
        "yes": "bool",
        "trace": "list<item: double>",
        "lines": "large_string",
        "huge": "double",
        "late": "null",
    }
    assert found.table.column("lines").to_pylist() == ["a\u2029b", "c"] and found.facts["lists_as_paragraphs"] == [
        "lines"
    ]
    assert found.table.column("mixed").to_pylist() == ["1", "x"]
    packed = gzip.compress("\n".join(map(json.dumps, rows)).encode())
    assert read(tmp_path, packed, "p.ndjson.gz").table.num_rows == 2


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ('{"a": 1', "format_malformed"),
        ("[1, 2]", "format_malformed"),
        ('{"a": 1, "a": 2}', "format_malformed"),
        ('{"a": {"b": 1}}', "format_malformed"),
        ('{"a": [[1], [2]]}', "format_malformed"),
        ('{"a": "\\ud800"}', "format_malformed"),
        ('{"a": ' + "[" * 100_000, "format_malformed"),
        ('{"a": ' + "9" * 5000 + "}", "format_malformed"),
        ('{"": 1}', "duplicate_column"),
        ("{" + ",".join(f'"c{index}": 1' for index in range(10_001)) + "}", "too_many_columns"),
    ],
)
def test_bad_json_lines_are_named(tmp_path: Path, line: str, code: str) -> None:
    error = refused(tmp_path, '{"ok": 1}\n' + line + "\n", "t.jsonl")
    assert error.code == code
    assert code != "format_malformed" or "line 2" in error.detail()


def test_integers_that_no_float_holds_are_infinite(tmp_path: Path) -> None:
    huge = "1" + "0" * 400
    found = read(tmp_path, f'{{"a": {huge}, "b": [1, -{huge}]}}\n', "t.jsonl")
    assert found.table.to_pylist() == [{"a": float("inf"), "b": [1.0, float("-inf")]}]


def test_json_lines_without_a_row(tmp_path: Path) -> None:
    assert refused(tmp_path, "\n\n", "t.jsonl").code == "no_rows"
    assert refused(tmp_path, '{"a": 1}\n{"a": [1]}\n', "t.jsonl").code == "format_malformed"


@settings(max_examples=60, deadline=None)
@given(text=st.text(max_size=60))
def test_json_lines_never_fail_otherwise(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    folder = tmp_path_factory.mktemp("lines")
    try:
        assert read(folder, text.encode(errors="surrogatepass"), "t.jsonl").table.num_rows
    except SalusError as error:
        assert error.code in ("no_rows", "format_malformed", "csv_malformed", "duplicate_column")


def test_arrow_streams_and_class_names(tmp_path: Path) -> None:
    features = {"label": {"names": ["no", "yes"], "_type": "ClassLabel"}}
    metadata = {b"huggingface": json.dumps({"info": {"features": features}}).encode()}
    table = pa.table({"label": [1, 0, -1, None], "x": [1.0, 2.0, 3.0, 4.0]}).replace_schema_metadata(metadata)
    with ipc.new_stream(str(tmp_path / "s.arrow"), table.schema) as file:
        file.write_table(table, max_chunksize=2)
    found = read_data(tmp_path / "s.arrow", DataSpec())
    assert found.table.column("label").to_pylist() == ["yes", "no", None, None]
    assert found.kinds == {"label": "category"} and found.table.num_rows == 4


@pytest.mark.parametrize("name", ["t.arrow", "t.parquet"])
def test_a_dictionary_that_says_much_in_little_comes_in_parts(tmp_path: Path, name: str) -> None:
    """Six gigabytes of text in some hundred kilobytes of file."""
    codes = pa.array(np.zeros(60_000, dtype=np.int32))
    table = pa.table({"a": pa.DictionaryArray.from_arrays(codes, pa.array(["x" * 100_000]))})
    if name == "t.arrow":
        with ipc.new_file(str(tmp_path / name), table.schema) as file:
            file.write_table(table)
    else:
        pq.write_table(table, tmp_path / name)
    assert (tmp_path / name).stat().st_size < 2**20
    parts = read_data(tmp_path / name, DataSpec()).parts()
    assert 0 < next(parts).nbytes < 2**28


@pytest.mark.parametrize("content", [b"", b"ARROW1", b"FEA1" * 9, b"\x80\x04pickle" * 10, b"ARROW1\0\0" + b"\xff" * 99])
def test_arrow_that_is_none_is_refused(tmp_path: Path, content: bytes) -> None:
    assert refused(tmp_path, content, "t.arrow").code == "format_malformed"


@settings(max_examples=40, deadline=None)
@given(place=st.integers(0, 2000), value=st.integers(0, 255))
def test_broken_arrow_is_an_error_of_ours(tmp_path_factory: pytest.TempPathFactory, place: int, value: int) -> None:
    folder = tmp_path_factory.mktemp("arrow")
    table = pa.table({"a": [1, 2], "b": ["x", "y"]})
    with ipc.new_file(str(folder / "t.arrow"), table.schema) as file:
        file.write_table(table)
    content = bytearray((folder / "t.arrow").read_bytes())
    content[place % len(content)] = value
    (folder / "t.arrow").write_bytes(content)
    try:
        read_data(folder / "t.arrow", DataSpec()).table  # noqa: B018
    except SalusError as error:
        assert error.code in ("format_malformed", "no_rows", "duplicate_column", "parquet_malformed")


def test_arff_types_quotes_and_missing_values(tmp_path: Path) -> None:
    found = read(tmp_path, ARFF, "t.arff")
    assert found.table.to_pylist() == [
        {"long name": 1.5, "kind": "a", "note": "it's, so"},
        {"long name": None, "kind": "b c", "note": None},
        {"long name": 300.0, "kind": "d", "note": "plain"},
    ]
    assert found.kinds == {"long name": "number", "kind": "category"}


def test_sparse_arff_is_filled(tmp_path: Path) -> None:
    head = "@relation r\n@attribute a real\n@attribute b {no,yes}\n@attribute c string\n@data\n"
    found = read(tmp_path, head + "{0 2.5, 2 'x, y'}\n{1 yes}\n{ }\n{0 ?}\n", "t.arff")
    assert [list(row.values()) for row in found.table.to_pylist()] == [
        [2.5, "no", "x, y"],
        [0.0, "yes", ""],
        [0.0, "no", ""],
        [None, "no", ""],
    ]


@pytest.mark.parametrize(
    ("rows", "code"),
    [
        ("1,a", "ragged_row"),
        ("x,a,t", "format_malformed"),
        ("1,z,t", "format_malformed"),
        ("1,a,'open", "format_malformed"),
        ("{7 1}", "format_malformed"),
        ("{0 1", "format_malformed"),
        ("{" + "1" * 5000 + " 2}", "format_malformed"),
        ("", "no_rows"),
    ],
)
def test_bad_arff_is_named(tmp_path: Path, rows: str, code: str) -> None:
    head = "@relation r\n@attribute a real\n@attribute b {a,b}\n@attribute c string\n@data\n"
    error = refused(tmp_path, head + rows + "\n", "t.arff")
    assert error.code == code
    assert code == "no_rows" or "line 6" in error.detail()


@pytest.mark.parametrize(
    "head",
    [
        "",
        "@relation r\n@data\n1\n",
        "@attribute a relational\n",
        "@attribute a\n@data\n",
        "@attribute " + "{" * 900_000,  # half an hour, were every brace tried with all behind it
        "@attribute a" + "{" * 900_000,
    ],
)
def test_arff_without_attributes_is_none(tmp_path: Path, head: str) -> None:
    assert refused(tmp_path, head, "t.arff").code == "format_malformed"


def test_orange_tells_kinds_and_target(tmp_path: Path) -> None:
    found = read(tmp_path, TAB, "t.tab")
    assert found.facts["target"] == "ill" and found.facts["meta"] == ["name"]
    assert found.kinds == {"age": "number", "sex": "category", "pain": "category", "ill": "category"}
    assert found.table.to_pylist()[0] == {"age": 63, "sex": "1", "pain": "some pain", "name": "Ann", "ill": "0"}
    assert found.table.column("age").to_pylist() == [63, None]


def test_another_tab_file_is_a_text_table(tmp_path: Path) -> None:
    assert read(tmp_path, "a\tb\n1\tx\n2\ty\n3\tz\n", "t.tab").table.num_rows == 3


def test_series_keep_their_channels(tmp_path: Path) -> None:
    found = read(tmp_path, TS, "t.ts")
    assert found.table.column("dim_1").to_pylist() == [[4.0, 5.0, 6.0], [0.0, 0.0]]
    assert np.isnan(found.table.column("dim_0").to_pylist()[1][1])
    assert found.kinds == {"dim_0": "series", "dim_1": "series", "label": "category"}
    number = read(tmp_path, "@targetlabel true\n@data\n1,2:0.5\n", "n.ts")
    assert number.table.to_pylist() == [{"dim_0": [1.0, 2.0], "target": 0.5}]


def test_series_of_two_sides(tmp_path: Path) -> None:
    for side in ("TRAIN", "TEST"):
        (tmp_path / f"Moves_{side}.ts").write_text(TS)
    assert read_data(tmp_path, DataSpec()).table.column("split").to_pylist() == ["train"] * 2 + ["test"] * 2


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (TS + "1,2:rest\n", "ragged_row"),
        (TS + "1,x:1,2:rest\n", "format_malformed"),
        (TS + "1,2:1,2:swim\n", "format_malformed"),
        ("@timeStamps true\n@data\n(1,2):a\n", "format_malformed"),
        ("@problemName x\n", "format_malformed"),
        ("@classLabel true a\n@data\n", "no_rows"),
    ],
)
def test_bad_series_are_named(tmp_path: Path, content: str, code: str) -> None:
    assert refused(tmp_path, content, "t.ts").code == code


@settings(max_examples=120, deadline=None)
@given(
    name=st.sampled_from(["t.arff", "t.ts", "t.tab"]),
    changes=st.lists(
        st.tuples(
            st.integers(0, 200), st.integers(0, 4), st.sampled_from([*"\"'{}?,:%\t\n\r@\0", "@data", "1e999", "nan"])
        ),
        max_size=4,
    ),
)
def test_broken_text_formats_end_in_rows_or_an_error_of_ours(
    tmp_path_factory: pytest.TempPathFactory, name: str, changes: list[tuple[int, int, str]]
) -> None:
    content = {"t.arff": ARFF, "t.ts": TS, "t.tab": TAB}[name]
    for place, removed, added in changes:
        place %= len(content) + 1
        content = content[:place] + added + content[place + removed :]
    with contextlib.suppress(SalusError):
        assert read(tmp_path_factory.mktemp("broken"), content, name).table.num_rows
