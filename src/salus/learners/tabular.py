"""Numbers and categories as the columns of a linear model: imputed, indicated, standardised, one-hot.

Knows the same computation twice, in numpy and as graph nodes, step by step in float32, so that both give the same bits.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from salus.core.nouns import Schema
from salus.learners.graphs import GraphBuilder

MAX_CODES = 102  # one-hot columns of a category: missing, unknown or rare, and its 100 most frequent levels
MAX_DEVIATIONS = 20.0  # a standardised number beyond this is cut, so that one absurd value cannot decide alone
OTHER = 1  # the code of an unknown level, and of those beyond MAX_CODES


@dataclass(frozen=True)
class Tabular:
    """Learned of train rows: N numbers, of which `indicated` had gaps; `codes` one-hot columns a category."""

    medians: np.ndarray
    means: np.ndarray
    scales: np.ndarray
    indicated: np.ndarray
    codes: np.ndarray

    @classmethod
    def fit(cls, feeds: Mapping[str, np.ndarray], schema: Schema) -> Tabular:
        numbers = feeds.get("numbers", np.zeros((0, 0), dtype=np.float32)).astype(np.float64)
        numbers[~np.isfinite(numbers)] = np.nan
        missing = np.isnan(numbers)
        medians = np.array([_median(column) for column in numbers.T], dtype=np.float32)
        filled = np.where(missing, medians, numbers)
        scales = np.maximum(filled.std(axis=0), 1e-12) if len(filled) else np.zeros(0)
        means = filled.mean(axis=0) if len(filled) else np.zeros(0)
        constant = scales <= 1e-7 * np.maximum(np.abs(means), 1e-5)  # rounding of float32, not a spread
        levels = [len(c.state["levels"]) for c in schema.inputs if c.kind == "category" and c.state is not None]
        return cls(
            medians=medians,
            means=means.astype(np.float32),
            scales=np.where(constant, 1.0, scales).astype(np.float32),
            indicated=np.flatnonzero(missing.any(axis=0)),
            codes=np.minimum(np.asarray(levels, dtype=np.int64) + 2, MAX_CODES),
        )

    @property
    def dense_width(self) -> int:
        return len(self.medians) + len(self.indicated)

    @property
    def width(self) -> int:
        return self.dense_width + int(self.codes.sum())

    @property
    def offsets(self) -> np.ndarray:
        """Where the one-hot columns of each category begin, counted behind the dense ones."""
        return np.concatenate([[0], np.cumsum(self.codes)[:-1]]).astype(np.int64)[: len(self.codes)]

    def dense(self, feeds: Mapping[str, np.ndarray]) -> np.ndarray:
        """Standardised numbers and indicators, float32 (B, D)."""
        numbers = feeds["numbers"]
        missing = np.isnan(numbers)
        with np.errstate(over="ignore"):
            standard = (np.where(missing, self.medians, numbers) - self.means) / self.scales
        standard = np.clip(standard, np.float32(-MAX_DEVIATIONS), np.float32(MAX_DEVIATIONS))
        return np.concatenate([standard, missing[:, self.indicated].astype(np.float32)], axis=1)

    def positions(self, feeds: Mapping[str, np.ndarray]) -> np.ndarray:
        """The one-hot columns that are 1, int64 (B, M)."""
        codes = feeds["categories"]
        positions: np.ndarray = np.where(codes < self.codes, codes, OTHER) + self.offsets
        return positions

    def matrix(self, feeds: Mapping[str, np.ndarray], rows: int) -> np.ndarray:
        """Everything side by side, float32 (B, width)."""
        parts = [np.zeros((rows, 0), dtype=np.float32)]
        if len(self.medians):
            parts.append(self.dense(feeds))
        if len(self.codes):
            one_hot = np.zeros((rows, int(self.codes.sum())), dtype=np.float32)
            np.put_along_axis(one_hot, self.positions(feeds), 1.0, axis=1)
            parts.append(one_hot)
        return np.concatenate(parts, axis=1)

    def score_nodes(self, builder: GraphBuilder, weights: np.ndarray) -> list[str]:
        """Graph values whose sum is `matrix @ weights`, for weights (width, K)."""
        terms = []
        if len(self.medians):
            terms.append(
                builder.node("MatMul", self._dense_nodes(builder), builder.constant(weights[: self.dense_width]))
            )
        if len(self.codes):
            codes = builder.feed("categories", np.int64, ("rows", len(self.codes)))
            known = builder.node("Less", codes, builder.constant(self.codes, np.int64))
            kept = builder.node("Where", known, codes, builder.constant(OTHER, np.int64))
            positions = builder.node("Add", kept, builder.constant(self.offsets, np.int64))
            gathered = builder.node("Gather", builder.constant(weights[self.dense_width :]), positions, axis=0)
            terms.append(builder.node("ReduceSum", gathered, builder.constant([1], np.int64), keepdims=0))
        return terms

    def _dense_nodes(self, builder: GraphBuilder) -> str:
        numbers = builder.feed("numbers", np.float32, ("rows", len(self.medians)))
        missing = builder.node("IsNaN", numbers)
        filled = builder.node("Where", missing, builder.constant(self.medians), numbers)
        centred = builder.node("Sub", filled, builder.constant(self.means))
        standard = builder.node("Div", centred, builder.constant(self.scales))
        cut = builder.node("Clip", standard, builder.constant(-MAX_DEVIATIONS), builder.constant(MAX_DEVIATIONS))
        if not len(self.indicated):
            return cut
        gaps = builder.node("Gather", missing, builder.constant(self.indicated, np.int64), axis=1)
        return builder.node("Concat", cut, builder.node("Cast", gaps, to=1), axis=1)


def _median(column: np.ndarray) -> float:
    present = column[~np.isnan(column)]
    return float(np.median(present)) if len(present) else 0.0
