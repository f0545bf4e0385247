"""Rows of several kinds: the contract with pictures, recordings, texts and plain columns at once, and that every kind is used."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")

from salus.core.context import Context
from salus.core.nouns import Column, Schema
from salus.data.encoding import encode_columns
from salus.data.kinds import kind_named
from salus.learners.base import Part, Prepared
from salus.learners.fusion import Fusion, FusionConfig
from salus.tasks import task_named
from salus.testing.learner import LearnerContract, answers_of, rows_of

QUICK: dict[str, Any] = {"width": 8, "hidden": 32, "steps": 60, "batch_rows": 32, "precision": "float32", "flip": "off"}


def problem(classification: bool, rows: int = 160, side: int = 12, seed: int = 0) -> Prepared:
    """A picture, a recording, a number, a label, a text. The class is 2 a + b: the picture and the recording show a and whether it is to be
    believed; number, label and text tell b. Numbers: a plus what the number column says."""
    sides = [_rows(rows, side, seed + at) for at in (0, 1)]
    columns = tuple(
        Column(name=name, kind=kind)
        for name, kind in (("number", "number"), ("label", "category"), ("note", "text"), ("move", "series"))
    )
    fitted = []
    for column in columns:
        state = kind_named(column.kind).fit(
            sides[0][0][column.name], {"window_s": 1.5, "rate_hz": 20} if column.kind == "series" else {}
        )
        fitted.append(column.model_copy(update={"state": state}))
    picture = Column(name="picture", kind="image", state={"height": side, "width": side, "channels": 1})
    parts = []
    for values, pixels, codes, numbers in sides:
        feeds = encode_columns(tuple(fitted), values) | {"image_0": pixels}
        target = codes if classification else numbers[:, None]
        parts.append(Part(feeds, target, np.arange(rows)))
    schema = Schema(columns=(*fitted, picture))
    return Prepared(schema, parts[0], parts[1], classification, 4 if classification else 1, seed, 1)


def _rows(rows: int, side: int, seed: int) -> tuple[dict[str, Any], np.ndarray, np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    a, b = generator.integers(0, 2, rows), generator.integers(0, 2, rows)
    pixels = np.where(np.arange(side)[None, :, None] // 2 % 2 == 1, 200, 50) * np.ones((rows, side, side))
    pixels = np.where(a[:, None, None] == 1, pixels, pixels.transpose(0, 2, 1)) + generator.normal(0, 20, pixels.shape)
    steps = np.arange(60)
    moves = np.sin(steps * (0.3 + 0.4 * a[:, None])) + generator.normal(0, 0.2, (rows, 60))
    numbers = b + generator.normal(0, 0.3, rows)
    values: dict[str, Any] = {
        "number": np.where(generator.random(rows) < 0.1, np.nan, numbers),
        "label": [None if generator.random() < 0.1 else ("low", "high")[code] for code in b],
        "note": [f"it was {('calm and quiet', 'loud and hard')[code]} on day {row}" for row, code in enumerate(b)],
        "move": [list(map(float, move)) for move in moves],
    }
    values["move"] = kind_named("series").column_values(values["move"], "move")
    return values, pixels.clip(0, 255).astype(np.uint8)[..., None], 2 * a + b, 10.0 * a + 5.0 * numbers


class TestFusion(LearnerContract):
    learner = Fusion
    options = QUICK

    def problem(self, classification: bool) -> Prepared:
        return problem(classification)


def without(prepared: Prepared, *kinds: str) -> Prepared:
    feeds = {"image": ("image_0",), "series": ("series", "series_rows"), "text": ("texts",), "number": ("numbers",)}
    gone = [feed for kind in kinds for feed in feeds[kind]]
    columns = tuple(column for column in prepared.schema.columns if column.kind not in kinds)
    sides = [
        replace(side, feeds={name: feed for name, feed in side.feeds.items() if name not in gone})
        for side in (prepared.train, prepared.validation)
    ]
    return replace(prepared, schema=Schema(columns=columns), train=sides[0], validation=sides[1])


def right(prepared: Prepared) -> float:
    fitted = Fusion(FusionConfig(**QUICK | {"steps": 150})).fit(prepared, Context())
    said = fitted.raw(prepared.validation.feeds).argmax(axis=1)
    return float(np.mean(said == prepared.validation.target))


def test_every_kind_is_used() -> None:
    whole = problem(True)
    assert right(whole) > 0.95
    assert right(without(whole, "series", "text")) > 0.9  # the picture and plain columns
    assert right(without(whole, "image", "number")) > 0.9  # the recording, a text and a label


@pytest.mark.parametrize("gone", [("series",), ("image",), ("series", "text", "number")])
def test_its_graph_takes_what_there_is(gone: tuple[str, ...], tmp_path: Path) -> None:
    prepared = without(problem(True, rows=60), *gone)
    fitted = Fusion(FusionConfig(**QUICK | {"steps": 3})).fit(prepared, Context())
    fitted.export(tmp_path / "graph.onnx")
    feeds = rows_of(prepared.validation.feeds, slice(0, 7))
    found = answers_of((tmp_path / "graph.onnx").read_bytes(), feeds)["scores"]
    assert np.allclose(found, fitted.raw(feeds), atol=1e-3)


def test_large_pictures_are_read_smaller(tmp_path: Path) -> None:
    prepared = without(problem(True, rows=40, side=150), "series", "text")
    fitted = Fusion(FusionConfig(**QUICK | {"steps": 2})).fit(prepared, Context())
    fitted.export(tmp_path / "graph.onnx")
    feeds = rows_of(prepared.validation.feeds, slice(0, 5))
    found = answers_of((tmp_path / "graph.onnx").read_bytes(), feeds)["scores"]
    assert np.allclose(found, fitted.raw(feeds), atol=1e-3)


def test_it_takes_rows_of_several_kinds_with_one_that_is_perceived() -> None:
    task = task_named("image-classification")
    takes = [({"image", "number"}, True), ({"series", "text"}, True), ({"image", "series"}, True), ({"image"}, False)]
    for kinds, expected in [*takes, ({"number", "text"}, False)]:
        assert Fusion.learns(task, frozenset(kinds)) is expected
