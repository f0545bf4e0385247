"""What is found when roles, a target and a split are known."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from tests.data.test_findings_of_pictures_and_series import encoded, scene
from tests.data.test_recognition import version_of

from salus.core.context import Context
from salus.core.errors import SalusError
from salus.core.nouns import Column, Finding, Role, Schema, Severity
from salus.core.specs import DataSpec
from salus.data.add import add
from salus.data.findings import find_for_training, overlapping_rows
from salus.data.split import Splits, split_rows
from salus.data.version import DataVersion

ROWS = 400


def asked(
    version: DataVersion,
    target: np.ndarray,
    given: list[str] | None = None,
    groups: str | None = None,
    folded: bool = False,
) -> tuple[Schema, Splits, dict[str, Finding]]:
    """Schema, splits and findings for the column `y`, of which `target` are codes or numbers."""
    classes = target.dtype.kind == "i"
    state = {"levels": [f"class {code}" for code in range(int(target.max()) + 1)]} if classes else {"deviation": 1.0}
    columns = []
    for column in version.schema.columns:
        if column.name == "y":
            column = Column(name="y", kind="category" if classes else "number", role=Role.TARGET, state=state)
        elif column.name == groups:
            column = column.model_copy(update={"role": Role.GROUP})
        columns.append(column)
    schema = Schema(columns=tuple(columns))
    rows = np.arange(len(target))
    codes = None
    if groups is not None:
        codes = np.unique(np.array(version.columns([groups])[groups], dtype=str), return_inverse=True)[1]
    splits = split_rows(target, codes, given, classes, 0, folded=folded)
    findings = find_for_training(version, schema, rows, target, splits, codes)
    for finding in findings:
        for language in ("en", "zh"):
            assert "{" not in SalusError(finding.code, **finding.parameters).text(language)
    return schema, splits, {finding.code: finding for finding in findings}


def labelled(seed: int = 0, **columns: object) -> tuple[dict[str, object], np.ndarray]:
    """A clean table of two classes, with other columns."""
    generator = np.random.default_rng(seed)
    codes = generator.integers(0, 2, ROWS)
    table = {
        "a": generator.normal(codes, 1.5),
        "b": generator.choice(["x", "y", "z"], ROWS),
        "y": [f"class {code}" for code in codes],
    }
    return {**table, **columns}, codes.astype(np.int64)


def test_a_clean_table_says_nothing(tmp_path: Path) -> None:
    table, codes = labelled()
    assert asked(version_of(tmp_path, pa.table(table)), codes)[2] == {}


def test_a_column_that_alone_predicts_the_class_is_found(tmp_path: Path) -> None:
    table, codes = labelled()
    generator = np.random.default_rng(1)
    table |= {"later": codes * 9 + generator.gamma(2, 1, ROWS), "strong": codes * 2 + generator.normal(0, 1, ROWS)}
    table["word"] = [f"{'ab'[code]}{generator.integers(0, 5)}" for code in codes]
    found = [
        finding.columns
        for finding in find_all(tmp_path, table, codes)
        if finding.code == "predicts_alone" and finding.severity is Severity.WARNING
    ]
    assert found == [("later",), ("word",)]


def find_all(folder: Path, table: dict[str, object], target: np.ndarray) -> tuple[Finding, ...]:
    version = version_of(folder, pa.table(table))
    schema, splits, _ = asked(version, target)
    return find_for_training(version, schema, np.arange(len(target)), target, splits)


def test_a_column_that_alone_predicts_the_number_is_found(tmp_path: Path) -> None:
    generator = np.random.default_rng(2)
    number = generator.normal(70, 10, ROWS)
    table = {
        "pounds": number * 2.2 + generator.normal(0, 0.5, ROWS),
        "curve": np.exp(number / 20),
        "near": number + generator.normal(0, 3, ROWS),
        "y": number,
    }
    columns = [f.columns for f in find_all(tmp_path, table, number[:, None]) if f.code == "predicts_alone"]
    assert columns == [("pounds",), ("curve",)]


def test_people_do_not_tell_their_class_in_advance(tmp_path: Path) -> None:
    """A trait of a person tells the class of the same person's other rows, not of other people."""
    who = np.arange(ROWS) // 10
    codes = (np.random.default_rng(3).random(40) < 0.5).astype(np.int64)[who]
    table = {"who": [f"p{one}" for one in who], "trait": [f"t{one}" for one in who], "y": [f"class {c}" for c in codes]}
    version = version_of(tmp_path, pa.table(table))
    assert "predicts_alone" not in asked(version, codes, groups="who")[2]
    assert "predicts_alone" in asked(version, codes)[2]


