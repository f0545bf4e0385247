"""Moments: dates, dates with a time of day, with or without a zone.

Knows how moments are written and what they say (how long ago, which part of the year, week and day). Parts and differences are
computed in float64 before anything becomes float32, which could not tell two days of epoch seconds apart. A column whose
texts all have a zone is brought to UTC; one without is taken as it stands; both in one column are refused, since nobody can
say how far they lie apart. Numbers are moments only for columns of which a person said so.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np

from salus.core.errors import SalusError
from salus.data.kinds.base import Arrays, Kind, State, Values

DAY_S = 86400.0
YEAR_DAYS = 365.2425
WEEK_DAYS = 7.0
MONDAY_DAYS = 4.0  # 1970-01-05 was a Monday
PARTS = ("days", "year_sine", "year_cosine", "week_sine", "week_cosine", "day_sine", "day_cosine", "weekend")
MAX_DIFFERENCED = 8  # columns whose differences are features too
MILLISECONDS_FROM, MICROSECONDS_FROM, NANOSECONDS_FROM = 1e11, 1e14, 1e17  # epoch numbers this large are no seconds
MOST_EPOCH = 1e19
LONGEST_TEXT = 64
EPOCH = datetime(1970, 1, 1)
MONTHS = {
    name: month
    for month, name in enumerate(
        ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"), start=1
    )
}
_CLOCK = (
    r"(?:[T ,]+(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:[.,](?P<fraction>\d{1,9}))?)?"
    r"\s*(?P<half>[AaPp]\.?[Mm]\.?)?)?\s*(?P<zone>Z|UTC|GMT|[+-]\d{2}:?\d{2})?"
)
_FORMATS = tuple(
    re.compile(date + _CLOCK)
    for date in (
        r"(?P<year>\d{4})[/.年-](?P<month>\d{1,2})(?:[/.月-](?P<day>\d{1,2})日?|月)?",
        r"(?P<day>\d{1,2})\.(?P<month>\d{1,2})\.(?P<year>\d{4}|\d{2})",
        r"(?P<first>\d{1,2})[/-](?P<second_part>\d{1,2})[/-](?P<year>\d{4}|\d{2})",
        r"(?P<day>\d{1,2})(?:st|nd|rd|th)?[ -](?P<name>[A-Za-z]{3,9})\.?,?[ -](?P<year>\d{4}|\d{2})",
        r"(?P<name>[A-Za-z]{3,9})\.? (?P<day>\d{1,2})(?:st|nd|rd|th)?,? (?P<year>\d{4})",
        r"[A-Za-z]{3,9}, (?P<day>\d{1,2}) (?P<name>[A-Za-z]{3,9}) (?P<year>\d{4})",
    )
)
_DIGITS = re.compile(r"[+-]?\d+(?:\.\d*)?(?:[eE][+]?\d+)?")
_COMPACT = re.compile(r"(19|20)\d{2}(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])(?:([01]\d|2[0-3])([0-5]\d)([0-5]\d))?")


class Moment(float):
    """Seconds since 1970 in UTC, or as the clock stood where no zone is said.

    zoned: whether a zone was said. day_first, month_first: the two readings of 03/04/2020, NaN where one is none.
    """

    __slots__ = ("day_first", "month_first", "zoned")
    zoned: bool
    day_first: float
    month_first: float

    def __new__(cls, seconds: float, zoned: bool, day_first: float = math.nan, month_first: float = math.nan) -> Moment:
        moment = super().__new__(cls, seconds)
        moment.zoned, moment.day_first, moment.month_first = zoned, day_first, month_first
        return moment

    @property
    def ambiguous(self) -> bool:
        """Whether it was written as 03/04/2020, in either order."""
        return not (math.isnan(self.day_first) and math.isnan(self.month_first))

    def settled(self, day_first: bool) -> float:
        """The seconds in this order of day and month; NaN where there is no such date."""
        return (self.day_first if day_first else self.month_first) if self.ambiguous else float(self)


class Time(Kind):
    name = "time"

    def recognise(self, values: Sequence[Any]) -> float:
        present = [value for value in values if isinstance(value, str) and value.strip()]
        if not present or any(value is not None and not isinstance(value, str) for value in values):
            return 0.0
        numbers = any(_DIGITS.fullmatch(value.strip()) for value in present)
        return 0.97 if not numbers and all(moment_of(value) is not None for value in present) else 0.0

    def read(self, raw: Any, where: str) -> Any:
        if raw is None or (isinstance(raw, str) and not raw.strip()):
            return None
        moment = None if isinstance(raw, bool) else moment_of(raw)
        if moment is None:
            raise SalusError("not_a_time", where=where, found=f"{type(raw).__name__} {raw!r}"[:80])
        return moment

    def column_values(self, raws: Sequence[Any], where: str) -> Values:
        if isinstance(raws, np.ndarray) and raws.dtype.kind == "f":
            raws = [None if math.isnan(raw) else raw for raw in raws.tolist()]
        moments = [self.read(raw, f"{where}, row {row}") for row, raw in enumerate(raws)]
        present = [moment for moment in moments if moment is not None]
        _zoned(present, where)
        order = _day_first(present, where)
        if order is None:
            return moments
        return [None if m is None else Moment(m.settled(order), m.zoned, m.day_first, m.month_first) for m in moments]

    def fit(self, values: Values, options: Mapping[str, Any]) -> State:
        present = [value for value in values if value is not None]
        order = _day_first(present, "the train rows")
        seconds = [moment.settled(bool(order)) for moment in present]
        return {
            "earliest_s": min(seconds, default=0.0),
            "latest_s": max(seconds, default=0.0),
            "zoned": _zoned(present, "the train rows"),
            "day_first": bool(order),
            "dates": all(second % DAY_S == 0 for second in seconds),
        }

    def encode(self, values: Values, state: State) -> Arrays:
        for row, moment in enumerate(values):
            if moment is not None and state["zoned"] is not None and moment.zoned != state["zoned"]:
                code = "time_zone_missing" if state["zoned"] else "time_zone_unknown"
                raise SalusError(code, where=f"row {row}")
        seconds_B = np.array(
            [math.nan if moment is None else moment.settled(state["day_first"]) for moment in values], dtype=np.float64
        )
        wrong = [row for row, moment in enumerate(values) if moment is not None and math.isnan(seconds_B[row])]
        if wrong:
            order = "day, month, year" if state["day_first"] else "month, day, year"
            raise SalusError("time_order_mixed", where=f"row {wrong[0]}", expected=order)
        return {"seconds": seconds_B, "parts": _parts(seconds_B, state)}

    def join(self, encoded: Mapping[str, Arrays], states: Mapping[str, State]) -> Arrays:
        columns = [arrays["parts"] for arrays in encoded.values()]
        seconds = [arrays["seconds"] for arrays in encoded.values()]
        for first, second in _pairs(len(columns)):
            columns.append(((seconds[second] - seconds[first]) / DAY_S)[:, None])
        return {"times": np.concatenate(columns, axis=1).astype(np.float32)}

    def json_schema(self, state: State) -> dict[str, Any]:
        zone = "with a zone, such as Z or +02:00" if state["zoned"] else "without a zone"
        return {
            "type": ["string", "number", "null"],
            "description": f"a moment {zone}: {_written(state['earliest_s'], state)} to "
            f"{_written(state['latest_s'], state)} in training",
        }

    def synthetic(self, state: State, count: int, generator: np.random.Generator) -> list[Any]:
        low, high = state["earliest_s"], state["latest_s"]
        step = DAY_S if state["dates"] else 1.0
        drawn = np.floor(generator.uniform(low, max(high, low + 2 * step), count) / step) * step
        values: list[Any] = [_written(float(seconds), state) for seconds in drawn]
        for row in range(9, count, 10):
            values[row] = None
        for row in range(4, count, 20):
            values[row] = _written(high + 3650 * DAY_S, state)
        return values


def moment_of(raw: Any) -> Moment | None:
    """The moment that a text, a number or a `datetime` says; None for what is none."""
    if isinstance(raw, datetime):
        return _of_datetime(raw)
    if isinstance(raw, int | float):
        return _of_epoch(float(raw)) if abs(raw) < MOST_EPOCH else None
    if not isinstance(raw, str) or len(raw) > LONGEST_TEXT:
        return None
    text = raw.strip()
    if _DIGITS.fullmatch(text) and not _COMPACT.fullmatch(text):
        return moment_of(float(text))
    try:
        return _of_datetime(datetime.fromisoformat(text)) if text[:4].isdecimal() else _of_format(text)
    except (ValueError, OverflowError):
        return _of_format(text)


def part_names(columns: Sequence[str]) -> list[tuple[str, str]]:
    """(name, column it comes from) of every column of the feed `times`, in its order."""
    named = [(f"{column}.{part}", column) for column in columns for part in PARTS]
    return named + [(f"{columns[b]} - {columns[a]} (days)", columns[b]) for a, b in _pairs(len(columns))]


def _pairs(columns: int) -> list[tuple[int, int]]:
    if columns > MAX_DIFFERENCED:
        return []
    return [(first, second) for first in range(columns) for second in range(first + 1, columns)]


def _parts(seconds_B: np.ndarray, state: State) -> np.ndarray:
    """Float64 (B, PARTS), NaN where missing."""
    days = seconds_B / DAY_S
    turns = 2 * np.pi * np.stack([days / YEAR_DAYS, (days - MONDAY_DAYS) / WEEK_DAYS, days % 1.0])
    weekday = np.floor(days - MONDAY_DAYS) % WEEK_DAYS
    weekend = np.where(np.isnan(days), np.nan, weekday >= 5)
    waves = [wave for turn in turns for wave in (np.sin(turn), np.cos(turn))]
    return np.stack([(seconds_B - state["earliest_s"]) / DAY_S, *waves, weekend], axis=1)


def _zoned(present: Sequence[Moment], where: str) -> bool | None:
    """Whether all have a zone; None where there is nothing to tell from."""
    found = {moment.zoned for moment in present}
    if len(found) == 2:
        raise SalusError("time_zone_mixed", where=where, found=sum(not moment.zoned for moment in present))
    return next(iter(found), None)


def _day_first(present: Sequence[Moment], where: str) -> bool | None:
    """Whether 03/04/2020 is the third of April here: as the days beyond 12 tell, else the American order. None: not so written."""
    written = [moment for moment in present if moment.ambiguous]
    days = any(math.isnan(moment.month_first) for moment in written)
    months = any(math.isnan(moment.day_first) for moment in written)
    if days and months:
        raise SalusError("time_order_mixed", where=where, expected="one order of day and month")
    return days if written else None


def _of_epoch(number: float) -> Moment:
    size = abs(number)
    divisor = 1.0 if size < MILLISECONDS_FROM else 1e3 if size < MICROSECONDS_FROM else 1e6
    return Moment(number / (divisor if size < NANOSECONDS_FROM else 1e9), True)


def _of_datetime(moment: datetime) -> Moment:
    if moment.tzinfo is None:
        return Moment((moment - EPOCH).total_seconds(), False)
    return Moment((moment.astimezone(UTC).replace(tzinfo=None) - EPOCH).total_seconds(), True)


def _of_format(text: str) -> Moment | None:
    """A text in one of the common ways to write dates."""
    for pattern in _FORMATS:
        match = pattern.fullmatch(text)
        if match is not None:
            return _of_match(match.groupdict())
    return None


def _of_match(parts: dict[str, str | None]) -> Moment | None:
    clock = _clock_s(parts)
    year = int(parts["year"] or 0)
    if len(parts["year"] or "") == 2:
        year += 1900 if year >= 69 else 2000
    if clock is None:
        return None
    zoned = parts["zone"] is not None
    if "first" in parts:
        first, second = int(parts["first"] or 0), int(parts["second_part"] or 0)
        month_first, day_first = _date_s(year, first, second) + clock, _date_s(year, second, first) + clock
        if math.isnan(month_first) and math.isnan(day_first):
            return None
        return Moment(day_first if math.isnan(month_first) else month_first, zoned, day_first, month_first)
    name = parts.get("name")
    month = MONTHS.get(name[:3].lower(), 0) if name else int(parts["month"] or 0)
    seconds = _date_s(year, month, int(parts["day"] or 1)) + clock
    return None if math.isnan(seconds) else Moment(seconds, zoned)


def _date_s(year: int, month: int, day: int) -> float:
    """Seconds since 1970 of a date; NaN where there is no such one."""
    try:
        return (datetime(year, month, day) - EPOCH).total_seconds()
    except ValueError:
        return math.nan


def _clock_s(parts: dict[str, str | None]) -> float | None:
    """Seconds since midnight in UTC as far as a zone is said; None where the clock cannot stand so."""
    hour, minute, second = int(parts["hour"] or 0), int(parts["minute"] or 0), int(parts["second"] or 0)
    if parts["half"]:
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + 12 * (parts["half"][0] in "Pp")
    if hour > 23 or minute > 59 or second > 59:
        return None
    zone, shift = parts["zone"] or "Z", 0
    if zone[0] in "+-":
        shift = (int(zone[1:3]) * 3600 + int(zone[-2:]) * 60) * (-1 if zone[0] == "-" else 1)
    return hour * 3600.0 + minute * 60 + second + float(f"0.{parts['fraction'] or 0}") - shift


def _written(seconds: float, state: State) -> str:
    """ISO 8601, as a request may give it."""
    bounded = min(max(seconds, -62e9), 253e9)
    moment = datetime.fromtimestamp(bounded, UTC)
    if state["dates"] and not state["zoned"]:
        return moment.date().isoformat()
    return moment.replace(tzinfo=None, microsecond=0).isoformat() + ("Z" if state["zoned"] else "")
