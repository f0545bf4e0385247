"""What every learner must keep. Subclass, give `learner`, `options` for a quick fit and `problem`, and run pytest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

from salus.core.context import Context
from salus.core.errors import SalusError
from salus.learners.base import Fitted, Learner, Part, Prepared

NEAR = 1e-4  # of probabilities, and of a target's deviation


class Stopping(Context):
    """Somebody asked to stop, from the `after`-th time it is asked."""

    def __init__(self, after: int = 0, folder: Path | None = None):
        super().__init__(folder)
        self.left = after

    def should_stop(self) -> bool:
        self.left -= 1
        return self.left < 0


def answers_of(graph: bytes, feeds: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """All outputs of a graph, by the engine that serves; a graph need not take every feed."""
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    taken = {entry.name: feeds[entry.name] for entry in session.get_inputs()}
    return dict(zip(names, session.run(names, taken), strict=True))


class LearnerContract:
    """The contract, as tests. `learnable`: how much of the validation rows a quick fit must get right beyond guessing."""

    learner: type[Learner]
    options: dict[str, Any]
    learnable = 0.1

    def problem(self, classification: bool) -> Prepared:
        raise NotImplementedError

    def fit(self, prepared: Prepared, context: Context | None = None) -> Fitted:
        return self.learner(self.learner.Config(**self.options)).fit(prepared, context or Context())

    def graph(self, fitted: Fitted, folder: Path) -> bytes:
        path = folder / "graph.onnx"
        fitted.export(path)
        return path.read_bytes()

    @pytest.mark.parametrize("classification", [True, False])
    def test_the_graph_says_what_the_library_says(self, classification: bool, tmp_path: Path) -> None:
        prepared = self.problem(classification)
        fitted = self.fit(prepared)
        feeds = prepared.validation.feeds
        raw = fitted.raw(feeds)
        found = answers_of(self.graph(fitted, tmp_path), feeds)
        name = "scores" if classification else "values"
        assert list(found) == [name]
        assert found[name].dtype == np.float32
        assert found[name].shape == (len(prepared.validation), prepared.classes)
        scale = 1.0 if classification else float(prepared.train.target.std())
        assert np.max(np.abs(_plain(found[name], classification) - _plain(raw, classification))) < NEAR * scale

    def test_one_row_is_answered_as_among_others(self, tmp_path: Path) -> None:
        prepared = self.problem(True)
        graph = self.graph(self.fit(prepared), tmp_path)
        feeds = prepared.validation.feeds
        together = answers_of(graph, feeds)["scores"]
        for row in range(3):
            alone = answers_of(graph, rows_of(feeds, slice(row, row + 1)))["scores"]
            assert np.allclose(alone[0], together[row], atol=1e-3)

    def test_it_learns(self) -> None:
        prepared = self.problem(True)
        raw = self.fit(prepared).raw(prepared.validation.feeds)
        right = float(np.mean(raw.argmax(axis=1) == prepared.validation.target))
        guessing = float(np.max(np.bincount(prepared.validation.target)) / len(prepared.validation))
        assert right > guessing + self.learnable

    def test_it_learns_numbers(self) -> None:
        prepared = self.problem(False)
        raw = self.fit(prepared).raw(prepared.validation.feeds)
        left = np.mean((raw - prepared.validation.target) ** 2) / prepared.validation.target.var()
        assert left < 0.9

    def test_it_learns_without_validation_rows(self, tmp_path: Path) -> None:
        prepared = self.problem(True)
        none = slice(0, 0)
        side = prepared.validation
        empty = Part(rows_of(side.feeds, none), side.target[none], side.rows[none])
        fitted = self.fit(replace(prepared, validation=empty))
        feeds = prepared.validation.feeds
        raw = fitted.raw(feeds)
        found = answers_of(self.graph(fitted, tmp_path), feeds)["scores"]
        assert np.max(np.abs(_plain(found, True) - _plain(raw, True))) < NEAR
        right = float(np.mean(raw.argmax(axis=1) == prepared.validation.target))
        guessing = float(np.max(np.bincount(prepared.validation.target)) / len(prepared.validation))
        assert right > guessing + self.learnable

    def test_what_a_fit_says_for_a_refit_is_a_config(self) -> None:
        refit = self.fit(self.problem(True)).refit
        assert self.learner.Config(**self.options | dict(refit))

    def test_the_seed_decides_every_bit(self, tmp_path: Path) -> None:
        prepared = self.problem(True)
        graphs = [self.graph(self.fit(prepared), tmp_path) for _ in range(2)]
        assert graphs[0] == graphs[1]

    def test_it_stops_when_asked(self) -> None:
        with pytest.raises(SalusError) as caught:
            self.fit(self.problem(True), Stopping())
        assert caught.value.code == "stopped"

    def test_a_proposal_is_a_whole_config(self) -> None:
        proposal = self.learner.propose(self.problem(True), self.options, 2.0, Context())
        config = self.learner.Config(**proposal.config).model_dump(mode="json")
        wanted = self.learner.Config(**self.options).model_dump(mode="json")
        assert {name: config[name] for name in self.options} == {name: wanted[name] for name in self.options}
        assert proposal.expected_s >= 0

    def test_an_option_that_it_does_not_have_is_refused(self) -> None:
        with pytest.raises(SalusError) as caught:
            self.learner.propose(self.problem(True), {"no_such_option": 1}, 2.0, Context())
        assert caught.value.code == "bad_spec"


def rows_of(feeds: Mapping[str, np.ndarray], rows: slice) -> dict[str, np.ndarray]:
    """These rows of feeds; of recordings the windows that belong to them."""
    taken = {name: feed[rows] for name, feed in feeds.items()}
    if "series" in feeds:
        windows = np.flatnonzero((taken["series_rows"] != 0).sum(axis=0))
        taken |= {"series": feeds["series"][windows], "series_rows": taken["series_rows"][:, windows]}
    return taken


def _plain(raw: np.ndarray, classification: bool) -> np.ndarray:
    """Probabilities of scores; values as they are."""
    if not classification:
        return np.asarray(raw, dtype=np.float64)
    grown = np.exp(raw.astype(np.float64) - raw.max(axis=1, keepdims=True))
    shares: np.ndarray = grown / grown.sum(axis=1, keepdims=True)
    return shares
