"""Calibration: what makes a probability of 0.8 mean right in 8 of 10.

Three ways, the simplest first: one temperature (Guo et al. 2017); a scale and a bias for every class (Platt 1999, vector scaling);
isotonic steps joined to a line of many pieces (Zadrozny and Elkan 2002), class by class against the rest. A more complex way is
taken only when rows that it was not fitted on favour it by more than a standard error.
A calibration is a JSON record, which `learners.calibration_graph` writes into a graph. Knows no learner and no file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from salus.evaluation.metrics import PROBABILITY_FLOOR, one_hot, score, softmax

Record = dict[str, Any]

LOWEST, HIGHEST = 0.05, 20.0
PRIOR_DEVIATION = 0.25  # of log T: few rows that happen to be all right must not make a model sure of everything
SCALE_DEVIATION, BIAS_DEVIATION = 0.25, 0.5  # of Platt's numbers around the temperature's, as the same guard
MOST_CLASSES_PLATT, MOST_CLASSES_ISOTONIC = 50, 30
LEAST_ROWS_ISOTONIC = 1000
MOST_ROWS = 20_000
MOST_POINTS, LEAST_ROWS_A_POINT = 30, 25
LEAST_SLOPE, MOST_SLOPE = 0.02, 4.0  # so that no two different scores become one probability, nor equal ones two
FOLDS = 5
LOGIT_END = 30.0  # beyond it all probabilities are 0 or 1 in float32


def fit_calibration(
    scores: np.ndarray, target: np.ndarray, groups: np.ndarray | None = None, seed: int = 0, isotonic: bool = True
) -> Record:
    """The record that calibrates these rows: {"method": "temperature" | "platt" | "isotonic", ...}.

    scores: raw scores (B, K) of rows that the model did not learn from. target: codes (B,). groups: codes (B,) of people, who stay
    in one fold. isotonic: whether lines of many pieces may be taken; models that are compared on the rows of their calibration are
    compared by few numbers.
    """
    if len(target) > MOST_ROWS:  # more tell no more about so few numbers
        drawn = np.sort(np.random.default_rng([seed, 4]).choice(len(target), MOST_ROWS, replace=False))
        scores, target, groups = scores[drawn], target[drawn], None if groups is None else groups[drawn]
    rows, classes = scores.shape
    ways: dict[str, Callable[[np.ndarray, np.ndarray], Record]] = {"temperature": _temperature}
    if classes <= MOST_CLASSES_PLATT:
        ways["platt"] = _platt
    if isotonic and rows >= LEAST_ROWS_ISOTONIC and classes <= MOST_CLASSES_ISOTONIC:
        ways["isotonic"] = _isotonic
    units = np.arange(rows) if groups is None else np.unique(groups, return_inverse=True)[1]
    if len(ways) == 1 or len(np.unique(units)) < 2 * FOLDS or len(np.unique(target)) < 2:
        return _temperature(scores, target)
    fold = (np.random.default_rng([seed, rows]).permutation(int(units.max()) + 1) % FOLDS)[units]
    losses = {name: _losses(fit, scores, target, fold) for name, fit in ways.items()}
    best = "temperature"
    for name in ways:
        if surely_less(losses[name], losses[best], units):
            best = name
    return ways[best](scores, target)


def apply_calibration(record: Mapping[str, Any], scores: np.ndarray) -> np.ndarray:
    """Probabilities (B, K) of raw scores (B, K)."""
    scores = np.asarray(scores, dtype=np.float64)
    if record["method"] == "temperature":
        return softmax(scores / record["temperature"])
    if record["method"] == "platt":
        return softmax(scores * np.asarray(record["scale"]) + np.asarray(record["bias"]))
    assert record["method"] == "isotonic", record["method"]
    lines = record["lines"]
    if scores.shape[1] == 2:
        logit = _line(scores[:, 1] - scores[:, 0], lines[0])
        return softmax(np.stack([np.zeros(len(logit)), logit], axis=1))
    logits = np.stack([_line(margin, line) for margin, line in zip(margins(scores).T, lines, strict=True)], axis=1)
    shares = 1 / (1 + np.exp(-logits))
    return np.asarray(shares / shares.sum(axis=1, keepdims=True))


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


def margins(scores: np.ndarray) -> np.ndarray:
    """(B, K) -> (B, K): the logit of every class against the rest, log p / (1 - p) of p = softmax(scores)."""
    found = np.empty(scores.shape)
    for code in range(scores.shape[1]):  # one at a time: memory stays that of the scores
        others = np.delete(scores, code, axis=1)
        highest = others.max(axis=1, keepdims=True)
        found[:, code] = scores[:, code] - highest[:, 0] - np.log(np.exp(others - highest).sum(axis=1))
    return found


def surely_less(losses: np.ndarray, than: np.ndarray, units: np.ndarray) -> bool:
    """Whether the mean loss is lower by more than a standard error of the paired difference. units: codes (B,) of what is independent."""
    gains = than - losses
    if len(gains) < 2:
        return False
    sums = np.bincount(units, weights=gains - gains.mean())
    return bool(gains.mean() > np.sqrt(np.sum(sums**2)) / len(gains))


def row_losses(probabilities: np.ndarray, target: np.ndarray) -> np.ndarray:
    """-log of the probability of the truth (B,)."""
    said = probabilities[np.arange(len(target)), target]
    return np.asarray(-np.log(np.clip(said, PROBABILITY_FLOOR, 1.0)))


def _losses(
    fit: Callable[[np.ndarray, np.ndarray], Record], scores: np.ndarray, target: np.ndarray, fold: np.ndarray
) -> np.ndarray:
    """The loss of every row under the calibration fitted on the other folds."""
    losses = np.zeros(len(target))
    for index in range(FOLDS):
        out = fold == index
        if out.any():
            losses[out] = row_losses(apply_calibration(fit(scores[~out], target[~out]), scores[out]), target[out])
    return losses


def _loss(scores: np.ndarray, target: np.ndarray, log_temperature: float) -> float:
    doubt = log_temperature**2 / (2 * PRIOR_DEVIATION**2 * len(target))
    return score("log_loss", softmax(scores / np.exp(log_temperature)), target) + doubt


def _temperature(scores: np.ndarray, target: np.ndarray) -> Record:
    return {"method": "temperature", "temperature": fit_temperature(scores, target)}


def _platt(scores: np.ndarray, target: np.ndarray) -> Record:
    """Newton's method: the loss is convex in scales and biases. Two classes share one scale, so that ranks stay."""
    scores = np.asarray(scores, dtype=np.float64)
    rows, classes = scores.shape
    if classes == 2:
        half = (scores[:, 1] - scores[:, 0]) / 2
        scores = np.stack([-half, half], axis=1)
    start = 1 / fit_temperature(scores, target)
    numbers = np.r_[np.full(classes, start), np.zeros(classes)]
    weight = np.r_[np.full(classes, 1 / (SCALE_DEVIATION * start) ** 2), np.full(classes, 1 / BIAS_DEVIATION**2)]
    truth, middle, loss = one_hot(target, classes), numbers.copy(), np.inf
    step = np.zeros_like(numbers)
    for _ in range(30):
        said = softmax(scores * numbers[:classes] + numbers[classes:])
        new_loss = float(row_losses(said, target).sum() + np.sum(weight * (numbers - middle) ** 2) / 2)
        if new_loss > loss + 1e-9:  # too far: half of the way back
            step /= 2
            numbers = numbers - step
            continue
        if loss - new_loss < 1e-7 * rows:
            break
        loss = new_loss
        wrong = said - truth
        slope = np.r_[(wrong * scores).sum(axis=0), wrong.sum(axis=0)] + weight * (numbers - middle)
        step = -np.linalg.solve(_curvature(scores, said) + np.diag(weight), slope)
        numbers = numbers + step
    scale, bias = numbers[:classes], numbers[classes:]
    if classes == 2:
        scale = np.full(2, scale.mean())
    if scale.min() <= 0:  # higher scores would mean less: these rows cannot tell
        return _temperature(scores, target)
    return {"method": "platt", "scale": scale.tolist(), "bias": bias.tolist()}


