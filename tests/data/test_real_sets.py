"""Real public sets are read as they lie in a folder that SALUS_BENCH_DATA names: rows, columns, sides, labels as their README says.

Sets whose kinds do not exist yet are listed with the reason; their tables are read all the same where they are tables.
"""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from salus.core.specs import DataSpec
from salus.data.sources import read_data
from salus.data.sources.base import Read

FOLDER = os.environ.get("SALUS_BENCH_DATA", "")
pytestmark = pytest.mark.skipif(
    not FOLDER, reason="SALUS_BENCH_DATA is not set: it names the folder with the public data sets"
)

LATER = {
    "fsdd": "sound",
    "read_english_ljtext": "sound",
    "barista_commands": "sound",
    "bccd": "boxes in pictures (COCO files)",
    "tinyshakespeare": "free text without rows",
    "multi30k_en_de": "pairs of texts in two files, line by line",
}


@dataclass(frozen=True)
class Expected:
    """`place` is what a person would name; `labels`: a column and how often each of its values is there."""

    place: str
    rows: int
    columns: int
    options: dict[str, Any] = field(default_factory=dict)
    sides: dict[str, int] = field(default_factory=dict)
    labels: tuple[str, dict[Any, int]] | None = None
    kinds: dict[str, str] = field(default_factory=dict)


CALORIES = {"join": [{"path": "calories.csv", "on": "User_ID"}]}
SETS = [
    Expected("cifar10", 60_000, 4, sides={"train": 50_000, "test": 10_000}, labels=("label", {"cat": 6000})),
    Expected(
        "fashion_mnist",
        70_000,
        3,
        sides={"train": 60_000, "test": 10_000},
        labels=("label", {str(code): 7000 for code in range(10)}),
        kinds={"image": "image", "label": "category"},
    ),
    Expected(
        "brain_tumor_mri",
        7019,
        4,
        sides={"train": 5708, "test": 1311},
        labels=("label", {"notumor": 1996, "pituitary": 1757, "meningioma": 1645, "glioma": 1621}),
    ),
    Expected("tang_poetry", 10_008, 4),
    Expected("etth#ETTh1.csv", 17_420, 8),
    Expected("etth#ETTh2.csv", 17_420, 8),
    Expected("heartpy_ppg#data.csv", 2483, 1, {"header": False}),
    Expected("heartpy_ppg#data2.csv", 15_000, 2),
    Expected("heartpy_ppg#data3.csv", 68_476, 2),
    Expected("wisdm_ar", 5418, 44, kinds={"class": "category", "X0": "number"}),
    Expected(
        "basic_motions",
        80,
        8,
        sides={"train": 40, "test": 40},
        labels=("label", {"Standing": 20, "Running": 20, "Walking": 20, "Badminton": 20}),
        kinds={"dim_0": "series", "dim_5": "series", "label": "category"},
    ),
    Expected("watch_shoulder_exercises", 140, 10),
    Expected("ecg5000_trainpart", 500, 141, {"header": False}),
    Expected("tatoeba_en_zh", 26_388, 3, {"header": False}),
    Expected("chnsenticorp_htl", 7766, 2, labels=("label", {1: 5322, 0: 2444})),
    Expected("waimai_10k", 11_987, 2, labels=("label", {0: 7987, 1: 4000})),
    Expected("sst2", 70_042, 3, sides={"train": 67_349, "validation": 872, "test": 1821}, labels=("label", {})),
    Expected("scitldr", 3229, 7, sides={"train": 1992, "validation": 619, "test": 618}),
    Expected("csl_titles_zh", 2000, 3, {"header": False}),
    Expected(
        "bbc_news_summary",
        2225,
        4,
        labels=("category", {"sport": 511, "business": 510, "politics": 417, "tech": 401, "entertainment": 386}),
    ),
    Expected("pima_diabetes", 768, 9, {"header": False}, labels=("c8", {0: 500, 1: 268})),
    Expected("heart_cleveland", 303, 14, kinds={"age": "number", "diameter narrowing": "category"}),
    Expected("breast_cancer_wdbc", 569, 31, labels=("c30", {"0": 212, "1": 357}), kinds={"c30": "category"}),
    Expected("cardio_70k", 70_000, 13, labels=("cardio", {0: 35_021, 1: 34_979})),
    Expected("stroke", 5110, 12, labels=("stroke", {1: 249})),
    Expected(
        "diabetes_130#diabetic_data.csv.gz",
        101_766,
        50,
        labels=("readmitted", {"NO": 54_864, ">30": 35_545, "<30": 11_357}),
    ),
    Expected("calories_exercise#exercise.csv", 15_000, 9, CALORIES),
    Expected("fitbit_daily", 862, 14),
    Expected("linnerud#linnerud_exercise.csv", 20, 3),
    Expected("linnerud#linnerud_physiological.csv", 20, 3),
    Expected("fsdd", 3000, 7, sides={"train": 2700, "test": 300}),
    Expected("read_english_ljtext", 141, 5),
    Expected("barista_commands", 310, 4),
]


@cache
def read(place: str, index: int) -> Read:
    return read_data(Path(FOLDER) / place, DataSpec.model_validate(SETS[index].options))


@pytest.mark.parametrize("index", range(len(SETS)), ids=[expected.place for expected in SETS])
def test_a_set_is_read_as_it_lies(index: int) -> None:
    expected = SETS[index]
    found = read(expected.place, index)
    rows, sides, labels = 0, Counter[str](), Counter[Any]()
    schemas: set[str] = set()
    for part in found.parts():
        rows += part.num_rows
        schemas.add(str(part.schema))
        assert part.num_columns == expected.columns
        if expected.sides:
            sides.update(_counts(part, "split"))
        if expected.labels:
            labels.update(_counts(part, expected.labels[0]))
    assert rows == expected.rows and len(schemas) == 1
    assert dict(sides) == expected.sides
    assert expected.labels is None or expected.labels[1].items() <= labels.items()
    assert expected.kinds.items() <= found.kinds.items()
    assert expected.sides or "split" not in schemas.pop()


def test_every_set_is_read_or_said_to_come_later() -> None:
    known = {expected.place.partition("#")[0] for expected in SETS} | set(LATER)
    there = {path.name for path in Path(FOLDER).iterdir() if path.is_dir()}
    assert there == known and len(there) == 32
    print("kinds to come:", ", ".join(f"{name} ({reason})" for name, reason in LATER.items()))


def test_what_is_known_besides_the_rows() -> None:
    places = {expected.place: index for index, expected in enumerate(SETS)}
    assert read("sst2", places["sst2"]).facts["renamed"] == {"content": "sentence"}
    assert read("heart_cleveland", places["heart_cleveland"]).facts["target"] == "diameter narrowing"
    counts = read("breast_cancer_wdbc", places["breast_cancer_wdbc"]).facts
    assert counts["classes"] == {"0": "malignant", "1": "benign"}
    place = "calories_exercise#exercise.csv"
    assert read(place, places[place]).facts["joined"][0]["unmatched_rows"] == 0
    assert read("cardio_70k", places["cardio_70k"]).facts["delimiter"] == ";"
    table = read("wisdm_ar", places["wisdm_ar"]).table
    assert table.column("YPEAK").null_count > 0
    place = "diabetes_130#diabetic_data.csv.gz"
    assert read(place, places[place]).table.column("weight").null_count > 90_000


def _counts(part: pa.Table, name: str) -> dict[Any, int]:
    counted = part.column(name).value_counts()
    return {entry["values"].as_py(): entry["counts"].as_py() for entry in counted}
