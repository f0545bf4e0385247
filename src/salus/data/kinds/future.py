"""What is to be forecast: the next values of one or several channels, step by step.

A target only. Its state says what an answer means: the names of the channels, the steps ahead, how far apart they are, the season,
and from the train rows the mean and deviation of each channel and the error of repeating the last season, by which errors are scaled.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from salus.core.errors import SalusError
from salus.data.kinds.base import Arrays, Kind, State, Values

MADE = ("names", "horizon", "step_s", "months", "season", "zoned", "dates")  # what whoever cuts the series knows


class Future(Kind):
    name = "future"
    storage = "numbers"

    def recognise(self, values: Sequence[Any]) -> float:
        return 0.0  # columns of a file are never futures: they are made when a horizon is asked for

    def read(self, raw: Any, where: str) -> Any:
        if raw is None:
            return None
        try:
            value = np.asarray(raw, dtype=np.float32)
        except (TypeError, ValueError):
            raise SalusError("not_a_series", where=where, found=type(raw).__name__) from None
        if value.ndim not in (1, 2) or not value.size:
            raise SalusError("not_a_series", where=where, found=f"{value.ndim} dimensions")
        return value.reshape(len(value), -1)

    def fit(self, values: Values, options: Mapping[str, Any]) -> State:
        present = [value for value in values if value is not None]
        channels = present[0].shape[1] if present else 1
        state = {name: options[name] for name in MADE if name in options}
        state.setdefault("names", [f"value {place}" for place in range(channels)])
        state.setdefault("horizon", len(present[0]) if present else 1)
        state.setdefault("season", 1)
        firsts = np.array([value[0] for value in present], dtype=np.float64).reshape(-1, channels)
        mean, deviation = np.zeros(channels), np.ones(channels)
        if len(firsts):
            mean, deviation = firsts.mean(axis=0), firsts.std(axis=0)
        # Of the whole train series where its owner measured it; of the first steps of these futures otherwise.
        state["mean"] = list(options.get("mean", mean.tolist()))
        state["deviation"] = [value if value > 0 else 1.0 for value in options.get("deviation", deviation.tolist())]
        scale = list(options.get("scale", state["deviation"]))
        state["scale"] = [
            value if value > 0 else spread for value, spread in zip(scale, state["deviation"], strict=True)
        ]
        return state

    def encode(self, values: Values, state: State) -> Arrays:
        shape = (int(state["horizon"]), len(state["names"]))
        nothing = np.full(shape, np.nan, dtype=np.float32)
        futures = [nothing if value is None else np.asarray(value, dtype=np.float32) for value in values]
        return {"future": np.stack(futures) if futures else np.zeros((0, *shape), dtype=np.float32)}

    def join(self, encoded: Mapping[str, Arrays], states: Mapping[str, State]) -> Arrays:
        """`future` float32 (B, H, C) of all columns side by side."""
        return {"future": np.concatenate([arrays["future"] for arrays in encoded.values()], axis=2)}

    def json_schema(self, state: State) -> dict[str, Any]:
        numbers = {"type": "array", "items": {"type": "number"}}
        return {"type": ["array", "null"], "items": numbers, "minItems": state["horizon"], "maxItems": state["horizon"]}

    def synthetic(self, state: State, count: int, generator: np.random.Generator) -> list[Any]:
        shape = (count, int(state["horizon"]), len(state["names"]))
        drawn = np.asarray(state["mean"]) + np.asarray(state["deviation"]) * generator.normal(size=shape)
        return list(np.asarray(drawn, dtype=np.float32).tolist())
