"""Text tables: fields between one delimiter, names in the first line, UTF-8.

Every row has the fields of the header; a last field that has no name and is empty in every row is left out.
The delimiter is found by `salus.data.sources.csv_head` when it is not named.
"""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from salus.core.errors import SalusError
from salus.core.specs import DataSpec
from salus.data.sources.base import Read, Source
from salus.data.sources.csv_head import Head, line_where, read_head, text_of

SUFFIXES = (".csv", ".tsv", ".txt")
EXTRA = "\0extra"  # a nameless last field
MISSING = ["", "NA", "N/A", "NaN", "nan", "null", "NULL", "None", "?"]
DECIMAL_COMMA = r"^\s*[+-]?\d+(,\d+)?\s*$"
THOUSANDS = r"^\s*[+-]?\d{1,3}(,\d{3})?\s*$"  # 1,234 may be either: such a column stays text


class CsvTable(Source):
    name = "csv"

    def claims(self, path: Path) -> bool:
        return the_table(path, SUFFIXES) is not None

    def read(self, path: Path, spec: DataSpec) -> Read:
        file = the_table(path, SUFFIXES)
        assert file is not None
        content = text_of(file, spec.encoding or "utf-8")
        head = read_head(content, file, spec.delimiter)
        table = _parse(content, head, file, {})
        if table.num_rows == 0:
            raise SalusError("no_rows", where=file.name)
        if head.nameless:
            _check_empty(table.column(EXTRA), content, head, file)
            table = table.drop_columns([EXTRA])
        table = _as_written(table, content, head, file, spec)
        facts: dict[str, Any] = {"format": "csv", "delimiter": head.delimiter, "files": [file.name]}
        return Read.of(_decimal_commas(table, head, facts), facts)


def the_table(path: Path, suffixes: tuple[str, ...]) -> Path | None:
    """The file itself, or the only file with one of these suffixes in a folder."""
    if path.is_file():
        return path if path.suffix.lower() in suffixes else None
    if not path.is_dir():
        return None
    files = [p for p in path.iterdir() if p.is_file() and not p.name.startswith(".")]
    tables = [p for p in files if p.suffix.lower() in suffixes]
    return tables[0] if len(tables) == 1 else None


def _parse(content: bytes, head: Head, file: Path, types: dict[str, pa.DataType]) -> pa.Table:
    """The rows below the header; with `types` only the columns in it."""
    rows: list[pacsv.InvalidRow] = []

    def ragged(row: pacsv.InvalidRow) -> str:
        rows.append(row)
        return "error"

    names = [*head.names, EXTRA] if head.nameless else list(head.names)
    try:
        return pacsv.read_csv(
            io.BytesIO(content),
            read_options=pacsv.ReadOptions(
                column_names=names, skip_rows=head.lines, use_threads=False, block_size=2**24
            ),
            parse_options=pacsv.ParseOptions(
                delimiter=head.delimiter, newlines_in_values=b'"' in content, invalid_row_handler=ragged
            ),
            convert_options=pacsv.ConvertOptions(
                null_values=MISSING,
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
                column_types=types,
                include_columns=list(types),
            ),
        )
    except pa.ArrowInvalid as error:
        if rows:
            line = _line_of_ragged(content, head, len(names)) or rows[0].number
            where, expected = line_where(file, line), rows[0].expected_columns
            raise SalusError("ragged_row", where=where, expected=expected, found=rows[0].actual_columns) from None
        raise SalusError("csv_malformed", where=file.name, expected="utf-8", found=str(error)[:120]) from None


def _line_of_ragged(content: bytes, head: Head, fields: int) -> int | None:
    """The line as an editor counts it: empty lines and line ends within quotes count too."""
    return next((line for line, row in _lines(content, head) if row and len(row) != fields), None)


def _lines(content: bytes, head: Head) -> list[tuple[int, list[str]]]:
    """(the line it begins at, its fields) of every row below the header, as far as it can be read."""
    reader = csv.reader(io.StringIO(content.decode(), newline=""), delimiter=head.delimiter)
    found: list[tuple[int, list[str]]] = []
    begins = 1
    try:
        for row in reader:
            if begins > head.lines:
                found.append((begins, row))
            begins = reader.line_num + 1
    except csv.Error:
        pass
    return found


def _check_empty(extra: pa.ChunkedArray, content: bytes, head: Head, file: Path) -> None:
    """A nameless last field may hold nothing: what it held would be lost."""
    if extra.null_count == len(extra):
        return
    if head.nameless_in_header:
        raise SalusError("duplicate_column", where=file.name, found="")
    count = len(head.names)
    line = next((line for line, row in _lines(content, head) if len(row) > count and row[count].strip()), 2)
    raise SalusError("ragged_row", where=line_where(file, line), expected=count, found=count + 1)


def _as_written(table: pa.Table, content: bytes, head: Head, file: Path, spec: DataSpec) -> pa.Table:
    """Labels as the file has them: times without another spelling, codes such as 007 with their zeros."""
    types = {
        field.name: pa.string()
        for field in table.schema
        if pa.types.is_temporal(field.type)
        or (pa.types.is_integer(field.type) and spec.kinds.get(field.name) == "category")
    }
    if not types:
        return table
    texts = _parse(content, head, file, types)
    for name in types:
        table = table.set_column(table.column_names.index(name), name, texts.column(name))
    return table


def _decimal_commas(table: pa.Table, head: Head, facts: dict[str, Any]) -> pa.Table:
    """Numbers such as 36,6 in a table whose delimiter is no comma."""
    if head.delimiter == ",":
        return table
    for index, field in enumerate(table.schema):
        column = table.column(index)
        if not pa.types.is_string(field.type) or column.null_count == len(column):
            continue
        if not pc.all(pc.match_substring_regex(column, DECIMAL_COMMA)).as_py():
            continue
        if pc.all(pc.match_substring_regex(column, THOUSANDS)).as_py():
            continue
        numbers = pc.replace_substring(pc.utf8_trim_whitespace(column), ",", ".").cast(pa.float64())
        table = table.set_column(index, field.name, numbers)
        facts["decimal"] = ","
    return table
