"""The same sentences in several languages, line by line: `train.en` beside `train.de`. A language is a column.

Of several files of one language the name before the language says the side, which becomes the column `split`; where several are test
files, the first of them is the test and the rows of the others have their file's name there, which is no side. Line i of one file
belongs to line i of the other; files of unequal length are refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path

import pyarrow as pa

from salus.core.errors import SalusError
from salus.core.specs import DataSpec
from salus.data.sources.base import Read, Source
from salus.data.sources.stream import TextFile, suffix_of
from salus.data.split import side_of

LANGUAGE = re.compile(r"\.[a-z]{2,3}")
NO_LANGUAGES = frozenset(
    {
        ".csv",
        ".tsv",
        ".txt",
        ".tab",
        ".arff",
        ".ts",
        ".md",
        ".py",
        ".gz",
        ".zip",
        ".tar",
        ".wav",
        ".mp3",
        ".png",
        ".jpg",
    }
)
ROWS_AT_ONCE = 50_000


class ParallelTexts(Source):
    name = "parallel-texts"

    def claims(self, path: Path) -> bool:
        return bool(_files(path))

    def read(self, path: Path, spec: DataSpec) -> Read:
        files = _files(path)
        languages = sorted(suffix[1:] for suffix in next(iter(files.values())))
        sides = _sides(list(files))

        def parts() -> Iterator[pa.Table]:
            for stem, of_language in files.items():
                of_stem = [TextFile(of_language[f".{language}"], spec.encoding) for language in languages]
                yield from _rows(of_stem, languages, {"split": sides[stem]} if sides else {})

        facts = {
            "format": "parallel-texts",
            "files": [file.name for group in files.values() for file in group.values()],
        }
        return Read(parts, facts, dict.fromkeys(languages, "text"), {"split": "split"} if sides else {})


def _rows(files: list[TextFile], languages: list[str], constants: dict[str, str]) -> Iterator[pa.Table]:
    columns: list[list[str]] = [[] for _ in languages]
    for lines in zip_longest(*(file.lines() for file in files)):
        if None in lines:
            short = next(file for file, line in zip(files, lines, strict=True) if line is None)
            raise SalusError("texts_not_parallel", where=short.path.name, found=len(columns[0]))
        for column, (_, line) in zip(columns, lines, strict=True):
            column.append(line)
        if len(columns[0]) >= ROWS_AT_ONCE:
            yield _table(columns, languages, constants)
            columns = [[] for _ in languages]
    yield _table(columns, languages, constants)


def _table(columns: list[list[str]], languages: list[str], constants: dict[str, str]) -> pa.Table:
    texts = {
        name: pa.array([line or None for line in column], pa.string())
        for name, column in zip(languages, columns, strict=True)
    }
    same = {name: pa.array([value] * len(columns[0]), pa.string()) for name, value in constants.items()}
    return pa.table(texts | same)


def _sides(stems: list[str]) -> dict[str, str]:
    """The side of each file: of its name, or of how its name begins; only the first test file is the test. Nothing without a side."""
    sides: dict[str, str] = {}
    for stem in stems:
        side = side_of(stem) or side_of(re.split(r"[-_. ]", stem)[0])
        taken = side is not None and side.value == "test" and "test" in sides.values()
        sides[stem] = stem if side is None or taken else side.value
    return sides if any(side_of(stem) or side_of(re.split(r"[-_. ]", stem)[0]) for stem in stems) else {}


def _files(path: Path) -> dict[str, dict[str, Path]]:
    """Name -> language -> file; empty unless every name has the same two or more languages."""
    if not path.is_dir():
        return {}
    found: dict[str, dict[str, Path]] = {}
    for file in sorted(path.iterdir()):
        suffix = suffix_of(file)
        if (
            file.is_file()
            and not file.name.startswith(".")
            and LANGUAGE.fullmatch(suffix)
            and suffix not in NO_LANGUAGES
        ):
            found.setdefault(file.name.partition(".")[0], {})[suffix] = file
    languages = {tuple(sorted(group)) for group in found.values()}
    return found if len(languages) == 1 and len(next(iter(languages))) >= 2 else {}
