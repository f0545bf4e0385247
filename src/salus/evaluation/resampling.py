"""What is drawn together and left out together when one asks how a score would be on other rows, or on other people.

A *unit* is a person where there are groups, else a row. Knows sums over units; does not know what they are sums of.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cached_property
from statistics import NormalDist

import numpy as np

DRAWS = 1000
DRAWS_AT_ONCE = 100
MAX_UNITS = 4000  # more are merged at random: 4,000 parts tell the spread of a sum as well as 100,000 do
FEW_GROUPS = 8
FEW_ROWS = 30
# Rows of one person are alike: the least correlation assumed when the people in the test happen to score the same. Above ten people
# it falls as 1 / people, because they show by themselves how alike they are.
LEAST_CORRELATION = 0.1
Z = NormalDist().inv_cdf(0.975)
# Student's t, 97.5 %, by degrees of freedom 1, 2, ...
T_975 = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131)

FromSums = Callable[[np.ndarray], np.ndarray]


class Units:
    """The rows of one measurement as units."""

    def __init__(self, groups: np.ndarray | None, rows: int, seed: int) -> None:
        """groups: codes (B,) of people, or None. rows: how many rows there are, at least one."""
        self.rows = rows
        units = np.arange(rows) if groups is None else groups
        codes, sizes = np.unique(units, return_inverse=True, return_counts=True)[1:]
        self.groups = None if groups is None else len(sizes)
        self.wide = len(sizes) < FEW_GROUPS if groups is not None else rows < FEW_ROWS
        self.generator = np.random.default_rng([seed, rows, len(sizes)])
        rows_a_unit = float(np.sum(sizes.astype(np.float64) ** 2) / rows)
        # As how many rows one independent answer counts, at the least.
        self.alike = 1 + (rows_a_unit - 1) * min(LEAST_CORRELATION, 1 / len(sizes))
        if len(sizes) == 1:  # one person says nothing about others: what the rows show is all there is
            codes, sizes = np.arange(rows), np.ones(rows, dtype=np.int64)
        if len(sizes) > MAX_UNITS:
            codes = self.generator.permutation(len(sizes))[codes] % MAX_UNITS
        self.order = np.argsort(codes, kind="stable")
        self.starts = np.flatnonzero(np.r_[True, np.diff(codes[self.order]) > 0])

    def __len__(self) -> int:
        return len(self.starts)

    def sums(self, statistics: np.ndarray) -> np.ndarray:
        """(B, S) of rows -> (U, S) of units."""
        return np.asarray(np.add.reduceat(statistics[self.order], self.starts, axis=0))

    @cached_property
    def weights(self) -> list[np.ndarray]:
        """How often each unit was drawn, in blocks (D, U)."""
        units, blocks = len(self), []
        for _ in range(DRAWS // DRAWS_AT_ONCE):
            drawn = self.generator.integers(0, units, (DRAWS_AT_ONCE, units))
            drawn += units * np.arange(DRAWS_AT_ONCE)[:, None]
            counts = np.bincount(drawn.ravel(), minlength=DRAWS_AT_ONCE * units)
            blocks.append(counts.reshape(DRAWS_AT_ONCE, units).astype(np.float64))
        return blocks

    @property
    def t(self) -> float:
        """Student's t: as many degrees of freedom as people, or rows, less one."""
        return t_975((self.groups or len(self)) - 1)

    def without_each(self, from_sums: FromSums, sums: np.ndarray) -> np.ndarray:
        """The figure when each unit in turn is left out (U,)."""
        return np.asarray(from_sums(sums.sum(axis=0) - sums))

    def standard_error(self, from_sums: FromSums, sums: np.ndarray) -> float:
        """The jackknife: how much the figure varies when each unit in turn is left out. 0 for one unit."""
        units = len(sums)
        if units < 2:
            return 0.0
        without = self.without_each(from_sums, sums)
        return math.sqrt((units - 1) / units * float(np.sum((without - without.mean()) ** 2)))


def t_975(freedom: int) -> float:
    """Student's t for 95 % on both sides."""
    if freedom <= len(T_975):
        return T_975[max(1, freedom) - 1]
    return Z + (Z**3 + Z) / (4 * freedom) + (5 * Z**5 + 16 * Z**3 + 3 * Z) / (96 * freedom**2)


def wilson(share: float, answers: float, z: float = Z) -> tuple[float, float]:
    """The interval of a share of so many yes-or-no answers (Wilson 1927)."""
    middle = (share + z**2 / (2 * answers)) / (1 + z**2 / answers)
    margin = z / (1 + z**2 / answers) * math.sqrt(share * (1 - share) / answers + z**2 / (4 * answers**2))
    return max(0.0, middle - margin), min(1.0, middle + margin)
