"""Trees that scikit-learn grows, as `trees.Tree`.

A missing value goes the way that training chose for it. Absurd numbers are cut to float32 for growing; answering needs no cut.
Knows scikit-learn's arrays of a tree. Does not know how many trees there are.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from salus.learners.trees import Tree, floor_float32

HUGE = np.float32(1e38)


def growable(table: np.ndarray) -> np.ndarray:
    """The table without infinite numbers, missing ones as they are."""
    cut: np.ndarray = np.clip(table, -HUGE, HUGE)
    return cut


def tree_of(grown: Any, classes: int, classification: bool, prior: np.ndarray, prior_rows: float) -> Tree:
    """One fitted estimator as a tree whose leaves say (L, K).

    Leaves of a classification say the shares of the classes that the tree saw, spread to all, as if `prior_rows` more rows with
    shares `prior` (K,) lay in each; those of a regression the means of the targets."""
    inner = grown.tree_
    nodes = inner.__getstate__()["nodes"]
    is_leaf = nodes["left_child"] < 0
    place = np.where(is_leaf, ~(np.cumsum(is_leaf) - 1), np.cumsum(~is_leaf) - 1)
    splits = nodes[~is_leaf]
    if classification:
        shares = np.zeros((int(is_leaf.sum()), classes))
        shares[:, grown.classes_.astype(np.int64)] = inner.value[is_leaf][:, 0, :]
        rows = nodes["weighted_n_node_samples"][is_leaf, None]
        leaves = (shares * rows + prior_rows * prior) / (rows + prior_rows)
    else:
        leaves = inner.value[is_leaf][:, :, 0]
    return Tree(
        splits["feature"].astype(np.int64),
        floor_float32(splits["threshold"]),
        splits["missing_go_to_left"].astype(bool),
        place[splits["left_child"]],
        place[splits["right_child"]],
        leaves,
    )


def leaf_of(tree: Tree, table: np.ndarray) -> np.ndarray:
    """The leaf (B,) that each row of a float32 table falls into."""
    places = np.zeros(len(table), dtype=np.int64) if len(tree.features) else np.full(len(table), -1)
    while (open_ := np.flatnonzero(places >= 0)).size:
        nodes = places[open_]
        values = table[open_, tree.features[nodes]]
        left = np.where(np.isnan(values), tree.nan_left[nodes], values <= tree.thresholds[nodes])
        places[open_] = np.where(left, tree.left[nodes], tree.right[nodes])
    return ~places
