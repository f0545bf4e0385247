"""A table of moments as rows of forecasts: a row is an origin, its inputs are what was measured before it, its target is what follows.

A view over a data version with the parts of its face that a study uses. Nothing is copied: a history and a future are slices of the
lines (`timeline`), cut when a row is asked for. A future lies wholly on one side of the split, so that no value that judges is
learned from; a history may reach back over a border, as it will when the model is used.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from functools import cached_property
from typing import Any

import numpy as np

from salus.core.errors import SalusError
from salus.core.nouns import Column, Finding, Role, Schema, Severity
from salus.core.specs import TrainSpec
from salus.data.findings_made import finding
from salus.data.forecast_sides import SIDES, sides_of
from salus.data.forecast_table import Layout, Table, columns_of
from salus.data.kinds.future import Future
from salus.data.kinds.history import MOST_STEPS
from salus.data.steps import EPOCH, Step
from salus.data.timeline import Line, Noticed, find_season, find_step, lines_of
from salus.data.version import DataVersion

MOST_VALUES = 2**26  # of histories and futures of one side in memory; of more origins, evenly spread ones are used
MOST_CHOOSING = 512  # origins that choose: neighbours say nearly the same
MOST_JUDGING = 5000
NAMED = 4  # channels that the name of the target has
LONG = 4  # lines with so many histories and futures need no padded ones


class Origins(DataVersion):
    """`places` (R, 3): line, origin (the step that is forecast first) and side of every row. It has no files of its own.

    facts: what is known of the future from the steps that are learned from. written: whether moments are dates, and have a zone.
    """

    def __init__(
        self,
        version: DataVersion,
        layout: Layout,
        lines: list[Line],
        places: np.ndarray,
        noticed: tuple[Finding, ...],
        facts: dict[str, Any],
        zoned: bool,
    ) -> None:
        super().__init__({})
        self.version, self.layout, self.lines, self.places = version, layout, lines, places
        self.noticed, self.facts, self.zoned = noticed, facts, zoned

    @cached_property
    def hash(self) -> str:
        return self.version.hash

    @cached_property
    def profile(self) -> dict[str, Any]:
        return {"rows": len(self.places)}

    @cached_property
    def findings(self) -> tuple[Finding, ...]:
        """Of the columns that are used, and of their moments."""
        used = {*self.layout.channels, *self.layout.known, self.layout.time}
        told = {name for one in self.noticed if one.code == "forecast_constant" for name in one.columns}
        kept = (one for one in self.version.findings if one.code != "constant_column" or not told & set(one.columns))
        return (*(found for found in kept if set(found.columns) <= used), *self.noticed)

    @cached_property
    def schema(self) -> Schema:
        layout = self.layout
        said = {column.name: column.options for column in self.version.schema.columns}
        lengths = {"steps": layout.history, "season": layout.season}
        columns = [Column(name=c, kind="history", options=said[c] | lengths) for c in layout.channels]
        ahead = {"horizon": layout.horizon}
        columns += [Column(name=name, kind="ahead", options=said[name] | ahead) for name in layout.known]
        if layout.timed and layout.time is not None:
            columns.append(Column(name=layout.time, kind="stamp"))
        if layout.series is not None:
            columns.append(Column(name=layout.series, kind="category", role=Role.IGNORE))
        columns += [
            Column(name=layout.block, kind="category", role=Role.GROUP),
            Column(name=layout.split, kind="category", role=Role.SPLIT),
            Column(name=layout.future, kind=Future.name, role=Role.TARGET, options=self.facts),
        ]
        return Schema(columns=tuple(columns))

    def columns(self, names: Sequence[str]) -> dict[str, Any]:
        """Whole columns."""
        return self.take(names, np.arange(self.rows))

    def take(self, names: Sequence[str], rows: np.ndarray) -> dict[str, Any]:
        """Of these rows: histories and futures as views of float32, other columns as texts."""
        places = self.places[np.asarray(rows, dtype=np.int64)]
        return {name: self._column(name, places) for name in names}

    def _column(self, name: str, places: np.ndarray) -> list[Any]:
        layout, lines = self.layout, self.lines
        told = [(lines[line], origin) for line, origin, _ in places.tolist()]
        if name == layout.future:
            ahead, count = layout.horizon, len(layout.targets)
            return [line.values[origin : origin + ahead, :count] for line, origin in told]
        if name in layout.channels:
            place, steps = layout.channels.index(name), layout.history
            return [line.values[max(0, origin - steps) : origin, place] for line, origin in told]
        if name in layout.known:
            place, ahead = len(layout.channels) + layout.known.index(name), layout.horizon
            return [line.values[origin : origin + ahead, place] for line, origin in told]
        if name == layout.time:
            return [self._written(float(line.moments[origin - 1])) for line, origin in told]
        if name == layout.series:
            return [line.series for line, _ in told]
        if name == layout.split:
            return [SIDES[side].value for side in places[:, 2].tolist()]
        assert name == layout.block, name
        return [f"{side}-{line}-{origin // layout.horizon}" for line, origin, side in places.tolist()]

    def _written(self, moment: float) -> str:
        return (EPOCH + timedelta(seconds=round(moment, 6))).isoformat() + ("Z" if self.zoned else "")


def origins_of(version: DataVersion, spec: TrainSpec) -> tuple[Origins, TrainSpec]:
    """The view for `spec.horizon`, and the spec in its words."""
    assert spec.horizon is not None, "a horizon was asked for"
    channels, time, timed = columns_of(version, spec)
    table = Table(version, (*channels, *spec.known), time, timed, spec)
    step = find_step([table.moments[rows] for rows in table.series.values()]) if time else Step()
    seen = Noticed(undated=table.undated)
    lines = _lines(table, step if time else Step(1.0), (spec.history or MOST_STEPS) + spec.horizon, seen)
    season = find_season(lines, step, len(spec.target))
    history = _history_steps(lines, spec)
    taken = {column.name for column in version.schema.columns}
    free = {name: _free(name, taken) for name in ("block", "split")} | {"future": _free(_name(spec), taken)}
    layout = Layout(
        spec.target,
        channels,
        spec.known,
        time,
        timed,
        spec.group,
        history,
        spec.horizon,
        season,
        step if time else Step(),
        **free,
    )
    sides = sides_of(lines, table, layout, spec)
    places, thinned = _places(lines, sides, layout)
    facts = _facts(lines, sides, layout, table)
    noticed = (*_constant(lines, layout), *_findings(seen, layout, thinned, step))
    view = Origins(version, layout, lines, places, noticed, facts, table.zoned)
    changes = {
        "target": (layout.future,),
        "time": None,
        "group": layout.block,
        "find_group": False,
        "split": layout.split,
        "ignore": (),
        "known": (),
        "contrast": False,
    }
    return view, spec.model_copy(update=changes)


def _constant(lines: Sequence[Line], layout: Layout) -> list[Finding]:
    """Of targets that never change: there is nothing to foresee."""
    found = []
    for place, name in enumerate(layout.targets):
        values = np.concatenate([line.values[:, place] for line in lines])
        values = values[np.isfinite(values)]
        if len(values) and bool((values == values[0]).all()):
            said = f"{values[0]:g}"
            found.append(finding("forecast_constant", Severity.WARNING, [name], where=name, found=said))
    return found


def _lines(table: Table, step: Step, longest_gap: int, seen: Noticed) -> list[Line]:
    """All series as lines; what is seen on the way is added to `seen`."""
    found: list[Line] = []
    for name, rows in table.series.items():
        found += lines_of(name, table.moments[rows], table.values[rows], rows, step, longest_gap, seen)
    if not found:
        raise SalusError("no_rows", where="the data")
    return found


def _name(spec: TrainSpec) -> str:
    """What the target is called: the channels, and how far ahead."""
    more = ", …" if len(spec.target) > NAMED else ""
    return f"{', '.join(spec.target[:NAMED])}{more} +{spec.horizon}"


def _free(name: str, taken: set[str]) -> str:
    while name in taken:
        name += "_"
    return name


def _history_steps(lines: Sequence[Line], spec: TrainSpec) -> int:
    """Steps looked back at: as asked, else what the lines have room for."""
    if spec.history is not None:
        return spec.history
    assert spec.horizon is not None
    # Of short lines the sides that choose and judge take two futures, and the first origin to learn from another one.
    return max(1, min(MOST_STEPS, max(len(line) for line in lines) - 3 * spec.horizon))


def _least_history(line: Line, layout: Layout) -> int:
    """Steps before the first origin: a whole history where the line is long, else a season, at least one value."""
    if len(line) >= LONG * (layout.history + layout.horizon):
        return layout.history
    return max(1, min(layout.history, layout.season))


def _places(lines: Sequence[Line], sides: Sequence[np.ndarray], layout: Layout) -> tuple[np.ndarray, dict[str, int]]:
    """Line, origin and side of every row, side by side, and how many origins were left out of each side."""
    ahead, targets = layout.horizon, len(layout.targets)
    found: list[list[np.ndarray]] = [[], [], []]
    for number, (line, side) in enumerate(zip(lines, sides, strict=True)):
        origins = np.arange(_least_history(line, layout), len(line) - ahead + 1)
        if not len(origins):
            continue
        unknown = np.concatenate([[0], np.cumsum(~np.isfinite(line.values[:, :targets]).all(axis=1))])
        whole = unknown[origins + ahead] == unknown[origins]
        changes = np.concatenate([[0], np.cumsum(np.diff(side) != 0)])
        whole &= changes[origins + ahead - 1] == changes[origins]
        for code in range(3):
            chosen = origins[whole & (side[origins] == code)]
            found[code].append(np.stack([np.full(len(chosen), number), chosen, np.full(len(chosen), code)], axis=1))
    kept, thinned = [], {}
    size = len(layout.channels) * layout.history + targets * ahead
    for code, most in enumerate((MOST_VALUES // size, MOST_CHOOSING, min(MOST_JUDGING, MOST_VALUES // size))):
        every = np.concatenate(found[code]) if found[code] else np.zeros((0, 3), dtype=np.int64)
        if not len(every):
            raise SalusError("forecast_no_origins", where=f"the {SIDES[code].value} side", expected=ahead, found=0)
        if len(every) > max(8, most):
            thinned[SIDES[code].value] = len(every) - max(8, most)
            every = every[np.round(np.linspace(0, len(every) - 1, max(8, most))).astype(np.int64)]
        kept.append(every)
    return np.concatenate(kept), thinned


def _facts(lines: Sequence[Line], sides: Sequence[np.ndarray], layout: Layout, table: Table) -> dict[str, Any]:
    """What the target knows before anything is learned."""
    return {
        "names": list(layout.targets),
        "horizon": layout.horizon,
        "step_s": layout.step.seconds,
        "months": layout.step.months,
        "season": layout.season,
        "zoned": table.zoned,
        "dates": table.dates,
        **_train_facts(lines, sides, layout),
    }


def _train_facts(lines: Sequence[Line], sides: Sequence[np.ndarray], layout: Layout) -> dict[str, list[float]]:
    """Mean and deviation of each target over the steps that are learned from, and the error of repeating the last season there."""
    targets, lag = len(layout.targets), layout.season
    values = [line.values[side == 0, :targets].astype(np.float64) for line, side in zip(lines, sides, strict=True)]
    every = np.concatenate(values)
    apart = np.concatenate([np.abs(part[lag:] - part[:-lag]) for part in values if len(part) > lag] or [every[:0]])

    def of(measure: Any, part: np.ndarray) -> list[float]:
        return [float(measure(column[np.isfinite(column)])) if np.isfinite(column).any() else 0.0 for column in part.T]

    return {"mean": of(np.mean, every), "deviation": of(np.std, every), "scale": of(np.mean, apart)}


def _findings(seen: Noticed, layout: Layout, thinned: dict[str, int], step: Step) -> tuple[Finding, ...]:
    """What the owner of the data should know of its moments."""
    where, warning, info = layout.time or "the rows", Severity.WARNING, Severity.INFO
    columns = [layout.time] if layout.time else []
    found = []
    if layout.time is not None:
        found.append(finding("forecast_step", info, columns, where=where, expected=step.said(), season=layout.season))
    if seen.repeated:
        code = "forecast_clock_back" if 2 * seen.clock_changes >= seen.repeated else "forecast_repeats"
        found.append(finding(code, warning, columns, seen.first_repeated, where=where, found=seen.repeated))
    if seen.gaps:
        found.append(finding("forecast_gaps", warning, columns, where=where, found=seen.gaps, expected=seen.missing))
    if seen.uneven:
        found.append(finding("forecast_uneven", warning, columns, where=where, found=seen.uneven, expected=seen.steps))
    if seen.unordered:
        found.append(finding("forecast_unordered", info, columns, where=where, found=seen.unordered))
    if seen.undated:
        found.append(finding("forecast_undated", warning, columns, where=where, found=seen.undated))
    for side, count in thinned.items():
        found.append(finding("forecast_thinned", info, columns, where=side, found=count))
    if layout.horizon > layout.history:
        found.append(
            finding("forecast_far", warning, columns, where=where, expected=layout.history, found=layout.horizon)
        )
    return tuple(found)
