"""Random forests and extra trees: many deep trees, each grown of other rows or by chance, whose mean is said.

Knows scikit-learn's trees (Breiman 2001; Geurts, Ernst and Wehenkel 2006) and keeps the graph small by bounding the leaves.
Needs no validation rows: nothing is stopped or chosen by them.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from salus.core.context import Context
from salus.core.durable import write_file
from salus.core.errors import SalusError
from salus.learners.base import Fitted, Learner, LearnerConfig, Part, Prepared, Proposal, searched, searched_among
from salus.learners.folds import learnable
from salus.learners.front import Front
from salus.learners.graphs import MAX_GRAPH_BYTES, GraphBuilder
from salus.learners.options import config_from, derived
from salus.learners.sklearn_trees import growable, leaf_of, tree_of
from salus.learners.table_codes import TableCodes
from salus.learners.trees import NODE_BYTES, Tree, ensemble_nodes
from salus.tasks.base import Task

MEASURED_TREES = 4
AIMED_BYTES = 18_000_000  # of a graph, by the number of leaves
ANSWER_BYTES = 20  # of the graph, an output of a leaf
FEWEST_TREES, MOST_TREES = 10, 200
SMALLEST_SHARE = 1e-5  # classes that no tree saw in a place are scored as of this share


class ForestConfig(LearnerConfig):
    trees: int = Field(200, ge=1, le=5000, description="trees")
    kind: Literal["random", "extra"] = searched_among(
        "random",
        ("random", "extra"),
        description="random: best thresholds, drawn rows; extra: random thresholds, all rows",
    )
    leaves: int = Field(1000, ge=2, le=100_000, description="most leaves of a tree")
    min_leaf_rows: int = searched(3, 1, 50, log=True, ge=1, le=1_000_000, description="fewest train rows of a leaf")
    feature_share: float = searched(
        0.4, 0.1, 1.0, gt=0, le=1, description="share of the columns among which a node looks for its split"
    )
    tree_rows: int = Field(20_000, ge=10, description="train rows that a tree sees at most")


@dataclass
class ForestFitted(Fitted):
    codes: TableCodes
    trees: list[Tree]
    classification: bool
    details: dict[str, Any]

    def raw(self, feeds: Mapping[str, np.ndarray]) -> np.ndarray:
        table = self.codes.table(feeds)
        mean = np.mean([tree.leaves[leaf_of(tree, table)] for tree in self.trees], axis=0)
        scores: np.ndarray = np.log(np.maximum(mean, SMALLEST_SHARE)) if self.classification else mean
        return scores

    def export(self, path: Path) -> None:
        found = sum(_bytes(tree) for tree in self.trees)
        if found > MAX_GRAPH_BYTES:
            raise SalusError("learner_too_large", where="the forest", expected=MAX_GRAPH_BYTES, found=found)
        builder, width = GraphBuilder(), self.trees[0].leaves.shape[1]
        # The mean is taken here: leaves are divided by the number of trees.
        trees = [(replace(tree, leaves=tree.leaves / len(self.trees)), 0) for tree in self.trees]
        mean = ensemble_nodes(builder, self.codes.nodes(builder), trees, width)
        if self.classification:
            mean = builder.node("Log", builder.node("Max", mean, builder.constant(SMALLEST_SHARE)))
        write_file(path, builder.finish("scores" if self.classification else "values", mean, width))


class Forest(Learner):
    name: ClassVar[str] = "forest"
    Config: ClassVar[type[LearnerConfig]] = ForestConfig
    config: ForestConfig

    @classmethod
    def learns(cls, task: Task, kinds: frozenset[str]) -> bool:
        return task.plain and Front.takes(kinds)

    @classmethod
    def propose(cls, prepared: Prepared, options: Mapping[str, Any], budget_s: float, context: Context) -> Proposal:
        config = config_from(ForestConfig, options, cls.name)
        config = derived(config, options, {"min_leaf_rows": _min_leaf_rows(prepared)})
        seconds = []
        for trees in (1, 1, 1 + MEASURED_TREES):  # the first time also imports
            context.stop_if_asked("measuring trees")
            started = time.monotonic()
            cls(config.model_copy(update={"trees": trees})).fit(prepared, context.silent())
            seconds.append(time.monotonic() - started)
        # The last two fits differ by trees that are grown side by side.
        trees_per_s = MEASURED_TREES / max(seconds[2] - seconds[1], 1e-3)
        ready_s = seconds[1]
        trees = int(max(FEWEST_TREES, min((0.8 * budget_s - ready_s) * trees_per_s, MOST_TREES)))
        leaf_bytes = 2 * NODE_BYTES + ANSWER_BYTES * prepared.classes
        leaves = max(16, min(config.leaves, AIMED_BYTES // (trees * leaf_bytes)))
        config = derived(config, options, {"trees": trees, "leaves": leaves})
        return Proposal(
            config=config.model_dump(mode="json"),
            expected_s=round(ready_s + config.trees / trees_per_s, 3),
            notes={"trees_per_s": round(trees_per_s, 3)},
        )

    def fit(self, prepared: Prepared, context: Context) -> Fitted:
        if prepared.classification and len(np.unique(prepared.train.target)) < 2:
            raise SalusError("learner_one_class", where="the forest", found=1)
        front = Front.fit(prepared)
        part = learnable(front, prepared)
        codes = TableCodes.fit(front, part, prepared)
        table = growable(codes.train_table)
        means, deviations = np.zeros(1), np.ones(1)
        if not prepared.classification:
            means, deviations = part.target.mean(axis=0), np.maximum(part.target.std(axis=0), 1e-12)
        trees: list[Tree] = []
        with ThreadPoolExecutor(max_workers=max(1, prepared.threads)) as pool:
            for first in range(0, self.config.trees, prepared.threads):
                context.stop_if_asked("growing a forest")
                numbers = range(first, min(first + prepared.threads, self.config.trees))
                trees += pool.map(lambda number: self._grow(table, part, means, deviations, number, prepared), numbers)
                if first % 20 < prepared.threads:
                    context.event("step", learner=self.name, step=len(trees), of=self.config.trees)
        details = {"trees": len(trees), "leaves": sum(len(tree.leaves) for tree in trees), "kind": self.config.kind}
        return ForestFitted(codes, trees, prepared.classification, details)

    def _grow(
        self,
        table: np.ndarray,
        part: Part,
        means: np.ndarray,
        deviations: np.ndarray,
        number: int,
        prepared: Prepared,
    ) -> Tree:
        """Tree `number`: its own generator decides its rows and columns, whichever thread grows it."""
        from sklearn import tree as trees

        config, generator = self.config, np.random.default_rng([prepared.seed, number])
        extra = config.kind == "extra"
        count = min(len(table), config.tree_rows)
        rows = generator.permutation(len(table))[:count] if extra else generator.integers(0, len(table), count)
        if prepared.classification and len(np.unique(part.target[rows])) < 2:
            rows = np.arange(len(table))
        options: dict[str, Any] = {
            "max_leaf_nodes": config.leaves,
            "min_samples_leaf": config.min_leaf_rows,
            "max_features": config.feature_share,
            "random_state": int(generator.integers(2**31)),
            "splitter": "random" if extra else "best",
        }
        target = part.target[rows]
        if not prepared.classification:
            grown = trees.DecisionTreeRegressor(**options).fit(table[rows], (target - means) / deviations)
            tree = tree_of(grown, prepared.classes, False, np.zeros(1), 0.0)
            return replace(tree, leaves=tree.leaves * deviations + means)
        grown = trees.DecisionTreeClassifier(**options).fit(table[rows], target)
        return tree_of(grown, prepared.classes, True, np.zeros(prepared.classes), 0.0)


def _min_leaf_rows(prepared: Prepared) -> int:
    """Fewest rows of a leaf that suit so many train rows: shares of classes want more of them than means of numbers."""
    rows = len(prepared.train)
    if not prepared.classification or prepared.classes > 2:
        return 2
    return 3 if rows < 1000 else 8 if rows < 20_000 else 30


def _bytes(tree: Tree) -> int:
    return NODE_BYTES * tree.size + ANSWER_BYTES * tree.leaves.size
