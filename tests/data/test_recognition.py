"""What is recognised and found in columns: kinds, ids, groups, leaks, faults."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image as Pillow
from tests.data.test_kinds import picture

from salus.core.context import Context
from salus.core.errors import SalusError
from salus.core.nouns import Column, Role, Schema
from salus.core.specs import DataSpec
from salus.data.add import add
from salus.data.findings import find_for_training
from salus.data.split import split_rows
from salus.data.version import DataVersion


def version_of(folder: Path, table: pa.Table, **kinds: str) -> DataVersion:
    folder.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, folder / "t.parquet")
    return add(folder / "t.parquet", DataSpec(kinds=kinds), folder / "version", Context())


def kinds_of(version: DataVersion) -> dict[str, str]:
    return {column.name: column.kind for column in version.schema.columns}


def codes_of(version: DataVersion) -> dict[str, tuple[str, ...]]:
    return {finding.code: finding.columns for finding in version.findings}


def test_text_is_a_number_only_when_all_of_it_is(tmp_path: Path) -> None:
    table = pa.table(
        {
            "number": ["1", " 2.5 ", "1e3"],
            "code": ["007", "008", "009"],
            "underscores": ["12_34", "56_78", "12_34"],
            "yes": [True, False, None],
        }
    )
    version = version_of(tmp_path, table)
    assert kinds_of(version) == {"number": "number", "code": "category", "underscores": "category", "yes": "category"}
    columns = version.columns(["number", "yes"])
    assert columns["number"].tolist() == [1.0, 2.5, 1000.0] and columns["yes"] == ["true", "false", None]


def test_one_typing_mistake_among_numbers_is_found_with_its_row(tmp_path: Path) -> None:
    values = [str(number % 7) for number in range(5000)]
    values[4000] = "12o"
    version = version_of(tmp_path, pa.table({"x": values, "y": ["a", "b"] * 2500}))
    mixed = next(finding for finding in version.findings if finding.code == "mixed_types")
    assert mixed.columns == ("x",) and mixed.rows == (4000,) and mixed.parameters["expected"] == "12o"
    assert kinds_of(version)["x"] == "category"


def test_not_a_number_is_missing_and_long_integers_are_rounded(tmp_path: Path) -> None:
    version = version_of(tmp_path, pa.table({"x": [1.0, float("nan"), 3.0], "long": [2**60 + 1, 5, 6]}))
    assert codes_of(version)["missing_values"] == ("x",)
    assert version.columns(["long"])["long"][0] == float(2**60)
    assert version.profile["columns"]["x"]["mean"] == 2.0


def test_numbers_taken_as_labels_are_spelled_as_a_request_spells_them(tmp_path: Path) -> None:
    table = pa.table({"x": [1.0, 1e-7, 1e20, float("nan"), float("inf")]})
    assert version_of(tmp_path, table, x="category").columns(["x"])["x"] == ["1", "1e-07", str(10**20), None, None]


def test_an_empty_recording_is_a_missing_one(tmp_path: Path) -> None:
    version = version_of(tmp_path, pa.table({"trace": [[1, 2], [], None]}))
    traces = version.columns(["trace"])["trace"]
    assert traces[0].tolist() == [1, 2] and traces[1] is None and traces[2] is None


def test_class_folders_keep_names_that_look_like_numbers(tmp_path: Path) -> None:
    for label in ("007", "12"):
        (tmp_path / "data" / label).mkdir(parents=True)
        (tmp_path / "data" / label / "1.png").write_bytes(picture())
    version = add(tmp_path / "data", DataSpec(), tmp_path / "version", Context())
    assert version.columns(["label"])["label"] == ["007", "12"]


@pytest.mark.parametrize(
    ("values", "role"),
    [
        (["train", "val", "test"], Role.SPLIT),
        (["Train", "Test", None], Role.SPLIT),
        (["train", "validation", "train"], Role.IGNORE),
        (["left", "right", "left"], Role.INPUT),
    ],
)
def test_a_split_column_is_one_when_it_names_train_and_test(tmp_path: Path, values: list[str], role: Role) -> None:
    version = version_of(tmp_path, pa.table({"split": values * 4, "x": list(range(12))}))
    assert version.schema.column("split").role is role


def test_ids_are_left_out_and_measurements_are_not(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    table = pa.table(
        {
            "encounter_id": generator.permutation(10_000)[:40],
            "row": np.arange(40),
            "dose": np.arange(40) * 5,
            "steps": generator.permutation(10_000)[:40],
            "note": [f"text {index}" for index in range(40)],
        }
    )
    roles = {column.name: column.role for column in version_of(tmp_path, table).schema.columns}
    assert [name for name, role in roles.items() if role is Role.IGNORE] == ["encounter_id", "row", "note"]


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("patient_nbr", True),
        ("SubjectID", True),
        ("user id", True),
        ("participants", True),
        ("Id", True),
        ("width", False),
        ("personality", False),
    ],
)
def test_columns_about_people_are_pointed_out_but_get_no_role(tmp_path: Path, name: str, found: bool) -> None:
    people = [index // 2 if index < 10 else index for index in range(40)]  # few of them come back
    version = version_of(tmp_path, pa.table({name: people, "x": [0.5, 1.5] * 20}))
    assert ("possible_group" in codes_of(version)) is found
    assert version.schema.column(name).role is Role.INPUT


def test_rows_repeat_whatever_their_ids_say(tmp_path: Path) -> None:
    table = pa.table({"id": list(range(100, 140)), "x": [index % 20 for index in range(40)]})
    repeated = next(f for f in version_of(tmp_path, table).findings if f.code == "duplicate_rows")
    assert repeated.count == 20 and repeated.rows[0] == 20


def test_every_copy_of_a_broken_picture_is_left_out(tmp_path: Path) -> None:
    cut = picture(size=(300, 300))[:-2000]
    version = version_of(tmp_path, pa.table({"image": [cut, picture(), cut, picture()], "y": ["a", "b", "a", "b"]}))
    images = version.columns(["image"])["image"]
    assert [image is None for image in images] == [True, False, True, False]
    counts = {finding.code: finding.count for finding in version.findings}
    assert counts["undecodable_pictures"] == 2 and counts["duplicate_pictures"] == 1


def trained(version: DataVersion, target: str, values: np.ndarray, levels: list[str] | None) -> dict[str, set[str]]:
    state = {"levels": levels} if levels else {"deviation": 1.0}
    columns = tuple(
        Column(name=c.name, kind="category" if levels else "number", role=Role.TARGET, state=state)
        if c.name == target
        else c
        for c in version.schema.columns
    )
    rows = np.arange(len(values))
    splits = split_rows(values, None, None, levels is not None, 0)
    found: dict[str, set[str]] = {}
    for finding in find_for_training(version, Schema(columns=columns), rows, values, splits):
        found.setdefault(finding.code, set()).update(finding.columns)
    return found


def test_a_column_that_recodes_the_classes_leaks(tmp_path: Path) -> None:
    codes = np.arange(60) % 3
    gaps = [None if index == 5 else int(code) * 10 for index, code in enumerate(codes)]
    table = pa.table(
        {
            "y": [("cat", "dog", "owl")[code] for code in codes],
            "label_id": gaps,
            "word": [("Katze", "Hund", "Eule")[code] for code in codes],
            "near": [int(code) if index else 2 for index, code in enumerate(codes)],
            "finer": [int(code) * 2 + index % 2 for index, code in enumerate(codes)],
        }
    )
    found = trained(version_of(tmp_path, table), "y", codes.astype(np.int64), ["cat", "dog", "owl"])
    assert found["leaks_target"] == {"label_id", "word"}


def test_a_copy_of_a_number_leaks(tmp_path: Path) -> None:
    numbers = np.random.default_rng(1).normal(size=50)
    table = pa.table({"y": numbers, "copy": numbers, "near": numbers + 1e-3, "x": numbers[::-1]})
    assert trained(version_of(tmp_path, table), "y", numbers[:, None], None)["leaks_target"] == {"copy"}


def test_the_same_row_in_train_and_test_is_found(tmp_path: Path) -> None:
    codes = np.arange(60) % 2
    table = pa.table({"y": [("a", "b")[code] for code in codes], "x": [(index % 20) / 2 for index in range(60)]})
    assert "overlapping_rows" in trained(version_of(tmp_path, table), "y", codes.astype(np.int64), ["a", "b"])


def test_the_preview_is_small_and_json(tmp_path: Path) -> None:
    table = pa.table(
        {
            "image": [picture(size=(900, 600))] * 30,
            "trace": [list(np.linspace(0, 1, 50_000))] * 30,
            "text": ["word " * 5000] * 30,
            "x": [float("inf")] * 30,
        }
    )
    version = version_of(tmp_path, table)
    content = version.files["preview.json"].read_bytes()
    rows = json.loads(content)["rows"]
    assert len(content) < 1_000_000 and len(rows) == 20 and rows[0]["x"] is None
    small = Pillow.open(io.BytesIO(base64.b64decode(rows[0]["image"]["base64"])))
    assert max(small.size) == 64 and small.format == "PNG"


def test_adding_stops_in_the_middle_of_the_pictures(tmp_path: Path) -> None:
    class Stopping(Context):
        asked = 0

        def should_stop(self) -> bool:
            self.asked += 1
            return self.asked > 3

    pq.write_table(pa.table({"image": [picture()] * 2000, "y": ["a", "b"] * 1000}), tmp_path / "p.parquet")
    with pytest.raises(SalusError) as caught:
        add(tmp_path / "p.parquet", DataSpec(), tmp_path / "version", Stopping())
    assert caught.value.code == "stopped" and not (tmp_path / "version").exists()
