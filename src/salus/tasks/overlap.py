"""How much boxes overlap, which of several that show the same thing is kept, and which are right. numpy only.

Boxes are rows (left, top, right, bottom). Right is what COCO calls so (Lin et al. 2014): a box of the right category that overlaps a
true one enough which no surer box has taken.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

SIDES = ("left", "top", "right", "bottom")


def corners_of(boxes: Sequence[dict[str, Any]]) -> np.ndarray:
    """(M, 4) float64."""
    return np.array([[box[side] for side in SIDES] for box in boxes], dtype=np.float64).reshape(-1, 4)


def overlaps(some: np.ndarray, others: np.ndarray) -> np.ndarray:
    """(M, N): intersection over union; 0 for boxes without area."""
    # Side by side, not as pairs of numbers: an axis of two is what numpy is slowest at.
    left, top, right, bottom = some.T[:, :, None]
    width = np.minimum(right, others[:, 2]) - np.maximum(left, others[:, 0])
    height = np.minimum(bottom, others[:, 3]) - np.maximum(top, others[:, 1])
    common = np.maximum(width, 0) * np.maximum(height, 0)
    areas = [np.clip(boxes[:, 2:] - boxes[:, :2], 0, None).prod(axis=1) for boxes in (some, others)]
    union = areas[0][:, None] + areas[1][None] - common
    shares: np.ndarray = np.divide(common, union, out=np.zeros_like(common), where=union > 0)
    return shares


def surest(boxes: np.ndarray, scores: np.ndarray, most_overlap: float) -> np.ndarray:
    """Which boxes are kept, surest first: none that overlaps a surer one more than this (non-maximum suppression)."""
    order = np.argsort(-scores, kind="stable")
    covered = overlaps(boxes[order], boxes[order]) > most_overlap
    left = np.ones(len(order), dtype=bool)
    for place in range(len(order)):
        if left[place]:
            left[place + 1 :] &= ~covered[place, place + 1 :]
    return np.asarray(order[left])


def matched(said: np.ndarray, true: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """Which boxes are right (L, M) at each least overlap of `levels`. said: (M, 4), surest first; true: (N, 4), of the same category
    and picture."""
    right = np.zeros((len(levels), len(said)), dtype=bool)
    if not len(said) or not len(true):
        return right
    shares = overlaps(said, true)
    for at, least in enumerate(levels):
        free = shares.copy()
        for place in range(len(said)):
            # of equal ones the last, as the reference implementation takes it
            best = len(true) - 1 - int(np.argmax(free[place, ::-1]))
            if free[place, best] >= min(least, 1 - 1e-10):
                right[at, place] = True
                free[:, best] = -1.0
    return right


def average_precision(right: np.ndarray, scores: np.ndarray, true: int) -> float:
    """Of one category: the mean over 101 shares found of the best precision at which at least so many are found. NaN without truth."""
    if true == 0:
        return float("nan")
    order = np.argsort(-scores, kind="stable")
    return float(
        precisions(right[order][None].astype(np.float64), np.ones((1, len(order))), np.array([true]))[0].mean()
    )


RECALLS = np.linspace(0, 1, 101)


def precisions(right: np.ndarray, weights: np.ndarray, true: np.ndarray) -> np.ndarray:
    """(D, 101): the precision at each share found. right: (1, n), surest first; weights: (D, n), how often each box counts;
    true: (D,), how many there are, at least 1."""
    found = np.cumsum(weights * right, axis=1)
    precision = found / (np.cumsum(weights, axis=1) + np.spacing(1))
    precision = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    recall = found / true[:, None]
    at_recalls = np.zeros((len(weights), len(RECALLS)))
    for draw in range(len(weights)):
        places = np.searchsorted(recall[draw], RECALLS, side="left")
        reached = places < right.shape[1]
        at_recalls[draw, reached] = precision[draw, places[reached]]
    return at_recalls
