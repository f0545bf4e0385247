"""How a text table begins: its encoding, its delimiter, the names in its header. Knows nothing of the values below."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from pathlib import Path

from salus.core.errors import SalusError

DELIMITERS = ",;\t|"
MAX_COLUMNS = 10_000
MAX_LINE_BYTES = 2**20
HEAD_BYTES = 4 * MAX_LINE_BYTES  # what is looked at to find the delimiter
HEAD_ROWS = 20

csv.field_size_limit(2 * MAX_LINE_BYTES)  # its own limit is below ours


@dataclass(frozen=True)
class Head:
    """`lines`: how many lines the header takes, empty ones above it too. `nameless`: rows have one last field more."""

    names: tuple[str, ...]
    delimiter: str
    lines: int
    nameless: bool
    nameless_in_header: bool


def text_of(file: Path, encoding: str) -> bytes:
    """The file as UTF-8 bytes without a byte order mark, or `csv_malformed` with the line."""
    content = file.read_bytes()
    if content.startswith((b"\xff\xfe", b"\xfe\xff")) and encoding == "utf-8":
        encoding = "utf-16"
    content = content.removeprefix(b"\xef\xbb\xbf")
    if b"\0" in content and encoding == "utf-8":
        line = content[: content.index(b"\0")].count(b"\n") + 1
        raise SalusError("csv_malformed", where=line_where(file, line), expected="utf-8", found="a NUL byte")
    try:
        text = content.decode(encoding)
    except LookupError:
        raise SalusError("csv_malformed", where=file.name, expected="a known encoding", found=encoding[:40]) from None
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise SalusError(
            "csv_malformed", where=line_where(file, line), expected=encoding, found="bytes of another encoding"
        ) from None
    if "\r" in text and "\n" not in text:
        text = text.replace("\r", "\n")
    elif encoding == "utf-8":
        return content
    return text.removeprefix("\ufeff").encode()


def line_where(file: Path, line: int) -> str:
    return f"{file.name}, line {line}"


def read_head(content: bytes, file: Path, named: str | None) -> Head:
    """The header, read with the delimiter that is named or that fits the first rows best."""
    body = content.lstrip(b"\r\n")
    if not body.split(b"\n", 1)[0].strip():
        raise SalusError("no_rows", where=file.name)
    if len(body.split(b"\n", 1)[0]) > MAX_LINE_BYTES:
        expected = f"lines up to {MAX_LINE_BYTES} bytes"
        raise SalusError("csv_malformed", where=line_where(file, 1), expected=expected, found="a longer one")
    if named is not None and (len(named) != 1 or not named.isascii() or named in '"\r\n\0'):
        raise SalusError("bad_spec", where="delimiter", expected="one character", found=repr(named)[:20])
    above = content[: len(content) - len(body)].count(b"\n")
    text = body[:HEAD_BYTES].decode(errors="ignore")
    marks = [named] if named else list(DELIMITERS)
    try:
        delimiter = max(marks, key=lambda mark: _fit(_rows(text, mark)[0]))
        rows, lines = _rows(text, delimiter)
    except csv.Error as error:
        raise SalusError(
            "csv_malformed", where=line_where(file, above + 1), expected="utf-8", found=str(error)[:120]
        ) from None
    header = rows[0]
    if len(header) > MAX_COLUMNS:
        raise SalusError("too_many_columns", where=file.name, expected=MAX_COLUMNS, found=len(header))
    in_header = len(header) > 1 and header[-1].strip() == ""
    below = len(rows) > 1 and len(rows[1]) == len(header) + 1 and rows[1][-1] == ""
    names = _names(header[:-1] if in_header else header, file)
    return Head(tuple(names), delimiter, above + lines, in_header or below, in_header)


def _rows(text: str, delimiter: str) -> tuple[list[list[str]], int]:
    """The header and the first rows that are not empty, and the lines that the header takes."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    rows = [next(reader)]
    lines = reader.line_num
    for row in reader:
        if row:
            rows.append(row)
        if len(rows) > HEAD_ROWS:
            break
    return rows, lines


def _fit(rows: list[list[str]]) -> tuple[bool, float, int]:
    """Whether it separates the header; the share of rows with as many fields; and how many they are."""
    fields = len(rows[0])
    agree = sum(len(row) == fields or (len(row) == fields + 1 and row[-1] == "") for row in rows[1:])
    return fields > 1, agree / max(1, len(rows) - 1), fields


def _names(header: list[str], file: Path) -> list[str]:
    names = [name.strip() for name in header]
    if names and names[0] == "" and len(names) > 1:
        names[0] = "index"  # what pandas writes for its row numbers
    seen: set[str] = set()
    for name in names:
        if name == "" or name in seen:
            raise SalusError("duplicate_column", where=file.name, found=name)
        seen.add(name)
    return names
