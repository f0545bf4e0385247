"""Values that a person says mean missing, in tables whose files know no such word."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc

from salus.data.sources.base import Read


def without(read: Read, missing: tuple[str, ...]) -> Read:
    """The rows with nothing where one of these texts (or, in a column of numbers, the number it writes) stood."""
    if not missing:
        return read
    texts, numbers = pa.array(missing, pa.string()), _numbers(missing)

    def parts() -> Iterator[pa.Table]:
        for table in read.parts():
            for index, field in enumerate(table.schema):
                if (found := _found(table.column(index), texts, numbers)) is not None:
                    column = pc.if_else(found, pa.scalar(None, field.type), table.column(index))
                    table = table.set_column(index, field, column)
            yield table

    return Read(parts, read.facts, read.kinds)


def _found(column: pa.ChunkedArray, texts: pa.Array, numbers: pa.Array) -> pa.ChunkedArray | None:
    kind = column.type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return pc.is_in(pc.utf8_trim_whitespace(column), value_set=texts.cast(kind))
    if (pa.types.is_integer(kind) or pa.types.is_floating(kind)) and len(numbers):
        return pc.is_in(column.cast(pa.float64(), safe=False), value_set=numbers)
    return None


def _numbers(missing: tuple[str, ...]) -> pa.Array:
    found = []
    for text in missing:
        try:
            found.append(float(text))
        except ValueError:
            continue
    return pa.array(found, pa.float64())
