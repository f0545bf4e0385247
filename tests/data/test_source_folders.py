"""Folders: sides, shards, tables beside pictures, and what Hugging Face's libraries write."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.ipc as ipc
import pyarrow.parquet as pq
import pytest
from tests.data.test_kinds import picture

from salus.core.errors import SalusError
from salus.core.specs import DataSpec
from salus.data.sources import read_data
from salus.data.sources.base import Read, Source
from salus.data.sources.hugging_face import HuggingFace
from salus.data.sources.metadata_folder import MetadataFolder
from salus.data.sources.splits_folder import SplitsFolder
from salus.testing.source import SourceContract


def read(path: Path, **options: object) -> Read:
    return read_data(path, DataSpec.model_validate(options))


def refused(path: Path) -> SalusError:
    with pytest.raises(SalusError) as caught:
        read(path).table  # noqa: B018
    return caught.value


class TestHuggingFace(SourceContract):
    def source(self) -> Source:
        return HuggingFace()

    def good(self, folder: Path) -> Path:
        (folder / "data").mkdir(exist_ok=True)
        (folder / "README.md").write_text("about")
        features = {"image": {"_type": "Image"}, "label": {"names": ["cat", "dog"], "_type": "ClassLabel"}}
        told = {b"huggingface": json.dumps({"info": {"features": features}}).encode()}
        for name, labels in {
            "train-00000-of-00002": [0, 1],
            "train-00001-of-00002": [1],
            "test-00000-of-00001": [0],
        }.items():
            images = pa.array([{"bytes": picture(), "path": None}] * len(labels))
            table = pa.table({"image": images, "label": labels}).replace_schema_metadata(told)
            pq.write_table(table, folder / "data" / f"{name}.parquet")
        return folder

    def foreign(self, folder: Path) -> Path:
        pq.write_table(pa.table({"a": [1]}), folder / "train.parquet")
        return folder

    def test_shards_are_joined_side_by_side(self, tmp_path: Path) -> None:
        found = read(self.good(tmp_path))
        assert found.table.column("label").to_pylist() == ["cat", "dog", "dog", "cat"]
        assert found.table.column("split").to_pylist() == ["train", "train", "train", "test"]
        assert found.kinds == {"image": "image", "label": "category"}
        assert found.table.column("image")[0].as_py() == picture()

    def test_a_shard_that_is_missing_is_named(self, tmp_path: Path) -> None:
        (self.good(tmp_path) / "data" / "train-00000-of-00002.parquet").unlink()
        error = refused(tmp_path)
        assert error.code == "file_missing" and "train-00000-of-00002" in error.detail()

    @pytest.mark.parametrize("sides", [("",), ("train", "test"), ("train",)])
    def test_what_save_to_disk_writes(self, tmp_path: Path, sides: tuple[str, ...]) -> None:
        table = pa.table({"text": ["a", "b"], "label": [1, 0]})
        features = {"label": {"names": ["no", "yes"], "_type": "ClassLabel"}, "text": {"dtype": "string"}}
        for side in sides:
            folder = tmp_path / side if side else tmp_path
            folder.mkdir(exist_ok=True)
            with ipc.new_stream(str(folder / "data-00000-of-00001.arrow"), table.schema) as file:
                file.write_table(table)
            (folder / "dataset_info.json").write_text(json.dumps({"features": features}))
            (folder / "state.json").write_text("{}")
        (tmp_path / "dataset_dict.json").write_text("{}")
        found = read(tmp_path)
        assert found.table.column("label").to_pylist() == ["yes", "no"] * len(sides)
        assert ("split" in found.table.column_names) == (len(sides) == 2)

    def test_codes_without_a_class_are_refused(self, tmp_path: Path) -> None:
        features = {"label": {"names": ["no"], "_type": "ClassLabel"}}
        told = {b"huggingface": json.dumps({"info": {"features": features}}).encode()}
        pq.write_table(pa.table({"label": [0, 1]}).replace_schema_metadata(told), tmp_path / "x.parquet")
        assert refused(tmp_path / "x.parquet").code == "format_malformed"


class TestMetadata(SourceContract):
    def source(self) -> Source:
        return MetadataFolder()

    def good(self, folder: Path) -> Path:
        (folder / "more").mkdir(exist_ok=True)
        (folder / "1.png").write_bytes(picture())
        (folder / "more" / "2.png").write_bytes(picture())
        (folder / "metadata.csv").write_text("file_name,age\n1.png,30\nmore/2.png,40\n1.png,50\n")
        return folder

    def foreign(self, folder: Path) -> Path:
        (folder / "table.csv").write_text("file_name\n1.png\n")
        return folder

    def test_pictures_take_the_place_of_their_names(self, tmp_path: Path) -> None:
        found = read(self.good(tmp_path))
        assert found.table.column_names == ["image", "age"] and found.kinds == {"image": "image"}
        assert found.table.column("age").to_pylist() == [30, 40, 50]
        assert found.table.column("image").to_pylist() == [picture()] * 3

    def test_sides_have_tables_of_their_own(self, tmp_path: Path) -> None:
        for side in ("train", "test"):
            (tmp_path / side).mkdir()
            (tmp_path / side / "007.png").write_bytes(picture())
            (tmp_path / side / "metadata.jsonl").write_text('{"file_name": "007.png", "label": "x"}\n')
        found = read(tmp_path)
        assert found.table.column("split").to_pylist() == ["train", "test"]
        assert found.facts["files"] == ["train/metadata.jsonl", "test/metadata.jsonl"]

    @pytest.mark.parametrize("name", ["none.png", "../1.png", "/etc/hostname", "link.png", ""])
    def test_names_of_other_files_are_refused(self, tmp_path: Path, name: str) -> None:
        (tmp_path / "1.png").write_bytes(picture())
        folder = tmp_path / "pictures"
        folder.mkdir()
        (folder / "1.png").write_bytes(picture())
        (folder / "link.png").symlink_to(tmp_path / "1.png")
        (folder / "metadata.csv").write_text(f"file_name,age\n1.png,30\n{name},40\n")
        assert refused(folder).code == "file_missing"

    def test_the_column_of_names_must_be_there(self, tmp_path: Path) -> None:
        (tmp_path / "metadata.csv").write_text("name,age\n1.png,30\n")
        assert refused(tmp_path).code == "no_such_column"


class TestSplitsOfOtherFormats(SourceContract):
    def source(self) -> Source:
        return SplitsFolder()

    def good(self, folder: Path) -> Path:
        (folder / "Set_TRAIN.jsonl").write_text('{"a": 1}\n{"a": 2}\n')
        (folder / "Set_TEST.jsonl").write_text('{"a": 3}\n')
        return folder

    def foreign(self, folder: Path) -> Path:
        (folder / "Set_TRAIN.jsonl").write_text('{"a": 1}\n')
        (folder / "Other_TEST.jsonl").write_text('{"a": 3}\n')
        return folder

    def test_one_name_and_its_sides(self, tmp_path: Path) -> None:
        assert read(self.good(tmp_path)).table.column("split").to_pylist() == ["train", "train", "test"]


def test_prose_under_another_name_is_the_same_column(tmp_path: Path) -> None:
    (tmp_path / "train.tsv").write_text("label\tsentence\n0\thide new secretions from the units\n")
    (tmp_path / "test.tsv").write_text("label\tcontent\n1\tno movement and not much of anything\n")
    found = read(tmp_path)
    assert found.table.column_names == ["label", "sentence", "split"]
    assert found.facts["renamed"] == {"content": "sentence"}
    (tmp_path / "test.tsv").write_text("mark\tsentence\n1\tno movement and not much of anything\n")
    assert refused(tmp_path).code == "columns_differ"


def test_validation_without_train_is_no_split(tmp_path: Path) -> None:
    for side in ("dev", "test"):
        (tmp_path / f"{side}.tsv").write_text("to title\ttext\tname\n")
    found = read(tmp_path, header=False)
    assert found.table.num_rows == 2 and found.table.column_names == ["c0", "c1", "c2"]


def test_sides_whose_types_differ_are_brought_together(tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text("a,b,c\n1,,x\n")
    (tmp_path / "test.csv").write_text("a,b,c\n1.5,7,\n")
    found = read(tmp_path)
    assert found.table.to_pylist()[1] == {"a": 1.5, "b": 7, "c": None, "split": "test"}
    assert len({str(part.schema) for part in found.parts()}) == 1


def test_what_is_written_about_the_data_is_no_table(tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text("a,b\n1,x\n")
    for name in ("README.txt", "_about.txt", "LICENSE.txt", "readme.csv"):
        (tmp_path / name).write_text("About this set\nIt has rows\n")
    assert read(tmp_path).table.num_rows == 1


def test_named_missing_values_hold_in_every_format(tmp_path: Path) -> None:
    table = pa.table({"a": [1, -9], "b": [1.5, -9.0], "c": ["x", "unknown "], "d": [[1.0], [-9.0]]})
    pq.write_table(table, tmp_path / "t.parquet")
    found = read(tmp_path / "t.parquet", missing=("-9", "unknown")).table
    assert found.to_pylist()[1] == {"a": None, "b": None, "c": None, "d": [-9.0]}
    assert read(tmp_path / "t.parquet").table.to_pylist()[1]["a"] == -9
