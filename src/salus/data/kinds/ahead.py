"""What is known beforehand of the steps that are forecast: a plan, a holiday, a price; the next step first.

A row has as many values as there are steps ahead. Of a longer list the first ones count; a shorter one goes on with its last value.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from salus.data.kinds.base import Arrays, State, Values
from salus.data.kinds.history import History
from salus.data.windows import fill


class Ahead(History):
    name = "ahead"

    def fit(self, values: Values, options: Mapping[str, Any]) -> State:
        present = [value for value in values if value is not None]
        known = np.concatenate([np.zeros(0), *present]).astype(np.float64)
        known = known[np.isfinite(known)]
        spread = (float(known.mean()), float(known.std())) if len(known) else (0.0, 1.0)
        steps = int(options.get("horizon") or max(map(len, present), default=1))
        return {"steps": steps, "season": 1, "mean": spread[0], "deviation": spread[1]}

    def encode(self, values: Values, state: State) -> Arrays:
        steps = int(state["steps"])
        ahead_BH = np.full((len(values), steps), state["mean"], dtype=np.float32)
        for row, value in enumerate(values):
            if value is not None and np.isfinite(value).any():
                known = fill(value[:steps])
                ahead_BH[row] = np.concatenate([known, np.full(steps - len(known), known[-1], dtype=np.float32)])
        return {"ahead": ahead_BH}

    def join(self, encoded: Mapping[str, Arrays], states: Mapping[str, State]) -> Arrays:
        """`ahead` float32 (B, K, H)."""
        return {"ahead": np.stack([arrays["ahead"] for arrays in encoded.values()], axis=1)}

    def json_schema(self, state: State) -> dict[str, Any]:
        told = (
            f"what is known beforehand of the next {state['steps']} steps, the next one first; null for an unknown one"
        )
        return super().json_schema(state) | {"description": told}
