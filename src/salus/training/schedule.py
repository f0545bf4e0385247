"""How the learning rate changes from the first step to the last."""

from __future__ import annotations

WARM_SHARE = 0.2


def rate_at(schedule: str, step: int, steps: int, peak: float) -> float:
    """The learning rate of a step. `constant`, or `one-cycle`: straight up to the peak, then straight down to nothing."""
    if schedule == "constant":
        return peak
    done = (step + 1) / (steps + 1)
    return peak * min(done / WARM_SHARE, (1 - done) / (1 - WARM_SHARE))
