"""LightGBM with its defaults."""

from __future__ import annotations

from exchange import Answering, Task, run
from lightgbm import LGBMClassifier, LGBMRegressor


def fit(task: Task) -> Answering:
    frame = task.table()
    frame.columns = [f"c{at}" for at in range(frame.shape[1])]  # LightGBM refuses some characters in names
    kind = LGBMClassifier if task.classification else LGBMRegressor
    model = kind(random_state=task.seed, n_jobs=task.threads, verbose=-1)
    model.fit(frame.iloc[task.train], task.truth[task.train])
    predict = model.predict_proba if task.classification else model.predict
    size = len(model.booster_.model_to_string().encode())
    return Answering(lambda rows: frame.iloc[rows], predict, size)


run(fit, ("lightgbm", "pandas"))
