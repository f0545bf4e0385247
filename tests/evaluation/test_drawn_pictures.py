"""How drawn pictures are measured: the distance of laws, what lies among what, labels; and the page that shows them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from salus.core.nouns import Column, Role, Schema
from salus.evaluation.measures import measure_of
from salus.evaluation.measures.base import Known, Measure
from salus.evaluation.measures.image_generation import among, frechet
from salus.evaluation.report.parts import Said
from salus.evaluation.report.scores import METRIC_WORDS
from salus.evaluation.report.shown import shown
from salus.evaluation.report.text import WORDS
from salus.tasks.image_generation import ImageGeneration, png_of

STATE = {"height": 6, "width": 5, "channels": 1}


def law(features: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    covariance = np.cov(features, rowvar=False)
    values, vectors = np.linalg.eigh(covariance)
    return features.mean(axis=0), (vectors * np.sqrt(values)) @ vectors.T, float(np.trace(covariance))


def test_the_distance_of_two_laws_is_that_of_the_formula() -> None:
    generator = np.random.default_rng(0)
    known = generator.normal(size=(4000, 3))
    moved = known * [1.0, 2.0, 1.0] + [0.0, 0.0, 3.0]
    every = np.ones(len(known))
    assert frechet(known, every, *law(known)) == pytest.approx(0, abs=1e-9)
    # Independent features: the mean moved by 3, one deviation doubled from 1.
    assert frechet(moved, every, *law(known)) == pytest.approx(9 + 1, rel=0.05)
    twice = np.where(np.arange(len(known)) % 2, 2.0, 0.0)
    halves = np.concatenate([moved[1::2], moved[1::2]])
    assert frechet(moved, twice, *law(known)) == pytest.approx(frechet(halves, every, *law(known)), rel=1e-3)


def test_a_point_lies_among_others_when_it_is_nearer_than_their_third_neighbour() -> None:
    line = np.arange(10.0)[:, None] * [1.0, 0.0]
    asked = np.array([[4.5, 0.0], [4.5, 2.4], [-2.5, 0.0], [-3.5, 0.0]])
    # Inside, the third neighbour is 2 away, at the end 3.
    assert among(asked, line).tolist() == [1.0, 0.0, 1.0, 0.0]
    assert among(line[:1], line[:1]).tolist() == [1.0]


def pictures(codes: np.ndarray, generator: np.random.Generator) -> list[np.ndarray]:
    """Dark ones of label a, light ones of label b, with noise."""
    light = np.where(codes == 1, 190, 60)[:, None, None, None] + generator.normal(0, 15, (len(codes), 6, 5, 1))
    return list(light.clip(0, 255).astype(np.uint8))


def encoded(images: Sequence[np.ndarray]) -> np.ndarray:
    found = np.empty(len(images), dtype=object)
    for row, image in enumerate(images):
        found[row] = png_of(image)
    return found


def sees(graph: str, feeds: Mapping[str, np.ndarray], outputs: Sequence[str]) -> list[np.ndarray]:
    """Scores by lightness; features: lightness of four parts."""
    assert graph == "critic" and list(outputs) == ["seen"]
    pixels = feeds["image_0"][..., 0].astype(np.float32)
    parts = [
        pixels[:, rows, columns].mean(axis=(1, 2))
        for rows in (slice(3), slice(3, 6))
        for columns in (slice(2), slice(2, 5))
    ]
    mean = pixels.mean(axis=(1, 2))
    return [np.stack([-mean, mean - 250, *parts], axis=1)]


@pytest.fixture(scope="module")
def material() -> dict[str, Any]:
    generator = np.random.default_rng(1)
    train, test = generator.integers(0, 2, 300), generator.integers(0, 2, 200)
    columns = (
        Column(name="kind", kind="category", state={"levels": ["a", "b"]}),
        Column(name="image", kind="image", role=Role.TARGET, state=STATE),
    )
    values = {"kind": [["a", "b", None][code] for code in np.r_[test[:-1], 2]]}
    learned = {"kind": [["a", "b"][code] for code in train]}
    target = encoded(pictures(train, generator))
    known = Known(sees, Schema(columns=columns), target, lambda: learned, values)
    return {"known": known, "test": test, "target": encoded(pictures(test, generator)), "generator": generator}


def measured(measure: Measure, answers: Sequence[np.ndarray], target: np.ndarray) -> dict[str, float]:
    objects = np.empty(len(answers), dtype=object)
    objects[:] = list(answers)
    tallies = measure.tally(objects, target, [STATE])
    return {name: item.value for name, item in measure.intervals(tallies, None, 0).items()}


def test_good_drawings_are_told_from_bad_ones(material: dict[str, Any]) -> None:
    measure = measure_of("image-generation").informed(material["known"])
    test, target, generator = material["test"], material["target"], material["generator"]
    good = measured(measure, pictures(test, generator), target)
    wrong = measured(measure, pictures(1 - test, generator), target)
    alike = measured(measure, [pictures(np.array([code]), np.random.default_rng(0))[0] for code in test], target)
    assert good["class_accuracy"] == 1.0 and wrong["class_accuracy"] == 0.0
    assert good["manifold_recall"] > 0.8 and good["manifold_precision"] > 0.8
    assert alike["manifold_recall"] < 0.2 < good["manifold_recall"]
    assert alike["frechet"] > 3 * good["frechet"] and wrong["frechet"] == pytest.approx(good["frechet"], abs=300)
    real = measure.facts(np.array(pictures(test, generator)), target, [STATE])["real"]
    assert real["class_accuracy"] == 1.0 and real["frechet"] < alike["frechet"]


def test_doing_nothing_draws_the_mean_of_the_class_with_noise(material: dict[str, Any]) -> None:
    task, known = ImageGeneration(), material["known"]
    answers = task.nothing_by(known.train_target, known.train_values, [STATE], known.values, 200)
    means = np.array([answer.mean() for answer in answers])
    assert np.abs(means - np.where(material["test"] == 1, 190, 60))[:-1].max() < 20
    assert len({answer.tobytes() for answer in answers}) == 200


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_page_shows_labels_and_the_nearest_of_the_training_data(material: dict[str, Any], language: str) -> None:
    measure = measure_of("image-generation").informed(material["known"])
    drawn = np.empty(200, dtype=object)
    drawn[:] = pictures(material["test"], material["generator"])
    values = {"kind": ["<b>" if kind == "b" else kind for kind in material["known"].values["kind"]]}
    found = measure.shown(drawn, material["target"], values, [STATE])
    metrics = {name: {"value": 0.5} for name in measure.metrics}
    said = Said({"shown": found, "metrics": metrics}, WORDS[language], METRIC_WORDS[language], language)
    page = shown(said)
    assert page.count("<img") == 2 * (3 + 8) and "data:image/png;base64," in page
    assert "&lt;b&gt;" in page and "<b>" not in page and "http" not in page


def test_without_labels_no_label_is_obeyed(material: dict[str, Any]) -> None:
    known, count = material["known"], len(material["test"])
    columns = tuple(column for column in known.schema.columns if column.kind == "image")
    alone = replace(known, schema=Schema(columns=columns), values={"seed": np.zeros(count)}, run=_features)
    measure = measure_of("image-generation").informed(alone)
    found = measured(measure, pictures(material["test"], material["generator"]), material["target"])
    assert set(found) == {"frechet", "manifold_recall", "manifold_precision"} and found["manifold_recall"] > 0.7
    objects = np.array(pictures(material["test"], material["generator"]))
    shown_items = measure.shown(objects, material["target"], alone.values, [STATE])["items"]
    assert [item["what"] for item in shown_items].count("label") == 1 and "class_accuracy" not in shown_items[0]["real"]


def _features(graph: str, feeds: Mapping[str, np.ndarray], outputs: Sequence[str]) -> list[np.ndarray]:
    return [sees(graph, feeds, outputs)[0][:, 2:]]
