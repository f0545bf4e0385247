"""Whether a model is worse for some than for the rest: every level of every category, quarters of every number, and pairs of them.

Each part is compared with all other test rows. Looking at many parts finds differences by chance; the shares of false ones among
those called notable are held at 5 % (Benjamini and Hochberg 1995). Knows answers and columns of test rows. Does not know what a column means.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from statistics import NormalDist
from typing import Any

import numpy as np

from salus.evaluation.explanations import sample_rows, take
from salus.evaluation.intervals import Resampling
from salus.evaluation.metrics import HIGHER_IS_BETTER, METRICS, Shares
from salus.evaluation.resampling import Units, wilson

MOST_LEVELS = 12
MOST_COLUMNS = 60
MOST_ROWS = 20_000
MOST_PAIRED_COLUMNS = 8
MOST_PAIRS = 150
MOST_SHOWN = 40
LEAST_ROWS, LEAST_PEOPLE = 20, 3
FALSE_SHARE = 0.05
MISSING = "–"


@dataclass(frozen=True)
class Part:
    """Rows (B,) of bool in which the columns have these levels."""

    columns: tuple[str, ...]
    levels: tuple[str, ...]
    inside: np.ndarray


def subgroups(
    metric: str,
    answers: np.ndarray,
    target: np.ndarray,
    columns: Mapping[str, Sequence[Any] | np.ndarray],
    groups: np.ndarray | None,
    seed: int,
) -> dict[str, Any]:
    """{"metric", "looked_at", "parts", "weakest"}: the parts worst first, each with its score, the difference from the rest, and `notable`.

    answers: probabilities (B, K) or values (B, M). columns: values of the test rows: numbers as a float array, else texts; None and NaN
    are a level of their own. q: the share of false alarms one accepts by believing this part and all before it.
    """
    generator = np.random.default_rng([seed, 3])
    rows = sample_rows(len(target), groups, MOST_ROWS, generator)
    if len(rows) < len(target):  # enough to find what matters, and seconds instead of minutes
        answers, target, groups = answers[rows], target[rows], None if groups is None else groups[rows]
        columns = take(columns, rows)
    units = Units(groups, len(target), seed)
    single = [part for name, values in list(columns.items())[:MOST_COLUMNS] for part in parts_of(name, values)]
    found = [_measured(metric, answers, target, part, groups, units) for part in single if _enough(part, groups)]
    kept = [item for item in found if item is not None]
    pairs = _pairs(kept, {(part.columns[0], part.levels[0]): part for part in single})
    more = [_measured(metric, answers, target, part, groups, units) for part in pairs if _enough(part, groups)]
    kept += [item for item in more if item is not None]
    _correct(kept)
    kept.sort(key=lambda item: item["harm"], reverse=True)
    worst = [item for item in kept if item["notable"]] + [item for item in kept if not item["notable"]]
    shown = [{name: value for name, value in item.items() if name != "harm"} for item in worst[:MOST_SHOWN]]
    found_all = {"metric": metric, "looked_at": len(kept), "rows": len(target), "parts": shown}
    return found_all | {"weakest": _weakest(metric, kept)}


def _weakest(metric: str, parts: list[dict[str, Any]]) -> dict[str, Any] | None:
    """Of all parts looked at, also those not shown, the one whose interval ends worst at its better end."""
    if not parts:
        return None
    higher = HIGHER_IS_BETTER[metric]
    worst = min(parts, key=lambda part: part["high"] if higher else -part["low"])
    return {name: worst[name] for name in ("columns", "levels", "low", "high")}


def parts_of(name: str, values: Sequence[Any] | np.ndarray) -> list[Part]:
    """The levels of a category, most frequent first; the quarters of a number with more than a few values."""
    if isinstance(values, np.ndarray) and values.dtype.kind in "fiu":
        return _quarters(name, values.astype(np.float64))
    texts = np.array([MISSING if value is None or value == "" else str(value) for value in values], dtype=object)
    levels, counts = np.unique(texts.astype(str), return_counts=True)
    if len(levels) < 2 or len(levels) > max(50, len(texts) // 5):  # every row its own: an id or a text
        return []
    ordered = levels[np.argsort(-counts, kind="stable")][:MOST_LEVELS].tolist()
    return [Part((name,), (level,), texts == level) for level in ordered]


def _quarters(name: str, values: np.ndarray) -> list[Part]:
    finite = np.isfinite(values)
    distinct = np.unique(values[finite])
    parts = []
    if not finite.all() and finite.any():
        parts.append(Part((name,), (MISSING,), ~finite))
    if len(distinct) <= 1:
        return parts
    if len(distinct) <= 5:
        return [Part((name,), (f"{value:.6g}",), values == value) for value in distinct.tolist()] + parts
    ends = np.unique(np.quantile(values[finite], [0, 0.25, 0.5, 0.75, 1]))
    for low, high in pairwise(ends.tolist()):
        inside = (values >= low) & ((values < high) if high < ends[-1] else (values <= high))
        parts.append(Part((name,), (f"{_short(low)} – {_short(high)}",), inside))
    return parts


def _short(value: float) -> str:
    return f"{value:.0f}" if 1000 <= abs(value) < 1e9 else f"{value:.4g}"


def _enough(part: Part, groups: np.ndarray | None) -> bool:
    rows = int(part.inside.sum())
    if rows < LEAST_ROWS or len(part.inside) - rows < LEAST_ROWS:
        return False
    return groups is None or len(np.unique(groups[part.inside])) >= LEAST_PEOPLE


def _measured(
    metric: str, answers: np.ndarray, target: np.ndarray, part: Part, groups: np.ndarray | None, units: Units
) -> dict[str, Any] | None:
    """The score in a part and its difference from the rest; None where the part cannot be scored (one class has no AUC)."""
    inside = part.inside
    if metric == "auc" and min(len(np.unique(target[inside])), len(np.unique(target[~inside]))) < 2:
        return None
    of_groups = None if groups is None else groups[inside]
    score = Resampling(target[inside], of_groups, 0).interval(metric, answers[inside])
    found = METRICS[metric]
    width = found.statistics(answers[:1], target[:1]).shape[1]
    statistics = np.zeros((len(target), 2 * width))
    statistics[inside, :width] = found.statistics(answers[inside], target[inside])
    statistics[~inside, width:] = found.statistics(answers[~inside], target[~inside])

    def difference(sums: np.ndarray) -> np.ndarray:
        return np.asarray(found.from_sums(sums[..., :width]) - found.from_sums(sums[..., width:]))

    sums = units.sums(statistics)
    total = sums.sum(axis=0)
    value = float(difference(total))
    with np.errstate(invalid="ignore", divide="ignore"):
        error = units.standard_error(difference, sums)
    if not math.isfinite(error):  # all rows of the part belong to one unit
        return None
    if isinstance(found, Shares):  # a part that is all right, or all wrong, by luck has no spread, but is not certain
        low, high = wilson(score.value, float(inside.sum()) / units.alike)
        error = max(error, (high - low) / 2 / NormalDist().inv_cdf(0.975) * 0.8)
    people = None if groups is None else len(np.unique(groups[inside]))
    freedom = (people or int(inside.sum())) - 1
    harm = value / max(error, 1e-12) * (-1 if found.higher_is_better else 1)
    margin = error * (units.t if people is None else max(units.t, NormalDist().inv_cdf(0.975)))
    return {
        "columns": list(part.columns),
        "levels": list(part.levels),
        "rows": int(inside.sum()),
        "people": people,
        **score.model_dump(),
        "difference": {"value": value, "low": value - margin, "high": value + margin},
        "p": two_sided(harm, freedom),
        "harm": harm,
    }


def _pairs(measured: list[dict[str, Any]], parts: Mapping[tuple[str, str], Part]) -> list[Part]:
    """Pairs of levels of the columns whose worst level is worst, up to a limit."""
    worst: dict[str, float] = {}
    for item in measured:
        name = item["columns"][0]
        worst[name] = max(worst.get(name, -np.inf), item["harm"])
    columns = sorted(worst, key=lambda name: worst[name], reverse=True)[:MOST_PAIRED_COLUMNS]
    pairs = []
    for first, second in combinations(columns, 2):
        of_first = [part for (name, _), part in parts.items() if name == first]
        of_second = [part for (name, _), part in parts.items() if name == second]
        pairs += [
            Part((first, second), (one.levels[0], two.levels[0]), one.inside & two.inside)
            for one in of_first
            for two in of_second
        ]
        if len(pairs) >= MOST_PAIRS:
            break
    return pairs[:MOST_PAIRS]


def _correct(found: list[dict[str, Any]]) -> None:
    """Adds q, the false discovery rate at which a part is believed, and whether it is notably worse."""
    ordered = sorted(found, key=lambda item: item["p"])
    lowest = 1.0
    for place in range(len(ordered), 0, -1):
        item = ordered[place - 1]
        lowest = min(lowest, item["p"] * len(ordered) / place)
        item["q"] = lowest
        item["notable"] = lowest <= FALSE_SHARE and item["harm"] > 0


def two_sided(t: float, freedom: int) -> float:
    """The chance of a difference as large as t errors, by Student's t made normal (Wallace 1959)."""
    freedom = max(1, freedom)
    z = math.sqrt(freedom * math.log1p(t * t / freedom)) * (8 * freedom + 1) / (8 * freedom + 3)
    return 2 * (1 - NormalDist().cdf(z))
