"""Rocket: it learns recordings, its graph counts the same steps as numpy, and rows are means of their windows."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from learner_tables import run_graph
from sklearn.linear_model import Ridge

from salus.core.context import Context
from salus.core.nouns import Column, Schema
from salus.learners.base import Part, Prepared
from salus.learners.kernels import Kernels
from salus.learners.rocket import Ridges, Rocket, RocketConfig
from salus.testing.learner import LearnerContract

STEPS, CHANNELS = 64, 3
CONFIG = RocketConfig(features=504)


def side(rows: int, seed: int, classification: bool = True, table: bool = False) -> Part:
    """Oscillations whose frequency is the class (or the target), one to three windows a row."""
    generator = np.random.default_rng(seed)
    target = generator.integers(0, 3, rows)
    counts = generator.integers(1, 4, rows)
    row_of = np.repeat(np.arange(rows), counts)
    phases = generator.uniform(0, 6, (len(row_of), CHANNELS, 1))
    waves = np.sin(np.arange(STEPS) * (0.2 + 0.25 * target[row_of])[:, None, None] + phases)
    windows = 9.81 + 1e-3 * (waves + generator.normal(size=waves.shape) * 0.5)
    series_rows = np.zeros((rows, len(row_of)), dtype=np.float32)
    series_rows[row_of, np.arange(len(row_of))] = 1 / counts[row_of]
    feeds = {"series": windows.astype(np.float32), "series_rows": series_rows}
    if table:
        feeds["numbers"] = np.where(generator.random((rows, 2)) < 0.1, np.nan, generator.normal(size=(rows, 2))).astype(
            np.float32
        )
        feeds["categories"] = generator.integers(0, 5, (rows, 1))
    answer = target if classification else np.stack([target * 100.0, -target], axis=1)
    return Part(feeds, answer, np.arange(rows))


def prepared(classification: bool = True, table: bool = False, rows: int = 60) -> Prepared:
    columns = [Column(name=f"s{c}", kind="series", state={}) for c in range(CHANNELS)]
    if table:
        columns += [Column(name=f"n{i}", kind="number", state={}) for i in range(2)]
        columns.append(Column(name="c", kind="category", state={"levels": ["x", "y", "z"]}))
    train, validation = (side(rows, seed, classification, table) for seed in (1, 2))
    return Prepared(Schema(columns=tuple(columns)), train, validation, classification, 3 if classification else 2, 0, 2)


class TestRocket(LearnerContract):
    learner = Rocket
    options: ClassVar[dict[str, Any]] = {"features": 252}

    def problem(self, classification: bool) -> Prepared:
        return prepared(classification)


@pytest.mark.parametrize(("classification", "table"), [(True, False), (True, True), (False, False)])
def test_the_graph_says_what_the_trainer_says(classification: bool, table: bool, tmp_path: Path) -> None:
    fitted = Rocket(CONFIG).fit(prepared(classification, table), Context())
    fitted.export(tmp_path / "main.onnx")
    feeds = side(20, 7, classification, table).feeds
    answers = run_graph(tmp_path / "main.onnx", feeds, "scores" if classification else "values")
    np.testing.assert_allclose(answers, fitted.raw(feeds), atol=2e-5, rtol=1e-5)


def test_it_learns() -> None:
    data = prepared()
    right = Rocket(CONFIG).fit(data, Context()).raw(data.validation.feeds).argmax(axis=1) == data.validation.target
    assert right.mean() > 0.95
    values = prepared(classification=False)
    error = Rocket(CONFIG).fit(values, Context()).raw(values.validation.feeds) - values.validation.target
    assert np.all(error.std(axis=0) < 0.5 * values.validation.target.std(axis=0))


@pytest.mark.parametrize("odd", [0.0, 9.81, 1e30, -1e30])
def test_flat_and_absurd_windows_count_alike(odd: float, tmp_path: Path) -> None:
    fitted = Rocket(CONFIG).fit(prepared(), Context())
    fitted.export(tmp_path / "main.onnx")
    feeds = {
        "series": np.full((1, CHANNELS, STEPS), odd, dtype=np.float32),
        "series_rows": np.ones((1, 1), dtype=np.float32),
    }
    np.testing.assert_allclose(
        run_graph(tmp_path / "main.onnx", feeds, "scores"), fitted.raw(feeds), atol=2e-5, rtol=1e-5
    )


@pytest.mark.parametrize(("channels", "steps"), [(1, 4), (1, 9), (2, 140), (40, 30)])
def test_any_shape_of_window(channels: int, steps: int) -> None:
    windows = np.random.default_rng(0).normal(size=(30, channels, steps)).astype(np.float32)
    kernels = Kernels.fit(windows, 168, 0)
    features = kernels.features(windows, 2)
    assert features.shape == (30, kernels.width)
    assert np.array_equal(features, np.round(features))


@pytest.mark.parametrize("features", [20, 60])
def test_what_is_said_of_rows_left_out_is_what_a_fit_without_them_says(features: int) -> None:
    """Fewer and more features than windows; the same penalty a window times the windows that all had."""
    generator = np.random.default_rng(0)
    z, answers = generator.normal(size=(40, features)).astype(np.float32), generator.normal(size=(40, 2))
    table = np.zeros((40, 0), dtype=np.float32)
    ridges = Ridges.of(z, table, answers, lambda: None)
    held = np.arange(7)
    said = ridges.left_out(0.1, [held, np.arange(7, 40)])[held]
    model = Ridge(alpha=0.1 * 40).fit(((z - ridges.means) / ridges.scales)[7:], answers[7:])
    np.testing.assert_allclose(said, model.predict((z[:7] - ridges.means) / ridges.scales), atol=1e-4)


def test_a_proposal_is_a_whole_config_and_options_win() -> None:
    proposal = Rocket.propose(prepared(), {"features": 252}, 10.0, Context())
    assert RocketConfig(**proposal.config).features == 252


def test_windows_are_counted_one_by_one(tmp_path: Path) -> None:
    """Many windows in one pass give what each gives alone: nothing hangs on company."""
    fitted = Rocket(CONFIG).fit(prepared(), Context())
    fitted.export(tmp_path / "main.onnx")
    series = side(40, 5).feeds["series"]
    together = run_graph(
        tmp_path / "main.onnx", {"series": series, "series_rows": np.eye(len(series), dtype=np.float32)}, "scores"
    )
    one = np.ones((1, 1), dtype=np.float32)
    alone = [
        run_graph(tmp_path / "main.onnx", {"series": window[None], "series_rows": one}, "scores")
        for window in series[:5]
    ]
    np.testing.assert_allclose(together[:5], np.concatenate(alone), atol=1e-5)


def test_more_time_proposes_more_features() -> None:
    short, long = (Rocket.propose(prepared(), {}, budget_s, Context()) for budget_s in (1e-3, 100.0))
    assert short.config["features"] < 3024 < long.config["features"] <= 9996
    assert short.expected_s < long.expected_s
