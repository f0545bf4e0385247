"""What a model looks at and where it is wrong, for the report: asked on rows that it did not learn from, as long as there is time.

Knows who can be asked about which rows. How the questions are put is known by `evaluation`.
"""

from __future__ import annotations

import base64
import io
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from PIL import Image as Pillow

from salus.data.kinds.base import Values
from salus.data.kinds.image import load_picture
from salus.evaluation.explanations import importance, partial_dependence, worst_errors
from salus.evaluation.saliency import picture_saliency, series_saliency
from salus.study.look_texts import passages
from salus.study.prepare import Material

TOP_COLUMNS = 6
SHOWN_ROWS = 4
SHOWN_COLUMNS = 8
EPOCH = datetime(1970, 1, 1)
SIDE = 96  # pixels of a picture in the report
COVERED_SIDE = 384  # pixels of one whose parts are covered in turn
STEPS = 400  # of a recording in the report


@dataclass(frozen=True)
class Asked:
    """`predict` answers values (column -> values) with probabilities (B, K) or numbers (B, M); it did not learn from the rows of
    the material at these positions."""

    positions: np.ndarray
    predict: Callable[[dict[str, Values]], np.ndarray]
    saliency: Callable[[dict[str, Values]], np.ndarray] | None = None  # maps (B, h, w) that the model's own graph gives


def look(
    asked: Asked, material: Material, answers: np.ndarray, names: Sequence[str], seed: int, limit_s: float
) -> dict[str, Any]:
    """ "importance", "partial_dependence", "errors" and "saliency" of the report. answers: what was said about `splits.test`."""
    started = time.monotonic()

    def left_s() -> float:
        return limit_s - (time.monotonic() - started)

    task, states = material.task, [column.state or {} for column in material.schema.targets]
    test = material.splits.test
    errors = worst_errors(task, answers, material.target[test], states, list(names))
    _show(errors, material, test)
    values = material.values(asked.positions)
    truth, groups = material.target[asked.positions], material.groups_of(asked.positions)
    found: dict[str, Any] = {"errors": errors, "importance": None, "partial_dependence": [], "saliency": []}
    found["saliency"] = _saliency(asked, material, values, truth, left_s)
    plain = [c.name for c in material.schema.inputs if c.kind != "series"]  # channels belong together
    if len(values) > 1 and plain:
        found["importance"] = importance(
            asked.predict, values, truth, task.classification, groups, seed, lambda: left_s() * 0.6, plain
        )
        short = {c.name for c in material.schema.inputs if c.kind in ("number", "category")}  # whole texts are rows
        ordered = [item["column"] for item in found["importance"]["columns"] if item["column"] in short]
        answer_names = list(states[0]["levels"]) if task.classification else list(names)
        found["partial_dependence"] = partial_dependence(
            asked.predict, values, ordered[:TOP_COLUMNS], answer_names, seed, left_s
        )
    return found


def _show(errors: list[dict[str, Any]], material: Material, test: np.ndarray) -> None:
    """Adds what the rows hold: the first columns as texts, a small picture, a trace."""
    if not errors:
        return
    values = material.values(test[[item["row"] for item in errors]])
    kinds = {column.name: column.kind for column in material.schema.inputs}
    for place, item in enumerate(errors):
        item["values"] = {}
        for name, of_rows in values.items():
            value = of_rows[place]
            if value is None:
                continue
            if kinds[name] == "image":
                item["picture"] = _thumbnail(value)
            elif kinds[name] == "series":
                item.setdefault("trace", _trace(value))
            elif len(item["values"]) < SHOWN_COLUMNS:
                item["values"][name] = _moment(value) if kinds[name] == "time" else _text(value)


