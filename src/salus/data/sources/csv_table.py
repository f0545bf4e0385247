"""Text tables: fields between one delimiter or runs of blanks, names in the first line or nowhere, also in gzip.

Every row has the fields of the header; a last field that has no name and is empty in every row is left out. The head is
read by `salus.data.sources.csv_head`; a table too large for memory is read in parts by `salus.data.sources.csv_parts`.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from salus.core.errors import SalusError
from salus.core.specs import DataSpec
from salus.data.kinds.category import MISSING_WORDS
from salus.data.sources.base import Read, Source
from salus.data.sources.csv_head import SPACES, Head, read_head
from salus.data.sources.stream import TextFile, line_where, suffix_of

SUFFIXES = (".csv", ".tsv", ".txt", ".data", ".dat")
IN_MEMORY_BYTES = 2**26  # of text; more is read in parts
ABOUT = {"readme", "read_me", "license", "licence", "copying", "notice", "about", "changelog", "citation"}
EXTRA = "\0extra"  # a nameless last field
MISSING = list(MISSING_WORDS)
TRUE, FALSE = ["true", "True", "TRUE"], ["false", "False", "FALSE"]  # 0 and 1 are numbers
DECIMAL_COMMA = r"^\s*[+-]?\d+(,\d+)?\s*$"
THOUSANDS = r"^\s*[+-]?\d{1,3}(,\d{3})?\s*$"  # 1,234 may be either: such a column stays text
LOOSE_QUOTE = re.compile(rb'(?:^|\t)"(?:[^"\n]|"")*(?:\n|"[^"\t\r\n])', re.MULTILINE)  # opens a field, closes none


@dataclass(frozen=True)
class Layout:
    """All that is needed to read the rows: the text, what its head says, and what means missing."""

    text: TextFile
    head: Head
    missing: tuple[str, ...]
    quoted: bool  # whether quotes have their meaning; in prose between tabs they may be only marks

    @property
    def mark(self) -> str:
        return "\t" if self.head.delimiter == SPACES else self.head.delimiter

    @property
    def names(self) -> list[str]:
        return [*self.head.names, EXTRA] if self.head.nameless else list(self.head.names)

    def records(self) -> Iterator[tuple[int, list[str]]]:
        """(the line it begins at, its fields) of every row below the header, as an editor counts lines: empty lines and line
        ends within quotes count too. Ends at what cannot be read."""
        lines = (line + "\n" for _, line in self.text.lines())
        quoting: Literal[0, 3] = csv.QUOTE_MINIMAL if self.quoted else csv.QUOTE_NONE
        reader = csv.reader(lines, delimiter=self.mark, quoting=quoting, strict=True)
        begins = 1
        try:
            for row in reader:
                if begins > self.head.lines:
                    yield begins, row
                begins = reader.line_num + 1
        except csv.Error as error:
            if "unexpected end" in str(error) or "field larger" in str(error):
                where = line_where(self.text.path, begins)
                raise SalusError("quote_unclosed", where=where, found="the end") from None

    def facts(self) -> dict[str, Any]:
        delimiter = "white space" if self.head.delimiter == SPACES else self.head.delimiter
        found = {"format": "csv", "delimiter": delimiter, "files": [self.text.path.name], **self.head.facts}
        return found if self.quoted else {**found, "quotes": "marks of the text"}


class CsvTable(Source):
    name = "csv"

    def claims(self, path: Path) -> bool:
        return the_table(path, SUFFIXES) is not None

    def read(self, path: Path, spec: DataSpec) -> Read:
        file = the_table(path, SUFFIXES)
        assert file is not None
        return read_text_table(file, spec)


def read_text_table(file: Path, spec: DataSpec) -> Read:
    return read_below(read_head(file, spec), file, spec)


def read_below(head: Head, file: Path, spec: DataSpec) -> Read:
    """The rows below a head that is known."""
    text = TextFile(file, spec.encoding, spaces=head.delimiter == SPACES)
    content = text.head(IN_MEMORY_BYTES)
    layout = Layout(text, head, spec.missing, not (head.delimiter == "\t" and LOOSE_QUOTE.search(content)))
    if len(content) == IN_MEMORY_BYTES:
        del content  # the pass below needs the room
        from salus.data.sources.csv_parts import read_in_parts

        return read_in_parts(layout, spec)
    table = parse(content, layout, {})
    if layout.quoted and content.count(b'"') % 2:
        for _ in layout.records():  # finds a quote that is never closed
            pass
    if table.num_rows == 0:
        raise SalusError("no_rows", where=file.name)
    if head.nameless:
        check_empty(table.column(EXTRA), layout)
        table = table.drop_columns([EXTRA])
    table = _as_written(table, content, layout, spec)
    facts = layout.facts()
    return Read.of(_decimal_commas(table, layout, facts), facts, head.kinds)


def the_table(path: Path, suffixes: tuple[str, ...]) -> Path | None:
    """The file itself, or the only file with one of these suffixes in a folder."""
    if path.is_file():
        return path if suffix_of(path) in suffixes else None
    if not path.is_dir():
        return None
    tables = [p for p in path.iterdir() if p.is_file() and suffix_of(p) in suffixes and not is_about(p)]
    return tables[0] if len(tables) == 1 else None


def is_about(file: Path) -> bool:
    """Whether a file lies beside the data to be read by people."""
    return file.name.startswith(".") or file.name.split(".")[0].lower().strip("_- ") in ABOUT


def options(layout: Layout, ragged: pacsv.InvalidRowHandler, types: dict[str, pa.DataType], all_columns: bool) -> Any:
    """What pyarrow's readers are told, as keyword arguments."""
    return {
        "read_options": pacsv.ReadOptions(
            column_names=layout.names, skip_rows=layout.head.lines, use_threads=False, block_size=2**24
        ),
        "parse_options": pacsv.ParseOptions(
            delimiter=layout.mark,
            quote_char='"' if layout.quoted else False,
            newlines_in_values=layout.quoted,
            invalid_row_handler=ragged,
        ),
        "convert_options": pacsv.ConvertOptions(
            null_values=[*MISSING, *layout.missing],
            true_values=TRUE,
            false_values=FALSE,
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
            column_types=types,
            include_columns=[] if all_columns else list(types),
        ),
    }


