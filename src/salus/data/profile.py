"""A few figures a column: what is missing, range and mean, the most frequent labels. Knows nothing of roles."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from salus.core.nouns import Schema

TOP_LABELS = 10


def profile(table: pa.Table, schema: Schema) -> dict[str, Any]:
    """{"rows": n, "columns": {name: figures}}."""
    columns = {column.name: _figures(table.column(column.name), column.kind) for column in schema.columns}
    return {"rows": table.num_rows, "columns": columns}


def _figures(array: pa.ChunkedArray, kind: str) -> dict[str, Any]:
    facts: dict[str, Any] = {"kind": kind, "missing": array.null_count}
    present = array.drop_null()
    if not len(present):
        return facts
    if kind == "number":
        figures = {"min": pc.min(present), "max": pc.max(present), "mean": pc.mean(present)}
        facts |= {name: _finite(figure.as_py()) for name, figure in figures.items()}
    elif kind == "category":
        counts = sorted(pc.value_counts(present).to_pylist(), key=lambda item: (-item["counts"], item["values"]))
        top = [[item["values"], item["counts"]] for item in counts[:TOP_LABELS]]
        facts |= {"distinct": len(counts), "top": top}
    elif kind == "series":
        lengths = pc.list_value_length(present)
        facts |= {"shortest": pc.min(lengths).as_py(), "longest": pc.max(lengths).as_py()}
    return facts


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None
