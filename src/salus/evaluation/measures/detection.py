"""How good boxes are: mean average precision as COCO defines it (Lin et al. 2014), at half overlap and over ten overlaps.

A box is right when it takes a true one of its category in the same picture; that is decided picture by picture, so a picture tallies its
boxes with their scores and what they got right, and pictures can be drawn again and again. Tested against pycocotools. Knows no graph.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from salus.evaluation.measures.base import MOST_SHOWN, Measure
from salus.tasks.detection import LEAST_SCORE, MOST_BOXES
from salus.tasks.overlap import RECALLS, SIDES, corners_of, matched, precisions
from salus.tasks.thumbnails import small_picture

LEVELS = np.linspace(0.5, 0.95, 10)
HEAD, FIELDS = 1, 3  # of a tally: the number of categories, then counts; then score, category and bits of each box
SHOWN_PX = 360  # the longer side of a picture in the report
WORK = 2**22  # numbers of one draw of all boxes together


class Detection(Measure):
    metrics = ("map50", "map50_95")

    def tally(self, answers: np.ndarray, target: np.ndarray, states: Sequence[Mapping[str, Any]]) -> np.ndarray:
        """(B, 1 + K + 3 M): K, the true boxes of each category, then score, category + 1 (0: no box) and the overlaps at which it
        is right, a bit each, of M boxes."""
        labels = list(states[0]["levels"])
        labels += sorted({box["label"] for row in target for box in row} - set(labels))  # never seen in training
        codes = {label: code for code, label in enumerate(labels)}
        most = max((len(row) for row in answers), default=0)
        tallies = np.zeros((len(answers), HEAD + len(labels) + FIELDS * most))
        tallies[:, 0] = len(labels)
        for row, (said, true) in enumerate(zip(answers, target, strict=True)):
            for box in true:
                tallies[row, HEAD + codes[box["label"]]] += 1
            told = _judged(said, true, codes)
            tallies[row, HEAD + len(labels) : HEAD + len(labels) + told.size] = told.ravel()
        return tallies

    def figure(self, name: str, sums: np.ndarray) -> np.ndarray:
        raise AssertionError("average precision is no function of sums")

    def values(self, name: str, tallies: np.ndarray, counts: np.ndarray) -> np.ndarray:
        levels = 1 if name == "map50" else len(LEVELS)
        tallied = Tallied.of(tallies)
        found = [tallied.average_precision(code, levels, counts) for code in range(len(tallied.true[0]))]
        with np.errstate(invalid="ignore"):
            known = np.isfinite(found).sum(axis=0)
            return np.where(known > 0, np.nansum(found, axis=0) / np.maximum(known, 1), np.nan)

    def facts(self, answers: np.ndarray, target: np.ndarray, states: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """`categories`: of each its boxes, average precision, and at the score from which boxes are given the shares found and right;
        `curves`: precision at 101 shares found."""
        tallies = self.tally(answers, target, states)
        tallied = Tallied.of(tallies)
        labels = list(states[0]["levels"])
        least = float(states[0].get("least_score", LEAST_SCORE))
        every = np.ones((1, len(tallies)))
        categories, curves = [], []
        for code, label in enumerate(labels):
            true = int(tallied.true[:, code].sum())
            given = (tallied.codes == code) & (tallied.scores >= least)
            right = int((given & (tallied.bits & 1 == 1)).sum())
            half, all_ = (tallied.average_precision(code, levels, every)[0] for levels in (1, len(LEVELS)))
            categories.append(
                {
                    "label": label,
                    "boxes": true,
                    "ap50": _number(half),
                    "ap50_95": _number(all_),
                    "found": right / true if true else None,
                    "right": right / int(given.sum()) if given.any() else None,
                    "given": int(given.sum()),
                }
            )
            if true:
                curve = tallied.curve(code)
                curves.append({"label": label, "precision": [round(float(one), 4) for one in curve]})
        return {
            "categories": categories,
            "curves": curves,
            "least_score": least,
            "protocol": "COCO, 101 points, 100 boxes",
        }

    def shown(
        self,
        answers: np.ndarray,
        target: np.ndarray,
        values: Mapping[str, Any],
        states: Sequence[Mapping[str, Any]],
    ) -> dict[str, Any]:
        """Pictures with what is there and what was said, evenly chosen from the worst to the best."""
        pictures = next(iter(values.values()))
        least = float(states[0].get("least_score", LEAST_SCORE))
        given = [[box for box in row if box["score"] >= least] for row in answers]
        errors = [_mistakes(said, true) for said, true in zip(given, target, strict=True)]
        order = np.argsort([-error for error in errors], kind="stable")
        chosen = order[np.unique(np.linspace(0, len(order) - 1, min(MOST_SHOWN, len(order))).astype(np.int64))]
        items = [_item(pictures[row], target[row], given[row], errors[row]) for row in chosen.tolist()]
        return {"kind": "boxes", "items": [item for item in items if item is not None]}


class Tallied:
    """The boxes of all pictures together, surest first. true: (B, K). rows, scores, codes, bits: (n,) of the boxes."""

    def __init__(self, true: np.ndarray, rows: np.ndarray, boxes: np.ndarray) -> None:
        order = np.argsort(-boxes[:, 0], kind="stable")
        self.true, self.rows = true, rows[order]
        self.scores = boxes[order, 0]
        self.codes = boxes[order, 1].astype(np.int64) - 1
        self.bits = boxes[order, 2].astype(np.int64)

    @classmethod
    def of(cls, tallies: np.ndarray) -> Tallied:
        count = int(tallies[0, 0])
        boxes = tallies[:, HEAD + count :].reshape(len(tallies), -1, FIELDS)
        rows, places = np.nonzero(boxes[:, :, 1])
        return cls(tallies[:, HEAD : HEAD + count], rows, boxes[rows, places])

    def average_precision(self, code: int, levels: int, counts: np.ndarray) -> np.ndarray:
        """(D,): of one category, the mean over the first so many overlaps; NaN where a draw has no true box."""
        true = counts @ self.true[:, code]
        ours = np.flatnonzero(self.codes == code)
        found = np.where(true > 0, 0.0, np.nan)
        if not len(ours):
            return found
        step = max(1, WORK // len(ours))
        for start in range(0, len(counts), step):
            some = np.flatnonzero(true[start : start + step] > 0) + start
            if not len(some):
                continue
            weights = counts[some][:, self.rows[ours]]
            for level in range(levels):
                right = (self.bits[ours] >> level & 1).astype(np.float64)[None]
                found[some] += precisions(right, weights, true[some]).mean(axis=1) / levels
        return found

    def curve(self, code: int) -> np.ndarray:
        """(101,): precision at the shares found, at half overlap."""
        ours = np.flatnonzero(self.codes == code)
        if not len(ours):
            return np.zeros(len(RECALLS))
        right = (self.bits[ours] & 1).astype(np.float64)[None]
        return np.asarray(precisions(right, np.ones((1, len(ours))), self.true[:, code].sum()[None])[0])


def _judged(said: list[dict[str, Any]], true: list[dict[str, Any]], codes: Mapping[str, int]) -> np.ndarray:
    """(m, 3): score, category + 1 and bits of the surest boxes of each category."""
    found = []
    for label in sorted({box["label"] for box in said}):
        ours = sorted((box for box in said if box["label"] == label), key=lambda box: -box["score"])[:MOST_BOXES]
        theirs = [box for box in true if box["label"] == label]
        right = matched(corners_of(ours), corners_of(theirs), LEVELS)
        bits = (right * 2 ** np.arange(len(LEVELS))[:, None]).sum(axis=0)
        found += [[box["score"], codes[label] + 1, bit] for box, bit in zip(ours, bits, strict=True)]
    return np.array(found, dtype=np.float64).reshape(-1, FIELDS)


def _mistakes(said: list[dict[str, Any]], true: list[dict[str, Any]]) -> float:
    """The share of boxes, given or missing, that are wrong."""
    right = 0
    for label in {box["label"] for box in said}:
        ours = [box for box in said if box["label"] == label]
        theirs = [box for box in true if box["label"] == label]
        right += int(matched(corners_of(ours), corners_of(theirs), LEVELS[:1]).sum())
    every = len(said) + len(true) - right
    return 1 - right / every if every else 0.0


def _item(content: Any, true: list[dict[str, Any]], said: list[dict[str, Any]], error: float) -> dict[str, Any] | None:
    """A small JPEG with the boxes in its pixels."""
    small = small_picture(content, SHOWN_PX)
    if small is None:
        return None
    factor = small.pop("factor")
    return small | {
        "truth": [_small(box, factor) for box in true],
        "said": [_small(box, factor) | {"score": round(box["score"], 3)} for box in said],
        "error": round(error, 4),
    }


def _small(box: Mapping[str, Any], factor: float) -> dict[str, Any]:
    return {"label": box["label"], **{side: round(box[side] * factor, 1) for side in SIDES}}


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
