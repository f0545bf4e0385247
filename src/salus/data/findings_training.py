"""What the owner of the data should know when it is trained on: labels, groups, and what lies on both sides of the split.

Knows roles, the target and the splits; what is found in the data by itself is in `findings`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from salus.core.errors import SalusError
from salus.core.nouns import Finding, Role, Schema, Severity
from salus.data.findings_drift import drifts
from salus.data.findings_leaks import ALONE_AUC, ALONE_R2, FEWEST_ROWS, leaks, told_by
from salus.data.findings_made import finding
from salus.data.findings_pictures import thumbnails_of
from salus.data.kinds.image import picture_shape
from salus.data.near_pictures import near_pairs
from salus.data.row_keys import MISSING, PRIME, mixed, row_keys
from salus.data.split import Splits
from salus.data.version import DataVersion

RARE_ROWS = 10
MAX_CLASSES = 1000
ROWS_AT_ONCE = 5000  # of pictures and recordings
FEW_GROUPS = 8
SMALL_GROUP = 0.1  # of the usual rows of a group
MAX_COMPARED = 50_000  # pictures held against each other at training


def find_for_training(
    version: DataVersion,
    schema: Schema,
    rows: np.ndarray,
    target: np.ndarray,
    splits: Splits,
    groups: np.ndarray | None = None,
) -> tuple[Finding, ...]:
    """Findings of the data with its roles. `target` and `groups` (codes) are aligned with `rows`. A target that is neither labels nor
    numbers (objects) is not looked into: its kind did that when the data were added."""
    roles = {column.name: column.role for column in schema.columns}
    findings = [found for found in version.findings if _still_true(found, roles)]
    names = [column.name for column in schema.targets]
    if len(rows) < version.rows:
        unlabelled = np.setdiff1d(np.arange(version.rows), rows)
        said = {"where": ", ".join(names), "found": len(unlabelled)}
        findings.append(finding("missing_labels", Severity.WARNING, names, unlabelled, **said))
    if not version.files:  # a view, whose groups are blocks of time
        return tuple(findings)
    if target.dtype.kind not in "if" or target.ndim > 2:
        return tuple([*findings, *_overlap_of_sources(version, schema, rows, splits), *_groups(schema, splits, groups)])
    findings += findings_of_labels(schema, target)
    if any(found.severity is Severity.BLOCKER for found in findings):
        return tuple(findings)
    findings += leaks(version, schema, rows, target, groups)
    findings += _size_leak(version, schema, rows, target)
    keys = _Keys(version, schema, rows)
    findings += _conflicts(keys, rows, target)
    findings += _overlap(version, schema, keys, rows, splits)
    findings += _groups(schema, splits, groups)
    findings += drifts(version, schema, rows, target, splits, groups)
    return tuple(findings)


def findings_of_labels(schema: Schema, target: np.ndarray) -> list[Finding]:
    """What the target itself says, before rows are split: whether there is anything to learn."""
    return _labels(target, schema) if target.dtype.kind == "i" else _numbers(target, schema)


def _overlap_of_sources(version: DataVersion, schema: Schema, rows: np.ndarray, splits: Splits) -> list[Finding]:
    """The same inputs on two sides, of the inputs that lie in the data as they are."""
    there = {column.name for column in version.schema.columns}
    inputs = tuple(column for column in schema.inputs if column.name in there)
    if not inputs:
        return []
    if all(column.kind == "category" for column in inputs):  # the same label is no repetition
        return []
    known = schema.model_copy(update={"columns": inputs})
    return _overlap(version, known, _Keys(version, known, rows), rows, splits)


def overlapping_rows(version: DataVersion, schema: Schema, rows: np.ndarray, splits: Splits) -> np.ndarray:
    """Positions in `splits.test` of the rows whose inputs, to the last bit, are also learned from or chosen by; of folds, those
    that lie in another fold too."""
    return _overlapping(_Keys(version, schema, rows), splits)


class _Keys:
    """keys (B,) of the inputs of the labelled rows; told: whether a row says anything."""

    def __init__(self, version: DataVersion, schema: Schema, rows: np.ndarray) -> None:
        self.names = [column.name for column in schema.inputs]
        keys = [row_keys(part) for part in _parts(version, self.names)]
        self.keys = np.concatenate([np.zeros(0, dtype=np.uint64), *keys])[rows]
        nothing = np.zeros(1, dtype=np.uint64)
        for _ in self.names:
            nothing = mixed(nothing * PRIME + MISSING)
        self.told = self.keys != nothing[0]


def _parts(version: DataVersion, names: Sequence[str]) -> Iterator[pa.Table]:
    for name in sorted(version.files):
        if name.startswith("shards/"):
            with pq.ParquetFile(version.files[name]) as shard:
                for batch in shard.iter_batches(ROWS_AT_ONCE, columns=list(names)):
                    yield pa.Table.from_batches([batch]).select(list(names))


def _still_true(found: Finding, roles: dict[str, Role]) -> bool:
    """A hint that the person has followed already is no finding any more; nor is one about a column that is left out."""
    known = [roles[name] for name in found.columns if name in roles]
    if found.code == "possible_group":
        return Role.GROUP not in known
    if found.code == "constant_column":
        return known[0] is Role.INPUT
    return not known or any(role is not Role.IGNORE for role in known) or found.code == "id_column"


def _labels(target: np.ndarray, schema: Schema) -> list[Finding]:
    name = schema.targets[0].name
    levels = (schema.targets[0].state or {})["levels"]
    where = {"where": name}
    if len(levels) < 2:
        return [finding("one_class", Severity.BLOCKER, (name,), (), found=levels[0], **where)]
    if len(levels) > MAX_CLASSES:
        return [
            finding("too_many_classes", Severity.BLOCKER, (name,), (), expected=MAX_CLASSES, found=len(levels), **where)
        ]
    if len(levels) * 2 > len(target) >= RARE_ROWS:
        said = {"expected": len(target), "found": len(levels)}
        return [finding("more_classes_than_rows", Severity.BLOCKER, (name,), (), **said, **where)]
    counts = np.bincount(target, minlength=len(levels))
    rarest = int(np.argmin(counts))
    found = []
    if counts[rarest] < RARE_ROWS:
        rare = counts < RARE_ROWS
        said = {"expected": RARE_ROWS, "found": int(rare.sum()), "example": levels[rarest]}
        found.append(finding("rare_classes", Severity.WARNING, (name,), (), **said, **where))
    if counts[rarest] * 10 < counts.max():
        said = {"expected": levels[rarest], "found": int(counts[rarest])}
        found.append(finding("imbalanced", Severity.WARNING, (name,), (), **said, **where))
    return found


def _numbers(target: np.ndarray, schema: Schema) -> list[Finding]:
    columns = zip(schema.targets, target.reshape(len(target), -1).T, strict=True)
    return [
        finding("constant_target", Severity.BLOCKER, (column.name,), (), where=column.name, found=f"{values[0]:g}")
        for column, values in columns
        if np.ptp(values) == 0
    ]


def _size_leak(version: DataVersion, schema: Schema, rows: np.ndarray, target: np.ndarray) -> list[Finding]:
    """Pictures of the classes that differ in their size: height, width, channels and bytes, each alone."""
    for column in schema.inputs:
        if column.kind != "image" or len(rows) < FEWEST_ROWS:
            continue
        drawn = np.sort(np.random.default_rng(0).permutation(len(rows))[:ROWS_AT_ONCE])
        sizes = np.array([_sizes(content) for content in version.take([column.name], rows[drawn])[column.name]])
        alone = max(told_by(figures, target[drawn]) for figures in sizes.T)
        numbers = target.dtype.kind != "i"
        if alone > (ALONE_R2 if numbers else ALONE_AUC):
            said = {"where": column.name, "expected": "R2" if numbers else "AUC", "found": f"{alone:.4f}"}
            return [finding("size_tells_target", Severity.WARNING, (column.name,), (), **said)]
    return []


def _sizes(content: bytes | None) -> tuple[float, ...]:
    if content is None:
        return (np.nan,) * 4
    try:
        return (*(float(size) for size in picture_shape(content)), float(len(content)))
    except SalusError:
        return (np.nan,) * 4


def _conflicts(keys: _Keys, rows: np.ndarray, target: np.ndarray) -> list[Finding]:
    """Rows of the same inputs and another class."""
    if target.dtype.kind != "i":
        return []
    order = np.lexsort((target, keys.keys))
    sorted_keys, classes = keys.keys[order], target[order]
    starts = np.flatnonzero(np.concatenate([[True], sorted_keys[1:] != sorted_keys[:-1]]))
    differs = np.maximum.reduceat(classes, starts) != np.minimum.reduceat(classes, starts)
    sizes = np.diff(np.append(starts, len(order)))
    members = np.sort(order[np.repeat(differs, sizes)])
    members = members[keys.told[members]]
    if not len(members):
        return []
    return [finding("conflicting_labels", Severity.WARNING, keys.names[:20], rows[members], found=len(members))]


def _learned(splits: Splits) -> np.ndarray:
    """What is learned from or chosen by."""
    return np.sort(np.concatenate([splits.train, splits.validation]))


def _overlapping(keys: _Keys, splits: Splits) -> np.ndarray:
    tested, told = keys.keys[splits.test], keys.told[splits.test]
    if splits.folds is None:
        return np.flatnonzero(np.isin(tested, keys.keys[_learned(splits)]) & told)
    order = np.lexsort((splits.folds, keys.keys))
    sorted_keys, folds = keys.keys[order], splits.folds[order]
    apart = (sorted_keys[1:] == sorted_keys[:-1]) & (folds[1:] != folds[:-1])
    return np.flatnonzero(np.isin(tested, sorted_keys[1:][apart]) & told)


def _overlap(version: DataVersion, schema: Schema, keys: _Keys, rows: np.ndarray, splits: Splits) -> list[Finding]:
    """Test rows whose inputs also lie in train, rows that repeat inside train, and near copies of pictures on both sides."""
    found = []
    shared = _overlapping(keys, splits)
    if len(shared):
        said = {"found": len(shared), "expected": len(splits.test)}
        found.append(finding("overlapping_rows", Severity.WARNING, keys.names[:20], rows[splits.test][shared], **said))
    if splits.folds is None:
        learned = _learned(splits)
        learned = learned[keys.told[learned]]
        repeats = np.ones(len(learned), dtype=bool)
        repeats[np.unique(keys.keys[learned], return_index=True)[1]] = False
        if repeats.any():
            said = {"found": int(repeats.sum()), "expected": len(learned)}
            found.append(finding("repeated_in_train", Severity.INFO, keys.names[:20], rows[learned[repeats]], **said))
    return [*found, *_near_overlap(version, schema, rows, splits, shared)]


def _near_overlap(
    version: DataVersion, schema: Schema, rows: np.ndarray, splits: Splits, shared: np.ndarray
) -> list[Finding]:
    """Only where adding has found near copies."""
    known = {name for found in version.findings if found.code == "near_duplicate_pictures" for name in found.columns}
    for column in schema.inputs:
        if column.name not in known or len(rows) > MAX_COMPARED:
            continue
        small = np.concatenate([thumbnails_of(part.column(0).to_pylist()) for part in _parts(version, [column.name])])
        side = np.isin(np.arange(len(rows)), splits.test) if splits.folds is None else splits.folds
        used = np.zeros(len(rows), dtype=bool)
        used[np.concatenate([_learned(splits), splits.test])] = True
        first, second = near_pairs(small[rows]).T
        apart = (side[first] != side[second]) & used[first] & used[second]
        members = np.unique(np.concatenate([first[apart], second[apart]]))
        members = np.setdiff1d(members[np.isin(members, splits.test)], splits.test[shared])
        if len(members):
            said = {"where": column.name, "found": len(members), "expected": len(splits.test)}
            return [finding("overlapping_near_pictures", Severity.WARNING, (column.name,), rows[members], **said)]
    return []


def _groups(schema: Schema, splits: Splits, groups: np.ndarray | None) -> list[Finding]:
    """Few people, people with hardly a row, and people on both sides of a given split."""
    columns = schema.with_role(Role.GROUP)
    if groups is None or not columns:
        return []
    where = {"where": columns[0].name}
    name = (columns[0].name,)
    sizes = np.bincount(np.unique(groups, return_inverse=True)[1])
    found = []
    if len(sizes) < FEW_GROUPS:
        found.append(finding("few_groups", Severity.INFO, name, (), found=len(sizes), **where))
    if sizes.max() == 1 and len(sizes) > 1:
        found.append(finding("groups_of_one", Severity.INFO, name, (), found=len(sizes), **where))
    usual = float(np.median(sizes))
    small = np.flatnonzero(sizes < SMALL_GROUP * usual)
    if len(small):
        said = {"found": len(small), "expected": int(usual), "example": int(sizes[small].min())}
        found.append(finding("small_groups", Severity.WARNING, name, (), **said, **where))
    if splits.folds is None:
        both = np.intersect1d(groups[splits.test], groups[_learned(splits)])
        if len(both):
            found.append(finding("group_on_both_sides", Severity.WARNING, name, (), found=len(both), **where))
    return found
