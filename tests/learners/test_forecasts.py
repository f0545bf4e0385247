"""Learners of forecasts: the graph says what the library says, waves are learned, bands hold, the seed decides every bit."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import salus
from salus.core.context import Context
from salus.core.errors import SalusError
from salus.core.specs import TrainSpec
from salus.data.origins import origins_of
from salus.learners import learner_named
from salus.learners.base import Fitted, Part, Prepared
from salus.learners.boosting_forecast import Lags
from salus.learners.forecasts import Scales, quantiles_of, told_in
from salus.learners.graphs import GraphBuilder
from salus.learners.networks.forecast import PatchTransformer, SegmentGru, TraceNetwork
from salus.study.prepare import prepare
from salus.study.rounds import rounds_of
from salus.tasks import task_named
from salus.testing.learner import Stopping, answers_of

QUICK: dict[str, dict[str, Any]] = {
    "seasonal_naive": {},
    "linear_forecast": {},
    "boosting_forecast": {"trees": 40, "min_leaf_rows": 20},
    "patch_transformer": {"steps": 60, "width": 8, "heads": 2, "layers": 1, "patch_steps": 8, "batch_rows": 32},
    "rnn_forecast": {"steps": 60, "width": 12, "segment_steps": 7, "batch_rows": 32},
}
HORIZON, HISTORY = 12, 50


@cache
def problem(timed: bool = True) -> Prepared:
    """Two waves that differ in size, a third channel that is only looked at, a plan that raises the first, noise; 700 hours."""
    generator = np.random.default_rng(4)
    hour = np.arange(700)
    wave = np.sin(hour * 2 * np.pi / 24)
    columns = {
        "x": 5 * wave + generator.normal(0, 0.5, 700) + 20,
        "y": 0.1 * np.roll(wave, 3) + generator.normal(0, 0.01, 700),
        "z": generator.normal(0, 1, 700),
    }
    if timed:
        columns["plan"] = (generator.random(700) < 0.15).astype(float)
        columns["x"] = columns["x"] + 6 * columns["plan"]
    lines = [",".join((["t"] if timed else []) + list(columns))]
    for row in range(700):
        told = [(datetime(2024, 1, 1) + timedelta(hours=row)).isoformat()] if timed else []
        lines.append(",".join(told + [f"{values[row]:.6f}" for values in columns.values()]))
    return _prepared("\n".join(lines), timed)


def _prepared(text: str, timed: bool) -> Prepared:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.csv"
        path.write_text(text, encoding="utf-8")
        said: dict[str, Any] = {"time": "t", "known": ("plan",)} if timed else {}
        spec = TrainSpec(target=("x", "y"), horizon=HORIZON, history=HISTORY, **said)
        view, spec = origins_of(salus.read(path), spec)
    return rounds_of(prepare(view, spec), spec, 1).final.prepared(0)


@cache
def fitted(name: str, timed: bool = True) -> tuple[Fitted, bytes]:
    made = _fit(name, problem(timed))
    return made, _graph(made)


def _fit(name: str, prepared: Prepared, context: Context | None = None) -> Fitted:
    learner = learner_named(name)
    return learner(learner.Config(**QUICK[name])).fit(prepared, context or Context())


def _graph(made: Fitted) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        return made.graphs(Path(folder))["main"]


@pytest.mark.parametrize("timed", [True, False])
@pytest.mark.parametrize("name", QUICK)
def test_the_graph_says_what_the_library_says(name: str, timed: bool) -> None:
    prepared = problem(timed)
    made, graph = fitted(name, timed)
    feeds = prepared.validation.feeds
    found = answers_of(graph, feeds)
    assert list(found) == ["values"] and found["values"].dtype == np.float32
    assert found["values"].shape == (len(prepared.validation), HORIZON, 3, 10)
    raw = made.raw(feeds)
    assert task_named("forecasting").agree(raw, found["values"]) < 1  # type: ignore[attr-defined]
    alone = answers_of(graph, {feed: values[5:6] for feed, values in feeds.items()})["values"]
    np.testing.assert_allclose(alone[0], found["values"][5], rtol=1e-4, atol=1e-4)
    assert len(made.raw({feed: values[:0] for feed, values in feeds.items()})) == 0


@pytest.mark.parametrize(
    ("network", "steps"),
    [
        (lambda: PatchTransformer(50, 13, 8, 4, 8, 2, 2, 0.3), 50),
        (lambda: PatchTransformer(5, 3, 5, 2, 4, 1, 1, 0.0), 5),
        (lambda: SegmentGru(50, 13, 7, 12, 0.3), 50),
        (lambda: SegmentGru(6, 3, 3, 4, 0.0), 6),
    ],
)
def test_networks_are_their_graphs(network: Callable[[], TraceNetwork], steps: int) -> None:
    torch.manual_seed(0)
    made = network().eval()
    x = torch.randn(9, steps) * 3 + 1
    builder = GraphBuilder()
    graph = builder.finish("said", made.nodes(builder, builder.feed("x", np.float32, ("rows", steps))), "ahead")
    with torch.inference_mode():
        np.testing.assert_allclose(answers_of(graph, {"x": x.numpy()})["said"], made(x).numpy(), atol=2e-5)


@pytest.mark.parametrize("timed", [True, False])
def test_lags_are_the_same_bits_in_the_graph(timed: bool) -> None:
    prepared = problem(timed)
    lags = Lags.of(Scales.of(prepared.schema), 3600.0)
    feeds = prepared.validation.feeds
    x = lags.scales.standard(feeds["history"])
    builder = GraphBuilder()
    told = {name: builder.feed(name, np.float32, ("rows", *shape)) for name, shape in lags.scales.told.items()}
    assert list(told) == (["stamp", "ahead"] if timed else [])
    table = lags.nodes(builder, builder.feed("x", np.float32, ("rows", 3, HISTORY)), told)
    asked = {"x": x} | told_in(feeds)
    found = answers_of(builder.finish("table", table, lags.width), asked)["table"]
    expected = lags.table(x, told_in(feeds)).reshape(-1, lags.width)
    np.testing.assert_array_equal(found, expected)
    assert lags.width == (2 + 4 + 2 + (4 + 1 if timed else 0) + 3)


@pytest.mark.parametrize("name", QUICK)
def test_absurd_histories_get_finite_answers(name: str) -> None:
    feeds = {feed: values[:4].copy() for feed, values in problem().validation.feeds.items()}
    feeds["history"][0] = 1e30
    feeds["history"][1, 0, -1] = -3e38
    feeds["history"][2] = 0
    assert np.isfinite(answers_of(fitted(name)[1], feeds)["values"]).all()


@pytest.mark.parametrize("name", QUICK)
def test_quantiles_rise_and_the_clock_is_passed_on(name: str) -> None:
    feeds = problem().validation.feeds
    said = answers_of(fitted(name)[1], feeds)["values"]
    assert (np.diff(said[:, :, :2, 1:], axis=3) >= -1e-5).all()
    np.testing.assert_array_equal(said[:, 0, 2, :2], feeds["stamp"][:, :2])


def test_closed_form_and_networks_are_better_than_the_last_season() -> None:
    prepared = problem()
    task = task_named("forecasting")
    states = [prepared.schema.targets[0].state]
    losses = {}
    for name in QUICK:
        answers = task.settle(fitted(name)[0].raw(prepared.validation.feeds), states)  # type: ignore[attr-defined]
        losses[name] = float(task.losses(answers, prepared.validation.target).mean())  # type: ignore[attr-defined]
    assert losses["linear_forecast"] < 0.8 * losses["seasonal_naive"]
    assert losses["patch_transformer"] <= 1.01 * losses["linear_forecast"]  # mixed by rows held out
    assert losses["boosting_forecast"] < 0.8 * losses["linear_forecast"]  # it sees the plan
    assert losses["rnn_forecast"] <= 1.01 * losses["linear_forecast"]


@pytest.mark.parametrize("name", ["linear_forecast", "boosting_forecast", "patch_transformer", "rnn_forecast"])
def test_the_seed_decides_every_bit(name: str) -> None:
    assert _graph(_fit(name, problem())) == fitted(name)[1]


@pytest.mark.parametrize("name", QUICK)
def test_it_stops_when_asked_and_needs_no_rows_held_out(name: str) -> None:
    prepared = problem()
    with pytest.raises(SalusError) as caught:
        _fit(name, prepared, Stopping())
    assert caught.value.code == "stopped"
    side, none = prepared.validation, slice(0, 0)
    empty = Part({feed: values[none] for feed, values in side.feeds.items()}, side.target[none], side.rows[none])
    blind = _fit(name, replace(prepared, validation=empty))
    found = answers_of(_graph(blind), side.feeds)["values"]
    assert np.isfinite(found).all() and task_named("forecasting").agree(blind.raw(side.feeds), found) < 1  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", QUICK)
def test_a_proposal_is_a_whole_config(name: str) -> None:
    learner = learner_named(name)
    proposal = learner.propose(problem(), QUICK[name], 2.0, Context())
    assert learner.Config(**proposal.config).model_dump(mode="json").items() >= QUICK[name].items()
    assert proposal.expected_s >= 0
    with pytest.raises(SalusError):
        learner.propose(problem(), {"no_such_option": 1}, 2.0, Context())


@pytest.mark.parametrize(("rows", "blocks", "least", "most"), [(4000, 400.0, 0.79, 0.82), (40, 4.0, 0.8, 0.95)])
def test_bands_hold_and_few_blocks_make_them_wider(rows: int, blocks: float, least: float, most: float) -> None:
    generator = np.random.default_rng(0)
    size = np.linspace(1, 4, 6)
    bands = quantiles_of(generator.normal(size=(rows, 2, 6)) * size, blocks)
    assert bands.shape == (6, 2, 9) and (np.diff(bands, axis=2) >= 0).all()
    new = (generator.normal(size=(4000, 2, 6)) * size).transpose(0, 2, 1)
    covered = ((new >= bands[..., 0]) & (new <= bands[..., 8])).mean()
    assert least < covered < most
