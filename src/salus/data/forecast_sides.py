"""On which side of the split every step of every line lies: as a column says, at borders in time, or by whole series.

Knows lines and what a person said. A future that reaches over a border lies on no side: see `origins`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from salus.core.errors import SalusError
from salus.core.nouns import Split
from salus.core.specs import TrainSpec
from salus.data.forecast_table import Layout, Table
from salus.data.kinds import kind_named
from salus.data.split import TEST_SHARE, VALIDATION_SHARE
from salus.data.timeline import Line

SIDES = (Split.TRAIN, Split.VALIDATION, Split.TEST)
SPANS_SHARED = 0.5  # of the time of all series, from which on they are split at the same moments


def sides_of(lines: Sequence[Line], table: Table, layout: Layout, spec: TrainSpec) -> list[np.ndarray]:
    """The side (N,) of every step of every line: 0 train, 1 validation, 2 test, -1 none."""
    if table.split is not None:
        codes = np.array([-1 if side is None else SIDES.index(side) for side in table.split], dtype=np.int64)
        found = [np.where(line.rows >= 0, codes[line.rows], _before(codes, line.rows)) for line in lines]
        if any((sides == 1).any() for sides in found):
            return found
        return [_latest_choose(sides, layout.horizon) for sides in found]
    if spec.new_series:
        return _by_series(lines, spec.seed)
    borders = _borders(lines, table, layout, spec)
    return [
        np.where(line.moments >= borders[line.series][2], -1, np.digitize(line.moments, borders[line.series][:2]))
        for line in lines
    ]


def _before(codes: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """For steps that no row gave, the side of the row before."""
    last = np.maximum.accumulate(np.where(rows >= 0, np.arange(len(rows)), 0))
    return np.asarray(codes[rows[last]])


def _latest_choose(sides: np.ndarray, horizon: int) -> np.ndarray:
    """With the latest steps to learn from on the side that chooses."""
    train = np.flatnonzero(sides == 0)
    count = max(horizon, round(VALIDATION_SHARE * len(train)))
    changed = sides.copy()
    changed[train[max(0, len(train) - count) :]] = 1
    return changed


def _by_series(lines: Sequence[Line], seed: int) -> list[np.ndarray]:
    """Whole series on one side."""
    names = list(dict.fromkeys(line.series for line in lines))
    if len(names) < 3:
        raise SalusError("too_few_groups", where="the group column", found=len(names))
    drawn = np.random.default_rng(seed).permutation(len(names)).tolist()
    test = max(1, round(TEST_SHARE * len(names)))
    validation = max(1, round(VALIDATION_SHARE * len(names)))
    side = {names[place]: 2 if i < test else 1 if i < test + validation else 0 for i, place in enumerate(drawn)}
    return [np.full(len(line), side[line.series], dtype=np.int64) for line in lines]


def _borders(
    lines: Sequence[Line], table: Table, layout: Layout, spec: TrainSpec
) -> dict[str, tuple[float, float, float]]:
    """Of every series the moments at which choosing and judging begin, and at which judging ends."""
    by_series: dict[str, list[Line]] = {}
    for line in lines:
        by_series.setdefault(line.series, []).append(line)
    if spec.split_at:
        return {name: _given_borders(table.moments[table.series[name]], table, spec) for name in by_series}
    if layout.time is not None and _share_their_time(by_series):
        every = np.unique(np.concatenate([line.moments for line in lines]))
        return dict.fromkeys(by_series, _found_borders(every, layout))
    moments = {name: np.concatenate([line.moments for line in own]) for name, own in by_series.items()}
    long = {name: of_series for name, of_series in moments.items() if len(of_series) > 3 * layout.horizon}
    if not long:
        longest = max(len(of_series) for of_series in moments.values())
        raise SalusError("forecast_too_short", where="the data", expected=3 * layout.horizon + 1, found=longest)
    return {
        name: _found_borders(of_series, layout) if name in long else (math.inf, math.inf, math.inf)
        for name, of_series in moments.items()
    }


def _share_their_time(by_series: dict[str, list[Line]]) -> bool:
    starts = np.array([own[0].moments[0] for own in by_series.values()])
    ends = np.array([own[-1].moments[-1] for own in by_series.values()])
    whole = float(ends.max() - starts.min())
    return len(starts) > 1 and float(np.median(ends) - np.median(starts)) >= SPANS_SHARED * whole


def _found_borders(moments: np.ndarray, layout: Layout) -> tuple[float, float, float]:
    count, ahead = len(moments), layout.horizon
    test = max(ahead, round(TEST_SHARE * count))
    validation = max(ahead, round(VALIDATION_SHARE * (count - test)))
    if count - test - validation < ahead + 1:
        raise SalusError("forecast_too_short", where="the data", expected=3 * ahead + 1, found=count)
    return float(moments[count - test - validation]), float(moments[count - test]), math.inf


def _given_borders(moments: np.ndarray, table: Table, spec: TrainSpec) -> tuple[float, float, float]:
    """What the person said: row numbers of the series, or moments."""
    ordered = np.sort(moments)
    found = []
    for said in spec.split_at:
        if isinstance(said, int):
            found.append(float(ordered[said]) if said < len(ordered) else math.inf)
        else:
            moment = kind_named("time").read(said, "split_at")
            found.append(math.nan if moment is None else float(moment))
    if len(found) not in (2, 3) or any(a >= b for a, b in pairwise(found)):
        said_all = ", ".join(map(str, spec.split_at))
        raise SalusError("bad_spec", where="split_at", expected="two or three rising borders", found=said_all)
    return found[0], found[1], found[2] if len(found) == 3 else math.inf
