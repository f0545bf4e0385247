"""Object detection: a picture to boxes, each with a category and how sure it is.

Raw output: `detections` float32 (B, N, 4 + K): left, top, right, bottom in pixels of the picture as it was sent, upright, then how sure
each of K categories is, 0 to 1. The graph knows the size that a picture was sent with (a feed of the kind `image`), so nothing here does.
A box is given from the score `LEAST_SCORE` on; a state may say another one: `least_score`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from salus.core.errors import SalusError
from salus.core.nouns import Column
from salus.data.kinds.base import Values
from salus.tasks.compound import CompoundTask, as_objects
from salus.tasks.overlap import SIDES, average_precision, corners_of, matched, surest

FAINTEST = 0.02  # boxes that are less sure are no answers at all
LEAST_SCORE = 0.5  # from here on a box is given; what is fainter is only measured. Learners scale their scores so that this is best
MOST_OVERLAP = 0.6  # of two boxes of one category; more than this is the same thing twice
MOST_BOXES = 100  # in one picture, as COCO counts
BOX_TOLERANCE_PX, SCORE_TOLERANCE = 0.5, 1e-3
SMALL_PX = 24.0  # what small boxes should have left when a picture is shrunk
LARGEST_PX = 100_000  # no picture is larger
FRAME_PX = (320, 640)  # the longer side of what a network sees
HALF = np.array([0.5])  # the overlap from which a box is right


class ObjectDetection(CompoundTask):
    name = "object-detection"
    output = "detections"
    target_kind = "boxes"
    metrics = ("map50", "map50_95")
    rows_at_once = 16

    def accepts(self, input_kinds: frozenset[str], target_kinds: tuple[str, ...], levels: int) -> bool:
        return target_kinds == ("boxes",) and "image" in input_kinds

    def encode_target(self, values: Sequence[Any], states: Sequence[Mapping[str, Any]]) -> np.ndarray:
        """Lists of boxes, (B,) of objects, without those that have no area."""
        return as_objects(
            [[box for box in boxes if box["right"] > box["left"] and box["bottom"] > box["top"]] for boxes in values]
        )

    def fit_target(self, target: np.ndarray, column: Column) -> dict[str, Any]:
        """`boxes_nowhere` where there is nothing to learn."""
        state = super().fit_target(target, column)
        if not state["levels"]:
            raise SalusError("boxes_nowhere", where=column.name)
        return state

    def fit_input(
        self, values: Values, kind: str, options: Mapping[str, Any], states: Sequence[Mapping[str, Any]]
    ) -> dict[str, Any]:
        """Pictures are shown whole, and as large as their small boxes need."""
        if kind != "image":
            return super().fit_input(values, kind, options, states)
        whole, small = {**options, "whole": True}, float(states[0]["sides_px"][0])
        own = super().fit_input(values, kind, {**whole, "most_side_px": LARGEST_PX}, states)
        wanted = max(own["height"], own["width"]) * SMALL_PX / small if small > 0 else FRAME_PX[1]
        most = int(np.clip(wanted, *FRAME_PX))
        return super().fit_input(values, kind, {**whole, "most_side_px": most}, states)

    def settle(self, raw: np.ndarray, states: Sequence[Mapping[str, Any]]) -> np.ndarray:
        """Lists of {"label", "score", "left", "top", "right", "bottom"}, surest first."""
        levels = list(states[0]["levels"])
        return as_objects([_settled(row.astype(np.float64), levels) for row in raw])

    def losses(self, answers: np.ndarray, target: np.ndarray) -> np.ndarray:
        """1 - the mean average precision of the categories in the picture at half overlap; where nothing is, the highest score."""
        return np.array([_loss(said, true) for said, true in zip(answers, target, strict=True)], dtype=np.float64)

    def nothing(
        self, train_target: np.ndarray, states: Sequence[Mapping[str, Any]], values: Mapping[str, Values], count: int
    ) -> np.ndarray:
        return as_objects([[] for _ in range(count)])

    def agree(self, expected: np.ndarray, found: np.ndarray) -> float:
        """Boxes to half a pixel, scores to 0.001, in any order; places that are left out for one surer place may differ."""
        if expected.shape != found.shape or not np.isfinite(found).all():
            return float("inf")
        return max((_apart(one, other) for one, other in zip(expected, found, strict=True)), default=0.0)

    def decode(
        self, raw: np.ndarray, states: Sequence[Mapping[str, Any]], names: Sequence[str]
    ) -> list[dict[str, Any]]:
        least = float(states[0].get("least_score", LEAST_SCORE))
        return [{"boxes": [_told(box) for box in boxes if box["score"] >= least]} for boxes in raw]

    def output_schema(self, states: Sequence[Mapping[str, Any]], names: Sequence[str]) -> dict[str, Any]:
        least = float(states[0].get("least_score", LEAST_SCORE))
        pixels = {"type": "number", "minimum": 0, "description": "pixels of the picture as it was sent"}
        corners = {"type": "object", "properties": dict.fromkeys(SIDES, pixels), "required": list(SIDES)}
        one = {
            "label": {"type": "string", "enum": list(states[0]["levels"])},
            "score": {"type": "number", "minimum": least, "maximum": 1},
            "box": corners,
        }
        item = {"type": "object", "properties": one, "required": list(one)}
        boxes = {"type": "array", "items": item, "description": "surest first"}
        return {"type": "object", "properties": {"boxes": boxes}, "required": ["boxes"]}


def _settled(row: np.ndarray, levels: Sequence[str]) -> list[dict[str, Any]]:
    corners, scores = row[:, :4], row[:, 4:]
    real = (corners[:, 2:] > corners[:, :2]).all(axis=1)
    found: list[tuple[float, int, int]] = []
    for code in range(len(levels)):
        likely = np.flatnonzero(real & (scores[:, code] >= FAINTEST))
        kept = likely[surest(corners[likely], scores[likely, code], MOST_OVERLAP)]
        found += [(float(scores[place, code]), code, int(place)) for place in kept]
    found.sort(key=lambda one: -one[0])
    return [
        {"label": levels[code], "score": score, **dict(zip(SIDES, corners[place].tolist(), strict=True))}
        for score, code, place in found[:MOST_BOXES]
    ]


def _told(box: Mapping[str, Any]) -> dict[str, Any]:
    corners = {side: round(box[side], 1) for side in SIDES}
    return {"label": box["label"], "score": round(box["score"], 4), "box": corners}


def _loss(said: list[dict[str, Any]], true: list[dict[str, Any]]) -> float:
    labels = {box["label"] for box in true}
    if not labels:
        return max((box["score"] for box in said), default=0.0)
    found = []
    for label in sorted(labels):
        ours = sorted((box for box in said if box["label"] == label), key=lambda box: -box["score"])
        theirs = [box for box in true if box["label"] == label]
        right = matched(corners_of(ours), corners_of(theirs), HALF)[0]
        scores = np.array([box["score"] for box in ours], dtype=np.float64)
        found.append(average_precision(right, scores, len(theirs)))
    return 1.0 - float(np.mean(found))


def _apart(expected: np.ndarray, found: np.ndarray) -> float:
    """Tolerances to the nearest place of the other side; places as sure as the least sure one may be others."""
    faintest = max(float(side[:, 4:].max(axis=1).min(initial=1.0)) for side in (expected, found)) + SCORE_TOLERANCE
    asked = expected[expected[:, 4:].max(axis=1) > faintest]
    if not len(asked):
        return 0.0
    difference = np.abs(asked[:, None].astype(np.float64) - found[None])
    worst = np.maximum(
        difference[:, :, :4].max(axis=2) / BOX_TOLERANCE_PX,
        difference[:, :, 4:].max(axis=2, initial=0.0) / SCORE_TOLERANCE,
    )
    return float(worst.min(axis=1).max())
