"""Boosted trees: they learn, stop by themselves, and their graph takes LightGBM's way for every float32."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from learner_tables import odd_feeds, part, prepared, run_graph

from salus.core.context import Context
from salus.learners.base import Part, Prepared
from salus.learners.boosting import Boosting, BoostingConfig
from salus.learners.trees import floor_float32, parse_trees
from salus.testing.learner import LearnerContract

CASES = [(2, True, "both"), (3, True, "both"), (3, True, "category"), (1, False, "both"), (2, False, "number")]
CONFIG = BoostingConfig(trees=40, min_leaf_rows=5, learning_rate=0.1)


class TestBoosting(LearnerContract):
    learner = Boosting
    options: ClassVar[dict[str, Any]] = {"trees": 40, "learning_rate": 0.1, "min_leaf_rows": 5, "single_levels": 10}

    def problem(self, classification: bool) -> Prepared:
        return prepared(2, classification)


@pytest.mark.parametrize(("classes", "classification", "kinds"), CASES)
def test_the_graph_says_what_the_library_says(classes: int, classification: bool, kinds: str, tmp_path: Path) -> None:
    data = prepared(classes, classification, kinds=kinds)
    fitted = Boosting(CONFIG).fit(data, Context())
    fitted.export(tmp_path / "main.onnx")
    output, scale = ("scores", 1.0) if classification else ("values", 1000.0)
    for feeds in (data.train.feeds, part(classes, classification, 300, kinds, 9).feeds, odd_feeds(kinds)):
        answers = run_graph(tmp_path / "main.onnx", feeds, output)
        np.testing.assert_allclose(answers / scale, fitted.raw(feeds) / scale, atol=1e-5)


def test_values_at_thresholds_go_the_same_way(tmp_path: Path) -> None:
    """Neighbours of every threshold in float32, and the thresholds themselves."""
    data = prepared(2, kinds="number")
    fitted = Boosting(CONFIG).fit(data, Context())
    fitted.export(tmp_path / "main.onnx")
    base = data.train.feeds["numbers"]
    for towards in (-np.inf, np.inf):
        feeds = {"numbers": np.nextafter(base, np.float32(towards))}
        np.testing.assert_allclose(run_graph(tmp_path / "main.onnx", feeds, "scores"), fitted.raw(feeds), atol=1e-5)


def test_a_threshold_is_rounded_down() -> None:
    values = np.array([0.1, 1e-40, -0.1, 1e30, 16777217.0, 1.0])
    floored = floor_float32(values).astype(np.float64)
    assert np.all(floored <= values)
    assert floor_float32(np.array([1e300])) < np.inf
    assert np.all(np.nextafter(floored.astype(np.float32), np.float32(np.inf)).astype(np.float64) > values)


def test_missing_where_train_rows_had_none(tmp_path: Path) -> None:
    data = prepared(3, kinds="number")
    data.train.feeds["numbers"][:] = np.nan_to_num(data.train.feeds["numbers"])
    fitted = Boosting(CONFIG).fit(data, Context())
    fitted.export(tmp_path / "main.onnx")
    feeds = part(3, True, 100, "number", 5).feeds | {}
    feeds["numbers"][::3] = np.nan
    np.testing.assert_allclose(run_graph(tmp_path / "main.onnx", feeds, "scores"), fitted.raw(feeds), atol=1e-5)


def test_it_learns_and_stops_early() -> None:
    data = prepared(2, rows=1500)
    fitted = Boosting(BoostingConfig(trees=2000, patience_trees=20, learning_rate=0.2)).fit(data, Context())
    right = fitted.raw(data.validation.feeds).argmax(axis=1) == data.validation.target
    assert right.mean() > 0.85
    assert fitted.details["trees"][0] < 2000


def test_single_levels_are_split_off_by_the_graph_as_by_the_library(tmp_path: Path) -> None:
    data = prepared(3, rows=1000)
    config = CONFIG.model_copy(update={"single_levels": 50})
    fitted = Boosting(config).fit(data, Context())
    text = fitted.boosters[0].model_to_string()
    assert any(tree.levels for tree in parse_trees(text))
    fitted.export(tmp_path / "main.onnx")
    for feeds in (part(3, True, 300, "both", 9).feeds, odd_feeds()):
        np.testing.assert_allclose(run_graph(tmp_path / "main.onnx", feeds, "scores"), fitted.raw(feeds), atol=1e-5)


def test_all_trees_are_kept_without_validation_rows() -> None:
    data = prepared(2)
    learned = Boosting(BoostingConfig(trees=300, learning_rate=0.2)).fit(data, Context())
    none = Part({name: feed[:0] for name, feed in data.train.feeds.items()}, data.train.target[:0], data.train.rows[:0])
    refit = BoostingConfig(learning_rate=0.2, **learned.refit)
    again = Boosting(refit).fit(replace(data, validation=none), Context())
    assert again.details["trees"] == [refit.trees] == learned.details["trees"]


def test_a_proposal_fits_the_budget_and_options_win() -> None:
    proposal = Boosting.propose(prepared(2), {"leaves": 7}, 5.0, Context())
    config = BoostingConfig(**proposal.config)
    assert config.leaves == 7
    assert proposal.expected_s <= 5.0