def test_the_same_inputs_with_another_label_are_found(tmp_path: Path) -> None:
    table, codes = labelled()
    for row in (10, 50):
        table["a"][row + 1], table["b"][row + 1] = table["a"][row], table["b"][row]
        codes[row], codes[row + 1] = 0, 1
    codes[50] = 1
    table["y"] = [f"class {code}" for code in codes]
    assert asked(version_of(tmp_path, pa.table(table)), codes)[2]["conflicting_labels"].rows == (10, 11)


def test_labels_are_looked_at(tmp_path: Path) -> None:
    table, codes = labelled()
    codes[codes == 1] = 0
    codes[[3, 30, 300]] = 1
    table["y"] = [f"class {code}" for code in codes]
    found = asked(version_of(tmp_path / "1", pa.table(table)), codes)[2]
    assert found["imbalanced"].count == 3 and found["rare_classes"].count == 1
    every = np.arange(ROWS, dtype=np.int64) // 2
    every[::7] = np.arange(ROWS, dtype=np.int64)[::7] + 1000
    every = np.unique(every, return_inverse=True)[1].astype(np.int64)
    table["y"] = [f"class {code}" for code in every]
    found = asked(version_of(tmp_path / "2", pa.table(table), y="category"), every, folded=True)[2]
    assert found["more_classes_than_rows"].severity is Severity.BLOCKER
    table["y"] = [1.5] * ROWS
    found = asked(version_of(tmp_path / "3", pa.table(table)), np.full((ROWS, 1), 1.5))[2]
    assert found["constant_target"].severity is Severity.BLOCKER


def test_rows_of_train_in_test_are_all_counted_and_only_they(tmp_path: Path) -> None:
    table, codes = labelled()
    for row in range(30):
        table["a"][300 + 2 * row], table["b"][300 + 2 * row] = table["a"][row], table["b"][row]
    given = ["train"] * 300 + ["test"] * 100
    version = version_of(tmp_path, pa.table(table))
    schema, splits, found = asked(version, codes, given)
    positions = overlapping_rows(version, schema, np.arange(ROWS), splits)
    assert splits.test[positions].tolist() == list(range(300, 360, 2))
    assert found["overlapping_rows"].count == 30 and found["overlapping_rows"].rows == tuple(range(300, 340, 2))
    assert "repeated_in_train" not in found


