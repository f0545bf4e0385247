"""What a model looks at and where it is wrong, asked from outside: only its answers are needed.

Permutation importance (Breiman 2001), partial dependence (Friedman 2001), occlusion (Zeiler and Fergus 2014), and the errors worth
seeing. Every function is given `predict` (columns of read values -> probabilities (B, K) or values (B, M)) and `left_s` (seconds that
may still be used); it stops in time with what it has. Knows no graph, no file and no kind: values of a column are an array or a list.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from salus.evaluation.compare import difference_interval
from salus.evaluation.metrics import METRICS
from salus.evaluation.resampling import Units
from salus.tasks.base import Task
from salus.tasks.classification import label_codes

Values = Any
Predict = Callable[[dict[str, Values]], np.ndarray]
Left = Callable[[], float]

MOST_ROWS = 1000
REPEATS = 3
GRID_POINTS = 12
MOST_LEVELS = 10
ROWS_AVERAGED = 150
MOST_CLASSES = 5
MOST_ERRORS = 12


class Clock:
    """Whether another round, as long as the longest so far, still fits into the time that is left."""

    def __init__(self, left_s: Left) -> None:
        self.left_s = left_s
        self.longest_s = 0.0
        self.started = time.monotonic()

    def fits(self) -> bool:
        now = time.monotonic()
        self.longest_s, self.started = max(self.longest_s, now - self.started), now
        return self.left_s() > 1.2 * self.longest_s


def importance(
    predict: Predict,
    values: Mapping[str, Values],
    target: np.ndarray,
    classification: bool,
    groups: np.ndarray | None,
    seed: int,
    left_s: Left,
    columns: Sequence[str] | None = None,
) -> dict[str, Any]:
    """{"metric", "rows", "columns": [{"column", "value", "low", "high", "wide"}], "left_out"}: how much worse the score gets when the
    values of a column are dealt to other rows, most important first.

    The score is the log loss, or the root mean squared error: both notice what does not yet turn a label. At most 1,000 rows (whole
    people where there are groups), three deals a column; intervals over rows or people. columns: those to deal; None: all.
    """
    generator = np.random.default_rng([seed, 1])
    rows = sample_rows(len(target), groups, MOST_ROWS, generator)
    given = take(values, rows)
    true, of_groups = target[rows], None if groups is None else groups[rows]
    metric = METRICS["log_loss" if classification else "rmse"]
    name = "log_loss" if classification else "rmse"
    clock = Clock(left_s)
    units = Units(of_groups, len(rows), seed)
    whole = metric.statistics(np.asarray(predict(given), dtype=np.float64), true)
    width, found = whole.shape[1], []

    def difference(sums: np.ndarray) -> np.ndarray:
        parts = np.split(sums, sums.shape[-1] // width, axis=-1)
        shuffled = np.mean([metric.from_sums(part) for part in parts[1:]], axis=0)
        return np.asarray(shuffled - metric.from_sums(parts[0]))

    dealt_columns = list(values if columns is None else columns)
    for column in dealt_columns:
        if not clock.fits():
            break
        deals: list[np.ndarray] = []
        for _ in range(REPEATS):
            if deals and not clock.fits():
                break
            dealt = given | take({column: given[column]}, generator.permutation(len(rows)))
            deals.append(metric.statistics(np.asarray(predict(dealt), dtype=np.float64), true))
        made = difference_interval(difference, np.concatenate([whole, *deals], axis=1), units)
        found.append({"column": column, **made.model_dump()})
    found.sort(key=lambda item: -item["value"])
    return {"metric": name, "rows": len(rows), "columns": found, "left_out": len(dealt_columns) - len(found)}


def partial_dependence(
    predict: Predict,
    values: Mapping[str, Values],
    columns: Sequence[str],
    answer_names: Sequence[str],
    seed: int,
    left_s: Left,
) -> list[dict[str, Any]]:
    """What the model says on average when a column has this value in every row: [{"column", "kind", "names", "points": [{"at",
    "values"}]}] for the columns asked for (numbers and categories; others are passed over).

    answer_names: of the columns of an answer: labels, or targets. Two labels: the second is shown; more: the most probable ones.
    """
    rows = sample_rows(_rows(values), None, ROWS_AVERAGED, np.random.default_rng([seed, 2]))
    given, clock = take(values, rows), Clock(left_s)
    found: list[dict[str, Any]] = []
    shown: list[int] | None = [1] if len(answer_names) == 2 else None
    for column in columns:
        grid = _grid(values[column])
        points = []
        for at in grid:
            if not clock.fits():
                return found
            answers = np.asarray(predict(given | {column: _filled(values[column], at, len(rows))}))
            points.append({"at": at, "values": answers.mean(axis=0).tolist()})
        if len(points) < 2:
            continue
        means = np.array([point["values"] for point in points])
        picked = shown or np.argsort(-means.mean(axis=0), kind="stable")[:MOST_CLASSES].tolist()
        kind = "number" if isinstance(values[column], np.ndarray) else "category"
        lines = [{"at": point["at"], "values": [point["values"][place] for place in picked]} for point in points]
        found.append(
            {"column": column, "kind": kind, "names": [answer_names[place] for place in picked], "points": lines}
        )
    return found


def worst_errors(
    task: Task,
    answers: np.ndarray,
    target: np.ndarray,
    states: Sequence[Mapping[str, Any]],
    names: Sequence[str],
    most: int = MOST_ERRORS,
) -> list[dict[str, Any]]:
    """The errors worth seeing, worst first: wrong labels that were most surely said, or the numbers that are farthest off.

    [{"row": position among the given rows, "truth", "said", "probability"}], or with "target" and "off" for numbers.
    Whoever has the rows adds "values" {column: text} and "picture" (a data: address of a small picture).
    """
    if task.classification:
        levels, said = list(states[0]["levels"]), label_codes(answers, states[0])
        sure = answers[np.arange(len(said)), said]
        wrong = np.flatnonzero(said != target)
        wrong = wrong[np.argsort(-sure[wrong], kind="stable")][:most]
        return [
            {
                "row": int(row),
                "truth": levels[target[row]],
                "said": levels[said[row]],
                "probability": float(sure[row]),
            }
            for row in wrong
        ]
    off = answers - target
    scaled = np.abs(off) / np.maximum(target.std(axis=0), 1e-12)
    column = scaled.argmax(axis=1)
    order = np.argsort(-scaled.max(axis=1), kind="stable")[:most]
    return [
        {
            "row": int(row),
            "target": names[column[row]],
            "truth": float(target[row, column[row]]),
            "said": float(answers[row, column[row]]),
            "off": float(off[row, column[row]]),
        }
        for row in order
        if off[row, column[row]] != 0
    ]


def sample_rows(rows: int, groups: np.ndarray | None, most: int, generator: np.random.Generator) -> np.ndarray:
    """Positions in order: all rows, or at most `most` drawn ones; with groups whole people as long as they fit."""
    if rows <= most:
        return np.arange(rows)
    if groups is None:
        return np.sort(generator.choice(rows, most, replace=False))
    names, counts = np.unique(groups, return_counts=True)
    order = generator.permutation(len(names))
    people = names[order]
    count = max(2, int(np.searchsorted(np.cumsum(counts[order]), most, side="right")))
    kept = np.flatnonzero(np.isin(groups, people[:count]))
    return kept if len(kept) <= 2 * most else np.sort(generator.choice(kept, 2 * most, replace=False))


def take(values: Mapping[str, Values], rows: np.ndarray) -> dict[str, Values]:
    """The rows of every column."""
    return {
        name: column[rows] if isinstance(column, np.ndarray) else [column[row] for row in rows.tolist()]
        for name, column in values.items()
    }


def _rows(values: Mapping[str, Values]) -> int:
    return len(next(iter(values.values())))


def _grid(column: Values) -> list[Any]:
    """Quantiles of numbers, the most frequent levels of texts; nothing for what is neither."""
    if isinstance(column, np.ndarray):
        if column.dtype.kind not in "fiu" or column.ndim != 1:
            return []
        finite = column[np.isfinite(column)]
        return np.unique(np.quantile(finite, np.linspace(0.02, 0.98, GRID_POINTS))).tolist() if len(finite) else []
    present = [value for value in column if value is not None]
    if not present or not all(isinstance(value, str) for value in present):
        return []
    levels, counts = np.unique(np.array(present, dtype=object).astype(str), return_counts=True)
    return levels[np.argsort(-counts, kind="stable")][:MOST_LEVELS].tolist() if len(levels) <= 200 else []


def _filled(column: Values, value: Any, rows: int) -> Values:
    return np.full(rows, value, dtype=column.dtype) if isinstance(column, np.ndarray) else [value] * rows
