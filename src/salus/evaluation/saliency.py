"""Where in a picture, a recording or a text the evidence lies, when the model can only be asked: parts are covered, and what the answer
loses is their weight (occlusion, Zeiler and Fergus 2014).

Takes decoded pixels and samples, and a function that answers them. Stops when the time is over. Knows no kind and no graph.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from salus.evaluation.explanations import Clock, Left

GRID = 7
SEGMENTS = 24
AT_ONCE = 64
LEAST_CHANGE = 1e-4  # of a probability


def picture_saliency(
    predict: Callable[[np.ndarray], np.ndarray], picture_HWC: np.ndarray, answer: int, left_s: Left, grid: int = GRID
) -> list[list[float]] | None:
    """A grid of weights from -1 to 1, rows from the top: how much of the answer is lost (against, where negative) when the part there is
    covered by the picture's mean colour; overlapping covers are averaged. None when there is no time, or no part by itself changes the answer.

    predict: uint8 pictures (B, H, W, C) -> probabilities or values (B, K). answer: the column that is asked about.
    """
    height, width = picture_HWC.shape[:2]
    colour = picture_HWC.reshape(-1, picture_HWC.shape[2]).mean(axis=0).astype(picture_HWC.dtype)
    tops, lefts = np.linspace(0, height, grid + 1), np.linspace(0, width, grid + 1)
    covered, boxes = [picture_HWC], []
    for row in range(grid):
        for column in range(grid):
            # A cell and half of each neighbour, so that an object is not only ever seen in part.
            box = (
                max(0, round(tops[row] - height / grid / 2)),
                min(height, round(tops[row + 1] + height / grid / 2)),
                max(0, round(lefts[column] - width / grid / 2)),
                min(width, round(lefts[column + 1] + width / grid / 2)),
            )
            changed = picture_HWC.copy()
            changed[box[0] : box[1], box[2] : box[3]] = colour
            covered.append(changed)
            boxes.append(box)
    said = _asked(predict, np.stack(covered), answer, left_s)
    if said is None:
        return None
    lost, weight, seen = said[0] - said[1:], np.zeros((height, width)), np.zeros((height, width))
    for loss, (top, bottom, left, right) in zip(lost, boxes, strict=True):
        weight[top:bottom, left:right] += loss
        seen[top:bottom, left:right] += 1
    mean = weight / np.maximum(seen, 1)
    cells = [
        [float(mean[_cell(tops, row)][:, _cell(lefts, column)].mean()) for column in range(grid)] for row in range(grid)
    ]
    weights: list[list[float]] | None = _scaled(np.array(cells))
    return weights


def series_saliency(
    predict: Callable[[np.ndarray], np.ndarray],
    series_CT: np.ndarray,
    answer: int,
    left_s: Left,
    segments: int = SEGMENTS,
) -> list[float] | None:
    """Weights from -1 to 1 of stretches of equal length: what the answer loses when a stretch is replaced by each channel's mean.

    predict: recordings (B, C, T) -> probabilities or values (B, K).
    """
    steps = series_CT.shape[1]
    ends = np.unique(np.linspace(0, steps, min(segments, steps) + 1).astype(int))
    mean_C = np.nan_to_num(np.nanmean(np.where(np.isfinite(series_CT), series_CT, 0), axis=1))
    covered = [series_CT]
    for start, end in pairwise(ends.tolist()):
        changed = series_CT.copy()
        changed[:, start:end] = mean_C[:, None]
        covered.append(changed)
    said = _asked(predict, np.stack(covered), answer, left_s)
    if said is None:
        return None
    weights: list[float] | None = _scaled(said[0] - said[1:])
    return weights


def text_saliency(
    predict: Callable[[list[str]], np.ndarray], parts: Sequence[str], rest: str, answer: int, left_s: Left
) -> list[float] | None:
    """Weights from -1 to 1 of the parts of a text: what the answer loses without each of them. rest: what follows and stays.

    predict: texts -> probabilities or values (B, K).
    """
    without = ["".join(parts[:place]) + "".join(parts[place + 1 :]) + rest for place in range(len(parts))]
    said = _asked(
        lambda texts: predict(texts.tolist()), np.array(["".join(parts) + rest, *without], object), answer, left_s
    )
    if said is None or not parts:
        return None
    weights: list[float] | None = _scaled(said[0] - said[1:])
    return weights


def _asked(
    predict: Callable[[np.ndarray], np.ndarray], inputs: np.ndarray, answer: int, left_s: Left
) -> np.ndarray | None:
    clock, parts = Clock(left_s), []
    for start in range(0, len(inputs), AT_ONCE):
        if not clock.fits():
            return None
        parts.append(np.asarray(predict(inputs[start : start + AT_ONCE]), dtype=np.float64)[:, answer])
    return np.concatenate(parts)


def _scaled(weights: np.ndarray) -> Any:
    """The largest is 1 or -1. None where no part by itself changes the answer: the rest would be noise made large."""
    largest = float(np.abs(weights).max())
    return None if largest < LEAST_CHANGE else np.round(weights / largest, 3).tolist()


def _cell(ends: np.ndarray, place: int) -> slice:
    start = int(ends[place])
    return slice(start, max(start + 1, int(ends[place + 1])))
