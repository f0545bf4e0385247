"""Recurrent networks: the contract, and that the graph's cells are those of torch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")

from learner_series import SeriesContract, prepared

from salus.core.context import Context
from salus.learners.base import Prepared
from salus.learners.rnn import Rnn, RnnConfig
from salus.testing.learner import answers_of

QUICK: dict[str, Any] = {"width": 8, "steps": 60, "batch_rows": 32, "learning_rate": 0.02, "precision": "float32"}


class TestRnn(SeriesContract):
    learner = Rnn
    options = QUICK

    def problem(self, classification: bool) -> Prepared:
        return prepared(classification, steps=24)


@pytest.mark.parametrize(
    ("cell", "layers", "both_ways"), [("gru", 1, True), ("gru", 2, False), ("lstm", 2, True), ("lstm", 1, False)]
)
def test_the_graph_has_the_cells_of_torch(cell: str, layers: int, both_ways: bool, tmp_path: Path) -> None:
    problem = prepared(rows=12, steps=300)
    options = QUICK | {"steps": 3, "cell": cell, "layers": layers, "both_ways": both_ways}
    fitted = Rnn(RnnConfig(**options)).fit(problem, Context())
    fitted.export(tmp_path / "graph.onnx")
    feeds = problem.validation.feeds
    scores = answers_of((tmp_path / "graph.onnx").read_bytes(), feeds)["scores"]
    np.testing.assert_allclose(scores, fitted.raw(feeds), atol=1e-4)
    graph = fitted.saliency_graph()
    assert graph is not None
    seen = answers_of(graph, feeds)["saliency"]
    assert seen.shape == (len(feeds["series"]), 100) and seen.max() > 0


@pytest.mark.parametrize(("channels", "steps"), [(1, 1), (5, 2), (1, 129)])
def test_any_shape_of_window(channels: int, steps: int, tmp_path: Path) -> None:
    problem = prepared(rows=30, channels=channels, steps=steps)
    fitted = Rnn(RnnConfig(**QUICK | {"steps": 2})).fit(problem, Context())
    fitted.export(tmp_path / "graph.onnx")
    feeds = problem.validation.feeds
    scores = answers_of((tmp_path / "graph.onnx").read_bytes(), feeds)["scores"]
    np.testing.assert_allclose(scores, fitted.raw(feeds), atol=1e-4)


def test_it_learns_in_bf16() -> None:
    problem = prepared(steps=24)
    fitted = Rnn(RnnConfig(**QUICK | {"precision": "bf16"})).fit(problem, Context())
    right = fitted.raw(problem.validation.feeds).argmax(axis=1) == problem.validation.target
    assert right.mean() > 0.6
