"""What the owner of the data should know when it is trained on: labels, leaks, and what lies on both sides of the split.

Knows roles, the target and the splits; what is found in the data by itself is in `findings`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from salus.core.nouns import Finding, Role, Schema, Severity
from salus.data.findings_made import finding
from salus.data.row_keys import row_keys
from salus.data.split import Splits
from salus.data.version import DataVersion

RARE_ROWS = 10
MAX_CLASSES = 1000
LEAK_SHARE = 0.9  # a leak may have gaps, but not many
ROWS_AT_ONCE = 5000  # of pictures and recordings


def find_for_training(
    version: DataVersion, schema: Schema, rows: np.ndarray, target: np.ndarray, splits: Splits
) -> tuple[Finding, ...]:
    """Findings of the data with its roles: leaks, overlaps, labels. `target` is aligned with `rows`."""
    roles = {column.name: column.role for column in schema.columns}
    findings = [found for found in version.findings if _still_true(found, roles)]
    names = [column.name for column in schema.targets]
    if len(rows) < version.rows:
        findings.append(
            finding("missing_labels", Severity.WARNING, where=", ".join(names), found=version.rows - len(rows))
        )
    if target.dtype.kind == "i":
        findings += _labels(target, schema)
    findings += _leaks(version, schema, rows, target)
    findings += _overlap(version, schema, rows, splits)
    return tuple(findings)


def _still_true(found: Finding, roles: dict[str, Role]) -> bool:
    """A hint that the person has followed already is no finding any more; nor is one about a column that is left out."""
    if found.code == "possible_group":
        return roles[found.columns[0]] is not Role.GROUP
    return found.code != "constant_column" or roles[found.columns[0]] is Role.INPUT


def _labels(target: np.ndarray, schema: Schema) -> list[Finding]:
    name = schema.targets[0].name
    levels = (schema.targets[0].state or {})["levels"]
    if len(levels) < 2:
        return [finding("one_class", Severity.BLOCKER, columns=(name,), where=name, found=levels[0])]
    if len(levels) > MAX_CLASSES:
        return [finding("too_many_classes", Severity.BLOCKER, where=name, expected=MAX_CLASSES, found=len(levels))]
    counts = np.bincount(target, minlength=len(levels))
    rarest = int(np.argmin(counts))
    if counts[rarest] < RARE_ROWS or counts[rarest] * 10 < counts.max():
        return [
            finding(
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
            findings.append(finding("leaks_target", Severity.WARNING, columns=(column.name,), where=column.name))
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


def overlapping_rows(version: DataVersion, schema: Schema, rows: np.ndarray, splits: Splits) -> np.ndarray:
    """Positions in `splits.test` of the rows whose inputs, to the last bit, are also learned from; of folds, in another fold."""
    names = [column.name for column in schema.inputs]
    keys = input_keys(version, names)[rows]
    tested = keys[splits.test]
    if splits.folds is None:
        return np.flatnonzero(np.isin(tested, keys[splits.train]))
    order = np.lexsort((splits.folds, keys))
    same = np.flatnonzero((keys[order][1:] == keys[order][:-1]) & (splits.folds[order][1:] != splits.folds[order][:-1]))
    return np.flatnonzero(np.isin(tested, keys[order][same]))


def input_keys(version: DataVersion, names: Sequence[str]) -> np.ndarray:
    """A key for each row of the version over these columns, read piece by piece."""
    keys = [row_keys(part) for part in _parts(version, names)]
    return np.concatenate(keys) if keys else np.zeros(0, dtype=np.uint64)


def _parts(version: DataVersion, names: Sequence[str]) -> Iterator[pa.Table]:
    for name in sorted(version.files):
        if name.startswith("shards/"):
            for batch in pq.ParquetFile(version.files[name]).iter_batches(ROWS_AT_ONCE, columns=list(names)):
                yield pa.Table.from_batches([batch])


def _overlap(version: DataVersion, schema: Schema, rows: np.ndarray, splits: Splits) -> list[Finding]:
    """Test rows whose inputs also lie in train."""
    shared = overlapping_rows(version, schema, rows, splits)
    if not len(shared):
        return []
    where = rows[splits.test][shared]
    names = [column.name for column in schema.inputs]
    return [
        finding(
            "overlapping_rows",
            Severity.WARNING,
            columns=names[:20],
            rows=where,
            found=len(shared),
            expected=len(splits.test),
        )
    ]
