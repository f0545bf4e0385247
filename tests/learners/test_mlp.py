"""Networks for tables: they learn, stop by themselves, and their graph says what torch says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

pytest.importorskip("torch")

import torch
from learner_tables import odd_feeds, part, prepared, run_graph

from salus.core.context import Context
from salus.learners.base import Part, Prepared
from salus.learners.mlp import Mlp, MlpConfig
from salus.learners.networks.table import TableNetwork
from salus.testing.learner import LearnerContract

CASES = [(2, True, "both"), (3, True, "number"), (3, True, "category"), (1, False, "both"), (2, False, "number")]
QUICK: dict[str, Any] = {"epochs": 25.0, "hidden": 32, "batch_rows": 64, "learning_rate": 0.01}


class TestMlp(LearnerContract):
    learner = Mlp
    options: ClassVar[dict[str, Any]] = QUICK

    def problem(self, classification: bool) -> Prepared:
        return prepared(2, classification)


@pytest.mark.parametrize(("classes", "classification", "kinds"), CASES)
def test_the_graph_says_what_the_trainer_says(classes: int, classification: bool, kinds: str, tmp_path: Path) -> None:
    config = MlpConfig(**QUICK | {"epochs": 3.0})
    fitted = Mlp(config).fit(prepared(classes, classification, kinds=kinds), Context())
    fitted.export(tmp_path / "main.onnx")
    output, scale = ("scores", 1.0) if classification else ("values", 1000.0)
    for feeds in (part(classes, classification, 200, kinds, 9).feeds, odd_feeds(kinds)):
        answers = run_graph(tmp_path / "main.onnx", feeds, output)
        np.testing.assert_allclose(answers / scale, fitted.raw(feeds) / scale, atol=5e-5, rtol=1e-4)


def test_what_is_said_is_what_torch_says() -> None:
    data = prepared(3)
    fitted = Mlp(MlpConfig(**QUICK | {"epochs": 2.0})).fit(data, Context())
    network = TableNetwork(fitted.inputs.width, 2, int(fitted.inputs.tabular.codes.sum()), 8, 32, 2, 4, 3, 0.1).eval()
    with torch.no_grad():
        network.embeddings.copy_(torch.from_numpy(fitted.embeddings))
        for place, (weights, biases) in enumerate(fitted.layers):
            network.weights[place].copy_(torch.from_numpy(weights))
            network.biases[place].copy_(torch.from_numpy(biases.ravel()))
        x_BF = torch.from_numpy(fitted.inputs.of(data.validation.feeds))
        shares = torch.softmax(network(x_BF), dim=2).mean(dim=1)
    np.testing.assert_allclose(np.log(shares.numpy()), fitted.raw(data.validation.feeds), atol=1e-4)


def test_it_stops_early_and_a_refit_learns_as_long() -> None:
    data = prepared(2, rows=300)
    fitted = Mlp(MlpConfig(**QUICK | {"epochs": 500.0, "patience": 3})).fit(data, Context())
    assert fitted.details["epochs"] < 200
    none = Part({name: feed[:0] for name, feed in data.train.feeds.items()}, data.train.target[:0], data.train.rows[:0])
    again = Mlp(MlpConfig(**QUICK | fitted.refit)).fit(replace(data, validation=none), Context())
    assert again.details["steps"] == fitted.details["steps"]


def test_a_proposal_fits_the_budget() -> None:
    proposal = Mlp.propose(prepared(2, rows=2000), {"hidden": 16}, 10.0, Context())
    assert proposal.config["hidden"] == 16
    assert proposal.expected_s <= 10.0


def test_a_short_budget_still_learns() -> None:
    data = prepared(2, rows=300)
    proposal = Mlp.propose(data, {}, 0.05, Context())
    raw = Mlp(MlpConfig(**proposal.config)).fit(data, Context()).raw(data.validation.feeds)
    assert np.mean(raw.argmax(axis=1) == data.validation.target) > 0.75
