"""What is found in a channel of recordings by itself: flat, stuck, clipped, jumping, gappy and short ones, and mixed scales.

Works on the samples of many recordings at once; knows one channel and no rate.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from salus.core.nouns import Finding, Severity
from salus.data.findings_made import FirstRows, finding
from salus.data.physical_limits import split_by_ratio

FEWEST_SAMPLES = 8  # below it a recording says nothing about flatness
STUCK = 0.5  # of a recording, in one run of one value
CLIPPED = 0.02  # of a recording, in runs at its highest or lowest value
CLIPPED_SAMPLES = 8
INNER = 0.2  # of a recording lie between the ends, or it only switches; of these so many in runs speak of few levels
JUMP = 60.0  # times the mean step of the same recording
LONE_STEPS = 3  # steps of a jump; a movement that sets in has more of its size
SHORT = 0.1  # of the median length
SCALES = ((9.80665, "g, m/s²"), (57.29578, "rad, °"), (1000.0, "1, 1/1000"))
MAX_LENGTHS = 200_000


class SeriesCheck:
    """One channel; a row is a recording."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.missing, self.flat, self.stuck, self.clipped = FirstRows(), FirstRows(), FirstRows(), FirstRows()
        self.jumps, self.gaps = FirstRows(), FirstRows()
        self.lengths: list[np.ndarray] = []
        self.spreads: list[np.ndarray] = []
        self.rows: list[np.ndarray] = []
        self.kept = 0

    def part(self, column: pa.ChunkedArray, first_row: int) -> None:
        for chunk in column.chunks:
            valid = chunk.is_valid().to_numpy(zero_copy_only=False)
            self.missing.add(first_row + np.flatnonzero(~valid))
            offsets = chunk.offsets.to_numpy()
            begin, end = int(offsets[0]), int(offsets[-1])
            offsets = offsets - begin
            rows = first_row + np.flatnonzero(valid)
            starts, lengths = offsets[:-1][valid], np.diff(offsets)[valid]
            filled = lengths > 0
            if filled.any():
                samples = chunk.values.slice(begin, end - begin).to_numpy(zero_copy_only=False).astype(np.float64)
                self._look(samples, starts[filled], lengths[filled], rows[filled])
            first_row += len(chunk)

    def _look(self, samples: np.ndarray, starts: np.ndarray, lengths: np.ndarray, rows: np.ndarray) -> None:
        """samples: of all recordings of a chunk; starts, lengths, rows (R,)."""
        places = np.arange(int(lengths.sum())) + np.repeat(starts - (np.cumsum(lengths) - lengths), lengths)
        values = samples[places]
        starts = np.cumsum(lengths) - lengths
        finite = np.isfinite(values)
        self.gaps.add(rows[np.add.reduceat(~finite, starts, dtype=np.int64) > 0])
        low = np.minimum.reduceat(np.where(finite, values, np.inf), starts)
        high = np.maximum.reduceat(np.where(finite, values, -np.inf), starts)
        long = lengths >= FEWEST_SAMPLES
        flat = long & (low == high)
        self.flat.add(rows[flat])
        moving = long & (low < high)
        self._runs(values, starts, lengths, rows, moving, low, high)
        self._steps(np.where(finite, values, np.nan), starts, lengths, rows, moving)
        if self.kept < MAX_LENGTHS:
            self.kept += len(rows)
            self.lengths.append(lengths)
            self.rows.append(rows)
            self.spreads.append(np.where(low < high, high - low, np.nan))

    def _runs(
        self,
        values: np.ndarray,
        starts: np.ndarray,
        lengths: np.ndarray,
        rows: np.ndarray,
        moving: np.ndarray,
        low: np.ndarray,
        high: np.ndarray,
    ) -> None:
        """Runs of one value: long ones anywhere, and several samples at the ends of the range."""
        same = np.concatenate([[False], values[1:] == values[:-1]])
        same[starts] = False
        run_starts = np.flatnonzero(~same)
        run_lengths = np.diff(np.append(run_starts, len(values)))
        of = np.searchsorted(starts, run_starts, side="right") - 1
        longest = np.zeros(len(starts), dtype=np.int64)
        np.maximum.at(longest, of, run_lengths)
        stuck = moving & (longest >= STUCK * lengths)
        self.stuck.add(rows[stuck])
        clipped = np.zeros(len(starts), dtype=bool)
        for end in (low, high):
            at_end = (values[run_starts] == end[of]) & (run_lengths >= 3) & (end[of] != 0)
            count = np.bincount(of[at_end], weights=run_lengths[at_end], minlength=len(starts))
            clipped |= count >= np.maximum(CLIPPED_SAMPLES, CLIPPED * lengths)
        at_ends = (values[run_starts] == low[of]) | (values[run_starts] == high[of])
        inner = np.bincount(of[~at_ends], weights=run_lengths[~at_ends], minlength=len(starts))
        coarse = ~at_ends & (run_lengths >= 3)  # a sensor of few levels has such runs everywhere
        runs = np.bincount(of[coarse], weights=run_lengths[coarse], minlength=len(starts))
        self.clipped.add(rows[moving & clipped & ~stuck & (inner > INNER * lengths) & (runs < INNER * inner)])

    def _steps(
        self, values: np.ndarray, starts: np.ndarray, lengths: np.ndarray, rows: np.ndarray, moving: np.ndarray
    ) -> None:
        """Steps between samples that are out of all proportion."""
        steps = np.abs(np.diff(values, prepend=values[:1]))
        steps[starts] = np.nan
        known = np.isfinite(steps)
        steps = np.where(known, steps, 0.0)
        total, most = np.add.reduceat(steps, starts), np.maximum.reduceat(steps, starts)
        count = np.maximum(1, np.add.reduceat(known, starts, dtype=np.int64) - 1)
        few = np.add.reduceat(steps > 0.2 * np.repeat(most, lengths), starts, dtype=np.int64) <= LONE_STEPS
        self.jumps.add(rows[moving & few & (most > JUMP * (total - most) / count) & (count > 50)])

    def findings(self) -> list[Finding]:
        found = []
        if self.missing.count:
            found.append(self._found("missing_values", Severity.INFO, self.missing))
        for code, rows in (
            ("flat_channel", self.flat),
            ("stuck_channel", self.stuck),
            ("clipped_channel", self.clipped),
            ("jumping_channel", self.jumps),
            ("gappy_channel", self.gaps),
        ):
            if rows.count:
                found.append(self._found(code, Severity.WARNING, rows))
        if self.kept:
            found += self._lengths_and_scales()
        return found

    def _lengths_and_scales(self) -> list[Finding]:
        found = []
        lengths, rows, spreads = (np.concatenate(pieces) for pieces in (self.lengths, self.rows, self.spreads))
        usual = float(np.median(lengths))
        short = FirstRows()
        short.add(rows[(lengths < SHORT * usual) | ((lengths == 1) & (usual > 1))])
        if short.count:
            found.append(self._found("short_recordings", Severity.WARNING, short, expected=int(usual)))
        good = np.isfinite(spreads)
        for ratio, names in SCALES:
            higher = split_by_ratio(spreads[good], ratio)
            if higher is not None:
                rarer = FirstRows()
                rarer.add(rows[good][higher if higher.mean() <= 0.5 else ~higher])
                found.append(self._found("mixed_units", Severity.WARNING, rarer, expected=names))
        return found

    def _found(self, code: str, severity: Severity, rows: FirstRows, **said: object) -> Finding:
        return finding(code, severity, (self.name,), rows.first, where=self.name, found=rows.count, **said)
