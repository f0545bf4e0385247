"""Numbers laid out piecewise linearly: a column a piece between two quantiles, 0 below it, 1 above it, rising in between.

(Gorishniy, Rubachev and Babenko 2022.) Knows the same in numpy and as graph nodes.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from salus.learners.graphs import GraphBuilder

MOST_RAMPS = 1024


@dataclass(frozen=True)
class Ramps:
    """Of the first columns of a dense matrix; `columns`, `starts` and `widths`, one a ramp."""

    columns: np.ndarray
    starts: np.ndarray
    widths: np.ndarray

    @classmethod
    def fit(cls, standard: np.ndarray, bins: int) -> Ramps:
        """Up to `bins` ramps for each column of standardised numbers (B, N), fewer where there are very many."""
        columns, starts, widths = [], [], []
        bins = min(bins, MOST_RAMPS // max(1, standard.shape[1]))
        for column, values in enumerate(standard.T if bins > 1 else []):
            edges = np.unique(np.quantile(values, np.linspace(0, 1, bins + 1)))
            for start, end in itertools.pairwise(edges):
                if end - start > 1e-6:
                    columns.append(column)
                    starts.append(start)
                    widths.append(end - start)
        return cls(np.array(columns, np.int64), np.array(starts, np.float32), np.array(widths, np.float32))

    def of(self, dense: np.ndarray) -> np.ndarray:
        """Float32 (B, ramps)."""
        ramps: np.ndarray = np.clip((dense[:, self.columns] - self.starts) / self.widths, 0, 1).astype(np.float32)
        return ramps

    def nodes(self, builder: GraphBuilder, dense: str) -> list[str]:
        """The graph value (rows, ramps), if there are any."""
        if not len(self.columns):
            return []
        taken = builder.node("Gather", dense, builder.constant(self.columns, np.int64), axis=1)
        risen = builder.node("Sub", taken, builder.constant(self.starts))
        scaled = builder.node("Div", risen, builder.constant(self.widths))
        return [builder.node("Clip", scaled, builder.constant(0.0), builder.constant(1.0))]
