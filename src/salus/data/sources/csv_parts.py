"""Text tables larger than memory: one pass decides the type of every column, then every pass gives the same parts.

A column is a number when all its texts are numbers, wherever in the file they stand; one typing mistake in the last block
makes all of it text, as it would in a small table. Needs a few blocks of memory, whatever the size of the file.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from salus.core.errors import SalusError
from salus.core.specs import DataSpec
from salus.data.sources.base import Read
from salus.data.sources.csv_table import (
    DECIMAL_COMMA,
    EXTRA,
    FALSE,
    THOUSANDS,
    TRUE,
    Layout,
    NamedErrors,
    check_empty,
    comma_numbers,
    options,
)

WHOLE, NUMBER, TRUTH, COMMA, THOUSAND = "whole", "number", "truth", "comma", "thousand"
BLOCK_BYTES = 2**21  # more than a line may have; pyarrow reads 32 of them ahead
TRUTHS = pa.array([*TRUE, *FALSE])
TYPES = {WHOLE: pa.int64(), NUMBER: pa.float64(), TRUTH: pa.bool_()}


def read_in_parts(layout: Layout, spec: DataSpec) -> Read:
    """Raises what a small table raises, in the first pass."""
    kinds, facts = {**layout.head.kinds, **spec.kinds}, layout.facts()
    choices = _choices(layout)
    types = {name: _type(choice, kinds.get(name)) for name, choice in choices.items()}
    commas = [name for name, choice in choices.items() if _is_comma(choice)]
    if commas:
        facts["decimal"] = ","

    def parts() -> Iterator[pa.Table]:
        for batch in _batches(layout, types):
            table = pa.Table.from_batches([batch])
            for name in commas:
                index = table.column_names.index(name)
                table = table.set_column(index, name, comma_numbers(table.column(index)))
            yield table

    return Read(parts, facts, layout.head.kinds)


def _batches(layout: Layout, types: dict[str, pa.DataType]) -> Iterator[pa.RecordBatch]:
    """The rows in blocks of some megabytes, with these columns and types."""
    with NamedErrors(layout) as ragged, layout.text.stream() as stream:
        told = options(layout, ragged, types, all_columns=False)
        told["read_options"].block_size = BLOCK_BYTES
        reader = pacsv.open_csv(stream, **told)
        for batch in reader:
            if batch.num_rows:
                yield batch


def _choices(layout: Layout) -> dict[str, set[str]]:
    """What every column may still be after all rows: None of these is text; a column of nothing keeps all."""
    started = {WHOLE, NUMBER, TRUTH} | ({COMMA, THOUSAND} if layout.mark != "," else set())
    choices = {name: set(started) for name in layout.head.names}
    empty, rows = {name: True for name in layout.names}, 0
    for batch in _batches(layout, {name: pa.string() for name in layout.names}):
        rows += batch.num_rows
        for name, column in zip(batch.schema.names, batch.columns, strict=True):
            if column.null_count == len(column):
                continue
            empty[name] = False
            if name == EXTRA:
                check_empty(pa.chunked_array([column]), layout)
            elif choices[name]:
                choices[name] = {choice for choice in choices[name] if _fits(column, choice)}
    if not rows:
        raise SalusError("no_rows", where=layout.text.path.name)
    return {name: {"nothing"} if empty[name] else choice for name, choice in choices.items()}


def _fits(column: pa.Array, choice: str) -> bool:
    if choice in (COMMA, THOUSAND):
        pattern = DECIMAL_COMMA if choice == COMMA else THOUSANDS
        return bool(pc.all(pc.match_substring_regex(column, pattern)).as_py())
    if choice == TRUTH:
        return bool(pc.all(pc.is_in(column.drop_null(), value_set=TRUTHS)).as_py())
    try:
        pc.utf8_trim_whitespace(column).cast(TYPES[choice])
    except pa.ArrowInvalid:
        return False
    return True


def _type(choice: set[str], kind: str | None) -> Any:
    if choice == {"nothing"}:
        return pa.null()
    if WHOLE in choice:
        return pa.string() if kind == "category" else pa.int64()
    return pa.float64() if NUMBER in choice else pa.bool_() if TRUTH in choice else pa.string()


def _is_comma(choice: set[str]) -> bool:
    return COMMA in choice and not choice & {THOUSAND, NUMBER}
