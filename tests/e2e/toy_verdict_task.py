"""A number is answered with a sentence that somebody wrote: a compound task, as small as one can be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from salus.core.nouns import Column
from salus.data.kinds.base import Values
from salus.tasks.compound import CompoundTask, as_objects


class Verdict(CompoundTask):
    name = "verdict"
    output = "places"
    target_kind = "text"
    metrics = ("exact",)

    def accepts(self, input_kinds: frozenset[str], target_kinds: tuple[str, ...], levels: int) -> bool:
        return input_kinds == {"number"} and target_kinds == ("text",)

    def fit_target(self, target: np.ndarray, column: Column) -> dict[str, Any]:
        return {"sentences": sorted(set(target.tolist()))}

    def settle(self, raw: np.ndarray, states: Sequence[Mapping[str, Any]]) -> np.ndarray:
        return as_objects([states[0]["sentences"][int(place)] for place in raw[:, 0]])

    def losses(self, answers: np.ndarray, target: np.ndarray) -> np.ndarray:
        return (answers != target).astype(np.float64)

    def nothing(
        self, train_target: np.ndarray, states: Sequence[Mapping[str, Any]], values: Mapping[str, Values], count: int
    ) -> np.ndarray:
        return as_objects([max(states[0]["sentences"], key=train_target.tolist().count)] * count)

    def decode(
        self, answers: np.ndarray, states: Sequence[Mapping[str, Any]], names: Sequence[str]
    ) -> list[dict[str, Any]]:
        return [{"text": answer} for answer in answers]

    def output_schema(self, states: Sequence[Mapping[str, Any]], names: Sequence[str]) -> dict[str, Any]:
        return {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}
