"""Trees, LightGBM's text of them, and the one ONNX tree ensemble that takes the same way for every float32.

A threshold is a double; for float32 values `x <= t` is the same as `x <= the largest float32 that is not above t`. A split by
levels sends some codes to the left; it becomes a chain of questions for one code each, whose answers yes lead to the same node.
Does not know who grew the trees.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from salus.learners.graphs import GraphBuilder
from salus.learners.table_codes import TableCodes

CATEGORICAL, DEFAULT_LEFT, MISSING_SHIFT, MISSING_NAN = 1, 2, 2, 2  # bits of LightGBM's decision_type


NODE_BYTES = 60  # of an exported graph, a node or leaf


@dataclass(frozen=True)
class Tree:
    """Inner nodes 0..n-1; a child below 0 is the leaf ~child. `nan_left`: where a missing value goes. `levels`: of nodes that split
    by levels the codes that go left; their thresholds say nothing. `leaves` (L,) or, of several outputs, (L, K)."""

    features: np.ndarray
    thresholds: np.ndarray
    nan_left: np.ndarray
    left: np.ndarray
    right: np.ndarray
    leaves: np.ndarray
    levels: dict[int, np.ndarray] = field(default_factory=dict)

    @property
    def size(self) -> int:
        return len(self.features) + len(self.leaves) + sum(len(codes) - 1 for codes in self.levels.values())


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
    thresholds = numbers("threshold", np.float64)
    by_levels = np.flatnonzero(decisions & CATEGORICAL)
    bounds, words = numbers("cat_boundaries", np.int64), numbers("cat_threshold", np.int64)
    levels = {}
    for node in by_levels.tolist():
        place = int(thresholds[node])
        levels[node] = _set_bits(words[bounds[place] : bounds[place + 1]])
    # Without missing values among the train rows LightGBM reads a missing one as 0.
    keeps_nan = (decisions >> MISSING_SHIFT) & 3 == MISSING_NAN
    nan_left = np.where(keeps_nan, decisions & DEFAULT_LEFT != 0, thresholds >= 0)
    children = (numbers("left_child", np.int64), numbers("right_child", np.int64))
    return Tree(numbers("split_feature", np.int64), floor_float32(thresholds), nan_left, *children, leaves, levels)


def _set_bits(words: np.ndarray) -> np.ndarray:
    """The positions of ones in 32-bit words."""
    bits = (words[:, None] >> np.arange(32)) & 1
    return np.flatnonzero(bits.ravel())


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
    raw = ensemble_nodes(builder, codes.nodes(builder), trees, width)
    if not classification:
        scaled = builder.node("Mul", raw, builder.constant(deviations))
        return builder.finish("values", builder.node("Add", scaled, builder.constant(means)), width)
    if width == 1:
        half = builder.node("Div", raw, builder.constant(2.0))
        return builder.finish("scores", builder.node("Concat", builder.node("Neg", half), half, axis=1), 2)
    return builder.finish("scores", raw, width)


def ensemble_nodes(
    builder: GraphBuilder, table: str, trees: Sequence[tuple[Tree, int]], width: int, aggregate: str = "SUM"
) -> str:
    """The graph value (rows, width): the sum (or AVERAGE) of what the trees' leaves say about the rows of `table`. The number
    beside a tree is the output that its leaves are for; trees of several outputs are for those from there on."""
    return builder.node(
        "TreeEnsembleRegressor",
        table,
        domain="ai.onnx.ml",
        n_targets=width,
        aggregate_function=aggregate,
        **_attributes(trees),
    )


def _attributes(trees: Sequence[tuple[Tree, int]]) -> dict[str, Any]:
    """The parallel lists of TreeEnsembleRegressor: inner nodes first, then the leaves, then the chains, tree by tree."""
    lists: defaultdict[str, list[Any]] = defaultdict(list)
    for index, (tree, output) in enumerate(trees):
        inner, leaves = len(tree.features), len(tree.leaves)
        left, right = (np.where(side >= 0, side, inner + ~side).tolist() for side in (tree.left, tree.right))
        features, values = tree.features.tolist(), tree.thresholds.tolist()
        modes, tracks = ["BRANCH_LEQ"] * inner, tree.nan_left.astype(int).tolist()
        rows = [*zip(features, values, modes, left, right, tracks, strict=True)]
        rows += [(0, 0.0, "LEAF", 0, 0, 0)] * leaves
        for node, codes in tree.levels.items():
            places = [node, *range(len(rows), len(rows) + len(codes) - 1)]
            rows += [rows[node]] * (len(codes) - 1)
            for place, code, following in zip(places, codes.tolist(), [*places[1:], right[node]], strict=True):
                rows[place] = (features[node], float(code), "BRANCH_EQ", left[node], following, 0)
        lists["nodes_treeids"] += [index] * len(rows)
        lists["nodes_nodeids"] += range(len(rows))
        for name, column in zip(NODE_LISTS, zip(*rows, strict=True), strict=True):
            lists[name] += column
        said = tree.leaves.reshape(leaves, -1)
        lists["target_treeids"] += [index] * said.size
        lists["target_nodeids"] += np.repeat(np.arange(inner, inner + leaves), said.shape[1]).tolist()
        lists["target_ids"] += list(range(output, output + said.shape[1])) * leaves
        lists["target_weights"] += said.ravel().tolist()
    return dict(lists)


NODE_LISTS = (
    "nodes_featureids",
    "nodes_values",
    "nodes_modes",
    "nodes_truenodeids",
    "nodes_falsenodeids",
    "nodes_missing_value_tracks_true",
)