def parse(content: bytes, layout: Layout, types: dict[str, pa.DataType]) -> pa.Table:
    """The rows below the header; with `types` only the columns in it."""
    stream: BinaryIO = io.BytesIO(content)
    with NamedErrors(layout) as ragged:
        return pacsv.read_csv(stream, **options(layout, ragged, types, all_columns=not types))


class NamedErrors:
    """Gives the handler for ragged rows; turns pyarrow's errors into ours, with the line."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.rows: list[pacsv.InvalidRow] = []

    def __enter__(self) -> pacsv.InvalidRowHandler:
        return self._ragged

    def _ragged(self, row: pacsv.InvalidRow) -> str:
        self.rows.append(row)
        return "error"

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if not isinstance(error, pa.ArrowInvalid):
            return
        file = self.layout.text.path
        fields = len(self.layout.names)
        line = next((line for line, row in self.layout.records() if row and len(row) != fields), None)
        if self.rows:
            row = self.rows[0]
            where = line_where(file, line or row.number or 0)
            raise SalusError(
                "ragged_row", where=where, expected=row.expected_columns, found=row.actual_columns
            ) from None
        raise SalusError("csv_malformed", where=file.name, expected="utf-8", found=str(error)[:120]) from None


def check_empty(extra: pa.ChunkedArray, layout: Layout) -> None:
    """A nameless last field may hold nothing: what it held would be lost."""
    if extra.null_count == len(extra):
        return
    file, count = layout.text.path, len(layout.head.names)
    if layout.head.nameless_in_header:
        raise SalusError("duplicate_column", where=file.name, found="")
    line = next((line for line, row in layout.records() if len(row) > count and row[count].strip()), 2)
    raise SalusError("ragged_row", where=line_where(file, line), expected=count, found=count + 1)


def _as_written(table: pa.Table, content: bytes, layout: Layout, spec: DataSpec) -> pa.Table:
    """Labels as the file has them: times without another spelling, codes such as 007 with their zeros."""
    kinds = {**layout.head.kinds, **spec.kinds}
    types = {
        field.name: pa.string()
        for field in table.schema
        if pa.types.is_temporal(field.type) or (pa.types.is_integer(field.type) and kinds.get(field.name) == "category")
    }
    if not types:
        return table
    texts = parse(content, layout, types)
    for name in types:
        table = table.set_column(table.column_names.index(name), name, texts.column(name))
    return table


def _decimal_commas(table: pa.Table, layout: Layout, facts: dict[str, Any]) -> pa.Table:
    """Numbers such as 36,6 in a table whose delimiter is no comma."""
    if layout.mark == ",":
        return table
    for index, field in enumerate(table.schema):
        column = table.column(index)
        if not pa.types.is_string(field.type) or column.null_count == len(column):
            continue
        if not pc.all(pc.match_substring_regex(column, DECIMAL_COMMA)).as_py():
            continue
        if pc.all(pc.match_substring_regex(column, THOUSANDS)).as_py():
            continue
        table = table.set_column(index, field.name, comma_numbers(column))
        facts["decimal"] = ","
    return table


def comma_numbers(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.replace_substring(pc.utf8_trim_whitespace(column), ",", ".").cast(pa.float64())
