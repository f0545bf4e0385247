"""Pictures for the tests of learners: stripes whose direction, colour and place are the answer."""

from __future__ import annotations

import numpy as np

from salus.core.nouns import Column, Schema
from salus.learners.base import Part, Prepared


def prepared(
    classification: bool = True,
    rows: int = 240,
    height: int = 12,
    width: int = 12,
    channels: int = 3,
    seed: int = 0,
    leaning: bool = False,
) -> Prepared:
    """Classes: flat, standing, or both crossed; `leaning`: lines that lean left or right. Numbers: brightness and contrast."""
    state = {"height": height, "width": width, "channels": channels}
    schema = Schema(columns=(Column(name="picture", kind="image", state=state),))
    sides = [_part(classification, rows, (height, width, channels), seed + side, leaning) for side in range(2)]
    classes = (2 if leaning else 3) if classification else 2
    return Prepared(schema, sides[0], sides[1], classification, classes, seed, 1)


def _part(classification: bool, rows: int, shape: tuple[int, int, int], seed: int, leaning: bool) -> Part:
    generator = np.random.default_rng(seed)
    ys, xs = np.mgrid[: shape[0], : shape[1]]
    phases = generator.uniform(0, 2 * np.pi, (rows, 2, 1, 1))
    flat, standing = np.sin(ys * 1.5 + phases[:, 0]), np.sin(xs * 1.5 + phases[:, 1])
    codes = generator.integers(0, 2 if leaning else 3, rows)
    patterns = np.choose(codes[:, None, None], [flat, standing, (flat + standing) / 1.4])
    if leaning:
        sign = np.where(codes == 0, 1.0, -1.0)[:, None, None]
        patterns = np.sin((xs + sign * ys) * 0.8 + phases[:, 0])
    brightness, contrast = generator.uniform(90, 160, rows), generator.uniform(20, 60, rows)
    pixels = brightness[:, None, None] + contrast[:, None, None] * patterns
    noisy = pixels[..., None] + generator.normal(0, 10, (rows, *shape))
    target = codes.astype(np.int64) if classification else np.stack([brightness * 1000, contrast], axis=1)
    return Part({"image_0": noisy.clip(0, 255).astype(np.uint8)}, target, np.arange(rows))
