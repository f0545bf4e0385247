"""ARFF files, dense and sparse: attributes with their types, then rows. Nominal attributes are categories, `?` is missing."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from salus.core.errors import SalusError
from salus.core.specs import DataSpec
from salus.data.sources.base import Read, Source
from salus.data.sources.csv_head import MAX_COLUMNS
from salus.data.sources.csv_table import the_table
from salus.data.sources.rows import in_parts
from salus.data.sources.stream import TextFile, line_where

SUFFIXES = (".arff",)
ATTRIBUTE = re.compile(
    r"""@attribute\s+(?:'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)"|([^\s{]+))\s*(\{.*\}|\s\S.*)""", re.I
)
QUOTED = r"""(?:'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)"|"""
VALUE = re.compile(rf"\s*{QUOTED}([^'\",][^,]*|))\s*(,|$)")
ENTRY = re.compile(rf"\s*(\d{{1,9}})\s+{QUOTED}([^'\",\s][^,]*))\s*(?:,|$)")
NUMBERS = ("numeric", "real", "integer")


@dataclass(frozen=True)
class _Attribute:
    name: str
    levels: frozenset[str] | None  # of a nominal one
    number: bool
    first_level: str | None  # what a sparse row leaves out


class Arff(Source):
    name = "arff"

    def claims(self, path: Path) -> bool:
        return the_table(path, SUFFIXES) is not None

    def read(self, path: Path, spec: DataSpec) -> Read:
        file = the_table(path, SUFFIXES)
        assert file is not None
        text = TextFile(file, spec.encoding)
        attributes = _attributes(text)
        schema = pa.schema([(one.name, pa.float64() if one.number else pa.string()) for one in attributes])
        missing = frozenset(("?", *spec.missing))

        def parts() -> Iterator[pa.Table]:
            return in_parts(_rows(text, attributes, missing), schema)

        if next(_rows(text, attributes, missing), None) is None:
            raise SalusError("no_rows", where=file.name)
        kinds = {one.name: "number" if one.number else "category" for one in attributes if one.number or one.levels}
        return Read(parts, {"format": "arff", "files": [file.name]}, kinds)


def _attributes(text: TextFile) -> list[_Attribute]:
    found: list[_Attribute] = []
    for number, line in text.lines():
        line = line.strip()
        if line.lower().startswith("@data"):
            if not found:
                break
            return found
        if not line.lower().startswith("@attribute"):
            continue
        attribute = _attribute(line, text, number)
        if not attribute.name.strip() or any(one.name == attribute.name for one in found):
            raise SalusError("duplicate_column", where=line_where(text.path, number), found=attribute.name)
        found.append(attribute)
        if len(found) > MAX_COLUMNS:
            raise SalusError("too_many_columns", where=text.path.name, expected=MAX_COLUMNS, found="more")
    raise SalusError(
        "format_malformed", where=text.path.name, expected="@attribute lines and @data", found="none of them"
    )


def _attribute(line: str, text: TextFile, number: int) -> _Attribute:
    match = ATTRIBUTE.fullmatch(line)
    if match is None:
        raise _malformed(text, number, "an attribute with a name and a type", line)
    name = _plain(match[1] or match[2] or match[3] or "")
    kind = match[4].strip()
    if kind.startswith("{"):
        levels = _fields(kind[1:-1], text, number)
        first = levels[0][0] if levels else None
        return _Attribute(name, frozenset(level for level, _ in levels), False, first)
    word = kind.split()[0].lower()
    if word not in (*NUMBERS, "string", "date"):
        raise _malformed(text, number, "numeric, nominal, string or date", kind)
    return _Attribute(name, None, word in NUMBERS, None)


def _rows(text: TextFile, attributes: list[_Attribute], missing: frozenset[str]) -> Iterator[tuple[int, list[Any]]]:
    below = False
    for number, line in text.lines():
        line = line.strip()
        if not below:
            below = line.lower().startswith("@data")
        elif line and not line.startswith("%"):
            sparse = line.startswith("{")
            fields = _spread(line, attributes, text, number) if sparse else _fields(line, text, number)
            if len(fields) != len(attributes):
                where = line_where(text.path, number)
                raise SalusError("ragged_row", where=where, expected=len(attributes), found=len(fields))
            yield (
                len(line),
                [
                    None if not quoted and value in missing else _value(value, attribute, text, number)
                    for (value, quoted), attribute in zip(fields, attributes, strict=True)
                ],
            )


def _value(value: str, attribute: _Attribute, text: TextFile, number: int) -> Any:
    if attribute.number:
        try:
            found = float(value)
        except ValueError:
            raise _malformed(text, number, f"a number for '{attribute.name}'", value) from None
        return None if math.isnan(found) else found
    if attribute.levels is not None and value not in attribute.levels:
        raise _malformed(text, number, f"a level of '{attribute.name}'", value)
    return value


def _spread(line: str, attributes: list[_Attribute], text: TextFile, number: int) -> list[tuple[str, bool]]:
    """A sparse row in full: what is left out is 0, or the first level."""
    fields = [("0" if one.number else one.first_level or "", True) for one in attributes]
    if not line.endswith("}"):
        raise _malformed(text, number, "a closing }", line)
    line, place = line[1:-1].strip(), 0
    while place < len(line):
        match = ENTRY.match(line, place)
        if match is None or int(match[1]) >= len(fields):
            raise _malformed(text, number, "the number of an attribute and a value", line[place:])
        fields[int(match[1])] = _field(match[2], match[3], match[4])
        place = match.end()
    return fields


def _fields(line: str, text: TextFile, number: int) -> list[tuple[str, bool]]:
    """(value, whether it stands in quotes) between commas."""
    if "'" not in line and '"' not in line:
        return [(value.strip(), False) for value in line.split(",")]
    found, place = [], 0
    while True:
        match = VALUE.match(line, place)
        if match is None:
            raise _malformed(text, number, "a closing quote and a comma", line[place:])
        found.append(_field(match[1], match[2], match[3]))
        place = match.end()
        if not match[4]:
            return found


def _field(single: str | None, double: str | None, bare: str) -> tuple[str, bool]:
    quoted = single if single is not None else double
    return (_plain(quoted), True) if quoted is not None else (bare.strip(), False)


def _plain(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text)


def _malformed(text: TextFile, number: int, expected: str, found: str) -> SalusError:
    return SalusError("format_malformed", where=line_where(text.path, number), expected=expected, found=found[:80])
