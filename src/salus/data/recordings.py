"""One long table, a row a sample, to one row a recording: channels become lists, what does not change stays as it is.

The rows pass by twice, part by part: once to be looked at, once to be put together; only one recording lies in memory at a time.
Order is never changed silently: clocks that jump, samples that are missing and samples that repeat are counted and said. Does
not resample: missing samples become missing values where the rate is known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from salus.core.errors import SalusError
from salus.core.nouns import Finding, Role, Severity
from salus.core.specs import DataSpec, Recording
from salus.data.column_facts import ColumnFacts, as_numbers, sort_of
from salus.data.findings_made import FirstRows, finding
from salus.data.kinds import kind_named
from salus.data.kinds.series import MAX_STEPS
from salus.data.sources.base import Read

GAP_INTERVALS = 1.5  # from one sample to the next; more is a gap
UNEVEN_SHARE = 0.1  # of intervals that are no gap but another rhythm
MAX_FILLED = 10_000  # samples of one gap; a longer one is cut to this
PIECE_SAMPLES = 2**22  # of recordings that are filled at once
MAX_SCATTERED_BYTES = 512 * 2**20  # of a table whose recordings are sorted in memory
THOUSANDS = (1e3, 1e6, 1e9)  # milliseconds, microseconds, nanoseconds a second
NEAR = 0.2


def to_recordings(read: Read, spec: DataSpec, tick: Callable[[int], None]) -> tuple[Read, DataSpec, list[Finding]]:
    """What is read with one row a recording, the spec of those columns (rate, role of the id, kinds), and what was found.

    `tick` is told how many rows have passed.
    """
    assert spec.recording is not None
    survey = _look(read, spec, spec.recording, tick)
    if survey.scattered:
        read = _together(read, spec.recording.id)
        again = _look(read, spec, spec.recording, tick)
        again.gathered = True
        survey = again
    layout = survey.layout(spec)
    findings = survey.findings(layout)

    def parts() -> Iterator[pa.Table]:
        for whole in _whole(read.parts(), survey.recording.id):
            yield from _rows(whole, layout)

    kept = [*layout.plain, *layout.channels]
    kinds = {name: kind for name, kind in spec.kinds.items() if name in layout.plain}
    roles = {name: role for name, role in spec.roles.items() if name in kept}
    changed = {
        "recording": None,
        "kinds": kinds | dict.fromkeys(layout.channels, "series"),
        "roles": {spec.recording.id: Role.IGNORE.value} | roles,
        "units": {name: unit for name, unit in spec.units.items() if name in kept},
        "rate_hz": layout.rate_hz,
    }
    told = {name: kind for name, kind in read.kinds.items() if name in layout.plain}
    facts = {**read.facts, "recordings": survey.recordings, "samples": survey.rows}
    return Read(parts, facts, told), spec.model_copy(update=changed), findings


@dataclass(frozen=True)
class _Whole:
    """Rows of whole recordings: where each begins, and the end. first: the number of the first row in the source."""

    table: pa.Table
    starts: np.ndarray
    ids: list[Any]
    first: int

    @property
    def inside(self) -> np.ndarray:
        """Of every row but the first, whether the row before belongs to the same recording."""
        mask = np.ones(max(0, self.table.num_rows - 1), dtype=bool)
        mask[self.starts[1:-1] - 1] = False
        return mask


@dataclass(frozen=True)
class _Layout:
    """What becomes of the columns. interval_s: from sample to sample, None where gaps are not to be filled."""

    plain: tuple[str, ...]
    channels: tuple[str, ...]
    left: tuple[str, ...]
    time: str | None
    scale: float
    interval_s: float | None
    rate_hz: float | None


@dataclass
class _Survey:
    """What the first pass sees."""

    recording: Recording
    rate_hz: float | None
    facts: dict[str, ColumnFacts] = field(default_factory=dict)
    constant: dict[str, bool] = field(default_factory=dict)
    seen: set[Any] = field(default_factory=set)
    scattered: bool = False
    gathered: bool = False
    recordings: int = 0
    rows: int = 0
    single: int = 0
    scale: float = 1.0
    interval_s: float | None = None
    steps: int = 0
    odd_steps: int = 0
    gaps: FirstRows = field(default_factory=FirstRows)
    jumps: FirstRows = field(default_factory=FirstRows)
    repeats: FirstRows = field(default_factory=FirstRows)

    def part(self, whole: _Whole) -> None:
        self.recordings += len(whole.ids)
        self.rows += whole.table.num_rows
        lengths = np.diff(whole.starts)
        self.single += int((lengths == 1).sum())
        if lengths.max(initial=0) > MAX_STEPS:
            where = f"recording '{whole.ids[int(lengths.argmax())]}'"
            raise SalusError("series_too_long", where=where, expected=MAX_STEPS, found=int(lengths.max()))
        before = len(self.seen)
        self.seen.update(whole.ids)
        self.scattered |= len(self.seen) < before + len(whole.ids)
        inside = whole.inside
        for name in whole.table.column_names:
            column = whole.table.column(name)
            self.facts.setdefault(name, ColumnFacts(whole.table.num_columns)).part(column, whole.first)
            if self.constant.setdefault(name, True):
                self.constant[name] = not (_changes(column) & inside).any()
        if self.recording.time is not None:
            self._clock(whole, inside)

    def _clock(self, whole: _Whole, inside: np.ndarray) -> None:
        steps_s = np.diff(_seconds(whole.table.column(self.recording.time), str(self.recording.time)))
        forward = steps_s[inside & (steps_s > 0)]
        if self.interval_s is None and len(forward):
            middle = float(np.median(forward))
            near = forward[(forward < GAP_INTERVALS * middle) & (forward * GAP_INTERVALS > middle)]
            self._rhythm(float(near.mean()))  # a clock that counts milliseconds says 16, 17, 17
        if self.interval_s is None:
            return
        steps_s = steps_s / self.scale
        gaps = inside & (steps_s > GAP_INTERVALS * self.interval_s)
        self.steps += len(forward)
        self.odd_steps += int(gaps.sum()) + int(
            (inside & (steps_s > 0) & (steps_s * GAP_INTERVALS < self.interval_s)).sum()
        )
        for found, rows in (
            (self.gaps, gaps),
            (self.jumps, inside & (steps_s < 0)),
            (self.repeats, inside & (steps_s == 0)),
        ):
            found.add(np.flatnonzero(rows) + whole.first + 1)

    def _rhythm(self, interval: float) -> None:
        """The interval, and whether the clock counts thousandths: told by the rate that a person said."""
        if self.rate_hz is None:
            self.interval_s = interval
            return
        for scale in THOUSANDS:
            if abs(interval * self.rate_hz / scale - 1) < NEAR:
                self.scale = scale
        self.interval_s = 1 / self.rate_hz

    @property
    def uneven(self) -> bool:
        return self.odd_steps > UNEVEN_SHARE * max(1, self.steps)

    def layout(self, spec: DataSpec) -> _Layout:
        """Which columns become what; an error where a person said what the rows do not hold."""
        told = spec.kinds
        time = self.recording.time
        plain, channels, left = [], [], []
        for name, constant in self.constant.items():
            if name == time:
                continue
            numeric = self.facts[name].kind() == "number" or self.facts[name].sorts == {"truth"}
            if told.get(name) == "series" or (not constant and numeric and name not in told):
                channels.append(name)
            elif constant:
                plain.append(name)
            elif name in told:
                raise SalusError("recording_changes", where=f"column '{name}'", expected=told[name])
            else:
                left.append(name)
        if not channels:
            raise SalusError("recording_no_channels", where=f"column '{self.recording.id}'", found=self.recordings)
        rate = self.rate_hz or (float(f"{1 / self.interval_s:.6g}") if self.interval_s else None)
        interval = None if self.uneven else self.interval_s
        return _Layout(tuple(plain), tuple(channels), tuple(left), time, self.scale, interval, rate)

    def findings(self, layout: _Layout) -> list[Finding]:
        """What the owner of the data should know."""
        found, warning, time = [], Severity.WARNING, self.recording.time or ""
        if self.rate_hz is None and layout.rate_hz is not None:
            found.append(finding("recording_rate", Severity.INFO, [time], where=time, expected=f"{layout.rate_hz:.6g}"))
        if self.gathered:
            name = self.recording.id
            found.append(finding("recording_gathered", Severity.INFO, [name], where=name, found=self.recordings))
        if self.uneven:
            found.append(
                finding("recording_uneven", warning, [time], where=time, found=self.odd_steps, expected=self.steps)
            )
        elif self.gaps.count:
            found.append(finding("recording_gaps", warning, [time], self.gaps.first, where=time, found=self.gaps.count))
        for code, rows in (("recording_jumps", self.jumps), ("recording_repeats", self.repeats)):
            if rows.count:
                found.append(finding(code, warning, [time], rows.first, where=time, found=rows.count))
        if self.single:
            name = self.recording.id
            found.append(finding("recording_single", warning, [name], where=name, found=self.single))
        for name in layout.left:
            found.append(finding("recording_left_out", warning, [name], where=name))
        return found


def _look(read: Read, spec: DataSpec, recording: Recording, tick: Callable[[int], None]) -> _Survey:
    survey = _Survey(recording, spec.rate_hz)
    for whole in _whole(read.parts(), recording.id):
        for name in (recording.id, recording.time):
            if name is not None and name not in whole.table.column_names:
                expected = ", ".join(whole.table.column_names)[:300]
                raise SalusError("no_such_column", where="recording", expected=expected, found=name)
        survey.part(whole)
        tick(survey.rows)
        if survey.scattered:
            break
    if not survey.rows:
        raise SalusError("no_rows", where="the data")
    return survey


def _whole(parts: Iterator[pa.Table], id_column: str) -> Iterator[_Whole]:
    """The rows again, cut where a recording ends."""
    waiting: pa.Table | None = None
    first = 0
    for part in parts:
        if not part.num_rows:
            continue
        table = part if waiting is None else pa.concat_tables([waiting, part], promote_options="permissive")
        last = int(_starts(table, id_column)[-1])
        if last:
            yield _cut(table.slice(0, last), id_column, first)
            first += last
        waiting = table.slice(last)
        if waiting.num_rows > MAX_STEPS:
            where = f"recording '{waiting.column(id_column)[0].as_py()}'"
            raise SalusError("series_too_long", where=where, expected=MAX_STEPS, found=waiting.num_rows)
    if waiting is not None:
        yield _cut(waiting, id_column, first)


def _cut(table: pa.Table, id_column: str, first: int) -> _Whole:
    table = table.combine_chunks()
    starts = _starts(table, id_column)
    ids = table.column(id_column).take(pa.array(starts)).to_pylist()
    return _Whole(table, np.append(starts, table.num_rows), ids, first)


def _starts(table: pa.Table, id_column: str) -> np.ndarray:
    """The rows at which a recording begins."""
    if id_column not in table.column_names:
        expected = ", ".join(table.column_names)[:300]
        raise SalusError("no_such_column", where="recording", expected=expected, found=id_column)
    column = table.column(id_column)
    if column.null_count:
        raise SalusError("recording_without_id", where=f"column '{id_column}'", found=column.null_count)
    return np.concatenate([[0], np.flatnonzero(_changes(column)) + 1])


def _changes(column: pa.ChunkedArray) -> np.ndarray:
    """Of every row but the first, whether it differs from the row before; missing values are alike."""
    if sort_of(column.type) == "list":
        return np.ones(max(0, len(column) - 1), dtype=bool)
    codes = pc.dictionary_encode(column.combine_chunks())
    codes = codes.combine_chunks() if isinstance(codes, pa.ChunkedArray) else codes
    indices = pc.fill_null(codes.indices, -1).to_numpy(zero_copy_only=False)
    changes: np.ndarray = indices[1:] != indices[:-1]
    return changes


def _seconds(column: pa.ChunkedArray, name: str) -> np.ndarray:
    """Moments as float64 seconds, NaN where missing; numbers as they are."""
    sort = sort_of(column.type)
    if sort == "moment":
        whole = column.cast(pa.timestamp("us", tz=getattr(column.type, "tz", None))).cast(pa.int64())
        return np.asarray(whole.cast(pa.float64()).to_numpy(zero_copy_only=False)) / 1e6
    try:
        return np.asarray(as_numbers(column).to_numpy(zero_copy_only=False), dtype=np.float64)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        values = kind_named("time").column_values(column.cast(pa.large_string()).to_pylist(), f"column '{name}'")
        return np.array(values, dtype=np.float64)


def _together(read: Read, id_column: str) -> Read:
    """The rows of every recording side by side, recordings in the order in which they begin; `recording_scattered` when that
    would take too much memory."""
    parts, size = [], 0
    for part in read.parts():
        parts.append(part)
        size += part.nbytes
        if size > MAX_SCATTERED_BYTES:
            raise SalusError("recording_scattered", where=f"column '{id_column}'", expected=MAX_SCATTERED_BYTES)
    table = pa.concat_tables(parts, promote_options="permissive").combine_chunks()
    codes = pc.dictionary_encode(table.column(id_column).combine_chunks())
    codes = codes.combine_chunks() if isinstance(codes, pa.ChunkedArray) else codes
    order = np.argsort(codes.indices.to_numpy(zero_copy_only=False), kind="stable")
    return Read.of(table.take(pa.array(order)), read.facts, read.kinds)


def _rows(whole: _Whole, layout: _Layout) -> Iterator[pa.Table]:
    """One row a recording, in tables that fit into memory also where much is missing."""
    table, starts = whole.table, whole.starts
    places, ends = np.arange(table.num_rows), starts
    if layout.time is not None and layout.interval_s is not None:
        steps_s = np.diff(_seconds(table.column(layout.time), layout.time)) / layout.scale
        missing = _missing_samples(steps_s, whole.inside, layout.interval_s)
        moved = np.concatenate([[0], np.cumsum(missing)])
        places, ends = places + moved, np.append(places + moved, table.num_rows + moved[-1])[starts]
    longest = int(np.diff(ends).argmax())
    if ends[longest + 1] - ends[longest] > MAX_STEPS:
        where, found = f"recording '{whole.ids[longest]}', with its gaps", int(ends[longest + 1] - ends[longest])
        raise SalusError("series_too_long", where=where, expected=MAX_STEPS, found=found)
    for first, last in _pieces(ends):
        rows = slice(int(starts[first]), int(starts[last]))
        columns: dict[str, Any] = {name: table.column(name).take(pa.array(starts[first:last])) for name in layout.plain}
        offsets = pa.array((ends[first : last + 1] - ends[first]).astype(np.int64))
        for name in layout.channels:
            values = np.full(int(ends[last] - ends[first]), np.nan, dtype=np.float32)
            given = as_numbers(table.column(name)[rows]).to_numpy(zero_copy_only=False)
            with np.errstate(over="ignore"):
                values[places[rows] - ends[first]] = given.astype(np.float32)
            values[~np.isfinite(values)] = np.nan
            columns[name] = pa.LargeListArray.from_arrays(offsets, pa.array(values, from_pandas=False))
        yield pa.table(columns)


def _pieces(ends: np.ndarray) -> Iterator[tuple[int, int]]:
    """(first, behind the last) of recordings that have some millions of samples together, or one that has more."""
    first = 0
    while first < len(ends) - 1:
        last = max(first + 1, int(np.searchsorted(ends, ends[first] + PIECE_SAMPLES, side="right")) - 1)
        yield first, last
        first = last


def _missing_samples(steps_s: np.ndarray, inside: np.ndarray, interval_s: float) -> np.ndarray:
    """How many samples are missing before every row but the first."""
    gaps = inside & (steps_s > GAP_INTERVALS * interval_s)
    missing = np.zeros(len(steps_s), dtype=np.int64)
    missing[gaps] = np.minimum(np.round(steps_s[gaps] / interval_s) - 1, MAX_FILLED).astype(np.int64)
    return missing
