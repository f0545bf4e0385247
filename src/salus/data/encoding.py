"""Rows of values to the feeds of a graph: the one place where training, measuring and serving turn values into arrays."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from salus.core.nouns import Column
from salus.data.kinds import kind_named
from salus.data.kinds.base import Arrays, State, Values


def encode_columns(columns: tuple[Column, ...], values: Mapping[str, Values]) -> dict[str, np.ndarray]:
    """The feeds of `columns` (all fitted, all inputs): kind by kind, in the order of the columns."""
    feeds: dict[str, np.ndarray] = {}
    for name in dict.fromkeys(column.kind for column in columns):
        kind = kind_named(name)
        encoded: dict[str, Arrays] = {}
        states: dict[str, State] = {}
        for column in columns:
            if column.kind == name:
                assert column.state is not None, f"column {column.name} is not fitted"
                encoded[column.name] = kind.encode(values[column.name], column.state)
                states[column.name] = column.state
        feeds |= kind.join(encoded, states)
    return feeds
