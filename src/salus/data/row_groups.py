"""Parts of any size to groups of rows whose borders follow from the rows alone.

Whatever a source gives at once, the same rows make the same groups; so the files of a version, the sums over its columns and its
hash do not depend on how the rows came. Knows Arrow tables in the types of the kinds; does not know what is in them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

GROUP_ROWS = 50_000
GROUP_BYTES = 16 * 2**20  # of values; a larger row is a group by itself
VALUE_BYTES = 8  # of a number, and of the place of any other value


def evened(parts: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """The same rows with large parts cut and small ones of equal types put together, about as large as a group: what is done
    for each part and column costs more than its values when a part has few rows."""
    waiting: list[pa.Table] = []
    rows = size = 0
    for part in parts:
        each = max(1, min(GROUP_ROWS, GROUP_BYTES * part.num_rows // max(1, part.nbytes)))
        for start in range(0, part.num_rows, each):
            piece = part.slice(start, each)
            full = rows + piece.num_rows > GROUP_ROWS or size + piece.nbytes > GROUP_BYTES
            if waiting and (full or not piece.schema.equals(waiting[0].schema)):
                yield pa.concat_tables(waiting)
                waiting, rows, size = [], 0, 0
            waiting.append(piece)
            rows, size = rows + piece.num_rows, size + piece.nbytes
    if waiting:
        yield pa.concat_tables(waiting)


def grouped(parts: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """Tables of one chunk a column: a group ends where one more row would be too many, or too large."""
    waiting: list[pa.Table] = []
    rows = size = 0
    for part in parts:
        ends = np.cumsum(row_sizes(part))
        at = 0
        while at < part.num_rows:
            before = int(ends[at - 1]) if at else 0
            fitting = int(np.searchsorted(ends, before + GROUP_BYTES - size, side="right"))
            stop = min(fitting, at + GROUP_ROWS - rows, part.num_rows)
            if stop <= at and not waiting:
                stop = at + 1
            if stop > at:
                waiting.append(part.slice(at, stop - at))
                rows, size, at = rows + stop - at, size + int(ends[stop - 1]) - before, stop
            if at < part.num_rows:
                yield _one(waiting)
                waiting, rows, size = [], 0, 0
    if waiting:
        yield _one(waiting)


def row_sizes(table: pa.Table) -> np.ndarray:
    """int64 (B,): the bytes of every row's values."""
    sizes = np.full(table.num_rows, VALUE_BYTES * table.num_columns, dtype=np.int64)
    for column in table.columns:
        kind = column.type
        if pa.types.is_large_list(kind):
            lengths, each = pc.list_value_length(column), kind.value_type.byte_width
        elif pa.types.is_large_string(kind) or pa.types.is_large_binary(kind):
            lengths, each = pc.binary_length(column), 1
        else:
            continue
        sizes += pc.fill_null(lengths, 0).to_numpy().astype(np.int64) * each
    return sizes


def _one(tables: list[pa.Table]) -> pa.Table:
    return pa.concat_tables(tables).combine_chunks()
