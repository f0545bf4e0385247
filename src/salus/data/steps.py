"""How far apart the values of a regular series lie, in seconds or whole months. Knows the calendar and nothing else."""

from __future__ import annotations

from calendar import monthrange
from dataclasses import dataclass
from datetime import datetime, timedelta

DAY_S = 86400.0
EPOCH = datetime(1970, 1, 1)


@dataclass(frozen=True)
class Step:
    """Seconds, or whole months; nothing is known of the time when both are 0."""

    seconds: float = 0.0
    months: int = 0

    def after(self, moment_s: float, count: int) -> float:
        """The moment so many steps later, seconds since 1970."""
        if not self.months:
            return moment_s + count * self.seconds
        start = EPOCH + timedelta(seconds=moment_s)
        year, month = divmod(start.year * 12 + start.month - 1 + count * self.months, 12)
        ends = start.day == monthrange(start.year, start.month)[1]  # the end of a month stays one
        most = monthrange(year, month + 1)[1]
        date = datetime(year, month + 1, most if ends else min(start.day, most))
        return (date - EPOCH).total_seconds() + moment_s % DAY_S

    def said(self) -> str:
        """In words: 1 h, 15 min, 7 d, 1 month."""
        if self.months:
            return f"{self.months} month{'s' if self.months > 1 else ''}"
        for size, unit in ((DAY_S, "d"), (3600.0, "h"), (60.0, "min")):
            if self.seconds >= size and self.seconds % size == 0:
                return f"{self.seconds / size:g} {unit}"
        return f"{self.seconds:.6g} s" if self.seconds else "unknown"
