"""The learner of pictures: the contract, sizes, mirrors, resuming."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")

from learner_pictures import prepared

from salus.core.context import Context
from salus.core.errors import SalusError
from salus.learners.base import Prepared
from salus.learners.cnn import Cnn, CnnConfig
from salus.learners.pictures import flips_hurt
from salus.recipes import recipe_named
from salus.testing.learner import LearnerContract, Stopping, answers_of
from salus.training import checkpoints, loop

QUICK: dict[str, Any] = {"width": 8, "steps": 60, "batch_rows": 32, "learning_rate": 0.05, "precision": "float32"}
RECIPE: dict[str, Any] = recipe_named("cifar10_keras_cnn")["options"] | {"steps": 120, "width": 8}


class TestFast(LearnerContract):
    learner = Cnn
    options = QUICK

    def problem(self, classification: bool) -> Prepared:
        return prepared(classification)


class TestRecipe(LearnerContract):
    learner = Cnn
    options = RECIPE

    def problem(self, classification: bool) -> Prepared:
        return prepared(classification)


@pytest.mark.parametrize(("height", "width", "channels"), [(8, 8, 1), (5, 30, 3), (1, 1, 1), (150, 50, 1), (300, 1, 1)])
def test_any_size_and_colour(height: int, width: int, channels: int, tmp_path: Path) -> None:
    problem = prepared(rows=40, height=height, width=width, channels=channels)
    fitted = Cnn(CnnConfig(**QUICK | {"steps": 2})).fit(problem, Context())
    fitted.export(tmp_path / "graph.onnx")
    feeds = problem.validation.feeds
    scores = answers_of((tmp_path / "graph.onnx").read_bytes(), feeds)["scores"]
    assert np.allclose(scores, fitted.raw(feeds), atol=1e-3)


def test_several_picture_columns_are_seen_together(tmp_path: Path) -> None:
    problem = prepared(rows=40)
    sides = [
        replace(p, feeds=p.feeds | {"image_1": p.feeds["image_0"][..., :1]})
        for p in (problem.train, problem.validation)
    ]
    both = replace(problem, train=sides[0], validation=sides[1])
    fitted = Cnn(CnnConfig(**QUICK | {"steps": 2})).fit(both, Context())
    fitted.export(tmp_path / "graph.onnx")
    scores = answers_of((tmp_path / "graph.onnx").read_bytes(), both.validation.feeds)["scores"]
    assert np.allclose(scores, fitted.raw(both.validation.feeds), atol=1e-3)


def test_mirrors_are_left_out_where_they_mean_something_else() -> None:
    assert not flips_hurt(prepared(rows=300))
    assert flips_hurt(prepared(rows=300, leaning=True))


def test_a_small_picture_is_refused_by_the_recipe() -> None:
    with pytest.raises(SalusError) as caught:
        Cnn(CnnConfig(network="recipe", steps=1)).fit(prepared(rows=20, height=8, width=8), Context())
    assert caught.value.code == "network_picture_small"


def test_a_fit_that_runs_away_is_refused() -> None:
    options = QUICK | {"learning_rate": 10.0, "ema": 0.0, "schedule": "constant", "steps": 30, "optimiser": "sgd"}
    with pytest.raises(SalusError) as caught:
        Cnn(CnnConfig(**options)).fit(prepared(classification=False, rows=60), Context())
    assert caught.value.code == "network_diverged"


@pytest.mark.parametrize("optimiser", ["sgd", "adam"])
@pytest.mark.parametrize("precision", ["float32", "bf16"])
def test_a_killed_fit_goes_on_to_the_same_bits(
    optimiser: str, precision: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = QUICK | {"optimiser": optimiser, "precision": precision, "steps": 25, "learning_rate": 0.01}
    problem, learner = prepared(rows=100), Cnn(CnnConfig(**options))
    whole = learner.fit(problem, Context())
    monkeypatch.setattr(checkpoints, "EVERY_S", 0.0)
    monkeypatch.setattr(loop, "LOOK_AROUND_S", 0.0)
    with pytest.raises(SalusError):
        learner.fit(problem, Stopping(after=13, folder=tmp_path))
    steps: list[int] = []
    again = learner.fit(problem, Context(tmp_path, lambda _, fields: steps.append(fields["step"])))
    assert steps[0] > 10
    graphs = []
    for fitted in (whole, again):
        fitted.export(tmp_path / "graph.onnx")
        graphs.append((tmp_path / "graph.onnx").read_bytes())
    assert graphs[0] == graphs[1]
    assert again.details["curve"] == whole.details["curve"]


def test_a_budget_becomes_steps() -> None:
    problem = prepared(rows=64)
    proposal = Cnn.propose(problem, {"width": 8, "batch_rows": 32}, 1.0, Context())
    assert proposal.config["steps"] <= 600
    assert proposal.config["precision"] in ("bf16", "float32")
    assert proposal.config["flip"] in ("on", "off")


def test_a_graph_does_not_tell_where_it_was_made(tmp_path: Path) -> None:
    fitted = Cnn(CnnConfig(**QUICK | {"steps": 1})).fit(prepared(rows=40), Context())
    fitted.export(tmp_path / "graph.onnx")
    graph = (tmp_path / "graph.onnx").read_bytes()
    for word in (b".py", b"site-packages", str(tmp_path).encode(), b"BatchNormalization", b"torch"):
        assert word not in graph
