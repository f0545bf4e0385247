"""AutoGluon-Tabular with a preset for the budget, persisted in memory to answer, and cloned for deployment to be weighed."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from autogluon.tabular import TabularPredictor
from exchange import Answering, Task, run

PRESET = os.environ["QUALITY_PRESET"]
BAG_FOLDS = 5


def fit(task: Task) -> Answering:
    frame = task.table()
    train = frame.iloc[task.train].copy()
    train["answer"] = task.truth[task.train]
    bagged = PRESET != "medium_quality"
    groups = None
    if task.about["group"] and bagged:
        groups = "fold"
        dealt = np.random.default_rng(task.seed).integers(0, BAG_FOLDS, int(task.units.max()) + 1)
        train[groups] = dealt[task.units[task.train]]
    kind = "regression" if not task.classification else "binary" if len(task.about["levels"]) == 2 else "multiclass"
    metric = "log_loss" if task.classification else "root_mean_squared_error"
    model = TabularPredictor(
        "answer", problem_type=kind, eval_metric=metric, path=str(task.scratch), verbosity=2, groups=groups
    )
    model.fit(train, time_limit=task.budget_s, presets=PRESET, num_cpus=task.threads, num_gpus=0)
    small = TabularPredictor.load(model.clone_for_deployment(str(task.scratch) + "-deployed"))
    size = sum(path.stat().st_size for path in Path(small.path).rglob("*") if path.is_file())
    small.persist(max_memory=None)
    numbers = list(range(len(task.about["levels"]))) if task.classification else []

    def predict(rows: object) -> np.ndarray:
        if not task.classification:
            return small.predict(rows).to_numpy()
        return small.predict_proba(rows).reindex(columns=numbers, fill_value=0.0).to_numpy()

    board = model.leaderboard(silent=True)
    details = {"preset": PRESET, "won": model.model_best, "models": len(board)}
    return Answering(lambda rows: frame.iloc[rows], predict, size, details)


run(fit, ("autogluon.tabular", "lightgbm", "catboost", "pandas"))