def _saliency(
    asked: Asked, material: Material, values: dict[str, Values], truth: np.ndarray, left_s: Callable[[], float]
) -> list[dict[str, Any]]:
    """Of the first row of each of some classes: where the evidence for the answer lies, as the model's own graph shows it
    (Grad-CAM), or found by covering parts."""
    kinds = {column.name: column.kind for column in material.schema.inputs}
    names = [name for name in values if kinds[name] in ("image", "series")]
    if not material.task.classification:
        return []
    texts = [name for name in values if kinds[name] == "text"]
    if not names and texts:
        levels = (material.schema.targets[0].state or {})["levels"]
        return passages(asked.predict, texts[0], values, truth, levels, lambda: left_s() * 0.5)
    if not names:
        return []
    kind = kinds[names[0]]
    names = [name for name in names if kinds[name] == kind][: 1 if kind == "image" else None]
    levels = (material.schema.targets[0].state or {})["levels"]
    shown: list[dict[str, Any]] = []
    for code in np.unique(truth)[:SHOWN_ROWS]:
        row = int(np.flatnonzero(truth == code)[0])
        one = {column: of_rows[row : row + 1] for column, of_rows in values.items()}
        if any(one[name][0] is None for name in names) or left_s() <= 0:
            continue
        answer = int(asked.predict(one)[0].argmax())
        weights = _of_picture if kind == "image" else _of_recording
        made = weights(asked, one, names, answer, lambda: left_s() * 0.5)
        if made is None:
            continue
        first = one[names[0]][0]
        content = {"picture": _thumbnail(first)} if kind == "image" else {"trace": _trace(first)}
        shown.append({"column": names[0], "truth": levels[code], "said": levels[answer], "weights": made} | content)
    return shown


def _of_picture(
    asked: Asked, one: Mapping[str, Values], names: list[str], answer: int, left_s: Callable[[], float]
) -> Any:
    if asked.saliency is not None:
        return _scaled(asked.saliency(dict(one))[0])
    picture = load_picture(one[names[0]][0], names[0]).convert("RGB")
    picture.thumbnail((COVERED_SIDE, COVERED_SIDE))  # of a photograph, fifty copies would fill the memory
    pixels = np.asarray(picture)

    def predict(changed_BHWC: np.ndarray) -> np.ndarray:
        return asked.predict(_many(one, {names[0]: [_png(picture) for picture in changed_BHWC]}))

    return picture_saliency(predict, pixels, answer, left_s)


def _of_recording(
    asked: Asked, one: Mapping[str, Values], names: list[str], answer: int, left_s: Callable[[], float]
) -> Any:
    series_CT = np.stack([np.asarray(one[name][0], dtype=np.float32) for name in names])

    def predict(changed_BCT: np.ndarray) -> np.ndarray:
        return asked.predict(_many(one, {name: list(changed_BCT[:, place]) for place, name in enumerate(names)}))

    return series_saliency(predict, series_CT, answer, left_s)


def _many(one: Mapping[str, Values], changed: Mapping[str, list[Any]]) -> dict[str, Values]:
    """The row again and again, with the columns that change."""
    count = len(next(iter(changed.values())))
    same = {
        name: np.repeat(values, count) if isinstance(values, np.ndarray) else [values[0]] * count
        for name, values in one.items()
        if name not in changed
    }
    return {name: changed[name] if name in changed else same[name] for name in one}


def _scaled(weights_HW: np.ndarray) -> list[list[float]]:
    """The largest is 1."""
    scaled = np.round(weights_HW.astype(np.float64) / max(float(np.abs(weights_HW).max()), 1e-12), 3)
    return [[float(cell) for cell in row] for row in scaled]


def _png(pixels_HWC: np.ndarray) -> bytes:
    stream = io.BytesIO()
    Pillow.fromarray(pixels_HWC).save(stream, format="PNG", compress_level=1)
    return stream.getvalue()


def _thumbnail(content: bytes) -> str:
    """A small picture as a data: address."""
    picture = load_picture(content, "the report")
    picture = picture.convert("L" if picture.mode in ("1", "L", "I", "I;16", "F") else "RGB")
    picture.thumbnail((SIDE, SIDE), Pillow.Resampling.BILINEAR)
    stream = io.BytesIO()
    picture.save(stream, format="PNG")
    return "data:image/png;base64," + base64.b64encode(stream.getvalue()).decode()


def _trace(samples: np.ndarray) -> list[float | None]:
    """At most so many samples, evenly spread."""
    kept = samples[:: max(1, -(-len(samples) // STEPS))]
    return [float(f"{value:.4g}") if np.isfinite(value) else None for value in kept]


def _moment(seconds: float) -> str:
    return (EPOCH + timedelta(seconds=float(seconds))).isoformat(sep=" ", timespec="seconds")


def _text(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float | np.floating) else str(value)[:80]
