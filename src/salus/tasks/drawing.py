"""From noise to a picture along the directions that a network says (Lipman et al. 2023; Liu et al. 2023).

Two steps of memory (Adams and Bashforth) make a few passes as exact as many of Euler's. A label is obeyed more strictly by going beyond
the difference between what the network says with it and without it (classifier-free guidance, Ho and Salimans 2022), but only in
the middle of the way, where it matters (Kynkäänniemi et al. 2024). Numpy only; what says the directions is given.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from salus.data.kinds.category import MISSING, UNKNOWN

STEPS = 16
GUIDANCE = 1.5  # 1: as learned
GUIDED_FROM, GUIDED_TO = 0.1, 0.7  # of the way
ANY = MISSING  # the code of no label: a picture of any
MOST_STEPS = 1000

# x_BCHW, t_B, codes_BM (M may be 0) -> velocity_BCHW
Velocity = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]


def noise_of(seeds: np.ndarray, shape_CHW: tuple[int, int, int]) -> np.ndarray:
    """(B, C, H, W) float32, each picture's a function of its seed alone; a row without one is given its place."""
    noise = np.empty((len(seeds), *shape_CHW), dtype=np.float32)
    for place, seed in enumerate(seeds):
        known = place if not np.isfinite(seed) else abs(int(seed))
        noise[place] = np.random.default_rng([known, 0x5A1]).standard_normal(shape_CHW, dtype=np.float32)
    return noise


def draw(
    velocity: Velocity, noise_BCHW: np.ndarray, codes_BM: np.ndarray, steps: int = STEPS, guidance: float = GUIDANCE
) -> np.ndarray:
    """Pixels float32 (B, H, W, C), 0 to 255."""
    x = noise_BCHW
    codes = np.where(codes_BM == UNKNOWN, ANY, codes_BM)
    before: np.ndarray | None = None
    for step in range(steps):
        t = step / steps
        guided = guidance if GUIDED_FROM <= t < GUIDED_TO and np.any(codes != ANY) else 1.0
        now = _direction(velocity, x, t, codes, guided)
        x = x + (now if before is None else 1.5 * now - 0.5 * before) / np.float32(steps)
        before = now
    return np.clip((x.transpose(0, 2, 3, 1) + 1) * np.float32(127.5), 0, 255).astype(np.float32)


def _direction(velocity: Velocity, x: np.ndarray, t: float, codes: np.ndarray, guidance: float) -> np.ndarray:
    times = np.full(len(x), t, dtype=np.float32)
    if guidance == 1.0:
        return velocity(x, times, codes)
    both = velocity(
        np.concatenate([x, x]), np.concatenate([times, times]), np.concatenate([codes, np.full_like(codes, ANY)])
    )
    with_label, without = both[: len(x)], both[len(x) :]
    return without + np.float32(guidance) * (with_label - without)
