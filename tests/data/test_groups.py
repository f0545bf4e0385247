"""The person column: found by name and by what its rows share, and not where there is none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from tests.data.test_recognition import version_of

from salus.core.context import Context
from salus.core.nouns import Role, Schema
from salus.core.specs import DataSpec
from salus.data.add import add
from salus.data.groups import GroupGuess, find_group

Columns = dict[str, object]


def guess(folder: Path, table: Columns, target: str | None = None) -> GroupGuess | None:
    version = version_of(folder, pa.table(table))
    columns = version.schema.columns
    roles = tuple(c.model_copy(update={"role": Role.TARGET}) if c.name == target else c for c in columns)
    return find_group(version, Schema(columns=roles))


def of_people(
    count: int, rows: int, traits: bool = True, share: float = 0.4, seed: int = 0
) -> tuple[np.ndarray, Columns]:
    """Whose each row is, in no order, and columns of which `share` of the variance lies between people."""
    generator = np.random.default_rng(seed)
    who = generator.permutation(np.repeat(np.arange(count), rows))
    own = generator.normal(0, np.sqrt(share), (count, 4))
    values = 50 + 10 * (own[who] + generator.normal(0, np.sqrt(1 - share), (len(who), 4)))
    table: Columns = {f"m{index}": np.round(column, 2) for index, column in enumerate(values.T)}
    if traits:
        table["sex"] = generator.choice(["f", "m"], count)[who]
        table["tall"] = np.round(generator.normal(172, 9, count))[who]
    return who, table


@pytest.mark.parametrize("name", ["patient_nbr", "SubjectID", "probanden_nr", "Versuchsperson", "用户", "user"])
def test_a_name_that_says_so_is_enough(tmp_path: Path, name: str) -> None:
    who, table = of_people(12, 8, traits=False, share=0.0)
    found = guess(tmp_path, {**table, name: who + 7})
    assert found is not None and (found.column, found.distinct, found.why) == (name, 12, "name")
    assert found.confidence >= 0.8


@pytest.mark.parametrize("form", ["counted", "drawn", "text", "hexadecimal", "initials"])
def test_traits_that_never_change_show_the_person(tmp_path: Path, form: str) -> None:
    who, table = of_people(40, 9)
    generator = np.random.default_rng(1)
    ids = {
        "counted": np.arange(40) + 1,
        "drawn": generator.choice(900_000, 40, replace=False),
        "text": np.array([f"P-{index:03d}" for index in generator.permutation(40)]),
        "hexadecimal": np.array([generator.bytes(5).hex() for _ in range(40)]),
        "initials": np.array([chr(65 + i // 26) + chr(65 + i % 26) for i in generator.permutation(40)]),
    }[form]
    table["trait"] = np.round(generator.normal(60, 9, 40), 1)[who]
    found = guess(tmp_path, {**table, "x7": ids[who]})
    assert found is not None and found.column == "x7" and found.why == "constant" and found.confidence >= 0.8


def test_measurements_that_differ_between_people_show_them_too(tmp_path: Path) -> None:
    who, table = of_people(15, 40, traits=False)
    found = guess(tmp_path, {**table, "x7": who})
    assert found is not None and (found.column, found.why) == ("x7", "alike") and found.confidence >= 0.8


def test_the_person_is_meant_and_not_the_session(tmp_path: Path) -> None:
    who, table = of_people(30, 12)
    order = np.arange(len(who)) % 3
    found = guess(tmp_path, {**table, "s": who * 3 + order + 1000, "k": who + 10})
    assert found is not None and found.column == "k"


def test_values_that_are_all_different_are_never_a_group(tmp_path: Path) -> None:
    _, table = of_people(60, 1, share=0.0)
    assert guess(tmp_path, {**table, "patient_id": np.random.default_rng(2).permutation(60) + 100}) is None


def test_codes_without_people_are_none(tmp_path: Path) -> None:
    generator = np.random.default_rng(3)
    rows = 600
    age = generator.integers(18, 80, rows)
    code = generator.integers(0, 9, rows)
    table: Columns = {
        "age": age,
        "pulse": np.round(generator.normal(80 + age / 4, 8)),
        "load": np.round(generator.normal(age, 5)),
        "work": np.where(
            age < 25, "student", np.where(age > 66, "retired", generator.choice(["office", "craft"], rows))
        ),
        "decade": [f"{one // 10 * 10}s" for one in age],
        "day": generator.integers(1, 31, rows),
        "level": code,
        "milligrams": np.array([0, 1, 2, 4, 8, 16, 32, 64, 128])[code],
    }
    assert guess(tmp_path, table) is None


def test_a_second_name_of_the_target_is_no_group(tmp_path: Path) -> None:
    generator = np.random.default_rng(4)
    code = generator.integers(0, 12, 900)
    centres = generator.normal(0, 3, (12, 6))
    table: Columns = {f"f{index}": centres[code, index] + generator.normal(size=900) for index in range(6)}
    table |= {"what": [f"move {one}" for one in code], "nr": generator.permutation(12)[code]}
    assert guess(tmp_path, table, target="what") is None


def test_blocks_alone_are_a_hint_and_no_more(tmp_path: Path) -> None:
    generator = np.random.default_rng(5)
    table: Columns = {
        "x": generator.normal(size=600),
        "z": generator.normal(size=600),
        "part": np.repeat(np.arange(20), 30),
    }
    found = guess(tmp_path, table)
    assert found is not None and found.why == "blocks" and found.confidence < 0.8


@pytest.mark.parametrize("name", ["iris", "wine", "breast_cancer", "diabetes", "linnerud"])
def test_real_tables_without_people_have_none(tmp_path: Path, name: str) -> None:
    version = add(Path(f"sklearn:{name}"), DataSpec(), tmp_path / "v", Context())
    assert find_group(version, version.schema) is None
