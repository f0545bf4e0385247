"""What a table learner sees of recordings: plain statistics, the spectrum and the memory of every window, then mean and spread over
the windows of a row.

Knows graph nodes only; there is no second implementation. One window is worked on after the other, so that a window gives the
same bits in any company. The choice follows what is customary (Lubba et al. 2019, catch22; Christ et al. 2018, tsfresh).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from salus.learners.graphs import GraphBuilder

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
BANDS = 10
MAX_FREQUENCIES = 256  # evenly on a logarithmic scale where a window has more
MAX_WAVE_CELLS = 2_000_000  # of each matrix of waves in the graph
MAX_CROSSED = 12  # channels whose correlations with each other are features too
TINY = 1e-6
PLAIN = ("mean", "deviation", "least", "most", "change", "crossings", "skewness", "centroid")


@dataclass(frozen=True)
class SeriesFeatures:
    """channels: their column names. means, scales: float32 (C, 1) of train windows of `steps` steps. several: whether rows of
    train have several windows, so that their spread says something."""

    channels: tuple[str, ...]
    means: np.ndarray
    scales: np.ndarray
    steps: int
    several: bool

    @classmethod
    def fit(cls, channels: Sequence[str], feeds: Mapping[str, np.ndarray]) -> SeriesFeatures:
        windows, series_rows = feeds["series"], feeds["series_rows"]
        means = windows.mean(axis=(0, 2), dtype=np.float64)
        deviations = windows.std(axis=(0, 2), dtype=np.float64)
        scales = np.where(deviations > 1e-12, deviations, 1.0)
        several = series_rows.shape[1] > series_rows.shape[0]
        columns = [array.astype(np.float32)[:, None] for array in (means, scales)]
        return cls(tuple(channels), columns[0], columns[1], windows.shape[2], several)

    @property
    def lags(self) -> list[int]:
        """Steps over which a window is compared with itself."""
        return [lag for lag in (1, 2, 4, 8, 12, 16, 24, 32, 48, 64, 96, 128) if lag <= self.steps // 2]

    @property
    def names(self) -> list[tuple[str, str]]:
        """(name, column) of every feature."""
        each = [*PLAIN, *(f"quantile_{share:g}" for share in QUANTILES)]
        each += [f"band_{band}" for band in range(len(self._bands()[1]))] + [f"memory_{lag}" for lag in self.lags]
        found = [(f"{channel}.{name}", channel) for name in each for channel in self.channels]
        found += [(f"{self.channels[a]} with {self.channels[b]}", self.channels[a]) for a, b in self._crossed()]
        if self.several:
            found += [(f"{name} (spread)", channel) for name, channel in found]
        return found

    def nodes(self, builder: GraphBuilder) -> str:
        """The graph value (rows, features)."""
        shape = (len(self.channels), self.steps)
        series = builder.feed("series", np.float32, ("windows", *shape))
        rows = builder.feed("series_rows", np.float32, ("rows", "windows"))
        width = len(self.names) // (2 if self.several else 1)
        windows = builder.each(series, shape, width, self._window)
        means = builder.node("MatMul", rows, windows)
        if not self.several:
            return means
        # Against the mean of the row itself: the difference of two squares would leave only rounding of equal windows.
        belongs = builder.node("Cast", builder.node("Greater", rows, builder.constant(0.0)), to=1)
        own = builder.node("MatMul", builder.node("Transpose", belongs, perm=[1, 0]), means)
        apart = builder.node("Sub", windows, own)
        variance = builder.node("MatMul", rows, builder.node("Mul", apart, apart))
        return builder.node("Concat", means, builder.node("Sqrt", variance), axis=1)

    def _window(self, builder: GraphBuilder, window: str) -> str:
        """Features (1, F) of one window (1, C, T)."""
        last = builder.constant([2], np.int64)
        centred = builder.node("Sub", window, builder.constant(self.means))
        scaled = builder.node("Div", centred, builder.constant(self.scales))
        mean = builder.node("ReduceMean", scaled, last)
        apart = builder.node("Sub", scaled, mean)
        square = builder.node("Mul", apart, apart)
        variance = builder.node("Add", builder.node("ReduceMean", square, last), builder.constant(TINY))
        deviation = builder.node("Sqrt", variance)
        standard = builder.node("Div", apart, deviation)
        power, centroid = self._spectrum(builder, apart, last)
        parts = [mean, deviation, *self._shape(builder, apart, standard, last), centroid]
        order, _ = builder.several("TopK", 2, apart, builder.constant([self.steps], np.int64), largest=0)
        places = [round(share * (self.steps - 1)) for share in QUANTILES]
        parts += [builder.node("Gather", order, builder.constant([place], np.int64), axis=2) for place in places]
        parts += self._columns(builder, power, len(self._bands()[1]))
        parts += [self._memory(builder, standard, lag, last) for lag in self.lags]
        flat = [builder.node("Squeeze", part, last) for part in parts]
        if self._crossed():
            flat.append(self._crossings(builder, standard))
        return builder.node("Concat", *flat, axis=1)

    def _shape(self, builder: GraphBuilder, apart: str, standard: str, last: str) -> list[str]:
        """Least, most, mean change from step to step, share of steps that cross the mean, skewness: each (1, C, 1)."""
        cube = builder.node("Mul", builder.node("Mul", standard, standard), standard)
        found = [builder.node("ReduceMin", apart, last), builder.node("ReduceMax", apart, last)]
        if self.steps > 1:
            before, after = _shifted(builder, apart, self.steps, 1)
            change = builder.node("ReduceMean", builder.node("Abs", builder.node("Sub", after, before)), last)
            crossed = builder.node("Less", builder.node("Mul", before, after), builder.constant(0.0))
            found += [change, builder.node("ReduceMean", builder.node("Cast", crossed, to=1), last)]
        else:
            found += [builder.node("ReduceMean", builder.node("Sub", apart, apart), last)] * 2
        return [*found, builder.node("ReduceMean", cube, last)]

    def _memory(self, builder: GraphBuilder, standard: str, lag: int, last: str) -> str:
        before, after = _shifted(builder, standard, self.steps, lag)
        return builder.node("ReduceMean", builder.node("Mul", before, after), last)

    def _spectrum(self, builder: GraphBuilder, apart: str, last: str) -> tuple[str, str]:
        """Logarithms of the power of each band (1, C, bands), and where in them the power lies (1, C, 1)."""
        frequencies, bands = self._bands()
        steps = np.arange(self.steps)
        turns = 2 * np.pi * np.outer(steps, frequencies) / self.steps
        taper = np.sin(np.pi * (steps + 0.5) / self.steps)[:, None] * np.sqrt(2.0 / self.steps)
        waves = [
            builder.node("MatMul", apart, builder.constant(taper * wave)) for wave in (np.cos(turns), np.sin(turns))
        ]
        powers = [builder.node("Mul", wave, wave) for wave in waves]
        member = np.zeros((len(frequencies), len(bands)))
        for band, inside in enumerate(bands):
            member[inside, band] = 1.0
        power = builder.node("MatMul", builder.node("Add", *powers), builder.constant(member))
        total = builder.node("Add", builder.node("ReduceSum", power, last), builder.constant(TINY))
        places = builder.constant(np.arange(len(bands)) / max(1, len(bands)))
        centroid = builder.node("Div", builder.node("ReduceSum", builder.node("Mul", power, places), last), total)
        floored = builder.node("Add", power, builder.constant(1e-3))
        return builder.node("Log", floored), centroid

    def _bands(self) -> tuple[np.ndarray, list[np.ndarray]]:
        """Frequencies as waves a window, and which of them lie in each band."""
        highest = max(1, self.steps // 2)
        most = max(1, min(MAX_FREQUENCIES, MAX_WAVE_CELLS // self.steps))
        frequencies = np.arange(1, highest + 1)
        if highest > most:
            frequencies = np.unique(np.round(np.geomspace(1, highest, most)).astype(np.int64))
        edges = np.geomspace(1, highest + 1, BANDS + 1)[1:-1]
        of_band = np.searchsorted(edges, frequencies, side="right")
        return frequencies, [np.flatnonzero(of_band == band) for band in np.unique(of_band)]

    def _columns(self, builder: GraphBuilder, values: str, count: int) -> list[str]:
        return [builder.node("Gather", values, builder.constant([n], np.int64), axis=2) for n in range(count)]

    def _crossed(self) -> list[tuple[int, int]]:
        count = len(self.channels)
        return [(a, b) for a in range(count) for b in range(a + 1, count)] if count <= MAX_CROSSED else []

    def _crossings(self, builder: GraphBuilder, standard: str) -> str:
        """Correlations (1, pairs) of the channels with each other."""
        count = len(self.channels)
        turned = builder.node("Transpose", standard, perm=[0, 2, 1])
        products = builder.node("Div", builder.node("MatMul", standard, turned), builder.constant(self.steps))
        flat = builder.node("Reshape", products, builder.constant([1, count * count], np.int64))
        return builder.node(
            "Gather", flat, builder.constant([a * count + b for a, b in self._crossed()], np.int64), axis=1
        )


def _shifted(builder: GraphBuilder, values: str, steps: int, lag: int) -> tuple[str, str]:
    """Values (1, C, T - lag) without the last and without the first `lag` steps."""
    axis = builder.constant([2], np.int64)
    pieces = [(0, steps - lag), (lag, steps)]
    before, after = (
        builder.node("Slice", values, builder.constant([a], np.int64), builder.constant([b], np.int64), axis)
        for a, b in pieces
    )
    return before, after
