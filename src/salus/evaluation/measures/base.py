"""The contract of a measure: how good answers of a compound task are, by the metrics of its field.

Most metrics of fields are functions of sums over rows: errors and words, matching n-grams and lengths, squares and counts. A
measure says what is counted of each row and how a figure comes from the sums; intervals follow by drawing rows, or whole
groups, again and again (Efron 1979). It knows answers as `CompoundTask.settle` gives them, and no graph.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from salus.core.nouns import Interval, Schema
from salus.evaluation.resampling import FEW_GROUPS, Units

MOST_SHOWN = 12


@dataclass(frozen=True)
class Known:
    """What a measure may know beside answers. run: a graph of the bundle, its feeds and the outputs wanted -> arrays. train_target,
    train_values: of the rows that were learned from. values: the inputs of the rows that judge."""

    run: Callable[[str, Mapping[str, np.ndarray], Sequence[str]], list[np.ndarray]]
    schema: Schema
    train_target: np.ndarray
    train_values: Callable[[], Mapping[str, Any]]
    values: Mapping[str, Any]


class Measure(ABC):
    metrics: ClassVar[tuple[str, ...]]  # names in HIGHER_IS_BETTER and METRIC_WORDS; the first is the main one

    def informed(self, known: Known) -> Measure:
        """The measure of these rows, where it needs to know more than answers."""
        return self

    @abstractmethod
    def tally(self, answers: np.ndarray, target: np.ndarray, states: Sequence[Mapping[str, Any]]) -> np.ndarray:
        """(B, S) float64: what is counted of each row. states: of the targets."""

    @abstractmethod
    def figure(self, name: str, sums: np.ndarray) -> np.ndarray:
        """The metric (...) from sums (..., S) over rows."""

    def values(self, name: str, tallies: np.ndarray, counts: np.ndarray) -> np.ndarray:
        """The metric (D,) of D draws; counts (D, B) says how often each row was drawn."""
        return self.figure(name, counts @ tallies)

    def facts(self, answers: np.ndarray, target: np.ndarray, states: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """More for the report, as JSON: signatures of metrics, tables by category or by step."""
        return {}

    @abstractmethod
    def shown(
        self,
        answers: np.ndarray,
        target: np.ndarray,
        values: Mapping[str, Any],
        states: Sequence[Mapping[str, Any]],
    ) -> dict[str, Any]:
        """{"kind": a name in SHOWN, "items": [JSON]}: a few rows that a person would want to see. values: their inputs."""

    def intervals(self, tallies: np.ndarray, groups: np.ndarray | None, seed: int) -> dict[str, Interval]:
        """Every metric with its 95 % interval over rows, or over groups."""
        rows = len(tallies)
        units = Units(groups, rows, seed)
        wide = units.wide or (units.groups is not None and units.groups < FEW_GROUPS)
        every = np.ones((1, rows))
        drawn = [_row_counts(units, weights) for weights in units.weights]
        found = {}
        for name in self.metrics:
            value = float(self.values(name, tallies, every)[0])
            said = np.concatenate([self.values(name, tallies, counts) for counts in drawn])
            said = said[np.isfinite(said)]
            low, high = np.quantile(said, [0.025, 0.975]).tolist() if len(said) else (value, value)
            found[name] = Interval(value=value, low=min(low, value), high=max(high, value), wide=wide)
        return found


def _row_counts(units: Units, weights: np.ndarray) -> np.ndarray:
    """How often each row is drawn (D, B), from how often each unit is (D, U)."""
    unit_of_ordered = np.zeros(units.rows, dtype=np.int64)
    unit_of_ordered[units.starts[1:]] = 1
    counts = np.empty((len(weights), units.rows))
    counts[:, units.order] = weights[:, np.cumsum(unit_of_ordered)]
    return counts
