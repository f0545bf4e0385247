"""What is found in plain columns while they are added: every fault with its column and rows, and clean columns left in peace."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.data.test_recognition import version_of

from salus.core.errors import SalusError
from salus.core.nouns import Column, Finding, Schema, Severity
from salus.data.findings import Checker
from salus.data.physical_limits import quantity_of, split_by_ratio
from salus.data.row_keys import RepeatFinder, row_keys

ROWS = 300


def checked(**columns: list[object]) -> list[Finding]:
    """The findings of columns in the types of their kinds."""
    kinds = {float: "number", str: "category"}
    arrays, schema = {}, []
    for name, values in columns.items():
        kind = kinds[type(next(value for value in values if value is not None))]
        arrays[name] = pa.array(values, pa.float64() if kind == "number" else pa.large_string())
        schema.append(Column(name=name, kind=kind))
    checker = Checker(Schema(columns=tuple(schema)))
    table = pa.table(arrays)
    for start in range(0, table.num_rows, 70):
        checker.part(table.slice(start, 70))
    return checker.finish()


def normal(mean: float, deviation: float, seed: int = 0) -> list[object]:
    return [float(value) for value in np.round(np.random.default_rng(seed).normal(mean, deviation, ROWS), 1)]


def with_(values: list[object], **at: object) -> list[object]:
    """Other values at rows given as r5=..."""
    changed = list(values)
    for row, value in at.items():
        changed[int(row[1:])] = value
    return changed


def found(findings: list[Finding], code: str) -> Finding:
    return next(finding for finding in findings if finding.code == code)


@pytest.mark.parametrize(
    ("name", "values", "code", "rows"),
    [
        ("ap_hi", with_(normal(130, 10), r7=1300.0, r80=-120.0), "impossible_values", (7, 80)),
        ("Age", with_(normal(50, 9), r3=150.0), "impossible_values", (3,)),
        ("heart_rate", with_(normal(70, 8), r9=900.0), "impossible_values", (9,)),
        ("BMI", with_(normal(27, 3), r1=0.0, r100=0.0), "zeros_as_missing", (1, 100)),
        ("c4", with_(normal(120, 15), r1=0.0, r2=0.0, r250=0.0), "zeros_as_missing", (1, 2, 250)),
        ("x", with_(normal(20, 5), r4=-999.0, r5=-999.0), "missing_mark", (4, 5)),
        ("x", with_(normal(20, 5), r6=float("inf"), r7=float("-inf")), "infinite_values", (6, 7)),
        ("note", with_(["ok", "fine"] * 150, r8="=SUM(A1:A9)", r9="#REF!"), "formulas", (8, 9)),
        ("sex", with_(["male", "female"] * 150, r11=" Male"), "label_spellings", (11,)),
        ("drug", with_(["a", "b"] * 150, r12="N/A"), "missing_mark", (12,)),
        ("dose", with_([f"{mg % 40} mg" for mg in range(ROWS)], r13="0.5 g"), "mixed_units", (13,)),
    ],
)
def test_a_fault_is_named_with_its_column_and_rows(
    name: str, values: list[object], code: str, rows: tuple[int, ...]
) -> None:
    finding = found(checked(**{name: values}), code)
    assert finding.columns == (name,) and finding.rows == rows and finding.count == len(rows)
    for language in ("en", "zh"):
        text = SalusError(code, **finding.parameters).text(language)
        assert name in text and "{" not in text


@pytest.mark.parametrize(
    ("name", "ratio"), [("weight", 2.20462), ("height", 0.01), ("height", 1 / 2.54), ("glucose", 1 / 18.016)]
)
def test_a_second_unit_is_found_in_a_tenth_of_the_rows(name: str, ratio: float) -> None:
    mean, deviation = {"weight": (75, 12), "height": (170, 9), "glucose": (105, 20)}[name]
    values = [float(str(v)) * (ratio if row % 10 == 0 else 1) for row, v in enumerate(normal(mean, deviation))]
    finding = found(checked(**{name: values}), "mixed_units")
    assert finding.severity is Severity.WARNING and set(finding.rows) <= set(range(0, ROWS, 10))


def test_fevers_in_two_scales_are_found() -> None:
    values = [float(str(v)) * 1.8 + 32 if row in (20, 40, 60, 80, 99) else v for row, v in enumerate(normal(37, 0.5))]
    assert found(checked(body_temp=values), "mixed_units").rows == (20, 40, 60, 80, 99)


@pytest.mark.parametrize("seed", range(2))
def test_two_sorts_of_people_or_a_long_tail_are_no_two_units(seed: int) -> None:
    generator = np.random.default_rng(seed)
    tails = [
        np.exp(generator.normal(size=2000)),
        generator.gamma(2, 1, 2000),
        np.exp(0.3 * generator.standard_t(3, 2000)),
    ]
    people = [
        np.concatenate([generator.normal(85, 12, 1000), generator.normal(65, 11, 1000)]),
        np.concatenate([generator.normal(75, 14, 1500), generator.normal(25, 8, 500).clip(3)]),
    ]
    for values in (*tails, *people):
        assert all(split_by_ratio(values, ratio) is None for ratio in (2.20462, 2.54, 9.80665, 18.016, 60, 100))


def test_clean_columns_are_left_in_peace() -> None:
    findings = checked(
        age=[float(value) for value in np.random.default_rng(1).integers(18, 90, ROWS)],
        weight=normal(75, 12),
        **{"fasting glucose > 120": [float(value) for value in np.random.default_rng(2).integers(0, 2, ROWS)]},
        depression=[max(0.0, float(str(value))) for value in normal(1, 1.2)],
        blood=["0+", "A-", "B+"] * 100,
        answer=["yes", "no", "unknown"] * 100,
    )
    assert findings == []


def test_a_standardised_column_is_held_to_no_unit() -> None:
    values = np.random.default_rng(3).normal(0, 1, ROWS)  # as of scikit-learn's diabetes
    assert checked(age=[float(value) for value in values]) == []


def test_a_column_in_another_unit_is_asked_about_and_no_more() -> None:
    findings = checked(age=[float(str(value)) * 365 for value in normal(50, 9)], x=normal(0, 1000, 1))
    assert [(finding.code, finding.severity) for finding in findings] == [("unlikely_unit", Severity.INFO)]


@pytest.mark.parametrize(("name", "unit"), [("t", 1.0), ("created_time", 1000.0)])
def test_seconds_since_1970_are_known_as_moments(name: str, unit: float) -> None:
    steps = np.cumsum(np.random.default_rng(4).integers(1, 100_000, ROWS))
    finding = found(checked(**{name: [float((1_650_000_000 + step) * unit) for step in steps]}), "epoch_numbers")
    assert finding.columns == (name,)


def test_ids_that_could_be_moments_are_not() -> None:
    ids = np.random.default_rng(5).integers(1_503_960_366, 8_877_689_391, 30)
    assert "epoch_numbers" not in {
        finding.code for finding in checked(number=[float(ids[row % 30]) for row in range(ROWS)])
    }


def test_a_wide_table_says_a_thing_twenty_times_and_how_often_more() -> None:
    findings = checked(**{f"x{index}": [1.0, 1.0, 1.0] for index in range(50)})
    codes = [finding.code for finding in findings]
    assert codes.count("constant_column") == 20
    assert found(findings, "more_alike").count == 30


def test_columns_about_people_are_those_that_name_them(tmp_path: Path) -> None:
    table = pa.table({"patient_age": [20, 30] * 20, "患者编号": [1, 2, 3, 4] * 10, "user_rating": [1, 2] * 20})
    findings = version_of(tmp_path, table).findings
    assert [f.columns for f in findings if f.code == "possible_group"] == [("患者编号",)]


@pytest.mark.parametrize(
    ("name", "quantity"),
    [
        ("ap_lo", "blood pressure"),
        ("BloodPressure", "blood pressure"),
        ("max HR", "heart rate"),
        ("Body_Temp", "body temperature"),
        ("weight_kg", "weight"),
        ("age_group", None),
        ("birth weight class", None),
        ("stage", None),
        ("image_height_px", None),
    ],
)
def test_quantities_are_known_by_their_names(name: str, quantity: str | None) -> None:
    known = quantity_of(name)
    assert (known.name if known else None) == (quantity if quantity != "age" else "age")


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.one_of(st.none(), st.floats()), st.one_of(st.none(), st.text(max_size=20))), max_size=40),
    st.integers(1, 7),
)
def test_keys_of_rows_depend_on_the_rows_alone(rows: list[tuple[float | None, str | None]], size: int) -> None:
    columns = {
        "x": pa.array([x for x, _ in rows], pa.float64()),
        "y": pa.array([y for _, y in rows], pa.large_string()),
    }
    table = pa.table(columns)
    keys = row_keys(table)
    parts = [row_keys(table.slice(start, size)) for start in range(0, len(rows), size)]
    assert np.array_equal(keys, np.concatenate([np.zeros(0, np.uint64), *parts]))
    plain = [(None if x is None else repr(x + 0.0), y) for x, y in rows]
    assert len(set(keys.tolist())) == len(set(plain))


def test_repeats_are_found_in_bounded_memory_and_estimated_past_it() -> None:
    values = np.concatenate([np.arange(50_000), np.arange(10_000)])
    keys = row_keys(pa.table({"x": values}))
    exact, bounded = RepeatFinder(), RepeatFinder(max_keys=10_000)
    for start in range(0, len(keys), 7_000):
        for finder in (exact, bounded):
            finder.add(keys[start : start + 7_000], np.arange(start, min(start + 7_000, len(keys))))
    assert exact.repeats().rows.tolist() == list(range(50_000, 60_000)) and exact.repeats().one_in == 1
    estimated = bounded.repeats()
    assert bounded.kept <= 10_000 and estimated.one_in == 8
    assert 9_000 < estimated.count < 11_000 and set(estimated.rows) <= set(range(50_000, 60_000))
