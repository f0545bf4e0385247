"""Linear models: they learn, and their graph says what scikit-learn says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from learner_tables import odd_feeds, part, prepared, run_graph

from salus.core.context import Context
from salus.core.errors import SalusError
from salus.learners.base import Part, Prepared
from salus.learners.calibration_graph import add_calibration
from salus.learners.linear import Linear, LinearConfig
from salus.testing.learner import LearnerContract

CASES = [(2, True, "both"), (3, True, "number"), (3, True, "category"), (1, False, "both"), (2, False, "number")]


QUICK: dict[str, Any] = {"penalties": [1.0, 10.0], "penalty_kind": "l2"}


class TestLinear(LearnerContract):
    learner = Linear
    options = QUICK

    def problem(self, classification: bool) -> Prepared:
        return prepared(2, classification)


@pytest.mark.parametrize(("classes", "classification", "kinds"), CASES)
def test_the_graph_says_what_the_library_says(classes: int, classification: bool, kinds: str, tmp_path: Path) -> None:
    fitted = Linear(LinearConfig(**QUICK)).fit(prepared(classes, classification, kinds=kinds), Context())
    fitted.export(tmp_path / "main.onnx")
    output, scale = ("scores", 1.0) if classification else ("values", 1000.0)
    for feeds in (part(classes, classification, 200, kinds, 9).feeds, odd_feeds(kinds)):
        answers = run_graph(tmp_path / "main.onnx", feeds, output)
        np.testing.assert_allclose(answers / scale, fitted.raw(feeds) / scale, atol=2e-5, rtol=1e-5)


def test_it_learns(tmp_path: Path) -> None:
    data = prepared(2, rows=1500)
    fitted = Linear(LinearConfig(**QUICK)).fit(data, Context())
    right = fitted.raw(data.validation.feeds).argmax(axis=1) == data.validation.target
    assert right.mean() > 0.85
    values = prepared(1, False, rows=1500)
    error = Linear(LinearConfig(**QUICK)).fit(values, Context()).raw(values.validation.feeds) - values.validation.target
    assert error.std() < 0.6 * values.validation.target.std()


@pytest.mark.parametrize("kind", ["l1", "l2"])
@pytest.mark.parametrize("classes", [2, 3])
def test_bends_and_products_are_in_the_graph(kind: str, classes: int, tmp_path: Path) -> None:
    options = {"penalties": [1.0], "penalty_kind": kind, "splines": "on", "products": "on", "max_iterations": 20}
    for classification in (True, False):
        fitted = Linear(LinearConfig(**options)).fit(prepared(classes, classification, rows=200), Context())
        assert "bent products" in fitted.details["shape"]
        fitted.export(tmp_path / "main.onnx")
        output, scale = ("scores", 1.0) if classification else ("values", 1000.0)
        for feeds in (part(classes, classification, 200, "both", 9).feeds, odd_feeds("both")):
            answers = run_graph(tmp_path / "main.onnx", feeds, output)
            np.testing.assert_allclose(answers / scale, fitted.raw(feeds) / scale, atol=5e-4, rtol=1e-4)


def test_a_bent_line_is_found_where_it_is_better() -> None:
    data = prepared(2, False, rows=600)
    sides = []
    for side in (data.train, data.validation):
        numbers = np.nan_to_num(side.feeds["numbers"])
        sides.append(replace(side, feeds=side.feeds | {"numbers": numbers}, target=np.abs(numbers[:, :1] * [1.0, 2.0])))
    bent = replace(data, train=sides[0], validation=sides[1])
    fitted = Linear(LinearConfig(penalties=(0.1, 1.0))).fit(bent, Context())
    assert "bent" in fitted.details["shape"]
    assert np.mean((fitted.raw(sides[1].feeds) - sides[1].target) ** 2) < 0.1 * sides[1].target.var()


def test_a_class_without_train_rows_is_never_the_answer() -> None:
    data = prepared(3)
    target = np.where(data.train.target == 1, 2, data.train.target)
    without = Part(data.train.feeds, target, data.train.rows)
    fitted = Linear(LinearConfig(**QUICK)).fit(
        Prepared(data.schema, without, data.validation, True, 3, 0, 1), Context()
    )
    assert set(fitted.raw(data.validation.feeds).argmax(axis=1)) == {0, 2}


def test_one_class_is_refused() -> None:
    data = prepared(2)
    one = Part(data.train.feeds, np.zeros_like(data.train.target), data.train.rows)
    with pytest.raises(SalusError, match="two classes"):
        Linear(LinearConfig(**QUICK)).fit(Prepared(data.schema, one, data.validation, True, 2, 0, 1), Context())


def test_a_proposal_is_a_whole_config_and_options_win() -> None:
    proposal = Linear.propose(prepared(2), {"penalties": [0.5]}, 10.0, Context())
    assert LinearConfig(**proposal.config).penalties == (0.5,)
    with pytest.raises(SalusError, match="option 'depth'"):
        Linear.propose(prepared(2), {"depth": 3}, 10.0, Context())


def test_calibration_is_added_behind_scores(tmp_path: Path) -> None:
    fitted = Linear(LinearConfig(**QUICK)).fit(prepared(3), Context())
    fitted.export(tmp_path / "main.onnx")
    graph = add_calibration((tmp_path / "main.onnx").read_bytes(), 2.5)
    feeds = part(3, True, 50, "both", 4).feeds
    scores = run_graph(graph, feeds, "scores") / 2.5
    expected = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(run_graph(graph, feeds, "probabilities"), expected, atol=1e-6)
    assert b"onnx.helper" not in graph
