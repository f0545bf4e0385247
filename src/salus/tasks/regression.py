"""Regression: one or several numbers. Raw output: `values` (B, M) in the units of the targets.

A state may hold `conformal` {name: half width}: then every answer says between which numbers the truth lies, as often as was measured.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from salus.tasks.base import Task


class Regression(Task):
    name = "regression"
    output = "values"
    goal = "number"
    metrics = ("rmse", "mae", "r2")

    def accepts(self, input_kinds: frozenset[str], target_kinds: tuple[str, ...], levels: int) -> bool:
        return len(target_kinds) > 0 and set(target_kinds) == {"number"}

    def encode_target(self, values: Sequence[Any], states: Sequence[Mapping[str, Any]]) -> np.ndarray:
        columns = values if len(states) > 1 else [values]
        return np.stack([np.asarray(column, dtype=np.float64) for column in columns], axis=1)

    def baseline(self, target: np.ndarray, states: Sequence[Mapping[str, Any]]) -> np.ndarray:
        return np.asarray(np.nanmean(target, axis=0))

    def decode(
        self, raw: np.ndarray, states: Sequence[Mapping[str, Any]], names: Sequence[str]
    ) -> list[dict[str, Any]]:
        widths = {name: half for state in states for name, half in (state.get("conformal") or {}).items()}
        answers: list[dict[str, Any]] = []
        for row in raw.astype(np.float64).tolist():
            values = dict(zip(names, row, strict=True))
            answer: dict[str, Any] = {"values": values}
            if len(row) == 1:
                answer["value"] = row[0]
            if widths:
                answer["low"] = {name: values[name] - half for name, half in widths.items()}
                answer["high"] = {name: values[name] + half for name, half in widths.items()}
            answers.append(answer)
        return answers

    def output_schema(self, states: Sequence[Mapping[str, Any]], names: Sequence[str]) -> dict[str, Any]:
        properties: dict[str, Any] = {"values": _numbers(names), "value": {"type": "number"}}
        widths = [name for state in states for name in (state.get("conformal") or {})]
        if widths:
            properties |= {"low": _numbers(widths), "high": _numbers(widths)}
        required = [name for name in properties if name != "value"]
        return {"type": "object", "properties": properties, "required": required}


def _numbers(names: Sequence[str]) -> dict[str, Any]:
    return {"type": "object", "properties": {name: {"type": "number"} for name in names}, "required": list(names)}
