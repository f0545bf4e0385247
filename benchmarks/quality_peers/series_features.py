"""Boosting on simple statistics of every channel, as tsfresh gives them: moments, quantiles, changes, and the spectrum."""

from __future__ import annotations

import numpy as np
from exchange import Answering, Task, run
from lightgbm import LGBMClassifier
from signals import averaged, read_windows

BANDS = 8


def fit(task: Task) -> Answering:
    windows, recording = read_windows(task)
    learned = np.isin(recording, task.train)
    model = LGBMClassifier(random_state=task.seed, n_jobs=task.threads, verbose=-1)
    model.fit(features(windows[learned]), task.truth[recording[learned]])
    classes = len(task.about["levels"])

    def scores(cut: np.ndarray) -> np.ndarray:
        full = np.zeros((len(cut), classes))
        full[:, model.classes_] = model.predict_proba(features(cut))
        return full

    batch, predict = averaged(windows, recording, scores)
    return Answering(batch, predict, len(model.booster_.model_to_string().encode()))


def features(windows: np.ndarray) -> np.ndarray:
    """windows (W, C, T) to (W, C * F)."""
    steps = np.diff(windows, axis=2)
    centred = windows - windows.mean(axis=2, keepdims=True)
    deviation = windows.std(axis=2) + 1e-9
    power = np.abs(np.fft.rfft(centred, axis=2)) ** 2
    bands = [band.sum(axis=2) for band in np.array_split(power[:, :, 1:], BANDS, axis=2)]
    lags = [(centred[:, :, lag:] * centred[:, :, :-lag]).mean(axis=2) / deviation**2 for lag in (1, 2, 5, 10)]
    found = [
        windows.mean(axis=2),
        deviation,
        (centred**3).mean(axis=2) / deviation**3,
        (centred**4).mean(axis=2) / deviation**4,
        *np.quantile(windows, [0, 0.1, 0.25, 0.5, 0.75, 0.9, 1], axis=2),
        (windows**2).mean(axis=2),
        np.abs(steps).mean(axis=2),
        steps.std(axis=2),
        (np.diff(np.sign(centred), axis=2) != 0).mean(axis=2),
        power.argmax(axis=2),
        *np.log1p(bands),
        *lags,
    ]
    return np.concatenate(found, axis=1)


run(fit, ("lightgbm",))
