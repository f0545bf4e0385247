"""Boxes: what lies where in a picture. A list of boxes a picture, each with a category and its corners in pixels.

Kept as JSON text: [{"label": "cell", "left": 3, "top": 4, "right": 20, "bottom": 18}], counted from the upper left corner of the
upright picture, right and bottom outside of the box. An empty list says that nothing is there; a missing value, that nobody looked.
Knows corners and categories. Does not know the picture.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from salus.core.errors import SalusError
from salus.data.kinds.base import Arrays, Kind, State, Values

MAX_LEVELS = 1000
MAX_BOXES = 10_000  # in one picture
MAX_LABEL = 200
SIDES = ("left", "top", "right", "bottom")
QUANTILES = (0.1, 0.5, 0.9)

Box = dict[str, Any]


class Boxes(Kind):
    name = "boxes"
    storage = "text"

    def recognise(self, values: Sequence[Any]) -> float:
        present = [value for value in values if value is not None]
        return 0.95 if present and all(map(_looks_like_boxes, present)) else 0.0

    def read(self, raw: Any, where: str) -> Any:
        if raw is None:
            return None
        if isinstance(raw, str):
            try:
                raw = json.loads(raw)
            except (ValueError, RecursionError):
                raise _refused(where, "text that is not JSON") from None
        if not isinstance(raw, list):
            raise _refused(where, type(raw).__name__)
        if len(raw) > MAX_BOXES:
            raise _refused(where, f"{len(raw)} boxes, more than {MAX_BOXES}")
        return [read_box(box, f"{where}, box {index}") for index, box in enumerate(raw)]

    def fit(self, values: Values, options: Mapping[str, Any]) -> State:
        """`levels`: the categories, sorted. `counts`: how many boxes of each. `sides_px`: the 10 %, 50 % and 90 % quantiles of the
        sides of squares as large as the boxes. `most`: boxes in the fullest picture."""
        boxes = [box for row in values if row is not None for box in row]
        counts = Counter(box["label"] for box in boxes)
        kept = sorted(sorted(counts, key=lambda label: (-counts[label], label))[:MAX_LEVELS])
        sides = [math.sqrt(area_of(box)) for box in boxes if area_of(box) > 0]
        quantiles = np.quantile(sides, QUANTILES).tolist() if sides else [0.0] * len(QUANTILES)
        most = max((len(row) for row in values if row is not None), default=0)
        return {
            "levels": kept,
            "counts": [counts[label] for label in kept],
            "sides_px": [round(side, 2) for side in quantiles],
            "most": most,
        }

    def encode(self, values: Values, state: State) -> Arrays:
        """How many boxes of each category a picture has: float32 (B, K)."""
        codes = {label: code for code, label in enumerate(state["levels"])}
        counts_BK = np.zeros((len(values), len(codes)), dtype=np.float32)
        for row, boxes in enumerate(values):
            for box in boxes or ():
                if box["label"] in codes:
                    counts_BK[row, codes[box["label"]]] += 1
        return {"counts": counts_BK}

    def join(self, encoded: Mapping[str, Arrays], states: Mapping[str, State]) -> Arrays:
        return {"box_counts": np.concatenate([arrays["counts"] for arrays in encoded.values()], axis=1)}

    def json_schema(self, state: State) -> dict[str, Any]:
        number = {"type": "number"}
        properties: dict[str, Any] = {"label": {"type": "string"}, **dict.fromkeys(SIDES, number)}
        box = {
            "type": "object",
            "properties": properties,
            "required": list(properties),
            "additionalProperties": False,
        }
        return {"type": ["array", "null"], "items": box}

    def synthetic(self, state: State, count: int, generator: np.random.Generator) -> list[Any]:
        levels, side = state["levels"] or ["a"], max(2.0, float(state["sides_px"][1]))
        values: list[Any] = []
        for row in range(count):
            corners = generator.uniform(0, 10 * side, (row % 4, 2))
            values.append(
                [
                    {
                        "label": levels[int(generator.integers(len(levels)))],
                        "left": round(float(left), 2),
                        "top": round(float(top), 2),
                        "right": round(float(left) + side, 2),
                        "bottom": round(float(top) + side, 2),
                    }
                    for left, top in corners
                ]
            )
        for row in range(7, count, 10):
            values[row] = None
        return values


def read_box(raw: Any, where: str) -> Box:
    """One box, its corners as finite numbers, or `not_boxes`."""
    if not isinstance(raw, dict) or set(raw) != {"label", *SIDES}:
        raise _refused(where, f"fields {', '.join(map(str, raw))}"[:120] if isinstance(raw, dict) else "no object")
    label = raw["label"]
    if not isinstance(label, str) or not label.strip() or len(label) > MAX_LABEL:
        raise _refused(where, "a label that is no short text")
    box: Box = {"label": label}
    for side in SIDES:
        number = raw[side]
        if isinstance(number, bool) or not isinstance(number, int | float) or not _finite(number):
            raise _refused(where, f"{side} {number!r}"[:80])
        box[side] = float(number)
    return box


def area_of(box: Mapping[str, Any]) -> float:
    """Square pixels; 0 for a box whose corners are the wrong way round."""
    return float(max(0.0, box["right"] - box["left"]) * max(0.0, box["bottom"] - box["top"]))


def written(boxes: Sequence[Box]) -> str:
    """The JSON text that a data version keeps."""
    return json.dumps(boxes, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def _finite(number: float) -> bool:
    try:
        return math.isfinite(float(number)) and abs(number) < 1e9
    except OverflowError:
        return False


def _looks_like_boxes(value: Any) -> bool:
    """Whether it is a list of boxes, or the JSON text of one with a box in it or none."""
    if isinstance(value, str):
        text = value.strip()
        return text == "[]" or (text.startswith("[{") and all(f'"{side}"' in text for side in SIDES))
    return isinstance(value, list) and all(isinstance(box, dict) and set(SIDES) <= set(box) for box in value)


def _refused(where: str, found: str) -> SalusError:
    return SalusError("not_boxes", where=where, found=found)
