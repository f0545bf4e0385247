"""What is found in a column of boxes: outside of their picture, without area, twice, very small; pictures with none; rare categories.

Looks at the size of the picture beside them, where there is one column of pictures. Knows parts of rows in their order.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import numpy as np
import pyarrow as pa

from salus.core.errors import SalusError
from salus.core.nouns import Finding, Severity
from salus.data.findings_made import FirstRows, finding
from salus.data.kinds.boxes import Boxes, area_of
from salus.data.kinds.image import picture_shape

OUTSIDE_PX = 1.0  # rounding may reach so far over the edge
SAME_SHARE = 0.95  # of two boxes of one category: drawn twice
SMALL_SHARE = 0.0001  # of the area of the picture
SMALL_PX = 4.0  # of a side
RARE = 10  # boxes of a category, fewer of which cannot be learned


class BoxesCheck:
    """One column of boxes; `sizes` are to be given before each part."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.rows = {code: FirstRows() for code in ("outside", "flat", "double", "small", "none", "missing")}
        self.boxes: Counter[str] = Counter()
        self.labels: Counter[str] = Counter()
        self.sizes: list[tuple[int, int] | None] = []

    def beside(self, pictures: pa.ChunkedArray) -> None:
        """The pictures of the next part."""
        self.sizes = [_size(content.as_py()) for content in pictures]

    def part(self, column: pa.ChunkedArray, first_row: int) -> None:
        kind = Boxes()
        sizes = self.sizes or [None] * len(column)
        for row, (text, size) in enumerate(zip(column, sizes, strict=True), start=first_row):
            boxes = kind.read(text.as_py(), f"column '{self.name}', row {row}")
            if boxes is None:
                self.rows["missing"].add(np.array([row]))
            else:
                self._look(boxes, size, row)
        self.sizes = []

    def _look(self, boxes: list[dict[str, Any]], size: tuple[int, int] | None, row: int) -> None:
        if not boxes:
            self.rows["none"].add(np.array([row]))
        self.labels.update(box["label"] for box in boxes)
        found = {
            "flat": sum(area_of(box) <= 0 for box in boxes),
            "double": _doubles(boxes),
            "small": sum(area_of(box) > 0 and _is_small(box, size) for box in boxes),
            "outside": 0 if size is None else sum(_is_outside(box, size) for box in boxes),
        }
        for code, count in found.items():
            if count:
                self.boxes[code] += count
                self.rows[code].add(np.array([row]))

    def findings(self) -> list[Finding]:
        found = []
        for code in ("outside", "flat", "double", "small"):
            if self.boxes[code]:
                severity = Severity.INFO if code == "small" else Severity.WARNING
                rows, count = self.rows[code], self.boxes[code]
                of = {"where": self.name, "found": count, "expected": rows.count}
                found.append(finding(f"boxes_{code}", severity, (self.name,), rows.first, **of))
        for code, name in (("none", "pictures_without_boxes"), ("missing", "missing_values")):
            rows = self.rows[code]
            if rows.count:
                found.append(finding(name, Severity.INFO, (self.name,), rows.first, where=self.name, found=rows.count))
        rare = sorted((count, label) for label, count in self.labels.items() if count < RARE)
        if rare:
            shown = ", ".join(f"{label} ({count})" for count, label in rare[:5])
            counted = {"found": len(rare), "expected": RARE}
            found.append(
                finding(
                    "boxes_rare_category", Severity.WARNING, (self.name,), (), where=self.name, example=shown, **counted
                )
            )
        if not self.labels:
            found.append(finding("boxes_nowhere", Severity.WARNING, (self.name,), where=self.name))
        return found


def _size(content: bytes | None) -> tuple[int, int] | None:
    """Height and width, upright; None for what cannot be opened, which is told of the pictures."""
    if content is None:
        return None
    try:
        return picture_shape(content)[:2]
    except SalusError:
        return None


def _is_outside(box: dict[str, Any], size: tuple[int, int]) -> bool:
    height, width = size
    low, high = min(box["left"], box["top"]), (box["right"] - width, box["bottom"] - height)
    return bool(low < -OUTSIDE_PX or max(high) > OUTSIDE_PX)


def _is_small(box: dict[str, Any], size: tuple[int, int] | None) -> bool:
    if min(box["right"] - box["left"], box["bottom"] - box["top"]) < SMALL_PX:
        return True
    return size is not None and area_of(box) < SMALL_SHARE * size[0] * size[1]


def _doubles(boxes: list[dict[str, Any]]) -> int:
    """How many boxes lie where an earlier one of their category lies."""
    count = 0
    for place, box in enumerate(boxes):
        count += any(other["label"] == box["label"] and _share(box, other) >= SAME_SHARE for other in boxes[:place])
    return count


def _share(one: dict[str, Any], other: dict[str, Any]) -> float:
    """Intersection over union."""
    common = area_of(
        {
            side: pick(one[side], other[side])
            for side, pick in (("left", max), ("top", max), ("right", min), ("bottom", min))
        }
    )
    union = area_of(one) + area_of(other) - common
    return common / union if union > 0 else float(json.dumps(one) == json.dumps(other))
