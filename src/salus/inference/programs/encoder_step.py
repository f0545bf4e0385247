"""Texts piece by piece: the graph `encoder` reads, the graph `step` writes one piece more.

`encoder` takes the feeds and gives `memory_*`, which every step sees, and `cache_*`, with which the first step begins. `step` takes
`token` int64 (B, 1), the memories and the caches, and gives `logits` (B, V) and `next_*`, the caches of the next step. Caches stay
where the engine computes. A row ends with END; no row becomes longer than the target's state says. Knows no words.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from salus.data.pieces import END, PAD, START
from salus.inference.engines.base import Engine
from salus.inference.programs.base import Options, Program

ENCODER, STEP = "encoder", "step"
NEVER = (PAD, START)  # pieces that no text holds


class EncoderStep(Program):
    name = "encoder-step"
    graphs = (ENCODER, STEP)

    def run(
        self,
        engine: Engine,
        feeds: Mapping[str, np.ndarray],
        output: str,
        states: Sequence[Mapping[str, Any]],
        options: Options,
    ) -> np.ndarray:
        """(B, L) int64, L as long as the longest row needs."""
        rows = len(next(iter(feeds.values())))
        written = list(self.steps(engine, feeds, rows, states, options))
        return np.stack(written, axis=1) if written else np.zeros((rows, 0), dtype=np.int64)

    def steps(
        self,
        engine: Engine,
        feeds: Mapping[str, np.ndarray],
        rows: int,
        states: Sequence[Mapping[str, Any]],
        options: Options,
    ) -> Iterator[np.ndarray]:
        """The next piece of every row (B,), again and again; PAD behind the END of a row, until all rows have ended."""
        names = engine.outputs(ENCODER)
        begun = dict(zip(names, engine.run_kept(ENCODER, feeds, names), strict=True))
        memory = {name: value for name, value in begun.items() if name.startswith("memory_")}
        caches = {name: value for name, value in begun.items() if name.startswith("cache_")}
        wanted = ["logits", *(f"next_{name.removeprefix('cache_')}" for name in caches)]
        token, going = np.full((rows, 1), START, dtype=np.int64), np.ones(rows, dtype=bool)
        most = int(min(states[0]["length"], options.get("max_tokens", states[0]["length"])))
        for _ in range(most):
            logits, *kept = engine.run_kept(STEP, {"token": token, **memory, **caches}, wanted)
            caches = dict(zip(caches, kept, strict=True))
            chosen = np.where(going, likeliest(engine.read(logits)), PAD)
            yield chosen
            going &= chosen != END
            if not going.any():
                return
            token = chosen[:, None]


def likeliest(logits_BV: np.ndarray) -> np.ndarray:
    """The piece with the highest score, int64 (B,)."""
    scores = np.array(logits_BV)
    scores[:, NEVER] = -np.inf
    return np.asarray(scores.argmax(axis=1), dtype=np.int64)
