"""Which rows a step learns from: every epoch a new order, a pure function of the seed and the step.

Nothing is remembered between steps, so that a resumed run needs no state of a generator.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np

POOL = 50  # batches whose rows are put in order together


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
            self._order = (epoch, self._ordered(epoch))
        start = (step % self.steps_per_epoch) * self.batch_rows
        return self._order[1][start : start + self.batch_rows]

    def _ordered(self, epoch: int) -> np.ndarray:
        """All rows in the order of an epoch."""
        return np.random.default_rng((self._seed, 1, epoch)).permutation(self.rows)


class SortedBatches(Batches):
    """Rows of one step are about as long as each other, so that little of a batch is empty: some batches' worth of rows at a time are put
    in order of their lengths and cut, and the batches are shuffled. lengths: (B,) at least 1."""

    def __init__(self, lengths: np.ndarray, batch_rows: int, seed: int, pool: int = POOL):
        super().__init__(len(lengths), batch_rows, seed)
        self.lengths, self._pool = lengths, pool

    @property
    def mean_length(self) -> int:
        """Of the longest rows of the batches of an epoch."""
        return max(1, round(float(np.mean(self._longest()))))

    @cached_property
    def typical_step(self) -> int:
        """The step of the first epoch whose longest row is nearest to that mean: what a step costs is measured with it."""
        longest = self._longest()
        return int(np.argmin(np.abs(longest - longest.mean())))

    def _longest(self) -> np.ndarray:
        """Of each batch of the first epoch."""
        return np.array([self.lengths[self.rows_of(step)].max() for step in range(self.steps_per_epoch)])

    def _ordered(self, epoch: int) -> np.ndarray:
        order = super()._ordered(epoch)[: self.steps_per_epoch * self.batch_rows]
        size = self._pool * self.batch_rows
        pools = np.split(order, range(size, len(order), size))
        batches = np.concatenate([pool[np.argsort(self.lengths[pool], kind="stable")] for pool in pools])
        shuffled = np.random.default_rng((self._seed, 3, epoch)).permutation(self.steps_per_epoch)
        ordered: np.ndarray = batches.reshape(self.steps_per_epoch, -1)[shuffled].reshape(-1)
        return ordered


def step_generator(seed: int, step: int) -> np.random.Generator:
    """The generator of all that one step draws."""
    return np.random.default_rng((seed, 2, step))
