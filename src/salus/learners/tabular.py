"""Numbers and categories as the columns of a linear model: imputed, indicated, standardised, bent, multiplied, one-hot.

Knows the same computation twice, in numpy and as graph nodes, step by step in float32, so that both give the same bits.
Does not know what made the numbers: it is given them, or the graph value of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from salus.core.nouns import Schema
from salus.learners.graphs import GraphBuilder

MAX_CODES = 102  # one-hot columns of a category: missing, unknown or rare, and its 100 most frequent levels
MAX_DEVIATIONS = 20.0  # a standardised number beyond this is cut, so that one absurd value cannot decide alone
OTHER = 1  # the code of an unknown level, and of those beyond MAX_CODES
PRODUCT_DEVIATIONS = 4.0  # a factor of a product is cut here: products of cut-off tails would rule


@dataclass(frozen=True)
class Bends:
    """Columns max(0, z - at) / scale of standardised numbers z: a line that may bend at quantiles of the train rows (Hastie and
    Tibshirani 1986 call the sum of such curves an additive model)."""

    columns: np.ndarray
    at: np.ndarray
    scales: np.ndarray

    @classmethod
    def fit(cls, standard: np.ndarray, knots: int) -> Bends:
        """Up to `knots` bends a column of standardised numbers (B, N); none for a column of two values."""
        columns, at, scales = [], [], []
        for column, values in enumerate(standard.T):
            shares = np.arange(1, knots + 1) / (knots + 1)
            for place in np.unique(np.quantile(values, shares, method="nearest")) if len(values) else ():
                above = np.maximum(values - place, 0)
                if place > values.min() and above.any():
                    columns.append(column)
                    at.append(place)
                    scales.append(max(float(above.std()), 1e-3))
        return cls(np.array(columns, np.int64), np.array(at, np.float32), np.array(scales, np.float32))


@dataclass(frozen=True)
class Tabular:
    """Learned of train rows: N numbers, of which `indicated` had gaps; `codes` one-hot columns a category; `bends` of the numbers;
    products of the numbers `pairs` (2, P)."""

    medians: np.ndarray
    means: np.ndarray
    scales: np.ndarray
    indicated: np.ndarray
    codes: np.ndarray
    bends: Bends
    pairs: np.ndarray

    @classmethod
    def fit(cls, feeds: Mapping[str, np.ndarray], schema: Schema, knots: int = 0, products: bool = False) -> Tabular:
        """knots: bends a number. products: of each two numbers, and squares."""
        numbers = feeds.get("numbers", np.zeros((0, 0), dtype=np.float32)).astype(np.float64)
        numbers[~np.isfinite(numbers)] = np.nan
        missing = np.isnan(numbers)
        medians = np.array([_median(column) for column in numbers.T], dtype=np.float32)
        filled = np.where(missing, medians, numbers)
        scales = np.maximum(filled.std(axis=0), 1e-12) if len(filled) else np.zeros(0)
        means = filled.mean(axis=0) if len(filled) else np.zeros(0)
        constant = scales <= 1e-7 * np.maximum(np.abs(means), 1e-5)  # rounding of float32, not a spread
        levels = [len(c.state["levels"]) for c in schema.inputs if c.kind == "category" and c.state is not None]
        none = np.zeros(0, dtype=np.int64)
        plain = cls(
            medians=medians,
            means=means.astype(np.float32),
            scales=np.where(constant, 1.0, scales).astype(np.float32),
            indicated=np.flatnonzero(missing.any(axis=0)),
            codes=np.minimum(np.asarray(levels, dtype=np.int64) + 2, MAX_CODES),
            bends=Bends(none, np.zeros(0, np.float32), np.ones(0, np.float32)),
            pairs=np.zeros((2, 0), dtype=np.int64),
        )
        if not len(medians) or not (knots or products):
            return plain
        bends = Bends.fit(plain.standard(feeds["numbers"]), knots)
        pairs = np.stack(np.triu_indices(len(medians))) if products else plain.pairs
        return replace(plain, bends=bends, pairs=pairs)

    @property
    def dense_width(self) -> int:
        return len(self.medians) + len(self.indicated) + len(self.bends.columns) + int(self.pairs.shape[1])

    @property
    def width(self) -> int:
        return self.dense_width + int(self.codes.sum())

    @property
    def offsets(self) -> np.ndarray:
        """Where the one-hot columns of each category begin, counted behind the dense ones."""
        return np.concatenate([[0], np.cumsum(self.codes)[:-1]]).astype(np.int64)[: len(self.codes)]

    def standard(self, numbers: np.ndarray) -> np.ndarray:
        """Imputed and standardised numbers, float32 (B, N)."""
        with np.errstate(over="ignore"):
            standard = (np.where(np.isnan(numbers), self.medians, numbers) - self.means) / self.scales
        cut: np.ndarray = np.clip(standard, np.float32(-MAX_DEVIATIONS), np.float32(MAX_DEVIATIONS))
        return cut

    def dense(self, feeds: Mapping[str, np.ndarray]) -> np.ndarray:
        """Standardised numbers, indicators, bends and products, float32 (B, D)."""
        numbers = feeds["numbers"]
        standard = self.standard(numbers)
        parts = [standard, np.isnan(numbers)[:, self.indicated].astype(np.float32)]
        if len(self.bends.columns):
            parts.append(np.maximum(standard[:, self.bends.columns] - self.bends.at, 0) / self.bends.scales)
        if self.pairs.shape[1]:
            near = np.clip(standard, np.float32(-PRODUCT_DEVIATIONS), np.float32(PRODUCT_DEVIATIONS))
            parts.append(near[:, self.pairs[0]] * near[:, self.pairs[1]])
        return np.concatenate(parts, axis=1)

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

    def score_nodes(
        self, builder: GraphBuilder, weights: np.ndarray, numbers: Callable[[GraphBuilder], str]
    ) -> list[str]:
        """Graph values whose sum is `matrix @ weights`, for weights (width, K). numbers: makes the graph value (B, N) of the numbers."""
        terms = []
        if len(self.medians):
            dense = self.dense_nodes(builder, numbers(builder))
            terms.append(builder.node("MatMul", dense, builder.constant(weights[: self.dense_width])))
        if len(self.codes):
            table, positions = builder.constant(weights[self.dense_width :]), self.position_nodes(builder)
            gathered = builder.node("Gather", table, positions, axis=0)
            terms.append(builder.node("ReduceSum", gathered, builder.constant([1], np.int64), keepdims=0))
        return terms

    def matrix_nodes(self, builder: GraphBuilder, numbers: Callable[[GraphBuilder], str]) -> str:
        """The graph value (B, width) of `matrix`."""
        parts = []
        if len(self.medians):
            parts.append(self.dense_nodes(builder, numbers(builder)))
        if len(self.codes):
            positions = self.position_nodes(builder)
            shape = builder.node("Shape", positions)
            width = builder.constant([int(self.codes.sum())], np.int64)
            rows = builder.node("Slice", shape, *(builder.constant([end], np.int64) for end in (0, 1)))
            zeros = builder.node("ConstantOfShape", builder.node("Concat", rows, width, axis=0))
            ones = builder.node("Expand", builder.constant(1.0), shape)
            parts.append(builder.node("ScatterElements", zeros, positions, ones, axis=1))
        return builder.node("Concat", *parts, axis=1) if len(parts) > 1 else parts[0]

    def position_nodes(self, builder: GraphBuilder) -> str:
        """The graph value (B, M) of `positions`."""
        codes = builder.feed("categories", np.int64, ("rows", len(self.codes)))
        known = builder.node("Less", codes, builder.constant(self.codes, np.int64))
        kept = builder.node("Where", known, codes, builder.constant(OTHER, np.int64))
        return builder.node("Add", kept, builder.constant(self.offsets, np.int64))

    def dense_nodes(self, builder: GraphBuilder, numbers: str) -> str:
        """The graph value (B, D) of `dense`, of that of the numbers."""
        missing = builder.node("IsNaN", numbers)
        filled = builder.node("Where", missing, builder.constant(self.medians), numbers)
        centred = builder.node("Sub", filled, builder.constant(self.means))
        scaled = builder.node("Div", centred, builder.constant(self.scales))
        standard = _cut(builder, scaled, MAX_DEVIATIONS)
        parts = [standard]
        if len(self.indicated):
            gaps = builder.node("Gather", missing, builder.constant(self.indicated, np.int64), axis=1)
            parts.append(builder.node("Cast", gaps, to=1))
        if len(self.bends.columns):
            bent = builder.node("Gather", standard, builder.constant(self.bends.columns, np.int64), axis=1)
            above = builder.node("Relu", builder.node("Sub", bent, builder.constant(self.bends.at)))
            parts.append(builder.node("Div", above, builder.constant(self.bends.scales)))
        if self.pairs.shape[1]:
            near = _cut(builder, standard, PRODUCT_DEVIATIONS)
            factors = [builder.node("Gather", near, builder.constant(side, np.int64), axis=1) for side in self.pairs]
            parts.append(builder.node("Mul", *factors))
        return builder.node("Concat", *parts, axis=1) if len(parts) > 1 else standard


def _cut(builder: GraphBuilder, value: str, most: float) -> str:
    return builder.node("Clip", value, builder.constant(-most), builder.constant(most))


def _median(column: np.ndarray) -> float:
    present = column[~np.isnan(column)]
    return float(np.median(present)) if len(present) else 0.0
