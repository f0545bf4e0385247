"""MiniRocket of aeon and a ridge head. Long recordings are cut into windows whose scores are averaged a recording."""

from __future__ import annotations

import pickle  # the peer's own way to store itself, only to know its size

import numpy as np
from aeon.transformations.collection.convolution_based import MiniRocket
from exchange import Answering, Task, run
from signals import averaged, read_windows
from sklearn.linear_model import RidgeClassifierCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler


def fit(task: Task) -> Answering:
    windows, recording = read_windows(task)
    rocket = MiniRocket(random_state=task.seed, n_jobs=task.threads)
    head = make_pipeline(StandardScaler(with_mean=False), RidgeClassifierCV(alphas=np.logspace(-3, 3, 10)))
    learned = np.isin(recording, task.train)
    head.fit(rocket.fit_transform(windows[learned]), task.truth[recording[learned]])
    classes = len(task.about["levels"])

    def scores(cut: np.ndarray) -> np.ndarray:
        raw = head.decision_function(rocket.transform(cut))
        raw = np.stack([-raw, raw], axis=1) if raw.ndim == 1 else raw
        full = np.full((len(raw), classes), -np.inf)
        full[:, head.classes_] = raw
        return full

    batch, predict = averaged(windows, recording, scores)
    return Answering(batch, predict, len(pickle.dumps((rocket, head))), probabilities=False)


run(fit, ("aeon", "scikit-learn"))
