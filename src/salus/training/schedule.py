"""How the learning rate changes from the first step to the last."""

from __future__ import annotations

import math

WARM_SHARE = 0.2  # of a one-cycle
COSINE_WARM_SHARE = 0.05


def rate_at(schedule: str, step: int, steps: int, peak: float) -> float:
    """The learning rate of a step. `constant`; `one-cycle`: straight up to the peak, then straight down to nothing; `cosine`: up in
    a twentieth of the steps, then down along half a cosine."""
    if schedule == "constant":
        return peak
    done = (step + 1) / (steps + 1)
    if schedule == "cosine":
        falling = (done - COSINE_WARM_SHARE) / (1 - COSINE_WARM_SHARE)
        return peak * min(done / COSINE_WARM_SHARE, (1 + math.cos(math.pi * max(0.0, falling))) / 2)
    return peak * min(done / WARM_SHARE, (1 - done) / (1 - WARM_SHARE))
