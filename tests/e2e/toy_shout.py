"""Text by how loud it is: its capital letters are counted, its words are not read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from salus.core.errors import SalusError
from salus.data.kinds.base import Arrays, Kind, State, Values


class Shout(Kind):
    name = "shout"

    def recognise(self, values: Sequence[Any]) -> float:
        present = [value for value in values if value is not None]
        return 1.0 if present and all(isinstance(value, str) and value.endswith("!") for value in present) else 0.0

    def read(self, raw: Any, where: str) -> Any:
        if raw is not None and not isinstance(raw, str):
            raise SalusError("not_a_category", where=where, found=type(raw).__name__)
        return raw

    def fit(self, values: Values, options: Mapping[str, Any]) -> State:
        return {"loudest": max((_loudness(value) for value in values), default=0)}

    def encode(self, values: Values, state: State) -> Arrays:
        return {"column": np.array([_loudness(value) for value in values], dtype=np.float32)}

    def join(self, encoded: Mapping[str, Arrays], states: Mapping[str, State]) -> Arrays:
        return {"shout": np.stack([arrays["column"] for arrays in encoded.values()], axis=1)}

    def json_schema(self, state: State) -> dict[str, Any]:
        return {"type": ["string", "null"], "description": f"up to {state['loudest']} capital letters in training"}

    def synthetic(self, state: State, count: int, generator: np.random.Generator) -> list[Any]:
        capitals = generator.integers(0, state["loudest"] + 2, count)
        return [None if row % 10 == 9 else "A" * int(number) + "h!" for row, number in enumerate(capitals)]


def _loudness(value: str | None) -> int:
    return sum(letter.isupper() for letter in value or "")
