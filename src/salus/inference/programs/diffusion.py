"""A picture drawn from noise in steps: the graph `main` says a direction at every step.

The graph takes `x` float32 (B, C, H, W), `t` float32 (B,) and, where there are labels, `categories` int64 (B, M), and gives `velocity`. Options:
`steps` (1 to 1000) and `guidance` (0 to 20). The noise of a row follows from its seed, the feed `numbers`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from salus.inference.engines.base import Engine
from salus.inference.programs.base import Options, Program
from salus.inference.programs.single import MAIN
from salus.tasks.drawing import GUIDANCE, MOST_STEPS, STEPS, draw, noise_of

MOST_GUIDANCE = 20.0


class Diffusion(Program):
    name = "diffusion"

    def run(
        self,
        engine: Engine,
        feeds: Mapping[str, np.ndarray],
        output: str,
        states: Sequence[Mapping[str, Any]],
        options: Options,
    ) -> np.ndarray:
        steps = min(max(int(options.get("steps", STEPS)), 1), MOST_STEPS)
        guidance = min(max(float(options.get("guidance", GUIDANCE)), 0.0), MOST_GUIDANCE)
        seeds = feeds["numbers"][:, -1]
        codes = feeds.get("categories", np.zeros((len(seeds), 0), dtype=np.int64))

        def velocity(x_BCHW: np.ndarray, t_B: np.ndarray, codes_BM: np.ndarray) -> np.ndarray:
            return engine.run(MAIN, {"x": x_BCHW, "t": t_B, "categories": codes_BM}, ["velocity"])[0]

        shape = (states[0]["channels"], states[0]["height"], states[0]["width"])
        return draw(velocity, noise_of(seeds, shape), codes, steps, guidance)
