"""LightGBM's text of a model to one ONNX tree ensemble that takes the same way for every float32.

A threshold is a double; for float32 values `x <= t` is the same as `x <= the largest float32 that is not above t`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from salus.learners.graphs import GraphBuilder
from salus.learners.table_codes import TableCodes

CATEGORICAL, DEFAULT_LEFT, MISSING_SHIFT, MISSING_NAN = 1, 2, 2, 2  # bits of LightGBM's decision_type


@dataclass(frozen=True)
class Tree:
    """Inner nodes 0..n-1; a child below 0 is the leaf ~child. `nan_left`: where a missing value goes."""

    features: np.ndarray
    thresholds: np.ndarray
    nan_left: np.ndarray
    left: np.ndarray
    right: np.ndarray
    leaves: np.ndarray

    @property
    def size(self) -> int:
        return len(self.features) + len(self.leaves)


def parse_trees(text: str) -> list[Tree]:
    """The trees of `Booster.model_to_string()`, in order."""
    trees = []
    for block in text.split("\nTree=")[1:]:
        lines = block.split("\n\n", 1)[0].splitlines()[1:]
        fields = dict(line.split("=", 1) for line in lines if "=" in line)
        trees.append(_tree(fields))
    return trees


def _tree(fields: dict[str, str]) -> Tree:
    def numbers(name: str, dtype: type[np.generic]) -> np.ndarray:
        return np.array(fields.get(name, "").split(), dtype=np.float64).astype(dtype)

    leaves = numbers("leaf_value", np.float64)
    if int(fields["num_leaves"]) == 1:
        none = np.zeros(0, dtype=np.int64)
        return Tree(none, np.zeros(0, dtype=np.float32), none.astype(bool), none, none, leaves)
    decisions = numbers("decision_type", np.int64)
    assert not np.any(decisions & CATEGORICAL), "categories are numbers here"
    thresholds = numbers("threshold", np.float64)
    # Without missing values among the train rows LightGBM reads a missing one as 0.
    keeps_nan = (decisions >> MISSING_SHIFT) & 3 == MISSING_NAN
    nan_left = np.where(keeps_nan, decisions & DEFAULT_LEFT != 0, thresholds >= 0)
    children = (numbers("left_child", np.int64), numbers("right_child", np.int64))
    return Tree(numbers("split_feature", np.int64), floor_float32(thresholds), nan_left, *children, leaves)


def floor_float32(values: np.ndarray) -> np.ndarray:
    """The largest float32 not above each value."""
    with np.errstate(over="ignore"):
        rounded = values.astype(np.float32)
    below = np.nextafter(rounded, np.float32(-np.inf))
    floored: np.ndarray = np.where(rounded.astype(np.float64) > values, below, rounded)
    return floored


def ensemble_graph(
    trees: Sequence[tuple[Tree, int]],
    width: int,
    codes: TableCodes,
    classification: bool,
    means: np.ndarray,
    deviations: np.ndarray,
) -> bytes:
    """Scores or values of (tree, output) pairs over the columns that `codes` makes."""
    builder = GraphBuilder()
    table = _table_nodes(builder, codes)
    attributes = _attributes(trees)
    raw = builder.node("TreeEnsembleRegressor", table, domain="ai.onnx.ml", n_targets=width, **attributes)
    if not classification:
        scaled = builder.node("Mul", raw, builder.constant(deviations))
        return builder.finish("values", builder.node("Add", scaled, builder.constant(means)), width)
    if width == 1:
        half = builder.node("Div", raw, builder.constant(2.0))
        return builder.finish("scores", builder.node("Concat", builder.node("Neg", half), half, axis=1), 2)
    return builder.finish("scores", raw, width)


def _table_nodes(builder: GraphBuilder, codes: TableCodes) -> str:
    parts = []
    if codes.numbers:
        parts.append(builder.feed("numbers", np.float32, ("rows", codes.numbers)))
    if codes.tables:
        feed = builder.feed("categories", np.int64, ("rows", len(codes.tables)))
        for m, table in enumerate(codes.tables):
            column = builder.node("Gather", feed, builder.constant(m, np.int64), axis=1)
            parts.append(builder.node("Gather", builder.constant(table), column, axis=0))
    return builder.node("Concat", *parts, axis=1) if len(parts) > 1 else parts[0]


def _attributes(trees: Sequence[tuple[Tree, int]]) -> dict[str, Any]:
    """The parallel lists of TreeEnsembleRegressor: inner nodes first, then the leaves, tree by tree."""
    lists: defaultdict[str, list[Any]] = defaultdict(list)
    for index, (tree, output) in enumerate(trees):
        inner, leaves = len(tree.features), len(tree.leaves)

        def position(children: np.ndarray, inner: int = inner) -> list[int]:
            found: list[int] = np.where(children >= 0, children, inner + ~children).tolist()
            return found

        lists["nodes_treeids"] += [index] * (inner + leaves)
        lists["nodes_nodeids"] += range(inner + leaves)
        lists["nodes_featureids"] += tree.features.tolist() + [0] * leaves
        lists["nodes_values"] += tree.thresholds.tolist() + [0.0] * leaves
        lists["nodes_modes"] += ["BRANCH_LEQ"] * inner + ["LEAF"] * leaves
        lists["nodes_truenodeids"] += position(tree.left) + [0] * leaves
        lists["nodes_falsenodeids"] += position(tree.right) + [0] * leaves
        lists["nodes_missing_value_tracks_true"] += tree.nan_left.astype(int).tolist() + [0] * leaves
        lists["target_treeids"] += [index] * leaves
        lists["target_nodeids"] += range(inner, inner + leaves)
        lists["target_ids"] += [output] * leaves
        lists["target_weights"] += tree.leaves.tolist()
    return dict(lists)
