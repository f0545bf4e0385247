"""Image generation: a picture that looks like those of a label, or like those of the data where there are no labels.

A request may name a `seed`: the same seed gives the same picture. Raw output: `pixels` float32 (B, H, W, C), 0 to 255. Knows how
pictures are asked for and given; how they are drawn is known by `salus.tasks.drawing`, and from what by the learner.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from salus.core.errors import SalusError
from salus.core.nouns import Column
from salus.data.kinds import kind_named
from salus.data.kinds.base import Values
from salus.tasks.compound import MOST_SEED, CompoundTask, as_objects

MOST_SIDE = 64  # larger pictures are drawn smaller, their sides in the same ratio
SEED = Column(name="seed", kind="number", options={"optional": True})
CRITIC = "critic"  # the graph that looks at pictures, `image_0`, and gives `seen`: scores of labels, then features
MEAN_ROWS = 10_000  # that the means of classes are taken of
SUMMARY_SIDE = 8  # of pictures whose distances are measured
LEVELS_APART = 2.0  # of 255: the most by which the serving engine may draw otherwise than the trainer's library


class ImageGeneration(CompoundTask):
    name = "image-generation"
    output = "pixels"
    target_kind = "image"
    asked = (SEED,)
    metrics = ("frechet", "class_accuracy", "manifold_recall", "manifold_precision")
    rows_at_once = 250
    most_held = 100
    most_judged = 5000

    def accepts(self, input_kinds: frozenset[str], target_kinds: tuple[str, ...], levels: int) -> bool:
        return input_kinds <= {"category"} and target_kinds == ("image",)

    def fit_target(self, target: np.ndarray, column: Column) -> dict[str, Any]:
        """The size of the pictures, at most MOST_SIDE a side."""
        state = dict(kind_named("image").fit(list(target), column.options))
        shrink = min(1.0, MOST_SIDE / max(state["height"], state["width"]))
        return state | {side: max(1, round(state[side] * shrink)) for side in ("height", "width")}

    def fit_asked(self, column: Column, states: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        seeds = {"low": 0.0, "high": float(MOST_SEED), "bounds": [0, MOST_SEED]}
        return {**seeds, "offset": 0.0, "integer": True, "missing": True}

    def asked_values(self, column: Column, rows: np.ndarray) -> Values:
        """A seed of its own for every row of the data."""
        return np.asarray(rows % MOST_SEED, dtype=np.float64)

    def settle(self, raw: np.ndarray, states: Sequence[Mapping[str, Any]]) -> np.ndarray:
        if not np.isfinite(raw).all():
            raise SalusError("engine_failed", found="a picture that is not finite")
        return as_objects(list(np.round(np.clip(raw, 0, 255)).astype(np.uint8)))

    def losses(self, answers: np.ndarray, target: np.ndarray) -> np.ndarray:
        """The energy distance (Székely and Rizzo 2013) of small copies, row by row: how far drawn pictures lie from real ones, less half of how
        far they, and the real ones, lie from each other. Its mean is least when both are of one law."""
        drawn, real = summaries(list(answers)), summaries(pictures_of(target))
        return np.asarray(_apart(drawn, real) - _apart(drawn, drawn, 1) / 2 - _apart(real, real, 1) / 2)

    def nothing(
        self, train_target: np.ndarray, states: Sequence[Mapping[str, Any]], values: Mapping[str, Values], count: int
    ) -> np.ndarray:
        """The mean of the pictures, and noise as strong as they vary, pixel by pixel."""
        return _with_noise([train_target], np.zeros(count, dtype=np.int64), states[0])

    def nothing_by(
        self,
        train_target: np.ndarray,
        train_values: Callable[[], Mapping[str, Values]],
        states: Sequence[Mapping[str, Any]],
        values: Mapping[str, Values],
        count: int,
    ) -> np.ndarray:
        """The same, label by label where there are labels."""
        name = label_column(values)
        if name is None:
            return self.nothing(train_target, states, values, count)
        labels = np.asarray(train_values()[name], dtype=object)
        known = sorted(set(labels) - {None})
        places = {label: place for place, label in enumerate(known)}
        codes = np.array([places.get(label, 0) for label in values[name]], dtype=np.int64)
        return _with_noise([train_target[labels == label] for label in known], codes, states[0])

    def agree(self, expected: np.ndarray, found: np.ndarray) -> float:
        if expected.shape != found.shape:
            return float("inf")
        return float(np.max(np.abs(expected.astype(np.float64) - found), initial=0.0)) / LEVELS_APART

    def decode(
        self, answers: np.ndarray, states: Sequence[Mapping[str, Any]], names: Sequence[str]
    ) -> list[dict[str, Any]]:
        return [
            {
                "image": {"base64": base64.b64encode(png_of(pixels)).decode()},
                "content_type": "image/png",
                "height": pixels.shape[0],
                "width": pixels.shape[1],
            }
            for pixels in answers
        ]

    def output_schema(self, states: Sequence[Mapping[str, Any]], names: Sequence[str]) -> dict[str, Any]:
        text = {"type": "string", "contentEncoding": "base64", "contentMediaType": "image/png"}
        properties: dict[str, Any] = {
            "image": {"type": "object", "properties": {"base64": text}, "required": ["base64"]},
            "content_type": {"type": "string", "const": "image/png"},
            "height": {"type": "integer", "const": states[0]["height"]},
            "width": {"type": "integer", "const": states[0]["width"]},
        }
        return {"type": "object", "properties": properties, "required": list(properties)}


def label_column(values: Mapping[str, Values]) -> str | None:
    """The column whose labels say what is drawn; None where nothing does."""
    return next((name for name in values if name != SEED.name), None)


def pictures_of(target: Sequence[Any] | np.ndarray, state: Mapping[str, Any] | None = None) -> list[np.ndarray]:
    """Encoded pictures as uint8 (H, W, C), of the state's size or of their own."""
    if state is None:
        state = kind_named("image").fit(list(target), {})
    return list(kind_named("image").encode(list(target), dict(state))["pixels"])