def _curvature(scores: np.ndarray, said: np.ndarray) -> np.ndarray:
    """The second derivatives (2K, 2K) of the summed loss by scales and biases."""
    both = np.concatenate([said * scores, said], axis=1)
    classes = scores.shape[1]
    corner = [np.diag(np.sum(said * scores**power, axis=0)) for power in (2, 1, 0)]
    inner = np.block([[corner[0], corner[1]], [corner[1], corner[2]]])
    assert inner.shape == (2 * classes, 2 * classes)
    return np.asarray(inner - both.T @ both)


def _isotonic(scores: np.ndarray, target: np.ndarray) -> Record:
    scores = np.asarray(scores, dtype=np.float64)
    if scores.shape[1] == 2:
        return {"method": "isotonic", "lines": [_rising(scores[:, 1] - scores[:, 0], target == 1)]}
    columns = enumerate(margins(scores).T)
    return {"method": "isotonic", "lines": [_rising(margin, target == code) for code, margin in columns]}


def _rising(margin: np.ndarray, truth: np.ndarray) -> dict[str, list[float]]:
    """Points {"x", "y"} of the strictly rising line from margin to logit: rows in parts of equal size, their shares made to rise
    (pool adjacent violators, Ayer et al. 1955), each drawn a little to the share of all."""
    order = np.argsort(margin, kind="stable")
    parts = np.array_split(order, max(2, min(MOST_POINTS, len(order) // LEAST_ROWS_A_POINT)))
    overall = (truth.sum() + 0.5) / (len(truth) + 1)
    blocks: list[list[float]] = []  # rows, sum of margins, sum of truths
    for part in parts:
        blocks.append([float(len(part)), float(margin[part].sum()), float(truth[part].sum())])
        while len(blocks) > 1 and _must_join(blocks[-2], blocks[-1], overall):
            blocks[-2:] = [[one + other for one, other in zip(blocks[-2], blocks[-1], strict=True)]]
    points = np.array([_point(block, overall) for block in blocks])
    x = np.r_[points[0, 0] - LOGIT_END, points[:, 0], points[-1, 0] + LOGIT_END]
    y = np.r_[0.0, points[:, 1], 0.0]
    # Beyond the ends it goes on half as steep: rarely seen margins say more than the end's share, but not all they claim.
    y[0], y[-1] = y[1] - LOGIT_END / 2, y[-2] + LOGIT_END / 2
    for place in range(1, len(y)):
        y[place] = max(y[place], y[place - 1] + LEAST_SLOPE * (x[place] - x[place - 1]))
    return {"x": [round(float(value), 6) for value in x], "y": [round(float(value), 6) for value in y]}


def _point(block: list[float], overall: float) -> tuple[float, float]:
    """Mean margin, and the logit of the share."""
    rows, margin, truths = block
    share = (truths + overall) / (rows + 1)
    return margin / rows, float(np.log(share / (1 - share)))


def _must_join(before: list[float], block: list[float], overall: float) -> bool:
    """Whether the share falls, or rises so steeply that float32 could not follow."""
    (x0, y0), (x1, y1) = _point(before, overall), _point(block, overall)
    return y1 <= y0 or y1 - y0 > MOST_SLOPE * (x1 - x0)


def _line(values: np.ndarray, line: Mapping[str, list[float]]) -> np.ndarray:
    return np.asarray(np.interp(values, line["x"], line["y"]))
