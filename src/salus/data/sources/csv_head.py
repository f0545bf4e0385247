"""How a text table begins: its delimiter, the names in its header, whether it has one. Knows nothing of the values below."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from salus.core.errors import SalusError
from salus.core.specs import DataSpec
from salus.data.sources.stream import MAX_LINE_BYTES, TextFile, line_where

DELIMITERS = ",;\t|"
SPACES = " "  # stands for a run of blanks and tabs
SPELLED = {"\\t": "\t", "tab": "\t", "space": SPACES, "spaces": SPACES}
MAX_COLUMNS = 10_000
HEAD_BYTES = 4 * MAX_LINE_BYTES  # what is looked at to find the delimiter
HEAD_ROWS = 20
NUMBER = re.compile(r"\s*[+-]?(\d+([.,]\d*)?|\.\d+)([eE][+-]?\d+)?\s*")

csv.field_size_limit(2 * MAX_LINE_BYTES)  # its own limit is below ours


@dataclass(frozen=True)
class Head:
    """`lines`: how many lines lie above the first row. `nameless`: rows have one last field more. `facts`: what was seen besides."""

    names: tuple[str, ...]
    delimiter: str
    lines: int
    nameless: bool
    nameless_in_header: bool
    facts: dict[str, Any] = field(default_factory=dict)
    kinds: dict[str, str] = field(default_factory=dict)


def read_head(file: Path, spec: DataSpec) -> Head:
    """The header, read with the delimiter that is named or that fits the first rows best."""
    content = TextFile(file, spec.encoding).head(HEAD_BYTES)
    body = content.lstrip(b"\r\n")
    if not body.split(b"\n", 1)[0].strip():
        raise SalusError("no_rows", where=file.name)
    above = content[: len(content) - len(body)].count(b"\n")
    text = body.decode(errors="ignore")
    if len(content) == HEAD_BYTES:
        text = text.rpartition("\n")[0] or text  # the last line may be cut
    try:
        delimiter = _named(spec.delimiter) if spec.delimiter is not None else _found(text)
        rows, lines = _rows(text, delimiter)
    except csv.Error as error:
        raise SalusError(
            "csv_malformed", where=line_where(file, above + 1), expected="utf-8", found=str(error)[:120]
        ) from None
    if len(rows[0]) > MAX_COLUMNS:
        raise SalusError("too_many_columns", where=file.name, expected=MAX_COLUMNS, found=len(rows[0]))
    if _counts(rows):
        return _below_counts(rows, delimiter, above + lines)
    if not spec.header:
        return _without_header(rows, delimiter, above)
    return _with_header(rows, delimiter, above + lines, file)


def _with_header(rows: list[list[str]], delimiter: str, lines: int, file: Path) -> Head:
    header = rows[0]
    in_header = len(header) > 1 and header[-1].strip() == ""
    below = len(rows) > 1 and len(rows[1]) == len(header) + 1 and rows[1][-1] == ""
    numbers = all(NUMBER.fullmatch(name) for name in (header[:-1] if in_header else header))
    names = _names(header[:-1] if in_header else header, file, numbers)
    facts = {"hint": "the first line holds numbers only: say --no-header if it is a row"} if numbers else {}
    return Head(tuple(names), delimiter, lines, in_header or below, in_header, facts)


def _without_header(rows: list[list[str]], delimiter: str, above: int) -> Head:
    nameless = len(rows[0]) > 1 and all(row[-1].strip() == "" for row in rows)
    names = tuple(f"c{index}" for index in range(len(rows[0]) - nameless))
    return Head(names, delimiter, above, nameless, False, {"header": False})


def _counts(rows: list[list[str]]) -> bool:
    """Whether the first line says how many rows and columns follow and the names of the classes, as scikit-learn's files do."""
    first, fields = rows[0], {len(row) for row in rows[1:]}
    if len(first) < 4 or len(fields) != 1 or not (first[0].isdigit() and first[1].isdigit()):
        return False
    codes = {row[-1].strip() for row in rows[1:]}
    classes = {str(code) for code in range(len(first) - 2)}
    return fields == {int(first[1]) + 1} and len(first) != int(first[1]) + 1 and codes <= classes


def _below_counts(rows: list[list[str]], delimiter: str, lines: int) -> Head:
    names = tuple(f"c{index}" for index in range(len(rows[1])))
    first = [part.strip() for part in rows[0]]
    facts = {"header": False, "counts_line": first, "target": names[-1]}
    facts["classes"] = {str(code): name for code, name in enumerate(first[2:])}
    return Head(names, delimiter, lines, False, False, facts, {names[-1]: "category"})


def _named(delimiter: str) -> str:
    mark = SPELLED.get(delimiter, delimiter)
    if len(mark) != 1 or not mark.isascii() or mark in '"\r\n\0':
        expected = "one character, 'tab', or 'space' for runs of blanks"
        raise SalusError("bad_spec", where="delimiter", expected=expected, found=repr(delimiter)[:20])
    return mark


def _found(text: str) -> str:
    """The delimiter that fits best; runs of blanks only where nothing else divides the lines and most of what they divide is numbers."""
    fits = {mark: _fit(_rows(text, mark)[0]) for mark in DELIMITERS}
    best = max(fits, key=lambda mark: fits[mark])
    rows = _rows(text, SPACES)[0]
    divided, agree, _ = _fit(rows)
    values = [value for row in rows[1:] or rows for value in row]
    numbers = sum(NUMBER.fullmatch(value) is not None for value in values)
    if not fits[best][0] and divided and agree == 1 and numbers * 2 > len(values):
        return SPACES
    return best


def _rows(text: str, delimiter: str) -> tuple[list[list[str]], int]:
    """The header and the first rows that are not empty, and the lines that the header takes."""
    if delimiter == SPACES:
        lines = (line.split() for line in text.split("\n", HEAD_ROWS + 1)[: HEAD_ROWS + 1])
        return [row for row in lines if row], 1
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    rows = [next(reader)]
    lines_of_header = reader.line_num
    for row in reader:
        if row:
            rows.append(row)
        if len(rows) > HEAD_ROWS:
            break
    return rows, lines_of_header


def _fit(rows: list[list[str]]) -> tuple[bool, float, int]:
    """Whether it separates the header; the share of rows with as many fields; and how many they are."""
    fields = len(rows[0])
    agree = sum(len(row) == fields or (len(row) == fields + 1 and row[-1] == "") for row in rows[1:])
    return fields > 1, agree / max(1, len(rows) - 1), fields


def _names(header: list[str], file: Path, numbers: bool) -> list[str]:
    names = [name.strip() for name in header]
    if names and names[0] == "" and len(names) > 1:
        names[0] = "index"  # what pandas writes for its row numbers
    seen: set[str] = set()
    for name in names:
        if name == "" or name in seen:
            raise SalusError("header_is_a_row" if numbers else "duplicate_column", where=file.name, found=name)
        seen.add(name)
    return names