def png_of(pixels_HWC: np.ndarray) -> bytes:
    """The picture, encoded."""
    from PIL import Image as Pillow

    stream = io.BytesIO()
    plain = pixels_HWC[:, :, 0] if pixels_HWC.shape[2] == 1 else pixels_HWC
    Pillow.fromarray(plain).save(stream, format="PNG")
    return stream.getvalue()


def summaries(pictures: Sequence[np.ndarray]) -> np.ndarray:
    """Small copies (B, side * side), the means of cells, 0 to 1; colours together."""
    found = np.empty((len(pictures), SUMMARY_SIDE**2), dtype=np.float32)
    for row, pixels_HWC in enumerate(pictures):
        grey = pixels_HWC.mean(axis=2, dtype=np.float32) / 255
        parts = [np.array_split(half, SUMMARY_SIDE, axis=1) for half in np.array_split(grey, SUMMARY_SIDE, axis=0)]
        found[row] = [cell.mean() if cell.size else 0.0 for cells in parts for cell in cells]
    return found


def _apart(first: np.ndarray, second: np.ndarray, least: int = 0) -> np.ndarray:
    """The mean distance (B,) of each row to a few rows of the other side: those that stand `least` and more places on."""
    total = np.zeros(len(first))
    shifts = range(least, least + min(16, max(1, len(second) - least)))
    for shift in shifts:
        total += np.sqrt(((first - np.roll(second, -shift, axis=0)) ** 2).sum(axis=1))
    return total / len(shifts)


def _with_noise(classes: Sequence[np.ndarray], codes: np.ndarray, state: Mapping[str, Any]) -> np.ndarray:
    """The mean picture of the class of each row, and noise with the deviations of its pixels."""
    means, deviations = [], []
    for target in classes:
        step = max(1, len(target) * len(classes) // MEAN_ROWS)
        pixels = np.stack(pictures_of(target[::step], state)).astype(np.float32)
        means.append(pixels.mean(axis=0))
        deviations.append(pixels.std(axis=0))
    generator = np.random.default_rng(len(codes))
    drawn = [
        means[code] + deviations[code] * generator.standard_normal(means[code].shape, dtype=np.float32)
        for code in codes
    ]
    return as_objects([np.round(np.clip(picture, 0, 255)).astype(np.uint8) for picture in drawn])
