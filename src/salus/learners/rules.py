"""A small tree as rules that a person reads: what must hold of the columns, what is then said, of how many rows.

Knows trees and the columns they see. Does not know how a tree was grown.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from salus.learners.base import Prepared
from salus.learners.table_codes import TableCodes
from salus.learners.trees import Tree

MOST_RULES, MOST_LEVELS = 64, 8
MISSING, UNKNOWN, FIRST = 0, 1, 2  # codes of a category


@dataclass(frozen=True)
class Way:
    """What holds on the way to a node: bounds (above, at most) of numbers, whether a gap goes along, codes of categories."""

    bounds: dict[int, tuple[float, float]] = field(default_factory=dict)
    gaps: dict[int, bool] = field(default_factory=dict)
    codes: dict[int, np.ndarray] = field(default_factory=dict)


def rules_of(tree: Tree, codes: TableCodes, prepared: Prepared, leaf_of_rows: np.ndarray) -> list[dict[str, Any]]:
    """[{"when": text, "says": {class or target: share or value}, "rows": train rows}], the leaves with most rows first."""
    counts = np.bincount(leaf_of_rows, minlength=len(tree.leaves))
    names = _said_names(prepared)
    rules: list[dict[str, Any]] = []
    for leaf, way in _ways(tree, codes, 0 if len(tree.features) else -1, Way()):
        said = tree.leaves[leaf]
        if prepared.classification:
            said = np.exp(said - said.max()) / np.exp(said - said.max()).sum()
        says = {name: float(f"{value:.4g}") for name, value in zip(names, said.tolist(), strict=True)}
        rules.append({"when": _words(way, codes, prepared), "says": says, "rows": int(counts[leaf])})
    return sorted(rules, key=lambda rule: int(rule["rows"]), reverse=True)[:MOST_RULES]


def _ways(tree: Tree, codes: TableCodes, node: int, way: Way) -> Iterator[tuple[int, Way]]:
    if node < 0:
        yield ~node, way
        return
    column, at, gap_left = int(tree.features[node]), float(tree.thresholds[node]), bool(tree.nan_left[node])
    for child, is_left in ((int(tree.left[node]), True), (int(tree.right[node]), False)):
        yield from _ways(tree, codes, child, _narrowed(way, codes, column, at, is_left, gap_left == is_left))


def _narrowed(way: Way, codes: TableCodes, column: int, at: float, is_left: bool, gap: bool) -> Way:
    if column < codes.numbers:
        above, most = way.bounds.get(column, (-np.inf, np.inf))
        bounds = (above, min(most, at)) if is_left else (max(above, at), most)
        gaps = way.gaps | {column: way.gaps.get(column, True) and gap}
        return Way(way.bounds | {column: bounds}, gaps, way.codes)
    answers = codes.tables[0].shape[1]
    category, answer = divmod(column - codes.numbers, answers)
    values = codes.tables[category][:, answer]
    goes = np.where(np.isnan(values), gap, (values <= at) == is_left)
    kept = np.intersect1d(way.codes.get(category, np.arange(len(values))), np.flatnonzero(goes))
    return Way(way.bounds, way.gaps, way.codes | {category: kept})


def _words(way: Way, codes: TableCodes, prepared: Prepared) -> str:
    parts = []
    has_gaps = np.isnan(codes.train_table[:, : codes.numbers]).any(axis=0)
    for column, (above, most) in way.bounds.items():
        ends = [f"above {above:.6g}"] * (above > -np.inf) + [f"at most {most:.6g}"] * (most < np.inf)
        gap = " or missing" if has_gaps[column] and way.gaps[column] else ""
        parts.append(f"{codes.front.names[column]} {' and '.join(ends)}{gap}")
    columns = [column for column in prepared.schema.inputs if column.kind == "category"]
    for category, kept in way.codes.items():
        levels = list((columns[category].state or {}).get("levels", []))
        named = [levels[code - FIRST] for code in kept.tolist() if code >= FIRST]
        shown = [*named[:MOST_LEVELS], *([f"{len(named) - MOST_LEVELS} more"] if len(named) > MOST_LEVELS else [])]
        shown += ["missing"] * (MISSING in kept) + ["anything else"] * (UNKNOWN in kept)
        parts.append(f"{columns[category].name} is {' or '.join(shown) or 'nothing'}")
    return ", ".join(parts) or "always"


def _said_names(prepared: Prepared) -> list[str]:
    targets = prepared.schema.targets
    if not prepared.classification:
        return [column.name for column in targets] or [f"target {number}" for number in range(prepared.classes)]
    levels = (targets[0].state or {}).get("levels") if targets else None
    return [str(level) for level in levels or range(prepared.classes)]
