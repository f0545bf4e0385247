"""Recordings for the tests of learners: oscillations whose frequency is the answer, one to three windows a row."""

from __future__ import annotations

from typing import Any

import numpy as np

from salus.core.nouns import Column, Schema
from salus.learners.base import Part, Prepared
from salus.testing.learner import LearnerContract, answers_of


def prepared(
    classification: bool = True, rows: int = 60, steps: int = 40, channels: int = 3, held: int | None = None
) -> Prepared:
    schema = Schema(columns=tuple(Column(name=f"s{c}", kind="series", state={}) for c in range(channels)))
    train = _part(classification, rows, steps, channels, 1)
    validation = _part(classification, rows if held is None else held, steps, channels, 2)
    return Prepared(schema, train, validation, classification, 3 if classification else 2, 0, 1)


def _part(classification: bool, rows: int, steps: int, channels: int, seed: int) -> Part:
    generator = np.random.default_rng(seed)
    target = generator.integers(0, 3, rows)
    counts = generator.integers(1, 4, rows)
    row_of = np.repeat(np.arange(rows), counts)
    phases = generator.uniform(0, 6, (len(row_of), channels, 1))
    waves = np.sin(np.arange(steps) * (0.2 + 0.25 * target[row_of])[:, None, None] + phases)
    windows = 9.81 + 1e-3 * (waves + generator.normal(size=waves.shape) * 0.3)
    series_rows = np.zeros((rows, len(row_of)), dtype=np.float32)
    series_rows[row_of, np.arange(len(row_of))] = 1 / counts[row_of]
    answer = target if classification else np.stack([target * 100.0, -target], axis=1)
    return Part({"series": windows.astype(np.float32), "series_rows": series_rows}, answer, np.arange(rows))


class SeriesContract(LearnerContract):
    """The contract, for learners of recordings: a row is its windows."""

    def problem(self, classification: bool) -> Prepared:
        return prepared(classification)

    def test_one_row_is_answered_as_among_others(self, tmp_path: Any) -> None:
        problem = self.problem(True)
        graph = self.graph(self.fit(problem), tmp_path)
        feeds = problem.validation.feeds
        together = answers_of(graph, feeds)["scores"]
        for row in range(3):
            own = feeds["series_rows"][row] > 0
            alone = {"series": feeds["series"][own], "series_rows": feeds["series_rows"][row : row + 1, own]}
            assert np.allclose(answers_of(graph, alone)["scores"][0], together[row], atol=1e-4)
