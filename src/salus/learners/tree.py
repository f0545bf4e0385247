"""One decision tree, small enough to be read: a person can follow every answer.

Knows scikit-learn's trees (Breiman et al. 1984), and chooses how many leaves by rows held out. The rules are said by `rules`.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from salus.core.context import Context
from salus.core.durable import write_file
from salus.core.errors import SalusError
from salus.learners.base import Fitted, Learner, LearnerConfig, Part, Prepared, Proposal, searched
from salus.learners.folds import FOLDS, few, folded, held_out, learnable, some_rows, tempered_loss
from salus.learners.front import Front
from salus.learners.graphs import GraphBuilder
from salus.learners.options import config_from, derived
from salus.learners.rules import rules_of
from salus.learners.sklearn_trees import growable, leaf_of, tree_of
from salus.learners.table_codes import TableCodes
from salus.learners.trees import Tree, ensemble_nodes
from salus.tasks.base import Task

SAMPLE_ROWS, IMPORTING_ROWS = 2000, 50
PRIOR_ROWS = 1.0  # with which the shares of a leaf are smoothed


class TreeConfig(LearnerConfig):
    max_leaves: int = searched(
        16, 2, 64, log=True, ge=2, le=1024, description="most leaves; fewer where rows held out say so"
    )
    min_leaf_rows: int = searched(10, 2, 100, log=True, ge=1, le=1_000_000, description="fewest train rows of a leaf")
    max_rows: int = Field(1_000_000, ge=10, description="train rows beyond this are left out by chance")


@dataclass
class TreeFitted(Fitted):
    """Leaves say the logarithms of the classes' shares, or the targets."""

    codes: TableCodes
    tree: Tree
    classification: bool
    details: dict[str, Any]

    def raw(self, feeds: Mapping[str, np.ndarray]) -> np.ndarray:
        answers: np.ndarray = self.tree.leaves[leaf_of(self.tree, self.codes.table(feeds))]
        return answers

    def export(self, path: Path) -> None:
        builder, width = GraphBuilder(), self.tree.leaves.shape[1]
        value = ensemble_nodes(builder, self.codes.nodes(builder), [(self.tree, 0)], width)
        write_file(path, builder.finish("scores" if self.classification else "values", value, width))


class DecisionTree(Learner):
    name: ClassVar[str] = "tree"
    Config: ClassVar[type[LearnerConfig]] = TreeConfig
    config: TreeConfig

    @classmethod
    def learns(cls, task: Task, kinds: frozenset[str]) -> bool:
        return task.plain and Front.takes(kinds)

    @classmethod
    def propose(cls, prepared: Prepared, options: Mapping[str, Any], budget_s: float, context: Context) -> Proposal:
        config = config_from(TreeConfig, options, cls.name)
        rows, small = len(prepared.train), few(prepared, SAMPLE_ROWS)
        cls(config).fit(few(prepared, IMPORTING_ROWS), Context())
        started = time.monotonic()
        cls(config).fit(small, Context())
        # Validation rows save most of the folds.
        rows_per_s = len(small.train) / max(time.monotonic() - started, 1e-3)
        affordable = max(1000, min(rows, int(rows_per_s * budget_s)))
        config = derived(config, options, {"max_rows": affordable})
        return Proposal(
            config=config.model_dump(mode="json"),
            expected_s=round(min(rows, config.max_rows) / rows_per_s, 3),
            notes={"rows_per_s": round(rows_per_s)},
        )

    def fit(self, prepared: Prepared, context: Context) -> Fitted:
        if prepared.classification and len(np.unique(prepared.train.target)) < 2:
            raise SalusError("learner_one_class", where="the decision tree", found=1)
        front = Front.fit(prepared)
        part = some_rows(learnable(front, prepared), self.config.max_rows, prepared.seed)
        codes = TableCodes.fit(front, part, prepared)
        losses = {
            leaves: self._loss(leaves, codes, part, prepared, context) for leaves in _sizes(self.config.max_leaves)
        }
        chosen = min(losses, key=lambda leaves: losses[leaves])
        tree = self._grow(codes.train_table, part.target, chosen, prepared)
        details = {
            "leaves": len(tree.leaves),
            "losses": {str(leaves): round(loss, 6) for leaves, loss in losses.items()},
            "rules": rules_of(tree, codes, prepared, leaf_of(tree, codes.train_table)),
        }
        return TreeFitted(codes, tree, prepared.classification, details)

    def _loss(self, leaves: int, codes: TableCodes, part: Part, prepared: Prepared, context: Context) -> float:
        """Of a tree with so many leaves, on rows that it did not see."""
        table = codes.train_table
        if folded(prepared):
            pairs = [
                (train, table[held], part.target[held])
                for train, held in held_out(part, prepared.classification, prepared.seed, FOLDS)
            ]
        else:
            validation = prepared.validation
            pairs = [(np.arange(len(part)), codes.table(validation.feeds), validation.target)]
        raws, truths = [], []
        for train, checked, truth in pairs:
            context.stop_if_asked("growing a tree")
            tree = self._grow(table[train], part.target[train], leaves, prepared)
            raws.append(tree.leaves[leaf_of(tree, checked)])
            truths.append(truth)
        loss, _ = tempered_loss(np.concatenate(raws), np.concatenate(truths), prepared.classification)
        context.event("step", learner=self.name, leaves=leaves, loss=loss)
        return loss

    def _grow(self, table: np.ndarray, target: np.ndarray, leaves: int, prepared: Prepared) -> Tree:
        from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

        options: dict[str, Any] = {
            "max_leaf_nodes": leaves,
            "min_samples_leaf": min(self.config.min_leaf_rows, max(1, len(table) // 4)),
            "random_state": prepared.seed,
        }
        if not prepared.classification:
            means, deviations = target.mean(axis=0), np.maximum(target.std(axis=0), 1e-12)
            grown = DecisionTreeRegressor(**options).fit(growable(table), (target - means) / deviations)
            tree = tree_of(grown, prepared.classes, False, np.zeros(1), 0.0)
            return replace(tree, leaves=tree.leaves * deviations + means)
        grown = DecisionTreeClassifier(**options, criterion="log_loss").fit(growable(table), target)
        prior = (np.bincount(target, minlength=prepared.classes) + 0.5) / (len(target) + 0.5 * prepared.classes)
        tree = tree_of(grown, prepared.classes, True, prior, PRIOR_ROWS)
        return replace(tree, leaves=np.log(tree.leaves))


def _sizes(most: int) -> list[int]:
    """2, 4, 8, ... and the most."""
    return [*(2**power for power in range(1, most.bit_length()) if 2**power < most), most]
