"""One long text, such as a book: cut into parts that follow each other, each with the characters before it.

The last tenth is the test, the twentieth before it chooses: nothing that comes later is learned from. A table that lies in a `.txt`
file is none of these; it is told apart by the first lines, whose fields are as many on each.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from salus.core.errors import SalusError
from salus.core.specs import DataSpec
from salus.data.sources.base import Read, Source
from salus.data.sources.csv_table import is_about
from salus.data.sources.stream import TextFile, suffix_of, unpacked

SUFFIXES = (".txt", ".text")
PART_CHARACTERS, BEFORE_CHARACTERS = 1024, 256
FEWEST_PARTS = 60  # a short text is cut into shorter parts
MOST_BYTES = 2**30
LEARNED, CHOSEN = 0.85, 0.9  # of the characters are learned from, then chosen by; the rest judges
HEAD_BYTES, HEAD_LINES = 2**16, 200
SAME_FIELDS = 0.8  # of the lines have as many fields: a table
WORDS = 0.5  # of what stands between blanks is no number: a text
_NUMBER = re.compile(r"[+-]?[\d.,:eE+-]+")


class PlainText(Source):
    name = "plain-text"

    def claims(self, path: Path) -> bool:
        file = _the_text(path)
        return file is not None and is_prose(_head(file))

    def read(self, path: Path, spec: DataSpec) -> Read:
        file = _the_text(path)
        assert file is not None, "claimed"
        text = "\n".join(line for _, line in TextFile(file, spec.encoding).lines())
        if not text.strip():
            raise SalusError("no_rows", where=file.name)

        def parts() -> Iterator[pa.Table]:
            yield _table(text)

        facts = {"format": "plain-text", "files": [file.name], "characters": len(text)}
        return Read(parts, facts, {"text": "text", "before": "text"}, {"before": "ignore"})


def is_prose(head: str) -> bool:
    """Whether the first lines are a text for reading, and no table."""
    lines = [line for line in head.split("\n")[:HEAD_LINES] if line.strip()]
    if not lines:
        return False
    for delimiter in "\t;|,":
        count, times = Counter(line.count(delimiter) for line in lines).most_common(1)[0]
        if count > 0 and times >= SAME_FIELDS * len(lines):
            return False
    fields = " ".join(lines).split()
    words = sum(_NUMBER.fullmatch(field) is None for field in fields)
    return words >= WORDS * len(fields) and max(map(len, lines)) > 1


def _table(text: str) -> pa.Table:
    size = max(32, min(PART_CHARACTERS, len(text) // FEWEST_PARTS))
    ends = [round(LEARNED * len(text)), round(CHOSEN * len(text)), len(text)]
    rows: dict[str, list[str]] = {"text": [], "before": [], "split": []}
    start = 0
    for end, side in zip(ends, ("train", "validation", "test"), strict=True):
        for at in range(start, end, size):
            rows["text"].append(text[at : min(end, at + size)])
            rows["before"].append(text[max(0, at - BEFORE_CHARACTERS) : at])
            rows["split"].append(side)
        start = end
    return pa.table({name: pa.array(values, pa.string()) for name, values in rows.items()})


def _the_text(path: Path) -> Path | None:
    """The file itself, or the only file of a folder that is not about the others."""
    files = [path] if path.is_file() else []
    if path.is_dir():
        files = [
            file for file in path.iterdir() if file.is_file() and not file.name.startswith(".") and not is_about(file)
        ]
    fits = len(files) == 1 and suffix_of(files[0]) in SUFFIXES and files[0].stat().st_size <= MOST_BYTES
    return files[0] if fits else None


def _head(file: Path) -> str:
    try:
        return next(unpacked(file), b"")[:HEAD_BYTES].decode("utf-8", "ignore")
    except SalusError:
        return ""
