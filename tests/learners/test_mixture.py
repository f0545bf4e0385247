"""A mixture answers the mean of its members, also of members that scan windows one after another."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.learners.test_rocket import prepared as problem

from salus.core.context import Context
from salus.learners.base import Prepared
from salus.learners.calibration_graph import add_calibration
from salus.learners.linear import Linear
from salus.learners.mixture import mixed, mixture
from salus.learners.rocket import Rocket
from salus.testing.learner import answers_of


@pytest.mark.parametrize("classification", [True, False])
def test_the_graph_says_the_weighted_mean(classification: bool, tmp_path: Path) -> None:
    prepared: Prepared = problem(classification)
    graphs, answers, weights = [], [], [0.7, 0.3]
    for place, learner in enumerate((Rocket(Rocket.Config(features=84)), Linear(Linear.Config()))):
        fitted = learner.fit(prepared, Context())
        path = tmp_path / f"{place}.onnx"
        fitted.export(path)
        calibration = {"method": "temperature", "temperature": 1.0 + place} if classification else None
        graphs.append(add_calibration(path.read_bytes(), calibration))
        found = answers_of(graphs[-1], prepared.validation.feeds)
        answers.append(found["probabilities" if classification else "values"])
    whole = add_calibration(mixture(graphs, weights, classification), 1.0 if classification else None)
    said = answers_of(whole, prepared.validation.feeds)
    wanted = mixed(answers, weights, classification)
    if classification:
        assert np.allclose(said["scores"], wanted, atol=1e-4)
        assert np.allclose(said["probabilities"], np.exp(wanted), atol=1e-5)
    else:
        assert np.allclose(said["values"], wanted, atol=1e-3 * float(prepared.train.target.std()))
