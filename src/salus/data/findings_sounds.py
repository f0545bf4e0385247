"""What is found in a column of sounds by itself: undecodable, silent, clipped, very short and very long ones."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import pyarrow as pa

from salus.core.errors import SalusError
from salus.core.nouns import Finding, Severity
from salus.data.findings_made import FirstRows, finding
from salus.data.kinds.audio import LONGEST_S, samples_of

SOUNDS_A_TICK = 200
SHORT_S = 0.1
SILENT = 1e-3  # of full scale: nothing is louder
FULL, CLIPPED_SHARE = 0.999, 0.005  # so many samples at full scale are no chance

LEFT_OUT = {
    "sound_too_long": "too_long_sounds",
    "sound_empty": "empty_sounds",
}  # what decoding says: what is told of it


class SoundCheck:
    """One column of encoded sounds."""

    def __init__(self, name: str, tick: Callable[[], None]) -> None:
        self.name, self.tick = name, tick
        self.broken: list[int] = []  # rows that are left out
        self.reasons: dict[str, list[int]] = {}  # the same, by the finding that says why
        self.missing, self.silent, self.clipped, self.odd = FirstRows(), FirstRows(), FirstRows(), FirstRows()

    def part(self, column: pa.ChunkedArray, first_row: int) -> None:
        for row, scalar in enumerate(column, start=first_row):
            if row % SOUNDS_A_TICK == 0:
                self.tick()
            content = scalar.as_py()
            if content is None:
                self.missing.add(np.array([row]))
                continue
            try:
                samples, rate_hz = samples_of(content, self.name)
            except SalusError as error:
                self.broken.append(row)
                self.reasons.setdefault(LEFT_OUT.get(error.code, "undecodable_sounds"), []).append(row)
                continue
            self._look(np.abs(samples), len(samples) / rate_hz, np.array([row]))

    def _look(self, loudness: np.ndarray, seconds: float, row: np.ndarray) -> None:
        if loudness.max() < SILENT:
            self.silent.add(row)
        if float((loudness >= FULL).mean()) > CLIPPED_SHARE:
            self.clipped.add(row)
        if seconds < SHORT_S or seconds > LONGEST_S:
            self.odd.add(row)

    def findings(self) -> list[Finding]:
        found = []
        seen = (("silent_sounds", self.silent), ("clipped_sounds", self.clipped), ("odd_sound_lengths", self.odd))
        for code, odd in seen:
            if odd.count:
                said = {"found": odd.count, "expected": LONGEST_S}
                found.append(self._found(code, Severity.WARNING, odd.first, **said))
        if self.missing.count:
            found.append(self._found("missing_values", Severity.INFO, self.missing.first, found=self.missing.count))
        for code, rows in self.reasons.items():
            said = {"expected": rows[0], "found": len(rows)}
            found.append(self._found(code, Severity.WARNING, rows, **said))
        return found

    def _found(self, code: str, severity: Severity, rows: Iterable[int] = (), **said: object) -> Finding:
        return finding(code, severity, (self.name,), rows, where=self.name, **said)
