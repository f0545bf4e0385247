"""The columns of a table that a forecast is made of, in memory: moments, numbers, and which rows are one series.

Knows columns and what a person said of them. Does not know steps or sides.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from salus.core.errors import SalusError
from salus.core.nouns import Role
from salus.core.specs import TrainSpec
from salus.data.kinds import kind_named
from salus.data.kinds.category import label_of
from salus.data.split import side_of
from salus.data.steps import Step
from salus.data.version import DataVersion


@dataclass(frozen=True)
class Layout:
    """What the view is made of: names of columns and lengths in steps."""

    targets: tuple[str, ...]
    channels: tuple[str, ...]  # the targets first, then what is only looked at
    known: tuple[str, ...]  # what is known of the steps ahead
    time: str | None
    timed: bool  # whether the time is one of the calendar
    series: str | None
    history: int
    horizon: int
    season: int
    step: Step
    future: str = "future"
    block: str = "block"
    split: str = "split"


class Table:
    """The columns that are used, in memory as arrays: moments (N,), values float32 (N, C), rows by series."""

    def __init__(
        self, version: DataVersion, channels: tuple[str, ...], time: str | None, timed: bool, spec: TrainSpec
    ) -> None:
        names = [*channels, *(name for name in (time, spec.group, spec.split) if name)]
        raws = version.columns(names)
        self.values = np.stack([np.asarray(raws[name], dtype=np.float32) for name in channels], axis=1)
        self.values[~np.isfinite(self.values)] = np.nan
        self.zoned = self.dates = False
        self.moments = np.arange(len(self.values), dtype=np.float64)
        if time is not None:
            self._read_moments(version, time, timed, raws[time])
        known = np.flatnonzero(np.isfinite(self.moments))
        self.undated = len(self.moments) - len(known)
        self.split = [None if raw is None else side_of(str(raw)) for raw in raws[spec.split]] if spec.split else None
        labels = np.array([""] * len(self.moments), dtype=object)
        if spec.group:
            labels = np.array([label_of(raw) if isinstance(raw, float) else str(raw) for raw in raws[spec.group]])
        order = dict.fromkeys(labels[known].tolist())
        codes = {name: place for place, name in enumerate(order)}
        of_row = np.array([codes[label] for label in labels[known].tolist()], dtype=np.int64)
        self.series = {str(name): known[of_row == code] for name, code in codes.items()}

    def _read_moments(self, version: DataVersion, time: str, timed: bool, raws: Any) -> None:
        if not timed:
            self.moments = np.asarray(raws, dtype=np.float64)
            return
        kind = kind_named("time")
        read = kind.column_values(raws, f"column '{time}'")
        state = kind.fit(read, version.schema.column(time).options)
        self.zoned, self.dates = bool(state["zoned"]), bool(state["dates"])
        self.moments = np.array([math.nan if m is None else m.settled(state["day_first"]) for m in read])


def columns_of(version: DataVersion, spec: TrainSpec) -> tuple[tuple[str, ...], str | None, bool]:
    """Channels (targets first), the time column, and whether it is one of the calendar."""
    columns = {column.name: column for column in version.schema.columns}
    for name in (*spec.target, *spec.known, *spec.ignore, *(n for n in (spec.time, spec.group, spec.split) if n)):
        if name not in columns:
            raise SalusError("no_such_column", where="the spec", expected=", ".join(columns)[:300], found=name)
    for name in (*spec.target, *spec.known):
        if columns[name].kind != "number":
            raise SalusError("forecast_target", where=f"column '{name}'", found=columns[name].kind)
    if set(spec.target) & set(spec.known):
        raise SalusError("bad_spec", where="known", expected="no target", found=", ".join(spec.known))
    time = spec.time or next((c.name for c in columns.values() if c.kind == "time" and c.name not in spec.ignore), None)
    if time is not None and columns[time].kind not in ("time", "number"):
        found = columns[time].kind
        raise SalusError("bad_spec", where=f"time '{time}'", expected="a column of times or numbers", found=found)
    taken = {*spec.target, *spec.known, *spec.ignore, time, spec.group, spec.split}
    others = [c.name for c in columns.values() if c.kind == "number" and c.role is Role.INPUT and c.name not in taken]
    return (*spec.target, *others), time, time is not None and columns[time].kind == "time"
