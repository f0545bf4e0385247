"""JSON lines: one object a line, also in gzip. Lists of numbers are recordings; lists of texts become one text each,
with Unicode's paragraph separator between."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from salus.core.errors import SalusError
from salus.core.specs import DataSpec
from salus.data.sources.base import Read, Source
from salus.data.sources.csv_table import the_table
from salus.data.sources.rows import Record, record_parts
from salus.data.sources.stream import TextFile, line_where

SUFFIXES = (".jsonl", ".ndjson", ".jsonlines")
MAX_LINE_BYTES = 2**25  # a long recording on one line


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("one name twice in an object")
    return found


DECODER = json.JSONDecoder(object_pairs_hook=_once)


class JsonLines(Source):
    name = "json-lines"

    def claims(self, path: Path) -> bool:
        return the_table(path, SUFFIXES) is not None

    def read(self, path: Path, spec: DataSpec) -> Read:
        file = the_table(path, SUFFIXES)
        assert file is not None
        parts, lists = record_parts(lambda: _records(file, spec.encoding), file.name, spec.missing)
        facts: dict[str, Any] = {"format": "json-lines", "files": [file.name]}
        return Read(parts, {**facts, "lists_as_paragraphs": lists} if lists else facts)


def _records(file: Path, encoding: str | None) -> Iterator[Record]:
    for number, line in TextFile(file, encoding, longest=MAX_LINE_BYTES).lines():
        if line.strip():
            yield len(line), line_where(file, number), _record(line, file, number)


def _record(line: str, file: Path, number: int) -> dict[str, Any]:
    try:
        found = DECODER.decode(line)
    except RecursionError:
        raise _malformed(file, number, "objects in objects without end") from None
    except ValueError as error:
        raise _malformed(file, number, str(error)[:120]) from None
    if not isinstance(found, dict):
        raise _malformed(file, number, f"a {type(found).__name__}")
    if "\\ud" in line.lower():
        _check_letters(found, file, number)
    return found


def _check_letters(record: dict[str, Any], file: Path, number: int) -> None:
    """Half of a pair of code units is no letter and cannot be kept."""
    try:
        json.dumps(record, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise _malformed(file, number, "half of a letter (a lone surrogate)") from None


def _malformed(file: Path, number: int, found: str) -> SalusError:
    return SalusError(
        "format_malformed", where=line_where(file, number), expected="one JSON object a line", found=found
    )
