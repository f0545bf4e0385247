"""Thirty faults, one at a time, planted into clean tables, pictures and recordings.

Each is a table, what is asked of it, and what should be found: codes of which one will do, the column, and rows of which one must be named.
The clean material: a table of people drawn here, the sets of scikit-learn, its digits as pictures of 48 x 48, and drawn recordings.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
from PIL import Image
from sklearn import datasets

from findings_sets import bundled

Columns = dict[str, list[object]]


@dataclass(frozen=True)
class Fault:
    """columns: the table with the fault. codes: findings of which one names it. column, rows: what it must name, when given."""

    columns: Columns
    codes: tuple[str, ...]
    column: str | None = None
    rows: tuple[int, ...] = ()
    target: str = "outcome"
    options: dict[str, object] = field(default_factory=dict)


def people(generator: np.random.Generator, rows: int = 600) -> Columns:
    """A clean table: one row a person, an outcome that goes with some of it."""
    age = generator.integers(20, 85, rows)
    woman = generator.random(rows) < 0.5
    height = np.round(generator.normal(np.where(woman, 166, 179), 7))
    weight = np.round((height / 100) ** 2 * generator.normal(26, 4, rows), 1)
    temperature = np.round(generator.normal(36.8, 0.4, rows), 1)
    glucose = np.round(generator.normal(100, 15, rows) + age / 4)
    systolic = np.round(105 + age / 3 + generator.normal(0, 12, rows))
    risk = (age - 50) / 15 + (glucose - 110) / 20 + generator.normal(0, 1, rows)
    table = {
        "age": age,
        "sex": np.where(woman, "f", "m"),
        "height": height,
        "weight": weight,
        "body_temperature": temperature,
        "glucose": glucose,
        "systolic": systolic,
        "heart_rate": np.round(generator.normal(72, 9, rows)),
        "smoker": generator.choice(["no", "former", "yes"], rows, p=[0.6, 0.25, 0.15]),
        "outcome": np.where(risk > 0, "ill", "well"),
    }
    return {name: column.tolist() for name, column in table.items()}


def encoded(pixels: np.ndarray, form: str = "PNG", size: tuple[int, int] | None = None, quality: int = 80) -> bytes:
    picture = Image.fromarray(pixels)
    if size is not None:
        picture = picture.resize(size, Image.Resampling.BILINEAR)
    stream = io.BytesIO()
    picture.save(stream, form, **({"quality": quality} if form == "JPEG" else {}))
    return stream.getvalue()


def drawn_pictures(generator: np.random.Generator, rows: int = 240) -> tuple[np.ndarray, Columns]:
    """Digits of 48 x 48 grey levels with a little noise, and their table."""
    digits = datasets.load_digits()
    chosen = generator.permutation(len(digits.target))[:rows]
    large = np.kron(digits.images[chosen] * 15, np.ones((1, 6, 6))) + generator.normal(0, 4, (rows, 48, 48))
    pixels = np.clip(large, 0, 255).astype(np.uint8)
    labels = [f"digit {digits.target[row] % 3}" for row in chosen]
    return pixels, {"image": [encoded(one) for one in pixels], "outcome": list(labels)}


def recordings(generator: np.random.Generator, rows: int = 80, steps: int = 400) -> Columns:
    """Two channels of movement, slow or quick."""
    quick = np.arange(rows) % 2
    time = np.arange(steps) / 50
    speed = np.where(quick, 2.0, 0.8)[:, None] * (1 + 0.1 * generator.normal(size=(rows, 1)))
    wave = np.sin(2 * np.pi * speed * time + generator.uniform(0, 6, (rows, 1)))
    first = wave + 0.2 * generator.normal(size=(rows, steps))
    second = 0.5 * wave**2 + 0.2 * generator.normal(size=(rows, steps))
    names = ["quick" if one else "slow" for one in quick]
    return {"ax": first.tolist(), "ay": second.tolist(), "outcome": list(names)}


def halves(rows: int) -> list[object]:
    """A given split: the last quarter judges."""
    return ["train" if row < rows * 3 // 4 else "test" for row in range(rows)]


def some(generator: np.random.Generator, rows: int, count: int) -> list[int]:
    return sorted(int(row) for row in generator.choice(rows, count, replace=False))


def changed(table: Columns, name: str, rows: list[int], change: Callable[[object], object]) -> Columns:
    column = list(table[name])
    for row in rows:
        column[row] = change(column[row])
    return {**table, name: column}


def faults(generator: np.random.Generator) -> dict[str, Fault]:
    """Every fault with its name."""
    return {
        **of_labels(generator),
        **of_columns(generator),
        **of_sides(generator),
        **of_pictures(generator),
        **of_recordings(generator),
    }


def of_labels(generator: np.random.Generator) -> dict[str, Fault]:
    table = people(generator)
    rows = some(generator, 600, 25)
    twice = some(generator, 300, 6)
    other = {"ill": "well", "well": "ill"}
    conflicting = {name: column + [column[row] for row in twice] for name, column in table.items()}
    conflicting["outcome"][600:] = [other[str(label)] for label in conflicting["outcome"][600:]]
    rare = changed(table, "outcome", rows[:4], lambda _: "unclear")
    uneven = {name: column[:] for name, column in table.items()}
    uneven["outcome"] = ["ill" if row % 25 == 0 else "well" for row in range(600)]
    wine = {
        name: column.to_pylist()
        for name, column in zip(bundled("wine").column_names, bundled("wine").columns, strict=True)
    }
    return {
        "labels are missing": Fault(changed(table, "outcome", rows, lambda _: None), ("missing_labels",), "outcome", tuple(rows)),
        "same inputs, other label": Fault(conflicting, ("conflicting_labels",), rows=(*twice, *range(600, 606))),
        "classes are uneven": Fault(uneven, ("imbalanced",), "outcome"),
        "a class has four rows": Fault(rare, ("rare_classes",), "outcome"),
        "as many classes as rows": Fault(
            {**wine, "target": [f"case {row}" for row in range(len(wine["target"]))]}, ("more_classes_than_rows",), target="target",
            options={"kinds": {"target": "category"}},
        ),
    }  # fmt: skip


def of_columns(generator: np.random.Generator) -> dict[str, Fault]:
    table = people(generator)
    rows = some(generator, 600, 30)
    few = rows[:3]
    copies = some(generator, 600, 12)
    pounds = changed(table, "weight", some(generator, 600, 60), lambda kg: round(float(str(kg)) * 2.20462, 1))
    fahrenheit = changed(table, "body_temperature", rows, lambda c: round(float(str(c)) * 1.8 + 32, 1))
    start = 1_700_000_000
    ill = np.array([label == "ill" for label in table["outcome"]])
    return {
        "a constant column": Fault({**table, "site": ["north"] * 600}, ("constant_column",), "site"),
        "a column of ids": Fault({**table, "record_id": (generator.permutation(90_000)[:600] + 10_000).tolist()}, ("id_column",), "record_id"),
        "rows come twice": Fault(
            {name: column + [column[row] for row in copies] for name, column in table.items()}, ("duplicate_rows",), rows=tuple(range(600, 612))
        ),
        "text among numbers": Fault(
            changed({**table, "glucose": [str(value) for value in table["glucose"]]}, "glucose", few, lambda _: "high"),
            ("mixed_types",), "glucose", tuple(few),
        ),
        "pounds among kilograms": Fault(pounds, ("mixed_units",), "weight"),
        "Fahrenheit among Celsius": Fault(fahrenheit, ("mixed_units",), "body_temperature", tuple(rows)),
        "blood pressures that cannot be": Fault(changed(table, "systolic", few, lambda _: 1300), ("impossible_values",), "systolic", tuple(few)),
        "ages that cannot be": Fault(changed(table, "age", few, lambda _: -1), ("impossible_values",), "age", tuple(few)),
        "zeros for missing values": Fault(changed(table, "glucose", rows, lambda _: 0), ("zeros_as_missing",), "glucose", tuple(rows)),
        "seconds since 1970": Fault(
            {**table, "created": [start + int(step) for step in np.cumsum(generator.integers(60, 90_000, 600))]}, ("epoch_numbers",), "created"
        ),
        "formulas in cells": Fault(
            changed({**table, "note": generator.choice(["none", "cough", "pain"], 600).tolist()}, "note", few, lambda _: "=SUM(B2:B9)"),
            ("formulas",), "note", tuple(few),
        ),
        "one column knows the class": Fault(
            {**table, "days_in_ward": np.round(np.where(ill, 9, 0) + generator.gamma(2, 1, 600) * (1 + ill), 2).tolist()},
            ("predicts_alone", "leaks_target"), "days_in_ward",
        ),
        "one column knows the number": Fault(
            {**table, "mass_in_lb": [float(str(kg)) * 2.20462 + generator.normal(0, 0.3) for kg in table["weight"]]},
            ("predicts_alone", "leaks_target"), "mass_in_lb", target="weight",
        ),
        "infinite values": Fault(changed(table, "heart_rate", few, lambda _: float("inf")), ("infinite_values",), "heart_rate", tuple(few)),
    }  # fmt: skip


def of_sides(generator: np.random.Generator) -> dict[str, Fault]:
    table = {**people(generator), "split": halves(600)}
    late = list(range(450, 600))
    drifted = changed(table, "glucose", late, lambda value: float(str(value)) * 1.3)
    from_train, to_test = some(generator, 450, 15), [450 + row for row in some(generator, 150, 15)]
    both = {name: column[:] for name, column in table.items()}
    for source, place in zip(from_train, to_test, strict=True):
        for name in both:
            if name != "split":
                both[name][place] = both[name][source]
    who = [f"p{row // 30:02d}" for row in range(600)]
    who[-1] = "p99"
    return {
        "train rows lie in test": Fault(both, ("overlapping_rows",), rows=tuple(to_test)),
        "test is of another time": Fault(drifted, ("drift",), "glucose"),
        "a person with one row": Fault(
            {**people(generator), "person": who}, ("small_groups",), "person", options={"group": "person"}
        ),
    }


def of_pictures(generator: np.random.Generator) -> dict[str, Fault]:
    pixels, table = drawn_pictures(generator)
    few = some(generator, 240, 3)
    broken = changed(table, "image", few, lambda content: bytes(content)[: len(bytes(content)) // 2])
    copies = {name: column + [column[row] for row in few] for name, column in table.items()}
    again = {name: column[:] for name, column in copies.items()}
    again["image"][240:] = [encoded(pixels[row], "JPEG") for row in few]
    resized = {**table, "split": halves(240)}
    resized = {name: column[:] for name, column in resized.items()}
    for place, row in zip((200, 210, 220), few, strict=True):
        source = row % 180
        resized["image"][place] = encoded(pixels[source], size=(96, 96))
        resized["outcome"][place] = resized["outcome"][source]
    blank = changed(table, "image", few, lambda _: encoded(np.full((48, 48), 17, np.uint8)))
    return {
        "pictures that break off": Fault(broken, ("undecodable_pictures",), "image", tuple(few)),
        "pictures encoded again": Fault(again, ("near_duplicate_pictures",), "image", tuple(range(240, 243))),
        "train pictures lie in test, resized": Fault(resized, ("overlapping_near_pictures",), "image", (200, 210, 220)),
        "blank pictures": Fault(blank, ("blank_pictures",), "image", tuple(few)),
    }


def of_recordings(generator: np.random.Generator) -> dict[str, Fault]:
    table = recordings(generator)
    few = some(generator, 80, 4)

    def altered(change: Callable[[np.ndarray], np.ndarray]) -> Columns:
        return changed(table, "ax", few, lambda trace: change(np.array(trace, dtype=float)).tolist())

    def gap(trace: np.ndarray) -> np.ndarray:
        trace[150:180] = np.nan
        return trace

    def jump(trace: np.ndarray) -> np.ndarray:
        trace[200:] += 60
        return trace

    return {
        "a channel is clipped": Fault(
            altered(lambda trace: np.clip(trace, -0.7, 0.7)), ("clipped_channel",), "ax", tuple(few)
        ),
        "a channel is flat": Fault(
            altered(lambda trace: np.full(len(trace), 0.3)), ("flat_channel",), "ax", tuple(few)
        ),
        "a channel has gaps": Fault(altered(gap), ("gappy_channel",), "ax", tuple(few)),
        "a channel jumps": Fault(altered(jump), ("jumping_channel",), "ax", tuple(few)),
    }


def clean(generator: np.random.Generator) -> dict[str, tuple[pa.Table, str]]:
    """The material without faults, and its targets."""
    sets: dict[str, tuple[Columns, str]] = {
        "people": (people(generator), "outcome"),
        "people, a number": (people(generator), "weight"),
        "pictures": (drawn_pictures(generator)[1], "outcome"),
        "recordings": (recordings(generator), "outcome"),
    }
    return {name: (pa.table(columns), target) for name, (columns, target) in sets.items()}
