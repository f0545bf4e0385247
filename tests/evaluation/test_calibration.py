"""Calibration: what is fitted helps on other rows, what is in the graph is what was fitted, and the simple way wins ties."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

from salus.bundle.graph_check import check_graph
from salus.evaluation.calibrate import apply_calibration, fit_calibration, fit_temperature, margins
from salus.evaluation.metrics import score, softmax
from salus.evaluation.reliability import reliability
from salus.learners.calibration_graph import add_calibration


def drawn(rows: int, classes: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Scores whose softmax is the truth, and targets drawn from it."""
    generator = np.random.default_rng(seed)
    scores = generator.normal(size=(rows, classes)) * 1.5
    cumulated = softmax(scores).cumsum(axis=1)
    return scores, (generator.random((rows, 1)) > cumulated).sum(axis=1).clip(0, classes - 1)


def plain_graph(classes: int) -> bytes:
    """Scores in, scores out."""
    shapes = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ("rows", classes)) for name in ("given", "scores")]
    node = helper.make_node("Identity", ["given"], ["scores"])
    graph = helper.make_graph([node], "plain", [shapes[0]], [shapes[1]])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    return bytes(model.SerializeToString())


SHIFT = (2.0, 0.0, -1.0)
RECORDS: list[tuple[int, dict[str, Any]]] = [
    (3, {"method": "temperature", "temperature": 2.5}),
    (3, {"method": "platt", "scale": [0.5, 1.5, 1.0], "bias": [0.1, -0.3, 0.0]}),
]


def noisy(rows: int, classes: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """One label in five is drawn at random: no scale and no bias mends probabilities near 1."""
    scores, target = drawn(rows, classes, seed)
    generator = np.random.default_rng(seed)
    return scores, np.where(generator.random(rows) < 0.2, generator.integers(0, classes, rows), target)


def isotonic(classes: int) -> dict[str, Any]:
    record = fit_calibration(*noisy(6000, classes))
    assert record["method"] == "isotonic"
    return record


@pytest.mark.parametrize("case", ["temperature", "platt", "isotonic of two", "isotonic of four"])
def test_the_graph_says_what_the_record_says(case: str) -> None:
    known = {"temperature": RECORDS[0], "platt": RECORDS[1]}
    classes, record = known.get(case) or ((2, isotonic(2)) if case.endswith("two") else (4, isotonic(4)))
    graph = add_calibration(plain_graph(classes), record)
    check_graph(graph)
    given = np.random.default_rng(1).normal(size=(500, classes)).astype(np.float32) * 6
    given[:3] = [[0] * classes, [80, *[-80] * (classes - 1)], [-1e4, *[1e4] * (classes - 1)]]
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    scores, probabilities = session.run(["scores", "probabilities"], {"given": given})
    assert np.array_equal(scores, given)
    assert np.abs(probabilities - apply_calibration(record, given)).max() < 1e-5
    assert np.abs(probabilities.sum(axis=1) - 1).max() < 1e-5


def test_a_number_is_a_temperature_and_nothing_leaves_the_graph_alone() -> None:
    assert add_calibration(plain_graph(3), 2.5) == add_calibration(plain_graph(3), RECORDS[0][1])
    outputs = onnx.load_model_from_string(add_calibration(plain_graph(3), None)).graph.output
    assert [output.name for output in outputs] == ["scores"]


@pytest.mark.parametrize("classes", [2, 4])
def test_well_calibrated_scores_keep_the_simplest_way(classes: int) -> None:
    chosen = [fit_calibration(*drawn(1500, classes, seed))["method"] for seed in range(6)]
    assert chosen.count("temperature") >= 4, chosen


def test_a_shifted_class_takes_platt() -> None:
    scores, target = drawn(900, 3)
    scores = np.add(scores, SHIFT)
    record = fit_calibration(scores, target)
    assert record["method"] == "platt"
    fresh, truth = drawn(4000, 3, 1)
    fresh += SHIFT
    cooled = softmax(fresh / fit_temperature(scores, target))
    assert score("log_loss", apply_calibration(record, fresh), truth) < score("log_loss", cooled, truth) - 0.05


@pytest.mark.parametrize("classes", [2, 4])
def test_isotonic_helps_on_other_rows_and_keeps_the_order(classes: int) -> None:
    record = isotonic(classes)
    json.dumps(record, allow_nan=False)
    scores, target = noisy(4000, classes, 7)
    before, after = reliability(softmax(scores), target), reliability(apply_calibration(record, scores), target)
    assert after["log_loss"] < before["log_loss"] and after["ece"] < min(0.02, before["ece"])
    for line in record["lines"]:
        assert np.all(np.diff(line["x"]) > 0) and np.all(np.diff(line["y"]) > 0)
    if classes == 2:
        assert score("auc", apply_calibration(record, scores), target) == pytest.approx(
            score("auc", softmax(scores), target)
        )


def test_few_rows_get_a_temperature_and_people_stay_whole() -> None:
    scores, target = drawn(2000, 2)
    assert fit_calibration(scores[:40], target[:40])["method"] == "temperature"
    groups = np.arange(2000) % 7  # too few people for folds
    assert fit_calibration(np.sign(scores) * np.abs(scores) ** 3, target, groups)["method"] == "temperature"
    assert fit_calibration(scores, np.zeros(2000, dtype=int))["method"] == "temperature"


def test_margins_are_the_logits_of_softmax() -> None:
    scores = np.random.default_rng(0).normal(size=(20, 4))
    said = softmax(scores)
    assert margins(scores) == pytest.approx(np.log(said / (1 - said)))


def test_the_gap_of_a_calibrated_model_is_about_nothing_however_few_the_rows() -> None:
    """The plain mean gap of few rows is noise; without the noise it is about 0, and its interval reaches 0."""
    found = []
    for seed in range(20):
        scores, target = drawn(300, 3, seed)
        found.append(reliability(softmax(scores), target, seed=seed))
    assert np.mean([item["ece"] for item in found]) < 0.5 * np.mean([item["ece_plain"] for item in found])
    assert sum(item["ece_low"] < 0.01 for item in found) >= 18
    assert all(item["ece_low"] <= item["ece"] <= item["ece_high"] for item in found)


def test_the_gap_of_an_overconfident_model_lies_in_its_interval() -> None:
    truth_scores, truth_target = drawn(100_000, 3, 99)
    truth = reliability(softmax(truth_scores * 2), truth_target)["ece_plain"]
    held = 0
    for seed in range(40):
        scores, target = drawn(400, 3, seed)
        made = reliability(softmax(scores * 2), target, seed=seed)
        held += made["ece_low"] <= truth <= made["ece_high"]
    assert held >= 36
