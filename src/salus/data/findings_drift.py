"""Columns whose values, or labels, are distributed otherwise in test than in train.

Numbers are compared by the two-sample test of Kolmogorov and Smirnov, labels by chi squared (Pearson 1900), both corrected for
looking at many columns (Bonferroni); only differences that are also large count: the KS distance, or the population stability index.
Rows of one group are no independent witnesses: of each group one row is drawn.
"""

from __future__ import annotations

import numpy as np

from salus.core.nouns import Finding, Schema, Severity
from salus.data.findings_leaks import Told, columns_of
from salus.data.findings_made import finding
from salus.data.split import Splits
from salus.data.version import DataVersion

ALPHA = 1e-3
LEAST_KS = 0.12
LEAST_PSI = 0.2
FEWEST_ROWS = 30
MAX_ROWS = 20_000
MAX_LEVELS = 30


def drifts(
    version: DataVersion,
    schema: Schema,
    rows: np.ndarray,
    target: np.ndarray,
    splits: Splits,
    groups: np.ndarray | None,
) -> list[Finding]:
    """One finding for all columns, one for the target."""
    if splits.folds is not None:
        return []
    train, test = (_witnesses(side, groups) for side in (splits.train, splits.test))
    if min(len(train), len(test)) < FEWEST_ROWS:
        return []
    found = []
    looked = [c for c in schema.inputs if c.kind in ("number", "category")]
    apart = []
    both = np.concatenate([train, test])
    for column, told in columns_of(version, schema, rows[both]):
        said = _apart(told, len(train), ALPHA / max(1, len(looked)))
        if said is not None:
            apart.append((said[0], column.name, said[1]))
    if apart:
        apart.sort(key=lambda item: (-item[0], item[1]))
        names = [name for _, name, _ in apart[:20]]
        worst = {"where": apart[0][1], "expected": apart[0][2], "found": len(apart)}
        found.append(finding("drift", Severity.WARNING, names, (), **worst))
    if target.dtype.kind == "i":
        levels = tuple((schema.targets[0].state or {})["levels"])
        of_target = _apart(Told(codes=target[both] + 1, levels=levels), len(train), ALPHA)
    else:
        of_target = _apart(Told(numbers=target.reshape(len(target), -1)[both, 0]), len(train), ALPHA)
    if of_target is not None:
        name = schema.targets[0].name
        found.append(finding("drift_of_target", Severity.WARNING, (name,), (), where=name, expected=of_target[1]))
    return found


def _witnesses(side: np.ndarray, groups: np.ndarray | None) -> np.ndarray:
    generator = np.random.default_rng(0)
    drawn = generator.permutation(side)
    if groups is not None:
        drawn = drawn[np.unique(groups[drawn], return_index=True)[1]]
    return drawn[:MAX_ROWS]


def _apart(told: Told, count: int, alpha: float) -> tuple[float, str] | None:
    """How far the first `count` rows lie from the others, and in words; None when they do not, or only a little."""
    if told.numbers is not None:
        finite = np.isfinite(told.numbers)
        train, test = told.numbers[:count][finite[:count]], told.numbers[count:][finite[count:]]
        gaps = Told(codes=1 + finite.astype(np.int64), levels=("missing", "present"))
        return _numbers_apart(train, test, alpha) or _labels_apart(gaps, count, alpha)
    return _labels_apart(told, count, alpha)


def _numbers_apart(train: np.ndarray, test: np.ndarray, alpha: float) -> tuple[float, str] | None:
    from scipy.special import kolmogorov

    if min(len(train), len(test)) < FEWEST_ROWS:
        return None
    train, test = np.sort(train), np.sort(test)
    every = np.concatenate([train, test])
    below = [np.searchsorted(side, every, side="right") / len(side) for side in (train, test)]
    distance = float(np.abs(below[0] - below[1]).max())
    size = np.sqrt(len(train) * len(test) / (len(train) + len(test)))
    if distance < LEAST_KS or kolmogorov(distance * size) > alpha:
        return None
    return distance, f"KS {distance:.2f}, {np.median(train):.4g} → {np.median(test):.4g}"


def _labels_apart(told: Told, count: int, alpha: float) -> tuple[float, str] | None:
    from scipy.special import chdtrc

    assert told.codes is not None
    order = np.argsort(-np.bincount(told.codes, minlength=len(told.levels) + 1), kind="stable")
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.minimum(np.arange(len(order)), MAX_LEVELS)  # the rare ones together
    codes = place[told.codes]
    width = int(codes.max()) + 1
    if width < 2:
        return None
    counts = np.stack([np.bincount(side, minlength=width) for side in (codes[:count], codes[count:])])
    awaited = counts.sum(axis=1, keepdims=True) * counts.sum(axis=0) / counts.sum()
    statistic = float(((counts - awaited) ** 2 / np.maximum(awaited, 1e-9)).sum())
    shares = (counts + 0.5) / (counts + 0.5).sum(axis=1, keepdims=True)
    stability = float(((shares[0] - shares[1]) * np.log(shares[0] / shares[1])).sum())
    if stability < LEAST_PSI or chdtrc(width - 1, statistic) > alpha:
        return None
    worst = int(np.argmax(np.abs(shares[0] - shares[1])))
    name = ("missing", *told.levels)[order[worst]] if worst < MAX_LEVELS else "others"
    return stability, f"PSI {stability:.2f}, '{name[:40]}' {shares[0][worst]:.0%} → {shares[1][worst]:.0%}"
