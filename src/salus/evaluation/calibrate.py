"""Calibration: one temperature that makes 0.8 mean right in 8 of 10 (Guo et al. 2017), and how far from that we are."""

from __future__ import annotations

from typing import Any

import numpy as np

from salus.evaluation.metrics import score, softmax

LOWEST, HIGHEST = 0.05, 20.0
BINS = 10
PRIOR_DEVIATION = 0.25  # of log T: few rows that happen to be all right must not make a model sure of everything


def fit_temperature(scores: np.ndarray, target: np.ndarray) -> float:
    """The T of softmax(scores / T) with the least log loss on these rows and a prior at T = 1, by golden section over log T."""
    low, high = np.log(LOWEST), np.log(HIGHEST)
    golden = (np.sqrt(5) - 1) / 2
    left, right = high - golden * (high - low), low + golden * (high - low)
    loss_left, loss_right = _loss(scores, target, left), _loss(scores, target, right)
    for _ in range(40):
        if loss_left < loss_right:
            high, right, loss_right = right, left, loss_left
            left = high - golden * (high - low)
            loss_left = _loss(scores, target, left)
        else:
            low, left, loss_left = left, right, loss_right
            right = low + golden * (high - low)
            loss_right = _loss(scores, target, right)
    return float(np.exp((low + high) / 2))


def reliability(probabilities: np.ndarray, target: np.ndarray) -> dict[str, Any]:
    """Bins of confidence with the accuracy in each, the expected calibration error (ECE), log loss and Brier score."""
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == target
    place = np.minimum((confidence * BINS).astype(np.int64), BINS - 1)
    bins, error = [], 0.0
    for index in range(BINS):
        inside = place == index
        count = int(inside.sum())
        if not count:
            continue
        said, was = float(confidence[inside].mean()), float(right[inside].mean())
        error += count / len(target) * abs(said - was)
        bins.append(
            {"low": index / BINS, "high": (index + 1) / BINS, "count": count, "confidence": said, "accuracy": was}
        )
    hot = np.zeros_like(probabilities, dtype=np.float64)
    hot[np.arange(len(target)), target] = 1
    brier = float(np.mean(np.sum((probabilities - hot) ** 2, axis=1)))
    return {"ece": error, "log_loss": score("log_loss", probabilities, target), "brier": brier, "bins": bins}


def _loss(scores: np.ndarray, target: np.ndarray, log_temperature: float) -> float:
    doubt = log_temperature**2 / (2 * PRIOR_DEVIATION**2 * len(target))
    return score("log_loss", softmax(scores / np.exp(log_temperature)), target) + doubt
