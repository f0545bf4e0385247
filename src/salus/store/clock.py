"""The one clock of the record half, and how its times are shown."""

from __future__ import annotations

import time
from datetime import UTC, datetime


def now() -> float:
    """Seconds since 1970 in UTC. Only the process that writes the database asks: leases have one clock."""
    return time.time()


def rfc3339(seconds: float | None) -> str | None:
    """The time as HTTP shows it, such as 2026-01-31T08:00:00.000Z; None stays None."""
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
