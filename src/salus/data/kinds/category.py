"""Categories: one of a set of labels. Code 0 is missing, 1 a label that training never saw, the levels follow."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from salus.core.errors import SalusError
from salus.data.kinds.base import Arrays, Kind, State, Values

MAX_LEVELS = 1000
MISSING, UNKNOWN, FIRST = 0, 1, 2
# What text tables write for missing; in a request it means the same, unless training knew it as a label.
MISSING_WORDS = ("", "NA", "N/A", "NaN", "nan", "null", "NULL", "None", "?")


class Category(Kind):
    name = "category"

    def recognise(self, values: Sequence[Any]) -> float:
        present = [value for value in values if value is not None and value != ""]
        if not present or not all(isinstance(value, str | bool) for value in present):
            return 0.0
        distinct = len(set(present))
        return 0.8 if distinct <= max(2, min(MAX_LEVELS, len(present) // 2)) else 0.1

    def read(self, raw: Any, where: str) -> Any:
        if raw is None:
            return None
        if isinstance(raw, bool):
            return "true" if raw else "false"
        if isinstance(raw, str):
            return raw if raw != "" else None
        if isinstance(raw, int | np.integer):
            return str(raw)
        if isinstance(raw, float) and raw == raw and abs(raw) != float("inf"):
            return label_of(raw)
        raise SalusError("not_a_category", where=where, found=f"{type(raw).__name__} {raw!r}"[:80])

    def fit(self, values: Values, options: Mapping[str, Any]) -> State:
        counts = Counter(value for value in values if value is not None)
        ordered = sorted(counts, key=lambda level: (-counts[level], level))
        return {"levels": ordered[:MAX_LEVELS]}

    def encode(self, values: Values, state: State) -> Arrays:
        codes = codes_of(state["levels"])
        codes_B = [codes.get(value, UNKNOWN) for value in values]
        return {"column": np.array(codes_B, dtype=np.int64)}

    def join(self, encoded: Mapping[str, Arrays], states: Mapping[str, State]) -> Arrays:
        return {"categories": np.stack([arrays["column"] for arrays in encoded.values()], axis=1)}

    def json_schema(self, state: State) -> dict[str, Any]:
        return {"type": ["string", "boolean", "integer", "null"], "examples": state["levels"][:10]}

    def synthetic(self, state: State, count: int, generator: np.random.Generator) -> list[Any]:
        levels = state["levels"] or ["a"]
        values: list[Any] = [levels[index] for index in generator.integers(0, len(levels), count)]
        for row in range(7, count, 10):
            values[row] = None
        for row in range(3, count, 20):
            values[row] = "a label never seen"
        return values


def codes_of(levels: Sequence[str]) -> dict[str | None, int]:
    """The code of every level, of None and of the words for missing; what is not in it is unknown."""
    words: dict[str | None, int] = dict.fromkeys((None, *MISSING_WORDS), MISSING)
    return words | {level: code for code, level in enumerate(levels, start=FIRST)}


def label_of(number: float) -> str:
    """A number as a label: whole numbers without a point."""
    return str(int(number)) if number == int(number) else repr(float(number))
