"""Orange's .tab files: names, types and flags in three lines, then rows between tabs. Other .tab files are text tables.

Types: continuous is a number, discrete (or a list of values) a category, string and time are recognised from the values. The
column flagged `class` is told as the target.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from salus.core.specs import DataSpec
from salus.data.sources.base import Read, Source
from salus.data.sources.csv_head import HEAD_BYTES, Head
from salus.data.sources.csv_table import read_below, read_text_table, the_table
from salus.data.sources.stream import TextFile

SUFFIXES = (".tab",)
MISSING = ("?", "~", "*", ".")
TYPES = {"c": "number", "continuous": "number", "d": "category", "discrete": "category"}
OTHERS = {"s", "string", "text", "t", "time"}
FLAGS = {"class", "c", "meta", "m", "ignore", "i", "weight", "w", ""}


class OrangeTab(Source):
    name = "orange-tab"

    def claims(self, path: Path) -> bool:
        return the_table(path, SUFFIXES) is not None

    def read(self, path: Path, spec: DataSpec) -> Read:
        file = the_table(path, SUFFIXES)
        assert file is not None
        head = _head(TextFile(file, spec.encoding).head(HEAD_BYTES))
        if head is None:
            return read_text_table(file, spec)
        known = spec.model_copy(update={"missing": (*MISSING, *spec.missing)})
        read = read_below(head, file, known)
        return Read(read.parts, {**read.facts, "format": "orange-tab"}, read.kinds)


def _head(content: bytes) -> Head | None:
    """What the three lines say; nothing when they are not Orange's."""
    lines = [line.rstrip("\r").split("\t") for line in content.decode(errors="ignore").split("\n", 3)[:3]]
    if len(lines) < 3 or len({len(line) for line in lines[:2]}) != 1 or len(lines[2]) > len(lines[0]):
        return None
    names, types = [name.strip() for name in lines[0]], [kind.strip() for kind in lines[1]]
    flags = [flag.strip() for flag in lines[2]] + [""] * (len(names) - len(lines[2]))
    if not all(set(re.split(r"\s+", flag)) <= FLAGS or "=" in flag for flag in flags) or len(set(names)) < len(names):
        return None
    if "" in names or not any(kind in TYPES or kind in OTHERS for kind in types) or "" in types:
        return None
    kinds = {name: TYPES.get(kind, "category") for name, kind in zip(names, types, strict=True) if kind not in OTHERS}
    return Head(tuple(names), "\t", 3, False, False, _facts(names, flags), kinds)


def _facts(names: list[str], flags: list[str]) -> dict[str, Any]:
    facts: dict[str, Any] = {}
    for word, short, fact in (("class", "c", "target"), ("meta", "m", "meta"), ("ignore", "i", "ignored")):
        found = [name for name, flag in zip(names, flags, strict=True) if {word, short} & set(flag.split())]
        if found:
            facts[fact] = found[0] if word == "class" and len(found) == 1 else found
    return facts
