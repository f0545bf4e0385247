"""Recurrent networks: the contract, and that the graph's cells are those of torch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")

from learner_series import SeriesContract, prepared

from salus.core.context import Context
from salus.learners.rnn import Rnn, RnnConfig
from salus.testing.learner import answers_of

QUICK: dict[str, Any] = {"width": 8, "steps": 60, "batch_rows": 32, "learning_rate": 0.02, "precision": "float32"}


class TestRnn(SeriesContract):
    learner = Rnn
    options = QUICK


@pytest.mark.parametrize("cell", ["gru", "lstm"])
@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("both_ways", [True, False])
def test_the_graph_has_the_cells_of_torch(cell: str, layers: int, both_ways: bool, tmp_path: Path) -> None:
    problem = prepared(rows=30, steps=300)
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


@pytest.mark.parametrize("precision", ["float32", "bf16"])
def test_both_precisions_learn(precision: str) -> None:
    problem = prepared()
    fitted = Rnn(RnnConfig(**QUICK | {"precision": precision, "steps": 80})).fit(problem, Context())
    right = fitted.raw(problem.validation.feeds).argmax(axis=1) == problem.validation.target
    assert right.mean() > 0.6
