"""What a picture learner finds out about its pictures before it learns: pixels, their mean, whether mirrors mean the same."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from salus.core.errors import SalusError
from salus.learners.base import Prepared

SAMPLE_ROWS = 2000
THUMB_SIDE = 8
CHUNK_ROWS = 256
LARGEST_SIDE = 128  # of pictures as a network sees them
HARM = 0.02  # share of rows whose nearest neighbour must become worse


def pixels_of(feeds: Mapping[str, np.ndarray]) -> np.ndarray:
    """All picture columns as one uint8 (B, H, W, C), their channels side by side; writable, contiguous."""
    pictures = [feed for name, feed in sorted(feeds.items()) if name.startswith("image_")]
    if len({picture.shape[1:3] for picture in pictures}) != 1:
        sizes = ", ".join(f"{p.shape[1]} x {p.shape[2]}" for p in pictures)
        raise SalusError("network_pictures_differ", where="the learner cnn", found=sizes)
    joined = pictures[0] if len(pictures) == 1 else np.concatenate(pictures, axis=3)
    return np.require(joined, dtype=np.uint8, requirements=["C", "W"])


def pixel_statistics(pixels_BHWC: np.ndarray) -> tuple[float, float]:
    """Mean and deviation of all pixels, from evenly chosen pictures."""
    step = max(1, len(pixels_BHWC) // SAMPLE_ROWS)
    sample = pixels_BHWC[::step].astype(np.float32)
    return round(float(sample.mean()), 2), round(max(float(sample.std()), 1.0), 2)


def reduction_of(height: int, width: int) -> int:
    """By how much both sides of large pictures are shrunk before a network sees them."""
    return max(1, min(-(-max(height, width) // LARGEST_SIDE), height, width))


def reduced(pixels_BHWC: np.ndarray, factor: int) -> np.ndarray:
    """Means of squares of `factor` pixels, rounded; what is left over at the right and below is cut off."""
    if factor == 1:
        return pixels_BHWC
    count, height, width, channels = pixels_BHWC.shape
    rows, columns = height // factor, width // factor
    found = np.empty((count, rows, columns, channels), dtype=np.uint8)
    for start in range(0, count, CHUNK_ROWS):
        chunk = pixels_BHWC[start : start + CHUNK_ROWS, : rows * factor, : columns * factor].astype(np.uint32)
        sums = sum(chunk[:, i::factor, j::factor] for i in range(factor) for j in range(factor))
        found[start : start + CHUNK_ROWS] = (sums + factor * factor // 2) // (factor * factor)
    return found


def flips_hurt(prepared: Prepared) -> bool:
    """Whether mirrored pictures mean something else: their nearest unmirrored neighbours answer worse than those of
    the pictures themselves, by more than chance. So digits and left hands are told from photographs."""
    pixels = pixels_of(prepared.train.feeds)
    chosen = np.random.default_rng(prepared.seed).permutation(len(pixels))[:SAMPLE_ROWS]
    thumbs = _thumbs(pixels[chosen])
    mirrored = thumbs[:, :, ::-1]
    target = prepared.train.target[chosen]
    plain = _answers_of_neighbours(thumbs, thumbs, target)
    other = _answers_of_neighbours(mirrored, thumbs, target)
    if prepared.classification:
        worse = (plain == target).astype(np.float64) - (other == target)
    else:
        spread = np.maximum(target.std(axis=0), 1e-12)
        errors = [np.minimum(np.abs(found - target) / spread, 1).mean(axis=1) for found in (plain, other)]
        worse = errors[1] - errors[0]
    error = worse.std() / np.sqrt(len(worse))
    return bool(worse.mean() > HARM and worse.mean() > 3 * error)


def _thumbs(pixels_BHWC: np.ndarray) -> np.ndarray:
    """Small pictures (B, side, side, C), float32, each without its mean."""
    count, height, width, channels = pixels_BHWC.shape
    rows, columns = min(THUMB_SIDE, height), min(THUMB_SIDE, width)
    cut = pixels_BHWC[:, : height // rows * rows, : width // columns * columns].astype(np.float32)
    small = cut.reshape(count, rows, height // rows, columns, width // columns, channels).mean(axis=(2, 4))
    centred: np.ndarray = small - small.mean(axis=(1, 2, 3), keepdims=True)
    return centred


def _answers_of_neighbours(asked: np.ndarray, known: np.ndarray, target: np.ndarray) -> np.ndarray:
    """The target of the nearest known picture that is not the asked one itself."""
    a, b = asked.reshape(len(asked), -1), known.reshape(len(known), -1)
    distances = (b**2).sum(axis=1)[None] - 2 * a @ b.T
    np.fill_diagonal(distances, np.inf)
    found: np.ndarray = target[distances.argmin(axis=1)]
    return found
