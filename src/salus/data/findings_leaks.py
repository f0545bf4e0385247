"""Columns that say the target: in other words, row by row, or so well that each alone predicts it on rows held out.

Knows values of columns, the target and groups; does not know why a column may be known too early.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from salus.core.nouns import Column, Finding, Schema, Severity
from salus.data.findings_made import finding
from salus.data.version import DataVersion

LEAK_SHARE = 0.9  # a leak may have gaps, but not many
ALONE_AUC = 0.99
ALONE_R2 = 0.99
FOLDS = 3
BINS = 64
FEWEST_ROWS = 60  # below it one column says the target by chance
FEWEST_OF_A_CLASS = 8
MAX_ROWS = 50_000  # drawn from more
MAX_COLUMNS = 2000
COLUMNS_AT_ONCE = 64


@dataclass(frozen=True)
class Told:
    """What a column says in some rows: `numbers` (B,), NaN missing; or `codes` (B,) of labels, 0 missing, i + 1 is levels[i]."""

    numbers: np.ndarray | None = None
    codes: np.ndarray | None = None
    levels: tuple[str, ...] = ()


def leaks(
    version: DataVersion, schema: Schema, rows: np.ndarray, target: np.ndarray, groups: np.ndarray | None
) -> list[Finding]:
    """target: class codes (B,) or numbers (B, M), as groups aligned with `rows`."""
    drawn = np.arange(len(rows))
    if len(rows) > MAX_ROWS:
        drawn = np.sort(np.random.default_rng(0).choice(len(rows), MAX_ROWS, replace=False))
    numbers = target.dtype.kind != "i"
    folds = _folds(len(rows) if groups is None else groups)[drawn]
    target = target[drawn]
    found = []
    for column, told in columns_of(version, schema, rows[drawn]):
        if _says(told, target):
            found.append(_found("leaks_target", column))
            continue
        if len(drawn) < FEWEST_ROWS:
            continue
        codes = _binned(told)
        if numbers:
            alone = max(_explained(codes, told.numbers, one, folds) for one in target.reshape(len(drawn), -1).T)
        else:
            alone = _told_apart(codes, target, folds)
        if alone > (ALONE_R2 if numbers else ALONE_AUC):
            found.append(_found("predicts_alone", column, expected="R2" if numbers else "AUC", found=f"{alone:.4f}"))
    return found


def columns_of(version: DataVersion, schema: Schema, rows: np.ndarray) -> Iterator[tuple[Column, Told]]:
    """Plain inputs and what they say in `rows`, read a few columns at once."""
    plain = [c for c in schema.inputs if c.kind in ("number", "category")][:MAX_COLUMNS]
    for start in range(0, len(plain), COLUMNS_AT_ONCE):
        some = plain[start : start + COLUMNS_AT_ONCE]
        table = version.table([column.name for column in some]).take(pa.array(rows))
        for column in some:
            array = table.column(column.name).combine_chunks()
            array = array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array
            if pa.types.is_floating(array.type):
                yield column, Told(numbers=pc.fill_null(array, float("nan")).to_numpy(zero_copy_only=False))
            else:
                coded = array.dictionary_encode()
                codes = pc.fill_null(coded.indices, -1).to_numpy(zero_copy_only=False).astype(np.int64) + 1
                yield column, Told(codes=codes, levels=tuple(coded.dictionary.to_pylist()))


def told_by(numbers: np.ndarray, target: np.ndarray) -> float:
    """AUC (of the worst class) or R2 that numbers alone reach on rows held out."""
    folds = _folds(len(target))
    codes = _binned(Told(numbers=numbers))
    if target.dtype.kind == "i":
        return _told_apart(codes, target, folds)
    return max(_explained(codes, numbers, one, folds) for one in target.reshape(len(target), -1).T)


def _found(code: str, column: Column, **said: Any) -> Finding:
    return finding(code, Severity.WARNING, (column.name,), where=column.name, **said)


def _folds(units: np.ndarray | int) -> np.ndarray:
    """The fold of each row; rows of one unit lie in one."""
    if isinstance(units, int):
        return np.random.default_rng(1).permutation(units) % FOLDS
    codes = np.unique(units, return_inverse=True)[1]
    return (np.random.default_rng(1).permutation(int(codes.max()) + 1) % FOLDS)[codes]


def _says(told: Told, target: np.ndarray) -> bool:
    """Whether each value names one class and each class one value; or the numbers are those of the target."""
    if told.numbers is not None:
        present, known = np.isfinite(told.numbers), told.numbers
    else:
        assert told.codes is not None
        present, known = told.codes > 0, told.codes
    if present.mean() < LEAK_SHARE:
        return False
    if target.dtype.kind != "i":
        same = [np.array_equal(known[present], one[present]) for one in target.reshape(len(target), -1).T]
        return told.numbers is not None and any(same)
    classes = target[present]
    count = len(np.unique(target))
    distinct, codes = np.unique(known[present], return_inverse=True)
    if len(distinct) != count or len(np.unique(classes)) != count:
        return False
    return len(np.unique(codes.astype(np.int64) * (int(classes.max()) + 1) + classes)) == count


def _binned(told: Told) -> np.ndarray:
    """Codes (B,): 0 is missing, then levels, or bins of numbers by quantiles."""
    if told.codes is not None:
        return told.codes
    assert told.numbers is not None
    finite = np.isfinite(told.numbers)
    known = np.unique(told.numbers[finite])
    if len(known) > BINS:
        known = np.unique(np.quantile(told.numbers[finite], np.linspace(0, 1, BINS + 1)[1:-1]))
    places = np.searchsorted(known, np.where(finite, told.numbers, 0.0), side="left")
    return np.where(finite, 1 + places, 0).astype(np.int64)


def _told_apart(codes: np.ndarray, target: np.ndarray, folds: np.ndarray) -> float:
    """The AUC of the class that is told apart worst, by the shares of classes in each code, learned on the other folds."""
    classes = np.unique(target, return_inverse=True)[1]
    counts = np.bincount(classes)
    if len(counts) < 2 or len(counts) > 100 or counts.max() == len(classes):
        return 0.0
    shares = np.zeros((len(classes), len(counts)))
    for fold in range(FOLDS):
        inside = folds != fold
        table = np.zeros((int(codes.max()) + 1, len(counts)))
        np.add.at(table, (codes[inside], classes[inside]), 1)
        table = (table + counts / counts.sum()) / (table.sum(axis=1, keepdims=True) + 1)
        shares[~inside] = table[codes[~inside]]
    judged = [_auc(shares[:, one], classes == one) for one in range(len(counts)) if counts[one] >= FEWEST_OF_A_CLASS]
    return min(judged, default=0.0)


def _auc(scores: np.ndarray, positive: np.ndarray) -> float:
    """Mann and Whitney 1947, ties count half."""
    _, codes, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[codes]
    ones = int(positive.sum())
    zeros = len(positive) - ones
    if not ones or not zeros:
        return 0.0
    return float((ranks[positive].sum() - ones * (ones + 1) / 2) / (ones * zeros))


def _explained(codes: np.ndarray, numbers: np.ndarray | None, target: np.ndarray, folds: np.ndarray) -> float:
    """R2 on rows held out: of the mean in each code, of a straight line, or of the curve through the points, whichever is best."""
    spread = float(((target - target.mean()) ** 2).sum())
    if spread <= 0:
        return 0.0
    said = np.zeros((3, len(target)))
    finite = np.isfinite(numbers) if numbers is not None else np.zeros(len(target), dtype=bool)
    for fold in range(FOLDS):
        inside, outside = folds != fold, folds == fold
        mean = float(target[inside].mean())
        said[:, outside] = mean
        size = np.bincount(codes[inside], minlength=int(codes.max()) + 1)
        total = np.bincount(codes[inside], weights=target[inside], minlength=len(size))
        said[0, outside] = ((total + mean) / (size + 1))[codes[outside]]
        if numbers is not None and len(np.unique(numbers[inside & finite])) > 1:
            known, answers, asked = numbers[inside & finite], target[inside & finite], outside & finite
            slope, offset = _line(known, answers)
            said[1, asked] = offset + slope * numbers[asked]
            places, members, counts = np.unique(known, return_inverse=True, return_counts=True)
            said[2, asked] = np.interp(numbers[asked], places, np.bincount(members, weights=answers) / counts)
    return max(1 - float(((target - one) ** 2).sum()) / spread for one in said)


def _line(numbers: np.ndarray, target: np.ndarray) -> tuple[float, float]:
    centre, middle = float(numbers.mean()), float(target.mean())
    slope = float(((numbers - centre) * (target - middle)).sum() / ((numbers - centre) ** 2).sum())
    return slope, middle - slope * centre
