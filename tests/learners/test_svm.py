"""Support vectors: they learn, and their graph says what the machine says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from learner_tables import odd_feeds, part, prepared, run_graph

from salus.core.context import Context
from salus.learners.base import Prepared
from salus.learners.svm import Svm, SvmConfig
from salus.testing.learner import LearnerContract

CASES = [(2, True, "both"), (3, True, "number"), (3, True, "category"), (1, False, "both"), (2, False, "number")]
QUICK: dict[str, Any] = {"costs": [1.0]}


class TestSvm(LearnerContract):
    learner = Svm
    options: ClassVar[dict[str, Any]] = QUICK

    def problem(self, classification: bool) -> Prepared:
        return prepared(2, classification)


@pytest.mark.parametrize(("classes", "classification", "kinds"), CASES)
def test_the_graph_says_what_the_trainer_says(classes: int, classification: bool, kinds: str, tmp_path: Path) -> None:
    fitted = Svm(SvmConfig(**QUICK)).fit(prepared(classes, classification, kinds=kinds), Context())
    fitted.export(tmp_path / "main.onnx")
    output, scale = ("scores", 1.0) if classification else ("values", 1000.0)
    for feeds in (part(classes, classification, 200, kinds, 9).feeds, odd_feeds(kinds)):
        answers = run_graph(tmp_path / "main.onnx", feeds, output)
        np.testing.assert_allclose(answers / scale, fitted.raw(feeds) / scale, atol=5e-5, rtol=1e-5)


@pytest.mark.parametrize("kernel", ["fourier", "linear"])
def test_other_kernels_are_in_the_graph_too(kernel: str, tmp_path: Path) -> None:
    fitted = Svm(SvmConfig(**QUICK, kernel=kernel, features=64)).fit(prepared(3), Context())
    fitted.export(tmp_path / "main.onnx")
    for feeds in (part(3, True, 200, "both", 9).feeds, odd_feeds()):
        np.testing.assert_allclose(run_graph(tmp_path / "main.onnx", feeds, "scores"), fitted.raw(feeds), atol=1e-4)


def test_a_class_without_train_rows_is_never_the_answer() -> None:
    data = prepared(3)
    target = np.where(data.train.target == 1, 2, data.train.target)
    fitted = Svm(SvmConfig(**QUICK)).fit(replace(data, train=replace(data.train, target=target)), Context())
    assert set(fitted.raw(data.validation.feeds).argmax(axis=1)) == {0, 2}


def test_many_rows_are_cut_or_given_to_random_features() -> None:
    data = prepared(2, rows=20_000)
    noise = np.random.default_rng(0).integers(0, 2, 20_000)
    proposal = Svm.propose(replace(data, train=replace(data.train, target=noise)), {}, 2.0, Context())
    assert proposal.config["kernel"] == "fourier" or proposal.config["max_rows"] <= 10_000
    assert proposal.expected_s <= 4.0
    assert Svm.propose(prepared(2, rows=300), {}, 5.0, Context()).config["kernel"] == "rbf"
