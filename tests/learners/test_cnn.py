"""The learner of pictures: the contract, sizes, mirrors, resuming."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")

import torch
from learner_pictures import prepared

from salus.core.context import Context
from salus.core.errors import SalusError
from salus.learners.base import Part, Prepared
from salus.learners.cnn import Cnn, CnnConfig
from salus.learners.networks.fast import FastNetwork
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


def test_the_recipe_learns_and_its_graph_says_the_same(tmp_path: Path) -> None:
    problem = prepared()
    fitted = Cnn(CnnConfig(**RECIPE)).fit(problem, Context())
    fitted.export(tmp_path / "graph.onnx")
    feeds = problem.validation.feeds
    scores = answers_of((tmp_path / "graph.onnx").read_bytes(), feeds)["scores"]
    assert np.allclose(scores, fitted.raw(feeds), atol=1e-4)
    assert np.mean(scores.argmax(axis=1) == problem.validation.target) > 0.5


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
    options = QUICK | {
        "patience": 0,
        "learning_rate": 10.0,
        "ema": 0.0,
        "schedule": "constant",
        "steps": 30,
        "optimiser": "sgd",
    }
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


def test_it_ends_early_with_the_best_weights_where_more_steps_do_not_help() -> None:
    problem = prepared(rows=60)
    noise = replace(problem.validation, target=problem.validation.target[::-1].copy())
    options = QUICK | {"steps": 400, "patience": 3, "label_smoothing": 0.0, "schedule": "constant"}
    fitted = Cnn(CnnConfig(**options)).fit(replace(problem, validation=noise), Context())
    losses = dict(map(tuple, fitted.details["checks"]))
    assert fitted.details["steps_done"] < 400
    assert losses[fitted.details["best_step"]] == min(losses.values())
    assert fitted.refit == {"last_step": fitted.details["best_step"]}
    again = Cnn(CnnConfig(**options | fitted.refit)).fit(replace(problem, validation=noise), Context())
    feeds = problem.validation.feeds
    assert np.array_equal(again.raw(feeds), fitted.raw(feeds))


def test_without_rows_held_out_all_steps_are_done() -> None:
    problem = prepared(rows=40)
    none = Part({"image_0": problem.validation.feeds["image_0"][:0]}, problem.validation.target[:0], np.zeros(0, int))
    fitted = Cnn(CnnConfig(**QUICK)).fit(replace(problem, validation=none), Context())
    assert fitted.details["steps_done"] == QUICK["steps"]
    assert "checks" not in fitted.details
    assert fitted.refit == {}


def test_short_memory_is_met_with_pieces_of_batches_and_remembered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, told = FastNetwork.forward, list[dict[str, Any]]()

    def narrow(self: FastNetwork, x_BCHW: torch.Tensor) -> torch.Tensor:
        if len(x_BCHW) > 10 and self.training:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 4 bytes.")
        return plain(self, x_BCHW)

    def listen(name: str, fields: dict[str, Any]) -> None:
        if name == "smaller_batches":
            told.append(fields)

    monkeypatch.setattr(FastNetwork, "forward", narrow)
    problem, learner = prepared(rows=64), Cnn(CnnConfig(**QUICK | {"steps": 4}))
    fitted = learner.fit(problem, Context(tmp_path, listen))
    assert [fields["rows"] for fields in told] == [16, 8]
    assert fitted.details["pieces"] == 4
    monkeypatch.setattr(FastNetwork, "forward", plain)
    again = learner.fit(problem, Context(tmp_path))
    assert np.array_equal(again.raw(problem.validation.feeds), fitted.raw(problem.validation.feeds))


def test_memory_that_is_too_short_for_anything_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(self: FastNetwork, x_BCHW: torch.Tensor) -> torch.Tensor:
        raise MemoryError

    monkeypatch.setattr(FastNetwork, "forward", never)
    with pytest.raises(SalusError) as caught:
        Cnn(CnnConfig(**QUICK)).fit(prepared(rows=40), Context())
    assert caught.value.code == "network_memory"


@pytest.mark.parametrize("flip", ["on", "off"])
@pytest.mark.parametrize("classification", [True, False])
def test_it_shows_where_it_looks(flip: str, classification: bool) -> None:
    problem = prepared(classification, rows=40, height=40, width=30)
    fitted = Cnn(CnnConfig(**QUICK | {"steps": 5, "flip": flip, "flip_average": flip})).fit(problem, Context())
    graph = fitted.saliency_graph()
    assert graph is not None
    feeds = problem.validation.feeds
    seen = answers_of(graph, feeds)["saliency"]
    assert seen.shape[0] == 40 and seen.ndim == 3 and seen.shape[1] > seen.shape[2] > 1
    assert seen.min() >= 0 and seen.max() > 0
    mirrored = answers_of(graph, {"image_0": np.ascontiguousarray(feeds["image_0"][:, :, ::-1])})["saliency"]
    assert np.allclose(mirrored[:, :, ::-1], seen, atol=1e-3) == (flip == "on")


def test_a_network_without_such_a_view_has_none() -> None:
    options = RECIPE | {"steps": 1}
    assert Cnn(CnnConfig(**options)).fit(prepared(rows=20), Context()).saliency_graph() is None


def test_mixing_and_blanking_still_learn() -> None:
    problem = prepared(rows=240)
    for changes in ({"mixup": 0.2, "clip_norm": 1.0}, {"cutout": 0.3, "schedule": "cosine"}):
        raw = Cnn(CnnConfig(**QUICK | changes)).fit(problem, Context()).raw(problem.validation.feeds)
        assert np.mean(raw.argmax(axis=1) == problem.validation.target) > 0.6
