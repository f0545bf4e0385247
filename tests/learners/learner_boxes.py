"""Made-up pictures with boxes: red discs and blue squares on grey noise."""

from __future__ import annotations

from typing import Any

import numpy as np

from salus.core.nouns import Column, Role, Schema
from salus.data.kinds.boxes import Boxes
from salus.learners.base import Part, Prepared
from salus.tasks.compound import as_objects

LEVELS = ["disc", "square"]
SIDE = 64


def boxed_pictures(count: int, seed: int) -> tuple[np.ndarray, list[list[dict[str, Any]]]]:
    """uint8 (B, 64, 64, 3) and their boxes, one to three a picture, none over another."""
    generator = np.random.default_rng(seed)
    pictures = generator.integers(90, 120, (count, SIDE, SIDE, 3), dtype=np.uint8)
    rows, columns = np.mgrid[:SIDE, :SIDE]
    boxes: list[list[dict[str, Any]]] = []
    for picture in pictures:
        found: list[dict[str, Any]] = []
        quarters = generator.permutation(4)[: int(generator.integers(1, 4))]
        for quarter in quarters:
            size = int(generator.integers(14, 24))
            left, top = (int(at) * 32 + int(generator.integers(0, 32 - size)) for at in (quarter % 2, quarter // 2))
            square = bool(generator.integers(0, 2))
            if square:
                inside = (rows >= top) & (rows < top + size) & (columns >= left) & (columns < left + size)
                picture[inside] = (40, 60, 220)
            else:
                middle = (top + size / 2 - 0.5, left + size / 2 - 0.5)
                picture[(rows - middle[0]) ** 2 + (columns - middle[1]) ** 2 <= size**2 / 4] = (220, 60, 40)
            label = LEVELS[int(square)]
            corners = {"left": left, "top": top, "right": left + size, "bottom": top + size}
            found.append({"label": label, **{side: float(value) for side, value in corners.items()}})
        boxes.append(found)
    return pictures, boxes


def prepared_pictures(train: int, validation: int) -> Prepared:
    parts = []
    for seed, count in enumerate((train, validation)):
        pictures, boxes = boxed_pictures(count, seed)
        feeds = {"image_0": pictures, "size_of_image_0": np.full((count, 2), float(SIDE), dtype=np.float32)}
        parts.append(Part(feeds, as_objects(boxes), np.arange(count)))
    picture = Column(name="image", kind="image", state={"height": SIDE, "width": SIDE, "channels": 3, "whole": True})
    state = Boxes().fit(list(parts[0].target), {})
    target = Column(name="boxes", kind="boxes", role=Role.TARGET, state=state)
    schema = Schema(columns=(picture, target))
    return Prepared(schema, parts[0], parts[1], False, 0, 0, 1, "object-detection")
