"""Synthetic rows: drawn column by column from what the schema remembers, never a real row.

They travel in the bundle with the trainer's answers, warm the server, and show a caller what a row looks like.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from salus.core.nouns import Column, Schema
from salus.data.kinds import kind_named


def make_examples(schema: Schema, count: int, seed: int) -> list[dict[str, Any]]:
    """`count` raw JSON rows with missing, unknown and extreme values among them.

    Every column has a generator of its own, so that one more column leaves the others as they are.
    """
    columns = {
        column.name: kind_named(column.kind).synthetic(column.state or {}, count, np.random.default_rng([seed, index]))
        for index, column in enumerate(schema.inputs)
    }
    return [{name: raws[row] for name, raws in columns.items()} for row in range(count)]


def typical_row(schema: Schema, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """One row that looks like everyday data: medians, the most frequent label, the first recording or picture."""
    return {column.name: _typical(column, [row[column.name] for row in rows]) for column in schema.inputs}


def _typical(column: Column, raws: Sequence[Any]) -> Any:
    present = [raw for raw in raws if raw is not None]
    if column.kind == "category" and (column.state or {}).get("levels"):
        return (column.state or {})["levels"][0]
    if column.kind == "number" and present:
        # An element that was drawn, not a mean of two: whole numbers stay whole.
        return sorted(present)[len(present) // 2]
    return next(
        (raw for raw in present if not isinstance(raw, list) or None not in raw), present[0] if present else None
    )
