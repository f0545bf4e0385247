"""Which rows a step learns from: every epoch a new order, a pure function of the seed and the step.

Nothing is remembered between steps, so that a resumed run needs no state of a generator.
"""

from __future__ import annotations

import numpy as np


class Batches:
    """Rows of one step. The last rows of an epoch that do not fill a batch are left out of it."""

    def __init__(self, rows: int, batch_rows: int, seed: int):
        assert rows > 0, "rows to learn from"
        self.rows = rows
        self.batch_rows = min(batch_rows, rows)
        self.steps_per_epoch = rows // self.batch_rows
        self._seed = seed
        self._order: tuple[int, np.ndarray] = (-1, np.zeros(0, dtype=np.int64))

    def epoch_of(self, step: int) -> int:
        return step // self.steps_per_epoch

    def rows_of(self, step: int) -> np.ndarray:
        """Row ids of the step, int64 (B,)."""
        epoch = self.epoch_of(step)
        if self._order[0] != epoch:
            self._order = (epoch, np.random.default_rng((self._seed, 1, epoch)).permutation(self.rows))
        start = (step % self.steps_per_epoch) * self.batch_rows
        return self._order[1][start : start + self.batch_rows]


def step_generator(seed: int, step: int) -> np.random.Generator:
    """The generator of all that one step draws."""
    return np.random.default_rng((seed, 2, step))
