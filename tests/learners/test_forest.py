"""Forests: they learn, stay small, and their graph takes the way of every tree."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from learner_tables import odd_feeds, part, prepared, run_graph

from salus.core.context import Context
from salus.learners.base import Prepared
from salus.learners.forest import Forest, ForestConfig
from salus.testing.learner import LearnerContract

CASES = [(2, True, "both"), (3, True, "number"), (3, True, "category"), (1, False, "both"), (2, False, "number")]
QUICK: dict[str, Any] = {"trees": 20}


class TestForest(LearnerContract):
    learner = Forest
    options: ClassVar[dict[str, Any]] = QUICK

    def problem(self, classification: bool) -> Prepared:
        return prepared(2, classification)


@pytest.mark.parametrize(("classes", "classification", "kinds"), CASES)
def test_the_graph_says_what_the_trainer_says(classes: int, classification: bool, kinds: str, tmp_path: Path) -> None:
    fitted = Forest(ForestConfig(**QUICK)).fit(prepared(classes, classification, kinds=kinds), Context())
    fitted.export(tmp_path / "main.onnx")
    output, scale = ("scores", 1.0) if classification else ("values", 1000.0)
    for feeds in (part(classes, classification, 200, kinds, 9).feeds, odd_feeds(kinds)):
        answers = run_graph(tmp_path / "main.onnx", feeds, output)
        np.testing.assert_allclose(answers / scale, fitted.raw(feeds) / scale, atol=5e-5, rtol=1e-5)


def test_extra_trees_and_gaps_go_the_same_way(tmp_path: Path) -> None:
    fitted = Forest(ForestConfig(trees=10, kind="extra")).fit(prepared(3), Context())
    fitted.export(tmp_path / "main.onnx")
    for feeds in (part(3, True, 200, "both", 9).feeds, odd_feeds()):
        np.testing.assert_allclose(run_graph(tmp_path / "main.onnx", feeds, "scores"), fitted.raw(feeds), atol=5e-5)


def test_a_proposed_forest_stays_small(tmp_path: Path) -> None:
    data = prepared(2, rows=3000)
    proposal = Forest.propose(data, {}, 3.0, Context())
    assert proposal.expected_s <= 3.0
    Forest(ForestConfig(**proposal.config)).fit(data, Context()).export(tmp_path / "main.onnx")
    assert (tmp_path / "main.onnx").stat().st_size < 20e6


def test_threads_do_not_change_the_forest(tmp_path: Path) -> None:
    for threads in (1, 2):
        data = replace(prepared(2), threads=threads)
        Forest(ForestConfig(trees=5)).fit(data, Context()).export(tmp_path / str(threads))
    assert (tmp_path / "1").read_bytes() == (tmp_path / "2").read_bytes()
