"""The contract of a kind: all that is known of a sort of column, in one file.

A kind may assume that `fit` sees train rows only. It must keep: no pyarrow, torch or scikit-learn at import (the model
server reads requests with it); `encode` gives the same arrays for the same values and state in training, measuring
and serving; a missing value is never an error, an unreadable one always is.

*Values* of a column are what `column_values` and `read` give: a float64 array for numbers (NaN is missing), else a list with
None for missing. A *state* is JSON: levels, sizes, rates.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

Values = Any  # np.ndarray of float64, or a list; see above
State = dict[str, Any]
Arrays = dict[str, np.ndarray]


class Kind(ABC):
    """One sort of column."""

    name: ClassVar[str]
    storage: ClassVar[str] = "text"  # how a data version keeps it: number, text, bytes or numbers (a list of them)

    @abstractmethod
    def recognise(self, values: Sequence[Any]) -> float:
        """How surely a sample of raw values (str, bytes, numbers, lists or None) is of this kind, 0 to 1."""

    @abstractmethod
    def read(self, raw: Any, where: str) -> Any:
        """One raw value (of a JSON request, a request body, or a file's cell) as this kind's value, or a SalusError that
        names `where`. None stays None."""

    def column_values(self, raws: Sequence[Any], where: str) -> Values:
        """A column of raw values, read. Kinds with a fast way for whole columns override it."""
        return [self.read(raw, f"{where}, row {row}") for row, raw in enumerate(raws)]

    @abstractmethod
    def fit(self, values: Values, options: Mapping[str, Any]) -> State:
        """What must be remembered of the train rows to encode any row: levels, size, rate."""

    def needed(self, state: State, feeds: frozenset[str]) -> State:
        """What of the state is needed to answer with a graph that takes these feeds alone; of a kind that gives feeds on demand, less."""
        return state

    @abstractmethod
    def encode(self, values: Values, state: State) -> Arrays:
        """Arrays whose names are private to the kind (axis 0 is rows), ready for `join`."""

    @abstractmethod
    def join(self, encoded: Mapping[str, Arrays], states: Mapping[str, State]) -> Arrays:
        """The graph feeds made of all columns of this kind together (column name -> what `encode` gave).

        Axis 0 is rows. number: `numbers` float32 (B, N). category: `categories` int64 (B, M). time: `times` float32 (B, P), the parts of
        every column and their differences. text: `texts` int32 (B, columns, L), numbers of n-grams, 0 where there are no more, and where
        the options ask for them `pieces` int32 (B, columns, P), pieces in their order, 0 behind the last one, and `sentences` float32 (B, S, F)
        with `sentence_grams` int32 (B, S, G), what shows of each sentence and its n-grams.
        image: `image_<i>` uint8 (B, H, W, C) for the i-th image column, `image_0` first. series: `series` float32 (W, C, T) windows and `series_rows`
        float32 (B, W), which averages windows into rows.
        """

    @abstractmethod
    def json_schema(self, state: State) -> dict[str, Any]:
        """JSON Schema of one raw value in a request."""

    @abstractmethod
    def synthetic(self, state: State, count: int, generator: np.random.Generator) -> list[Any]:
        """`count` raw JSON values drawn from the state alone (no real row), some missing, unknown and extreme. Bytes are given as base64 text."""
