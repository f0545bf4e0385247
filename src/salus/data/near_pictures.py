"""Pictures that are the same to the eye though not in their bytes: resized or encoded again.

Each picture becomes a thumbnail of 16 x 16 grey levels, without its mean and contrast. Copies lie within a small distance of each
other; candidates are those near in the first principal components, and they are measured in full.
"""

from __future__ import annotations

import numpy as np
from PIL import Image as Pillow

SIDE = 16
FEATURES = SIDE * SIDE
MAX_PICTURES = 300_000  # 77 MB of thumbnails
FLAT = 2.0  # grey levels of standard deviation; below it a picture shows too little to be told apart
NEAR = 0.06  # distance of unit vectors: a correlation over 0.998
BRIGHTNESS = 8.0  # grey levels that copies may differ in their mean
COMPONENTS = 24
BLOCK = 512  # pictures compared with their band at once
MAX_PAIRS = 100_000  # of a block


def thumbnail(picture: Pillow.Image) -> np.ndarray:
    """uint8 (256,) of a decoded picture."""
    grey = picture if picture.mode == "L" else _eight_bits(picture).convert("L")
    return np.asarray(grey.resize((SIDE, SIDE), Pillow.Resampling.BOX), dtype=np.uint8).ravel()


def near_pairs(thumbnails_NF: np.ndarray) -> np.ndarray:
    """int64 (P, 2): pairs of near copies, the earlier first, in ascending order."""
    levels_NF = thumbnails_NF.astype(np.float32)
    means, spreads = levels_NF.mean(axis=1), levels_NF.std(axis=1)
    telling = np.flatnonzero(spreads >= FLAT)
    if len(telling) < 2:
        return np.zeros((0, 2), dtype=np.int64)
    units_NF = (levels_NF[telling] - means[telling, None]) / (spreads[telling, None] * SIDE)
    _, vectors = np.linalg.eigh(units_NF.T @ units_NF)
    few_NC = units_NF @ vectors[:, -COMPONENTS:]
    order = np.argsort(few_NC[:, -1], kind="stable")
    first, second = (order[side] for side in _close(few_NC[order]))
    near = np.linalg.norm(units_NF[first] - units_NF[second], axis=1) <= NEAR
    alike = np.abs(means[telling[first]] - means[telling[second]]) <= BRIGHTNESS
    pairs = np.sort(np.stack([telling[first], telling[second]], axis=1)[near & alike], axis=1)
    return np.asarray(np.unique(pairs, axis=0), dtype=np.int64)


def _close(points_NC: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Places of pairs within `NEAR`, of points in the order of their last component: only a band of them is compared."""
    firsts, seconds = [np.zeros(0, dtype=np.int64)], [np.zeros(0, dtype=np.int64)]
    last, squares = points_NC[:, -1], (points_NC**2).sum(axis=1)
    for begin in range(0, len(points_NC), BLOCK):
        end = min(begin + BLOCK, len(points_NC))
        stop = int(np.searchsorted(last, last[end - 1] + NEAR, side="right"))
        products = points_NC[begin:end] @ points_NC[begin:stop].T
        apart = squares[begin:end, None] + squares[None, begin:stop] - 2 * products
        here, there = np.nonzero(apart <= NEAR**2 + 1e-5)
        ahead = here < there
        firsts.append(begin + here[ahead][:MAX_PAIRS])
        seconds.append(begin + there[ahead][:MAX_PAIRS])
    return np.concatenate(firsts), np.concatenate(seconds)


def _eight_bits(picture: Pillow.Image) -> Pillow.Image:
    """16-bit and float greys stretched over their range, since `convert` would clip them."""
    if not picture.mode.startswith(("I", "F")):
        return picture
    levels = np.nan_to_num(np.asarray(picture, dtype=np.float64), posinf=0.0, neginf=0.0)
    low, high = float(levels.min()), float(levels.max())
    scaled = (levels - low) * (255 / (high - low) if high > low else 0.0)
    return Pillow.fromarray(scaled.astype(np.uint8))
