"""One tree: it learns, chooses its size, says its rules, and its graph goes the same way."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from learner_tables import odd_feeds, part, prepared, run_graph

from salus.core.context import Context
from salus.learners.base import Prepared
from salus.learners.tree import DecisionTree, TreeConfig
from salus.testing.learner import LearnerContract

CASES = [(2, True, "both"), (3, True, "number"), (3, True, "category"), (1, False, "both"), (2, False, "number")]
QUICK: dict[str, Any] = {"max_leaves": 16}


class TestDecisionTree(LearnerContract):
    learner = DecisionTree
    options: ClassVar[dict[str, Any]] = QUICK

    def problem(self, classification: bool) -> Prepared:
        return prepared(2, classification)


@pytest.mark.parametrize(("classes", "classification", "kinds"), CASES)
def test_the_graph_says_what_the_trainer_says(classes: int, classification: bool, kinds: str, tmp_path: Path) -> None:
    fitted = DecisionTree(TreeConfig(**QUICK)).fit(prepared(classes, classification, kinds=kinds), Context())
    fitted.export(tmp_path / "main.onnx")
    output, scale = ("scores", 1.0) if classification else ("values", 1000.0)
    for feeds in (part(classes, classification, 200, kinds, 9).feeds, odd_feeds(kinds)):
        answers = run_graph(tmp_path / "main.onnx", feeds, output)
        np.testing.assert_allclose(answers / scale, fitted.raw(feeds) / scale, atol=5e-5, rtol=1e-5)


def test_rules_say_what_the_tree_says() -> None:
    data = prepared(2, rows=600)
    fitted = DecisionTree(TreeConfig(max_leaves=8)).fit(data, Context())
    rules = fitted.details["rules"]
    assert sum(rule["rows"] for rule in rules) == 600
    assert len(rules) == fitted.details["leaves"] <= 8
    words = " ".join(rule["when"] for rule in rules)
    assert "n1 at most 5" in words
    assert all(abs(sum(rule["says"].values()) - 1) < 1e-3 for rule in rules)


def test_levels_are_named_in_rules() -> None:
    data = prepared(2, kinds="category", rows=800)
    rules = DecisionTree(TreeConfig(max_leaves=4)).fit(data, Context()).details["rules"]
    assert "c0 is v" in " ".join(rule["when"] for rule in rules)


def test_a_tree_of_numbers_that_say_nothing_stays_small() -> None:
    data = prepared(2, kinds="number", rows=300)
    data.train.feeds["numbers"][:] = np.random.default_rng(0).normal(size=(300, 4))
    assert DecisionTree(TreeConfig(max_leaves=64)).fit(data, Context()).details["leaves"] <= 4