def test_of_folds_only_copies_in_another_fold_overlap(tmp_path: Path) -> None:
    table, codes = labelled()
    table["a"][1], table["b"][1] = table["a"][0], table["b"][0]
    version = version_of(tmp_path, pa.table(table))
    schema, splits, _ = asked(version, codes, folded=True)
    assert splits.folds is not None
    for folds, rows in ((splits.folds, None), (np.arange(ROWS) // 2 % 5, []), (np.arange(ROWS) % 5, [0, 1])):
        chosen = Splits(splits.train, splits.validation, splits.test, "folds", "", folds)
        found = overlapping_rows(version, schema, np.arange(ROWS), chosen).tolist()
        assert found == rows or (rows is None and found in ([], [0, 1]))


def test_rows_that_say_nothing_overlap_with_none(tmp_path: Path) -> None:
    table, codes = labelled()
    for row in (5, 6, 350):
        table["a"][row], table["b"] = np.nan, [None if r in (5, 6, 350) else b for r, b in enumerate(table["b"])]
    found = asked(version_of(tmp_path, pa.table(table)), codes, ["train"] * 300 + ["test"] * 100)[2]
    assert not {"overlapping_rows", "conflicting_labels"} & set(found)


@pytest.mark.parametrize("what", ["number", "label", "missing", "target"])
def test_drift_between_the_sides_is_named(tmp_path: Path, what: str) -> None:
    table, codes = labelled()
    late = np.arange(ROWS) >= 250
    if what == "number":
        table["a"] = np.where(late, table["a"] + 1.2, table["a"])
    elif what == "label":
        table["b"] = np.where(late & (np.arange(ROWS) % 2 == 0), "x", table["b"])
    elif what == "missing":
        table["a"] = np.where(late & (np.arange(ROWS) % 2 == 0), np.nan, table["a"])
    else:
        codes = np.where(late & (np.arange(ROWS) % 3 > 0), 1, codes)
        table["y"] = [f"class {code}" for code in codes]
    found = asked(version_of(tmp_path, pa.table(table)), codes, ["train"] * 250 + ["test"] * 150)[2]
    code = "drift_of_target" if what == "target" else "drift"
    assert found[code].columns == ({"label": "b", "target": "y"}.get(what, "a"),)


def test_sides_drawn_by_chance_do_not_drift(tmp_path: Path) -> None:
    generator = np.random.default_rng(5)
    wide = {f"x{index}": generator.normal(size=ROWS) for index in range(100)}
    table, codes = labelled(6, **wide)
    version = version_of(tmp_path, pa.table(table))
    assert not {"drift", "drift_of_target"} & set(asked(version, codes, ["train"] * 250 + ["test"] * 150)[2])


def test_groups_are_looked_at(tmp_path: Path) -> None:
    who = [f"p{row // 40}" for row in range(ROWS)]
    who[-1] = "typo"
    table, codes = labelled(who=who)
    version = version_of(tmp_path, pa.table(table))
    found = asked(version, codes, groups="who")[2]
    assert found["small_groups"].count == 1 and "few_groups" not in found and "group_on_both_sides" not in found
    given = ["train" if row % 4 else "test" for row in range(ROWS)]
    assert asked(version, codes, given, groups="who")[2]["group_on_both_sides"].count == 10


def test_groups_of_one_row_are_told(tmp_path: Path) -> None:
    table, codes = labelled(who=[f"p{row}" for row in range(ROWS)])
    found = asked(version_of(tmp_path, pa.table(table)), codes, groups="who")[2]
    assert found["groups_of_one"].columns == ("who",) and "small_groups" not in found


def test_pictures_on_both_sides_are_found_by_bytes_and_by_sight(tmp_path: Path) -> None:
    pictures = [encoded(scene(seed)) for seed in range(80)]
    pictures[65] = pictures[3]
    pictures[70], pictures[75] = encoded(scene(9).resize((60, 60))), encoded(scene(20), "JPEG")
    codes = (np.arange(80) % 2).astype(np.int64)
    version = version_of(tmp_path, pa.table({"image": pictures, "y": [f"class {code}" for code in codes]}))
    schema, splits, found = asked(version, codes, ["train"] * 60 + ["test"] * 20)
    assert splits.test[overlapping_rows(version, schema, np.arange(80), splits)].tolist() == [65]
    assert found["overlapping_rows"].rows == (65,) and found["overlapping_near_pictures"].rows == (70, 75)


def test_pictures_whose_size_tells_the_class_are_found(tmp_path: Path) -> None:
    codes = (np.arange(80) % 2).astype(np.int64)
    pictures = [encoded(scene(row, 48 + 8 * int(code))) for row, code in enumerate(codes)]
    version = version_of(tmp_path, pa.table({"image": pictures, "y": [f"class {code}" for code in codes]}))
    assert asked(version, codes)[2]["size_tells_target"].columns == ("image",)


def test_the_real_pictures_that_lie_on_both_sides_are_counted(tmp_path: Path) -> None:
    if not os.environ.get("SALUS_BENCH_DATA"):
        pytest.skip("SALUS_BENCH_DATA names no folder of real sets")
    version = add(Path(os.environ["SALUS_BENCH_DATA"]) / "brain_tumor_mri", DataSpec(), tmp_path / "v", Context())
    labels = version.columns(["label"])["label"]
    levels, codes = np.unique(np.array(labels), return_inverse=True)
    columns = tuple(
        Column(name="label", kind="category", role=Role.TARGET, state={"levels": levels.tolist()})
        if c.name == "label"
        else c
        for c in version.schema.columns
    )
    given = list(version.columns(["split"])["split"])
    splits = split_rows(codes.astype(np.int64), None, given, True, 0)
    every = np.arange(version.rows)
    found = {
        f.code: f for f in find_for_training(version, Schema(columns=columns), every, codes.astype(np.int64), splits)
    }
    assert found["overlapping_rows"].count == 216 and found["overlapping_rows"].parameters["expected"] == 1311
    assert found["repeated_in_train"].count == 207
