"""The fast way for tables: all number columns of a request as one matrix, category codes from tables built once.

A request of one row would otherwise spend most of its time on arrays of one element. Says nothing else than
`data.encoding.encode_columns`, which a test holds for any values; what does not fit is left to the kinds, which say why.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from salus.core.nouns import Column
from salus.data.kinds.base import Values
from salus.data.kinds.category import UNKNOWN, codes_of
from salus.data.kinds.number import FLOAT32_MAX

_PLAIN = {float, int, type(None)}  # not bool, not numpy's: those are for the kind to judge


class NumberPlan:
    """The columns of numbers."""

    def __init__(self, columns: Sequence[Column]) -> None:
        self.names = [column.name for column in columns]
        self._offsets_N1 = np.array([[(column.state or {}).get("offset", 0.0)] for column in columns])
        self._moved = bool(self._offsets_N1.any())

    def read(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, Values] | None:
        """Values by column; None when something in them needs a closer look. KeyError for a missing column."""
        names = self.names
        table = [[row[name] for name in names] for row in rows]
        for raws in table:
            if not _PLAIN.issuperset(map(type, raws)):
                return None
        try:
            values_BN = np.array(table, dtype=np.float64).reshape(len(rows), len(names))
        except OverflowError:
            return None
        missing = int(np.count_nonzero(np.isnan(values_BN)))
        if missing != sum(raws.count(None) for raws in table):
            return None
        if values_BN.size > missing and np.nanmax(np.abs(values_BN)) > FLOAT32_MAX:
            return None
        return dict(zip(names, values_BN.T, strict=True))

    def encode(self, values: Mapping[str, Values]) -> np.ndarray:
        """`numbers` float32 (B, N)."""
        columns = [values[name] for name in self.names]
        joined_NB = np.concatenate(columns).reshape(len(columns), -1)
        if self._moved:
            joined_NB = joined_NB - self._offsets_N1
        with np.errstate(over="ignore"):
            numbers_BN = np.ascontiguousarray(joined_NB.T, dtype=np.float32)
        numbers_BN[~np.isfinite(numbers_BN)] = np.nan
        return numbers_BN


class CategoryPlan:
    """The columns of labels."""

    def __init__(self, columns: Sequence[Column]) -> None:
        self._codes: list[tuple[str, dict[str | None, int]]] = []
        for column in columns:
            assert column.state is not None, f"column {column.name} is not fitted"
            self._codes.append((column.name, codes_of(column.state["levels"])))

    def encode(self, values: Mapping[str, Values]) -> np.ndarray:
        """`categories` int64 (B, M)."""
        codes_MB = [[codes.get(value, UNKNOWN) for value in values[name]] for name, codes in self._codes]
        return np.ascontiguousarray(np.array(codes_MB, dtype=np.int64).T)
