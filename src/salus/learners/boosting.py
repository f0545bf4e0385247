"""Gradient boosted trees: what usually wins on a table.

Knows LightGBM (Ke et al. 2017), and how its trees become one ONNX tree ensemble that answers the same for every float32.
Categories are numbers to the trees: each level stands for its mean answer on train rows, learned out of fold; of those with few
levels trees may also split single levels off.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from salus.core.context import Context
from salus.core.durable import write_file
from salus.core.errors import SalusError
from salus.learners.base import Fitted, Learner, LearnerConfig, Prepared, Proposal, searched, searched_among
from salus.learners.folds import few, learnable
from salus.learners.front import Front
from salus.learners.graphs import MAX_GRAPH_BYTES
from salus.learners.options import config_from, derived
from salus.learners.table_codes import TableCodes
from salus.learners.trees import NODE_BYTES, ensemble_graph, parse_trees
from salus.tasks.base import Task

MEASURED_TREES, MEASURED_ROWS = 8, 20_000
FEWEST_TREES = 100  # even when the rate measured on a busy machine promises fewer; they stop early
MOST_TREES = 2000
THREADED_CELLS = 200_000  # below this, threads wait for each other longer than they work
SMALL_ROWS, MANY_ROWS = 2000, 10_000  # below the one little can be learned, above the other much
AIMED_BYTES = 20_000_000  # of a graph, by the number of trees


class BoostingConfig(LearnerConfig):
    trees: int = Field(500, ge=1, le=20_000, description="most trees a class; validation rows stop earlier")
    patience_trees: int = Field(50, ge=1, le=5000, description="trees without a better validation loss before stopping")
    learning_rate: float = Field(0.05, gt=0, le=1, description="share of each tree that is added")
    leaves: int = searched(31, 3, 128, log=True, ge=2, le=4095, description="most leaves of a tree")
    min_leaf_rows: int = searched(20, 2, 200, log=True, ge=1, le=1_000_000, description="fewest train rows of a leaf")
    feature_share: float = searched(0.8, 0.3, 1.0, gt=0, le=1, description="share of the columns that a tree may use")
    row_share: float = searched(0.8, 0.5, 1.0, gt=0, le=1, description="share of the train rows that a tree sees")
    l2: float = searched(1.0, 0.01, 100.0, log=True, ge=0, le=1e6, description="L2 penalty on leaf values")
    l1: float = Field(0.0, ge=0, le=1e6, description="L1 penalty on leaf values")
    extra_trees: bool = searched_among(
        False, (False, True), description="one random threshold a column is looked at instead of the best"
    )
    single_levels: int = Field(
        0, ge=0, le=1000, description="categories of up to so many levels may split by single levels"
    )


@dataclass
class BoostingFitted(Fitted):
    """One booster, or one a target for regression; answers of regression are scaled back by means and deviations."""

    boosters: list[Any]
    codes: TableCodes
    classification: bool
    classes: int
    means: np.ndarray
    deviations: np.ndarray
    details: dict[str, Any]
    refit: Mapping[str, Any] = field(default_factory=dict)

    def raw(self, feeds: Mapping[str, np.ndarray]) -> np.ndarray:
        table = self.codes.table(feeds).astype(np.float64)
        parts = [
            np.asarray(b.predict(table, raw_score=True, num_threads=1)).reshape(len(table), -1) for b in self.boosters
        ]
        raw = np.concatenate(parts, axis=1)
        if not self.classification:
            scaled: np.ndarray = raw * self.deviations + self.means
            return scaled
        return np.concatenate([-raw / 2, raw / 2], axis=1) if self.classes == 2 else raw

    def export(self, path: Path) -> None:
        width = 1 if self.classification and self.classes == 2 else self.classes
        trees = [
            (tree, index % width if len(self.boosters) == 1 else target)
            for target, booster in enumerate(self.boosters)
            for index, tree in enumerate(parse_trees(booster.model_to_string()))
        ]
        found = NODE_BYTES * sum(tree.size for tree, _ in trees)
        if found > MAX_GRAPH_BYTES:
            raise SalusError("learner_too_large", where="boosting", expected=MAX_GRAPH_BYTES, found=found)
        graph = ensemble_graph(trees, width, self.codes, self.classification, self.means, self.deviations)
        write_file(path, graph)


class Boosting(Learner):
    name: ClassVar[str] = "boosting"
    Config: ClassVar[type[LearnerConfig]] = BoostingConfig
    config: BoostingConfig

    @classmethod
    def learns(cls, task: Task, kinds: frozenset[str]) -> bool:
        return task.plain and Front.takes(kinds)

    @classmethod
    def propose(cls, prepared: Prepared, options: Mapping[str, Any], budget_s: float, context: Context) -> Proposal:
        config = config_from(BoostingConfig, options, cls.name)
        config = derived(config, options, _shape(prepared))
        small = few(prepared, MEASURED_ROWS)
        seconds = []
        for trees in (1, 1, 1 + MEASURED_TREES):  # the first time also imports
            measured = cls(config.model_copy(update={"trees": trees, "patience_trees": trees}))
            started = time.monotonic()
            measured.fit(small, context.silent())
            seconds.append(time.monotonic() - started)
        larger = len(prepared.train) / len(small.train)
        ready_s = larger * seconds[1]
        trees_per_s = MEASURED_TREES / max(seconds[2] - seconds[1], 1e-3) / larger
        outputs = 1 if prepared.classification and prepared.classes == 2 else prepared.classes
        most = AIMED_BYTES // (2 * NODE_BYTES * config.leaves * outputs)
        trees = int(max(FEWEST_TREES, min((0.8 * budget_s - ready_s) * trees_per_s, MOST_TREES, most)))
        rate = _rate(trees, prepared)
        patience = max(20, min(100, trees // 10))
        config = derived(config, options, {"trees": trees, "learning_rate": rate, "patience_trees": patience})
        return Proposal(
            config=config.model_dump(mode="json"),
            expected_s=round(ready_s + config.trees / trees_per_s, 3),
            notes={"trees_per_s": round(trees_per_s, 3)},
        )

    def fit(self, prepared: Prepared, context: Context) -> Fitted:
        train, validation = prepared.train, prepared.validation
        front = Front.fit(prepared)
        codes = TableCodes.fit(front, learnable(front, prepared), prepared, self.config.single_levels)
        tables = (codes.train_table, codes.table(validation.feeds))
        means, deviations = np.zeros(1), np.ones(1)
        targets = [(train.target, validation.target)]
        if prepared.classification:
            if len(np.unique(train.target)) < 2:
                raise SalusError("learner_one_class", where="boosting", found=1)
        else:
            means, deviations = train.target.mean(axis=0), np.maximum(train.target.std(axis=0), 1e-12)
            scaled = [(part.target - means) / deviations for part in (train, validation)]
            targets = [(scaled[0][:, m], scaled[1][:, m]) for m in range(prepared.classes)]
        boosted = [self._boost(tables, pair, codes.single_columns, prepared, context) for pair in targets]
        boosters = [booster for booster, _ in boosted]
        trees = [booster.current_iteration() for booster in boosters]
        details = {"trees": trees, "validation_losses": [loss for _, loss in boosted]}
        refit = {"trees": max(1, round(float(np.mean(trees))))} if len(validation) else {}
        return BoostingFitted(
            boosters, codes, prepared.classification, prepared.classes, means, deviations, details, refit
        )

    def _boost(
        self,
        tables: tuple[np.ndarray, np.ndarray],
        targets: tuple[np.ndarray, np.ndarray],
        single_columns: list[int],
        prepared: Prepared,
        context: Context,
    ) -> tuple[Any, float | None]:
        """The booster and its loss on validation rows; without any, all its trees are grown and kept."""
        import lightgbm

        data = lightgbm.Dataset(tables[0], targets[0], categorical_feature=single_columns, free_raw_data=False)
        checks = (
            [lightgbm.Dataset(tables[1], targets[1], reference=data, free_raw_data=False)] if len(tables[1]) else []
        )
        best: dict[str, float] = {"loss": float("inf"), "tree": 0}

        def watch(state: Any) -> None:
            context.stop_if_asked("growing trees")
            loss = float(state.evaluation_result_list[0][2]) if checks else None
            if loss is not None and loss < best["loss"]:
                best.update(loss=loss, tree=state.iteration + 1)
            if state.iteration % 25 == 0:
                context.event("step", learner=self.name, step=state.iteration + 1, of=self.config.trees, loss=loss)

        stopping = [lightgbm.early_stopping(self.config.patience_trees, verbose=False)] if checks else []
        booster = lightgbm.train(
            self._parameters(prepared),
            data,
            num_boost_round=self.config.trees,
            valid_sets=checks,
            valid_names=["validation"] * len(checks),
            callbacks=[watch, *stopping],
        )
        # Written and read again with the best trees only, so that what answers is what is exported.
        kept = int(best["tree"]) or (1 if checks else None)
        again = lightgbm.Booster(model_str=booster.model_to_string(num_iteration=kept))
        return again, round(best["loss"], 6) if checks else None

    def _parameters(self, prepared: Prepared) -> dict[str, Any]:
        config = self.config
        return {
            "objective": _objective(prepared),
            "metric": _metric(prepared),
            "num_leaves": config.leaves,
            "min_data_in_leaf": config.min_leaf_rows,
            "learning_rate": config.learning_rate,
            "feature_fraction": config.feature_share,
            "bagging_fraction": config.row_share,
            "bagging_freq": 1 if config.row_share < 1 else 0,
            "lambda_l2": config.l2,
            "lambda_l1": config.l1,
            "extra_trees": config.extra_trees,
            "max_cat_to_onehot": config.single_levels + 3,  # always one level against the rest
            "cat_l2": config.l2,
            "seed": prepared.seed,
            "deterministic": True,
            "force_row_wise": True,
            "num_threads": prepared.threads if _cells(prepared) > THREADED_CELLS else 1,
            "verbosity": -1,
        } | ({"num_class": prepared.classes} if prepared.classification and prepared.classes > 2 else {})


def _shape(prepared: Prepared) -> dict[str, Any]:
    """Trees that suit so many train rows: few rows want small ones with thresholds by chance, noisy answers strong penalties."""
    rows = len(prepared.train)
    if not prepared.classification:
        return {"leaves": 16, "min_leaf_rows": 10, "feature_share": 1.0 if rows < SMALL_ROWS else 0.8, "l2": 3.0}
    if rows < SMALL_ROWS:
        return {"leaves": 8, "min_leaf_rows": 5, "feature_share": 0.5, "l2": 3.0, "extra_trees": True}
    if rows < MANY_ROWS and prepared.classes == 2:
        return {"leaves": 16, "min_leaf_rows": 10, "feature_share": 0.5, "l2": 3.0, "extra_trees": True}
    if rows < MANY_ROWS:
        return {"leaves": 31, "min_leaf_rows": 20, "feature_share": 0.8, "l2": 1.0}
    return {"leaves": 16, "min_leaf_rows": 50, "feature_share": 0.5, "l2": 10.0}


def _rate(trees: int, prepared: Prepared) -> float:
    """The share of each tree that so many trees can afford."""
    if not prepared.classification:  # what is smooth takes many trees
        return 0.06 if trees >= 1000 else 0.1
    return 0.03 if trees >= 600 else 0.05 if trees >= 300 else 0.1


def _cells(prepared: Prepared) -> int:
    return sum(feed.size for feed in prepared.train.feeds.values())


def _objective(prepared: Prepared) -> str:
    if not prepared.classification:
        return "regression"
    return "binary" if prepared.classes == 2 else "multiclass"


def _metric(prepared: Prepared) -> str:
    if not prepared.classification:
        return "l2"
    return "binary_logloss" if prepared.classes == 2 else "multi_logloss"
