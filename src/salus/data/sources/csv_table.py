"""Text tables: fields between one delimiter, names in the first line, UTF-8.

The delimiter is found when it is not named. Every row has the fields of the header; a last field that is empty in every row is left out.
"""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pacsv

from salus.core.errors import SalusError
from salus.core.specs import DataSpec
from salus.data.sources.base import Read, Source

SUFFIXES = (".csv", ".tsv", ".txt")
DELIMITERS = ",;\t|"
MAX_COLUMNS = 10_000
MAX_LINE_BYTES = 2**20
EXTRA = "\0extra"  # a nameless last field
MISSING = ["", "NA", "N/A", "NaN", "nan", "null", "NULL", "None", "?"]

csv.field_size_limit(2 * MAX_LINE_BYTES)  # its own limit is below ours


class CsvTable(Source):
    name = "csv"

    def claims(self, path: Path) -> bool:
        table = the_table(path, SUFFIXES)
        return table is not None

    def read(self, path: Path, spec: DataSpec) -> Read:
        file = the_table(path, SUFFIXES)
        assert file is not None
        content = text_of(file, spec.encoding or "utf-8")
        header, delimiter = _header(content, file, spec.delimiter)
        extra = _extra_field(content, header, delimiter)
        if len(header) > 1 and header[-1].strip() == "":
            header, extra = header[:-1], [EXTRA]
        names = _names(header, file)
        table = _parse(content, [*names, *extra], delimiter, file)
        table = table.drop_columns(extra) if extra else table
        if table.num_rows == 0:
            raise SalusError("no_rows", where=file.name)
        return Read(table, {"format": "csv", "delimiter": delimiter, "files": [file.name]})


def the_table(path: Path, suffixes: tuple[str, ...]) -> Path | None:
    """The file itself, or the only file with one of these suffixes in a folder without other folders."""
    if path.is_file():
        return path if path.suffix.lower() in suffixes else None
    if not path.is_dir():
        return None
    files = [p for p in path.iterdir() if p.is_file() and not p.name.startswith(".")]
    tables = [p for p in files if p.suffix.lower() in suffixes]
    return tables[0] if len(tables) == 1 else None


def text_of(file: Path, encoding: str) -> bytes:
    """The file as UTF-8 bytes without a byte order mark, or `csv_malformed` with the line."""
    content = file.read_bytes()
    if content.startswith((b"\xff\xfe", b"\xfe\xff")) and encoding == "utf-8":
        encoding = "utf-16"
    content = content.removeprefix(b"\xef\xbb\xbf")
    if b"\0" in content and encoding == "utf-8":
        line = content[: content.index(b"\0")].count(b"\n") + 1
        raise SalusError("csv_malformed", where=f"{file.name}, line {line}", expected="utf-8", found="a NUL byte")
    try:
        text = content.decode(encoding)
    except LookupError:
        raise SalusError("csv_malformed", where=file.name, expected="a known encoding", found=encoding[:40]) from None
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise SalusError(
            "csv_malformed", where=f"{file.name}, line {line}", expected=encoding, found="bytes of another encoding"
        ) from None
    if "\r" in text and "\n" not in text:
        text = text.replace("\r", "\n")
    elif encoding == "utf-8":
        return content
    return text.removeprefix("\ufeff").encode()


def _header(content: bytes, file: Path, named: str | None) -> tuple[list[str], str]:
    first = content.lstrip(b"\r\n").split(b"\n", 1)[0]
    if not first.strip():
        raise SalusError("no_rows", where=file.name)
    if len(first) > MAX_LINE_BYTES:
        raise SalusError(
            "csv_malformed",
            where=f"{file.name}, line 1",
            expected=f"lines up to {MAX_LINE_BYTES} bytes",
            found="a longer one",
        )
    line = first.decode()
    delimiter = named or max(DELIMITERS, key=lambda mark: _fields(line, mark))
    fields = next(csv.reader(io.StringIO(line.rstrip("\r")), delimiter=delimiter))
    if len(fields) > MAX_COLUMNS:
        raise SalusError("too_many_columns", where=file.name, expected=MAX_COLUMNS, found=len(fields))
    return fields, delimiter


def _fields(line: str, delimiter: str) -> int:
    return len(next(csv.reader(io.StringIO(line), delimiter=delimiter)))


def _extra_field(content: bytes, header: list[str], delimiter: str) -> list[str]:
    """A nameless last field that every line ends with, though the header does not."""
    second = content.lstrip(b"\r\n").split(b"\n", 2)
    if len(second) < 2:
        return []
    fields = next(csv.reader(io.StringIO(second[1].decode(errors="replace").rstrip("\r")), delimiter=delimiter), [])
    return [EXTRA] if len(fields) == len(header) + 1 and fields[-1] == "" else []


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


def _parse(content: bytes, names: list[str], delimiter: str, file: Path) -> pa.Table:
    faults: list[SalusError] = []

    def ragged(row: pacsv.InvalidRow) -> str:
        faults.append(
            SalusError(
                "ragged_row",
                where=f"{file.name}, line {row.number}",
                expected=row.expected_columns,
                found=row.actual_columns,
            )
        )
        return "error"

    try:
        return pacsv.read_csv(
            io.BytesIO(content),
            read_options=pacsv.ReadOptions(column_names=names, skip_rows=1, use_threads=False, block_size=2**24),
            parse_options=pacsv.ParseOptions(
                delimiter=delimiter, newlines_in_values=b'"' in content, invalid_row_handler=ragged
            ),
            convert_options=pacsv.ConvertOptions(
                null_values=MISSING, strings_can_be_null=True, quoted_strings_can_be_null=False
            ),
        )
    except pa.ArrowInvalid as error:
        if faults:
            raise faults[0] from None
        raise SalusError("csv_malformed", where=file.name, expected="utf-8", found=str(error)[:120]) from None
