"""Versions and splits: what is kept, what is found, and that nobody lies on two sides."""

from __future__ import annotations

import json
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
from salus.core.nouns import Role
from salus.core.specs import DataSpec
from salus.data.add import add
from salus.data.split import split_rows
from salus.data.version import DataVersion


def added(folder: Path, path: Path | str, **options: object) -> DataVersion:
    return add(Path(path), DataSpec.model_validate(options), folder / "version", Context())


def test_equal_data_has_one_name_and_other_data_another(tmp_path: Path) -> None:
    first = added(tmp_path / "a", "sklearn:iris")
    again = added(tmp_path / "b", "sklearn:iris")
    other = added(tmp_path / "c", "sklearn:wine")
    assert first.hash == again.hash != other.hash
    assert first.rows == 150 and first.schema.column("target").kind == "category"


def test_a_version_gives_columns_and_rows_back(tmp_path: Path) -> None:
    table = pa.table(
        {"x": [1.0, None, 3.0, 4.0], "who": ["a", "b", None, "a"], "trace": [[1.0, 2.0], None, [3.0], [4.0]]}
    )
    pq.write_table(table, tmp_path / "t.parquet")
    version = added(tmp_path, tmp_path / "t.parquet")
    assert {c.name: c.kind for c in version.schema.columns} == {"x": "number", "who": "category", "trace": "series"}
    columns = version.columns(["x", "who", "trace"])
    assert np.isnan(columns["x"][1]) and columns["who"][2] is None and columns["trace"][1] is None
    taken = version.take(["x", "trace"], np.array([3, 0]))
    assert taken["x"].tolist() == [4.0, 1.0] and taken["trace"][1].tolist() == [1.0, 2.0]


def test_the_shards_carry_the_hugging_face_features(tmp_path: Path) -> None:
    version = added(tmp_path, "sklearn:digits")
    metadata = pq.read_schema(version.files["shards/00000.parquet"]).metadata[b"huggingface"]
    assert json.loads(metadata)["info"]["features"]["image"]["_type"] == "Image"


def test_faults_are_found_and_named(tmp_path: Path) -> None:
    rows = ["id,same,x,patient,y"] + [f"{i},1,{i % 7}.5,p{i % 5},{'ab'[i % 2]}" for i in range(40)]
    (tmp_path / "t.csv").write_text("\n".join(rows) + "\n")
    version = added(tmp_path, tmp_path / "t.csv")
    found = {finding.code: finding.columns for finding in version.findings}
    assert (
        found["id_column"] == ("id",)
        and found["constant_column"] == ("same",)
        and found["possible_group"] == ("patient",)
    )
    assert version.schema.column("id").role is Role.IGNORE


def test_repeated_rows_and_pictures_are_counted(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("x,y\n1,a\n2,b\n1,a\n1,a\n")
    codes = {finding.code: finding.count for finding in added(tmp_path / "1", tmp_path / "t.csv").findings}
    assert codes["duplicate_rows"] == 2
    table = pa.table(
        {"image": [picture(), picture(), picture(size=(9, 9)), b"\x89PNG broken"], "label": ["a", "a", "b", "b"]}
    )
    pq.write_table(table, tmp_path / "p.parquet")
    version = added(tmp_path / "2", tmp_path / "p.parquet")
    codes = {finding.code: finding.count for finding in version.findings}
    assert codes["duplicate_pictures"] == 1 and codes["undecodable_pictures"] == 1 and codes["odd_sizes"] == 2
    assert version.columns(["image"])["image"][3] is None


def test_a_kind_may_be_imposed_and_must_fit(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("code,y\n1,a\n2,b\n")
    version = added(tmp_path / "1", tmp_path / "t.csv", kinds={"code": "category"})
    assert version.columns(["code"])["code"] == ["1", "2"]
    with pytest.raises(SalusError):
        added(tmp_path / "2", tmp_path / "t.csv", kinds={"y": "number"})
    with pytest.raises(SalusError) as caught:
        added(tmp_path / "3", tmp_path / "t.csv", kinds={"z": "number"})
    assert caught.value.code == "no_such_column"


def test_a_stopped_addition_leaves_nothing(tmp_path: Path) -> None:
    class Stopping(Context):
        def should_stop(self) -> bool:
            return True

    with pytest.raises(SalusError) as caught:
        add(Path("sklearn:iris"), DataSpec(), tmp_path / "version", Stopping())
    assert caught.value.code == "stopped" and not list(tmp_path.iterdir())


@settings(max_examples=60, deadline=None)
@given(
    st.integers(20, 200),
    st.integers(3, 12),
    st.integers(2, 4),
    st.integers(0, 2**31 - 1),
    st.booleans(),
)
def test_sides_are_disjoint_whole_and_repeatable(
    rows: int, people: int, classes: int, seed: int, grouped: bool
) -> None:
    generator = np.random.default_rng(seed)
    target = generator.integers(0, classes, rows)
    groups = generator.permutation(np.arange(rows) % people) if grouped else None
    splits = split_rows(target, groups, None, True, seed)
    sides = [splits.train, splits.validation, splits.test]
    assert sorted(np.concatenate(sides).tolist()) == list(range(rows))
    assert splits.digest == split_rows(target, groups, None, True, seed).digest
    if groups is not None:
        people_of = [set(groups[side].tolist()) for side in sides]
        assert not (people_of[0] & people_of[1] or people_of[0] & people_of[2] or people_of[1] & people_of[2])


def test_an_official_split_is_kept() -> None:
    named: list[str | None] = ["train"] * 40 + ["test"] * 20 + [None] * 3
    splits = split_rows(np.arange(63) % 2, None, named, True, 0)
    assert splits.test.tolist() == list(range(40, 60)) and splits.how == "given"
    assert set(splits.train) | set(splits.validation) == set(range(40))


def test_rare_classes_reach_the_test_side() -> None:
    target = np.array([0] * 190 + [1] * 10)
    splits = split_rows(target, None, None, True, 3)
    assert all((target[side] == 1).any() for side in (splits.train, splits.validation, splits.test))


@pytest.mark.parametrize(
    ("target", "groups", "code"),
    [(np.zeros(3, dtype=int), None, "too_few_rows"), (np.arange(10) % 2, np.zeros(10, dtype=int), "too_few_groups")],
)
def test_what_cannot_be_split_is_refused(target: np.ndarray, groups: np.ndarray | None, code: str) -> None:
    with pytest.raises(SalusError) as caught:
        split_rows(target, groups, None, True, 0)
    assert caught.value.code == code


@pytest.mark.parametrize("case", range(25, 45))
def test_a_rare_class_of_few_people_is_learned_and_judged(case: int) -> None:
    generator = np.random.default_rng(case)
    people = int(generator.integers(4, 14))
    groups = np.repeat(np.arange(people), generator.integers(20, 1500, people))
    target = np.zeros(len(groups), dtype=int)
    few = int(generator.integers(2, 4))
    for person in generator.permutation(people)[:few]:
        target[np.flatnonzero(groups == person)[:5]] = 1
    splits = split_rows(target, groups, None, True, case)
    assert (target[splits.train] == 1).any() and (target[splits.test] == 1).any()


def test_a_given_split_may_be_spelled_as_people_spell_it() -> None:
    named: list[str | None] = ["Train"] * 30 + ["val"] * 10 + ["TEST"] * 10
    splits = split_rows(np.arange(50) % 2, None, named, True, 0)
    assert (len(splits.train), len(splits.validation), len(splits.test)) == (30, 10, 10)
