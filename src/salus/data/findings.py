"""What the owner of the data should know, before and at training. Every finding is a row of the message catalogue."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from salus.core.errors import SalusError
from salus.core.nouns import Column, Finding, Role, Schema, Severity
from salus.data.kinds.image import load_picture, shape_of
from salus.data.names import about_people
from salus.data.split import Splits
from salus.data.version import DataVersion

SHOWN_ROWS = 20
RARE_ROWS = 10
MAX_CLASSES = 1000
PICTURES_A_TICK = 200
LEAK_SHARE = 0.9  # a leak may have gaps, but not many


def find(
    table: pa.Table, schema: Schema, tick: Callable[[], None] = lambda: None
) -> tuple[list[Finding], dict[str, list[int]]]:
    """Findings of the data by itself, and the undecodable rows of each picture column. `tick` is called all the while."""
    findings: list[Finding] = []
    broken: dict[str, list[int]] = {}
    for column in schema.columns:
        array = table.column(column.name)
        if column.kind == "image":
            of_pictures, rows = _pictures(array, column.name, tick)
            findings += of_pictures
            broken[column.name] = rows
        elif column.kind in ("number", "category") and column.role is not Role.SPLIT:
            findings += _plain_column(array, column)
    repeated = _repeated_rows(table, schema)
    if repeated:
        findings.append(_finding("duplicate_rows", Severity.WARNING, rows=repeated, found=len(repeated)))
    return findings, broken


def find_for_training(
    version: DataVersion, schema: Schema, rows: np.ndarray, target: np.ndarray, splits: Splits
) -> tuple[Finding, ...]:
    """Findings of the data with its roles: leaks, overlaps, labels. `target` is aligned with `rows`."""
    roles = {column.name: column.role for column in schema.columns}
    findings = [found for found in version.findings if _still_true(found, roles)]
    names = [column.name for column in schema.targets]
    if len(rows) < version.rows:
        findings.append(
            _finding("missing_labels", Severity.WARNING, where=", ".join(names), found=version.rows - len(rows))
        )
    if target.dtype.kind == "i":
        findings += _labels(target, schema)
    findings += _leaks(version, schema, rows, target)
    findings += _overlap(version, schema, rows, splits)
    return tuple(findings)


def _still_true(finding: Finding, roles: dict[str, Role]) -> bool:
    """A hint that the person has followed already is no finding any more; nor is one about a column that is left out."""
    if finding.code == "possible_group":
        return roles[finding.columns[0]] is not Role.GROUP
    return finding.code != "constant_column" or roles[finding.columns[0]] is Role.INPUT


def possible_groups(array: pa.ChunkedArray, column: Column) -> list[Finding]:
    """A column that by its name is about people, and whose values repeat."""
    if not about_people(column.name):
        return []
    present = array.drop_null()
    distinct = pc.count_distinct(present).as_py()
    if not 2 <= distinct < len(present):
        return []
    return [_finding("possible_group", Severity.INFO, columns=(column.name,), where=column.name, found=distinct)]


def _plain_column(array: pa.ChunkedArray, column: Column) -> list[Finding]:
    findings = possible_groups(array, column)
    present = array.drop_null()
    if len(array) > 1 and len(present) and pc.count_distinct(present).as_py() == 1 and array.null_count == 0:
        findings.append(_finding("constant_column", Severity.WARNING, columns=(column.name,), where=column.name))
    if array.null_count:
        findings.append(
            _finding("missing_values", Severity.INFO, columns=(column.name,), where=column.name, found=array.null_count)
        )
    return findings


def _pictures(array: pa.ChunkedArray, name: str, tick: Callable[[], None]) -> tuple[list[Finding], list[int]]:
    """Decodes every picture once: what cannot be read, what repeats, how many sizes."""
    good: dict[bytes, bool] = {}
    repeated: list[int] = []
    broken: list[int] = []
    sizes: Counter[tuple[int, int, int]] = Counter()
    for row, scalar in enumerate(array):
        if row % PICTURES_A_TICK == 0:
            tick()
        content = scalar.as_py()
        if content is None:
            continue
        fingerprint = hashlib.blake2b(content, digest_size=16).digest()
        if fingerprint in good:
            (repeated if good[fingerprint] else broken).append(row)
            continue
        try:
            sizes[shape_of(load_picture(content, name))] += 1
            good[fingerprint] = True
        except SalusError:
            good[fingerprint] = False
            broken.append(row)
    findings = []
    if broken:
        where = {"where": name, "expected": broken[0], "found": len(broken)}
        findings.append(_finding("undecodable_pictures", Severity.WARNING, columns=(name,), rows=broken, **where))
    if repeated:
        findings.append(
            _finding("duplicate_pictures", Severity.WARNING, columns=(name,), rows=repeated, found=len(repeated))
        )
    if len({size[:2] for size in sizes}) > 1:
        found = len({size[:2] for size in sizes})
        findings.append(_finding("odd_sizes", Severity.INFO, columns=(name,), where=name, found=found))
    return findings, broken


def _repeated_rows(table: pa.Table, schema: Schema) -> list[int]:
    """Rows of a plain table that say all that an earlier row says."""
    if any(column.kind in ("image", "series") for column in schema.columns):
        return []
    names = [column.name for column in schema.columns if column.role not in (Role.SPLIT, Role.IGNORE)]
    if not names:
        return []
    keys = _row_keys(table.select(names))
    _, first = np.unique(keys, return_index=True)
    repeated = np.ones(len(keys), dtype=bool)
    repeated[first] = False
    return [int(row) for row in np.flatnonzero(repeated)]


def _row_keys(table: pa.Table) -> np.ndarray:
    """A 64-bit key for each row, the same for equal rows."""
    keys = np.zeros(table.num_rows, dtype=np.uint64)
    for name in table.column_names:
        codes = table.column(name).combine_chunks().dictionary_encode()
        codes = codes.combine_chunks() if isinstance(codes, pa.ChunkedArray) else codes
        levels = codes.dictionary.to_pylist()
        hashes = np.array([_hash64(level) for level in levels] + [_hash64(None)], dtype=np.uint64)
        index = pc.fill_null(codes.indices, len(levels)).to_numpy(zero_copy_only=False).astype(np.int64)
        keys = keys * np.uint64(1099511628211) + hashes[index]
    return keys


def _hash64(value: Any) -> int:
    text = value if isinstance(value, bytes) else repr(value).encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "little")


def _labels(target: np.ndarray, schema: Schema) -> list[Finding]:
    name = schema.targets[0].name
    levels = (schema.targets[0].state or {})["levels"]
    if len(levels) < 2:
        return [_finding("one_class", Severity.BLOCKER, columns=(name,), where=name, found=levels[0])]
    if len(levels) > MAX_CLASSES:
        return [_finding("too_many_classes", Severity.BLOCKER, where=name, expected=MAX_CLASSES, found=len(levels))]
    counts = np.bincount(target, minlength=len(levels))
    rarest = int(np.argmin(counts))
    if counts[rarest] < RARE_ROWS or counts[rarest] * 10 < counts.max():
        return [
            _finding(
                "imbalanced",
                Severity.WARNING,
                columns=(name,),
                where=name,
                expected=levels[rarest],
                found=int(counts[rarest]),
            )
        ]
    return []


def _leaks(version: DataVersion, schema: Schema, rows: np.ndarray, target: np.ndarray) -> list[Finding]:
    """Columns that are the target in other words: of classes, each value names one and each is named by one; of numbers,
    the same numbers."""
    findings = []
    for column in schema.inputs:
        if column.kind not in ("number", "category"):
            continue
        values = version.take([column.name], rows)[column.name]
        if target.dtype.kind == "i":
            leaks = _says_the_class(values, target)
        else:
            leaks = column.kind == "number" and any(
                _same(values, numbers) for numbers in target.reshape(len(rows), -1).T
            )
        if leaks:
            findings.append(_finding("leaks_target", Severity.WARNING, columns=(column.name,), where=column.name))
    return findings


def _says_the_class(values: Any, target: np.ndarray) -> bool:
    if isinstance(values, np.ndarray):
        present = np.isfinite(values)
        array = values
    else:
        present = np.array([value is not None for value in values], dtype=bool)
        array = np.asarray([value or "" for value in values])
    if present.mean() < LEAK_SHARE:
        return False
    classes = target[present]
    count = len(np.unique(target))
    distinct, codes = np.unique(array[present], return_inverse=True)
    return len(distinct) == count == len(np.unique(codes.astype(np.int64) * count + classes)) == len(np.unique(classes))


def _same(values: np.ndarray, target: np.ndarray) -> bool:
    present = np.isfinite(values)
    return bool(present.mean() >= LEAK_SHARE and np.array_equal(values[present], target[present]))


def _overlap(version: DataVersion, schema: Schema, rows: np.ndarray, splits: Splits) -> list[Finding]:
    """Test rows whose inputs also lie in train."""
    names = [column.name for column in schema.inputs if column.kind != "series"]
    if not names or any(column.kind == "series" for column in schema.inputs):
        return []
    keys = _row_keys(version.table(names))[rows]
    shared = np.isin(keys[splits.test], keys[splits.train])
    if not shared.any():
        return []
    where = rows[splits.test][shared]
    return [_finding("overlapping_rows", Severity.WARNING, rows=[int(row) for row in where], found=int(shared.sum()))]


def _finding(
    code: str, severity: Severity, columns: Sequence[str] = (), rows: Sequence[int] = (), **parameters: Any
) -> Finding:
    count = parameters.get("found", 0)
    return Finding(
        code=code,
        severity=severity,
        columns=tuple(columns),
        rows=tuple(rows[:SHOWN_ROWS]),
        count=count if isinstance(count, int) else 0,
        parameters=parameters,
    )
