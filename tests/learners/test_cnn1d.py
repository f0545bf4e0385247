"""Convolutions over recordings: the contract, any shape, absurd windows, resuming, where it looks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")

from learner_series import SeriesContract, prepared

from salus.core.context import Context
from salus.core.errors import SalusError
from salus.learners.cnn1d import Cnn1d, Cnn1dConfig
from salus.testing.learner import Stopping, answers_of
from salus.training import checkpoints, loop
from salus.training.batches import step_generator
from salus.training.windows import WindowAugmentation

QUICK: dict[str, Any] = {"width": 4, "depth": 3, "steps": 60, "batch_rows": 32, "learning_rate": 0.01}
QUICK |= {"precision": "float32", "kernel_steps": 11}


class TestCnn1d(SeriesContract):
    learner = Cnn1d
    options = QUICK


@pytest.mark.parametrize(("channels", "steps"), [(1, 1), (1, 7), (2, 300), (9, 20)])
def test_any_shape_of_window(channels: int, steps: int, tmp_path: Path) -> None:
    problem = prepared(rows=30, channels=channels, steps=steps)
    fitted = Cnn1d(Cnn1dConfig(**QUICK | {"steps": 2, "depth": 4})).fit(problem, Context())
    fitted.export(tmp_path / "graph.onnx")
    feeds = problem.validation.feeds
    scores = answers_of((tmp_path / "graph.onnx").read_bytes(), feeds)["scores"]
    np.testing.assert_allclose(scores, fitted.raw(feeds), atol=1e-4)


@pytest.mark.parametrize("odd", [0.0, 9.81, 3e38, -3e38])
def test_flat_and_absurd_windows_are_answered_alike(odd: float, tmp_path: Path) -> None:
    fitted = Cnn1d(Cnn1dConfig(**QUICK | {"steps": 5})).fit(prepared(), Context())
    fitted.export(tmp_path / "graph.onnx")
    feeds = {"series": np.full((1, 3, 40), odd, dtype=np.float32), "series_rows": np.ones((1, 1), dtype=np.float32)}
    scores = answers_of((tmp_path / "graph.onnx").read_bytes(), feeds)["scores"]
    np.testing.assert_allclose(scores, fitted.raw(feeds), atol=1e-4)


def test_it_is_taught_without_rows_held_out() -> None:
    fitted = Cnn1d(Cnn1dConfig(**QUICK | {"steps": 3})).fit(prepared(held=0), Context())
    assert fitted.details["steps_done"] == 3
    assert fitted.refit == {}


def test_one_class_is_refused() -> None:
    problem = prepared(rows=3)
    problem.train.target[:] = 1
    with pytest.raises(SalusError) as caught:
        Cnn1d(Cnn1dConfig(**QUICK)).fit(problem, Context())
    assert caught.value.code == "learner_one_class"


def test_a_fit_that_is_killed_again_and_again_goes_on_to_the_same_bits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = QUICK | {"steps": 40, "mixup": 0.2, "rotation": True}
    problem, learner = prepared(), Cnn1d(Cnn1dConfig(**options))
    whole = learner.fit(problem, Context())
    monkeypatch.setattr(checkpoints, "EVERY_S", 0.0)
    monkeypatch.setattr(loop, "LOOK_AROUND_S", 0.0)
    for _ in range(19):
        with pytest.raises(SalusError):
            learner.fit(problem, Stopping(after=2, folder=tmp_path))
    again = learner.fit(problem, Context(tmp_path))
    feeds = problem.validation.feeds
    assert np.array_equal(again.raw(feeds), whole.raw(feeds))
    assert again.details == whole.details


def test_it_shows_where_in_time_it_looks() -> None:
    """Every class is a frequency all along the window; where the window is flat, nothing speaks for it."""
    problem = prepared(rows=120)
    fitted = Cnn1d(Cnn1dConfig(**QUICK | {"depth": 2, "steps": 150})).fit(problem, Context())
    graph = fitted.saliency_graph()
    assert graph is not None
    feeds = {name: feed.copy() for name, feed in problem.validation.feeds.items()}
    seen = answers_of(graph, feeds)["saliency"]
    assert seen.shape == (len(feeds["series"]), 40)
    assert seen.min() >= 0
    feeds["series"][:, :, :20] = 9.81
    half = answers_of(graph, feeds)["saliency"]
    assert half[:, 25:].mean() > 1.3 * half[:, :15].mean()


def test_windows_are_changed_in_the_ways_asked_for() -> None:
    windows = np.random.default_rng(0).normal(size=(8, 7, 30)).astype(np.float32)
    import torch

    x = torch.from_numpy(windows)

    def changed(**asked: Any) -> torch.Tensor:
        options = {"scaling": 0.0, "jitter": 0.0, "shift": 0.0, "rotation": False} | asked
        return WindowAugmentation(**options).apply(x, step_generator(0, 3))

    assert torch.equal(changed(), x)
    turned = changed(rotation=True)
    for first in (0, 3):
        lengths = [part[:, first : first + 3].square().sum(dim=1) for part in (x, turned)]
        assert torch.allclose(lengths[0], lengths[1], atol=1e-4)
    assert torch.equal(turned[:, 6], x[:, 6]) and not torch.allclose(turned[:, :6], x[:, :6])
    ratios = (changed(scaling=0.5) / x).flatten(1)
    assert torch.allclose(ratios, ratios[:, :1].expand_as(ratios), rtol=1e-4) and ratios[:, 0].std() > 0.1
    assert 0.3 < float((changed(jitter=0.5) - x).std()) < 0.7
    moved = changed(shift=0.2)
    for row in range(8):
        offsets = [o for o in range(-6, 7) if torch.equal(moved[row, :, 10:20], x[row, :, 10 + o : 20 + o])]
        assert len(offsets) == 1


def test_a_budget_becomes_steps_and_a_width() -> None:
    proposal = Cnn1d.propose(prepared(), {"depth": 1}, 1.0, Context())
    assert proposal.config["width"] in Cnn1d.WIDTHS
    assert proposal.config["steps"] >= 1
