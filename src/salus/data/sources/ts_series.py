"""sktime's and aeon's .ts files: recordings with one or many channels and a class or a number each.

Channels become list columns dim_0, dim_1, ...; the class becomes `label`, the number `target`. `?` is not-a-number.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from salus.core.errors import SalusError
from salus.core.specs import DataSpec
from salus.data.sources.base import Read, Source
from salus.data.sources.csv_head import MAX_COLUMNS
from salus.data.sources.csv_table import the_table
from salus.data.sources.rows import in_parts
from salus.data.sources.stream import TextFile, line_where

SUFFIXES = (".ts",)
MAX_LINE_BYTES = 2**26


@dataclass(frozen=True)
class _Head:
    lines: int  # up to @data
    labels: frozenset[str] | None  # None: no class
    number: bool  # a number to predict


class TsSeries(Source):
    name = "ts"

    def claims(self, path: Path) -> bool:
        return the_table(path, SUFFIXES) is not None

    def read(self, path: Path, spec: DataSpec) -> Read:
        file = the_table(path, SUFFIXES)
        assert file is not None
        text = TextFile(file, spec.encoding, longest=MAX_LINE_BYTES)
        head = _head(text)
        first = next(_rows(text, head, None), None)
        if first is None:
            raise SalusError("no_rows", where=file.name)
        told = head.labels is not None or head.number
        channels = len(first[1]) - told
        if not 1 <= channels <= MAX_COLUMNS:
            raise SalusError("too_many_columns", where=file.name, expected=MAX_COLUMNS, found=channels)
        fields: dict[str, Any] = {f"dim_{index}": pa.list_(pa.float32()) for index in range(channels)}
        kinds = dict.fromkeys(fields, "series")
        if told:
            last = "target" if head.number else "label"
            fields[last] = pa.float64() if head.number else pa.string()
            kinds[last] = "number" if head.number else "category"

        def parts() -> Iterator[pa.Table]:
            return in_parts(_rows(text, head, len(fields)), pa.schema(fields))

        facts: dict[str, Any] = {"format": "ts", "files": [file.name], "channels": channels}
        return Read(parts, {**facts, "target": last} if told else facts, kinds)


def _head(text: TextFile) -> _Head:
    labels: frozenset[str] | None = None
    number = False
    for line_number, line in text.lines():
        words = line.strip().split()
        if not words or not words[0].startswith("@"):
            continue
        word, rest = words[0].lower(), words[1:]
        if word == "@timestamps" and rest[:1] == ["true"]:
            raise _malformed(text, line_number, "recordings without time stamps", "@timeStamps true")
        if word == "@classlabel" and rest[:1] == ["true"]:
            labels = frozenset(rest[1:])
        if word == "@targetlabel" and rest[:1] == ["true"]:
            number = True
        if word == "@data":
            return _Head(line_number, labels, number)
    raise SalusError("format_malformed", where=text.path.name, expected="a line @data", found="none")


def _rows(text: TextFile, head: _Head, count: int | None) -> Iterator[tuple[int, list[Any]]]:
    for number, line in text.lines():
        line = line.strip()
        if number <= head.lines or not line or line.startswith("#"):
            continue
        parts = line.split(":")
        if count is not None and len(parts) != count:
            raise SalusError("ragged_row", where=line_where(text.path, number), expected=count, found=len(parts))
        last: list[Any] = []
        if head.labels is not None or head.number:
            last = [_last(parts.pop().strip(), head, text, number)]
        yield len(line), [_channel(part, text, number) for part in parts] + last


def _channel(part: str, text: TextFile, number: int) -> np.ndarray:
    """float32 (T,)."""
    values = part.replace("?", "nan").split(",")
    try:
        with np.errstate(over="ignore"):  # what is too large becomes infinite
            return np.asarray(values if part.strip() else [], dtype=np.float64).astype(np.float32)
    except ValueError as error:
        raise _malformed(text, number, "numbers between commas", str(error)) from None


def _last(value: str, head: _Head, text: TextFile, number: int) -> Any:
    if head.labels is not None:
        if head.labels and value not in head.labels:
            raise _malformed(text, number, f"one of the labels {', '.join(sorted(head.labels))[:120]}", value)
        return value
    try:
        return float(value)
    except ValueError:
        raise _malformed(text, number, "a number to predict", value) from None


def _malformed(text: TextFile, number: int, expected: str, found: str) -> SalusError:
    return SalusError("format_malformed", where=line_where(text.path, number), expected=expected, found=found[:80])
