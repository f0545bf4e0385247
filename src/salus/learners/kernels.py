"""What the kernels of MiniRocket (Dempster, Schmidt and Webb 2021) see in a window, and four plain figures a channel.

84 kernels of length 9 with weights -1 and 2, at several dilations, over random subsets of the channels; a feature is how
many steps answer above a bias. Changes from step to step are channels too, as in MultiRocket. Windows are rounded to
whole numbers first, small enough that float32 adds them without error: numpy, the graph and any other machine count
exactly the same steps. Does not know rows or targets.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from salus.learners.graphs import GraphBuilder

LENGTH = 9
KERNELS = np.array(
    [[2.0 if step in chosen else -1.0 for step in range(LENGTH)] for chosen in combinations(range(LENGTH), 3)],
    dtype=np.float32,
)
EXACT = 2**24  # whole numbers below this are exact in float32
MOST_STEPS_A_DEVIATION = 1024
DEVIATIONS = 8  # beyond this many deviations a value is cut
GOLDEN = (5**0.5 + 1) / 2
SAMPLE_WINDOWS = 16  # from which the biases of one dilation are taken
CHUNK_WINDOWS = 16


@dataclass(frozen=True)
class Dilation:
    """One dilation: weights (84, C, 9) with zeros for channels left out, biases (84, n)."""

    step: int
    weights: np.ndarray
    biases: np.ndarray


@dataclass(frozen=True)
class Kernels:
    """Fitted on train windows (W, C, T)."""

    means: np.ndarray
    scales: np.ndarray
    limit: float
    steps: int
    dilations: tuple[Dilation, ...]

    @classmethod
    def fit(cls, windows: np.ndarray, features: int, seed: int) -> Kernels:
        """Kernels that give about `features` features."""
        generator = np.random.default_rng(seed)
        channels, steps = 2 * windows.shape[1], windows.shape[2]
        limit = float(min(MOST_STEPS_A_DEVIATION * DEVIATIONS, EXACT // (12 * channels), EXACT // (2 * steps)) - 1)
        sample = windows[np.sort(generator.permutation(len(windows))[:2000])].astype(np.float64)
        spreads = np.concatenate([sample.std(axis=(0, 2)), np.sqrt((_changes(sample) ** 2).mean(axis=(0, 2)))])
        means, scales = sample.mean(axis=(0, 2)), limit / DEVIATIONS / np.maximum(spreads, 1e-12)
        bare = cls(means.astype(np.float32)[:, None], scales.astype(np.float32)[:, None], limit, steps, ())
        sizes = _dilations(steps, max(1, features // len(KERNELS)))
        dilations, used = [], 0
        for size, count in sizes:
            weights = KERNELS[:, None, :] * _channel_subsets(channels, generator)[:, :, None]
            chosen = bare.whole(windows[generator.permutation(len(windows))[:SAMPLE_WINDOWS]])
            answers = _convolve(chosen, weights, size).transpose(1, 0, 2).reshape(len(KERNELS), -1)
            shares = np.mod((used + np.arange(len(KERNELS) * count) + 1) * GOLDEN, 1.0).reshape(len(KERNELS), count)
            used += shares.size
            biases = np.stack([np.quantile(a, s) for a, s in zip(answers, shares, strict=True)])
            dilations.append(Dilation(size, weights, (np.floor(biases) + 0.5).astype(np.float32)))
        return cls(bare.means, bare.scales, limit, steps, tuple(dilations))

    def whole(self, windows: np.ndarray) -> np.ndarray:
        """Channels and their changes from step to step, as whole numbers in float32 (W, 2C, T)."""
        with np.errstate(over="ignore"):
            both = np.concatenate([windows - self.means, _changes(windows)], axis=1) * self.scales
        rounded: np.ndarray = np.clip(np.rint(both), -self.limit, self.limit)
        return rounded

    def features(self, windows: np.ndarray, threads: int, pause: Callable[[], None] = lambda: None) -> np.ndarray:
        """Float32 (W, P), whole numbers. `pause` is called between chunks."""
        from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

        starts = range(0, len(windows), CHUNK_WINDOWS)
        parts = []
        # The threads are ours: those of the BLAS below them would only wait for each other.
        with threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(max_workers=max(1, threads)) as pool:
            for group in range(0, len(starts), 8):
                pause()
                chosen = [windows[s : s + CHUNK_WINDOWS] for s in starts[group : group + 8]]
                parts += list(pool.map(self._chunk, chosen))
        return np.concatenate(parts) if parts else np.zeros((0, self.width), dtype=np.float32)

    @property
    def width(self) -> int:
        return 4 * len(self.scales) + sum(dilation.biases.size for dilation in self.dilations)

    def _chunk(self, windows: np.ndarray) -> np.ndarray:
        whole = self.whole(windows)
        parts = [whole.sum(axis=2), whole.max(axis=2), whole.min(axis=2), np.abs(whole).sum(axis=2)]
        ones = np.ones(self.steps, dtype=np.float32)
        for dilation in self.dilations:
            answers = _convolve(whole, dilation.weights, dilation.step)
            for biases in dilation.biases.T:
                parts.append((answers > biases[:, None]).astype(np.float32) @ ones)
        return np.concatenate(parts, axis=1).astype(np.float32)

    def feature_nodes(self, builder: GraphBuilder) -> str:
        """The same features as a graph value (windows, P)."""
        shape = (len(self.means), self.steps)
        series = builder.feed("series", np.float32, ("windows", *shape))
        return builder.each(series, shape, self.width, self._window_nodes)

    def _window_nodes(self, builder: GraphBuilder, window: str) -> str:
        last, whole = builder.constant([2], np.int64), self._whole_nodes(builder, window)
        parts = [builder.node(f"Reduce{kind}", whole, last, keepdims=0) for kind in ("Sum", "Max", "Min")]
        parts.append(builder.node("ReduceSum", builder.node("Abs", whole), last, keepdims=0))
        for dilation in self.dilations:
            pad = dilation.step * (LENGTH // 2)
            answers = builder.node(
                "Conv", whole, builder.constant(dilation.weights), dilations=[dilation.step], pads=[pad, pad]
            )
            for biases in dilation.biases.T:
                above = builder.node("Greater", answers, builder.constant(biases[:, None]))
                parts.append(builder.node("ReduceSum", builder.node("Cast", above, to=1), last, keepdims=0))
        return builder.node("Concat", *parts, axis=1)

    def _whole_nodes(self, builder: GraphBuilder, window: str) -> str:
        last = builder.constant([2], np.int64)
        later, earlier = (
            builder.node("Slice", window, builder.constant([a], np.int64), builder.constant([b], np.int64), last)
            for a, b in ((1, self.steps), (0, self.steps - 1))
        )
        first = builder.constant([0, 0, 1, 0, 0, 0], np.int64)
        changes = builder.node("Pad", builder.node("Sub", later, earlier), first, builder.constant(0.0))
        both = builder.node("Concat", builder.node("Sub", window, builder.constant(self.means)), changes, axis=1)
        rounded = builder.node("Round", builder.node("Mul", both, builder.constant(self.scales)))
        return builder.node("Clip", rounded, builder.constant(-self.limit), builder.constant(self.limit))


def _changes(windows: np.ndarray) -> np.ndarray:
    """From step to step, 0 at the first."""
    return np.pad(windows[:, :, 1:] - windows[:, :, :-1], ((0, 0), (0, 0), (1, 0)))


def _convolve(whole: np.ndarray, weights: np.ndarray, step: int) -> np.ndarray:
    """(W, C, T) with weights (84, C, 9) -> (W, 84, T), zeros beyond the ends."""
    windows, channels, steps = whole.shape
    pad = step * (LENGTH // 2)
    padded = np.pad(whole, ((0, 0), (0, 0), (pad, pad)))
    taps = np.stack([padded[:, :, k * step : k * step + steps] for k in range(LENGTH)], axis=2)
    answers: np.ndarray = weights.reshape(len(weights), -1) @ taps.reshape(windows, channels * LENGTH, steps)
    return answers


def _dilations(steps: int, count: int) -> list[tuple[int, int]]:
    """(dilation, biases a kernel): exponents evenly spread, so that the widest kernel just fits the window."""
    longest = np.log2(max(1.0, (steps - 1) / (LENGTH - 1)))
    sizes = np.unique((2 ** np.linspace(0, longest, min(count, 12))).astype(int))
    shares = np.full(len(sizes), count // len(sizes))
    shares[: count % len(sizes)] += 1
    return [(int(size), int(share)) for size, share in zip(sizes, shares, strict=True) if share]


def _channel_subsets(channels: int, generator: np.random.Generator) -> np.ndarray:
    """A random subset of the channels for every kernel, as 0 and 1 (84, C); small ones are as likely as large ones."""
    chosen = np.zeros((len(KERNELS), channels), dtype=np.float32)
    for row in chosen:
        count = int(2 ** generator.uniform(0, np.log2(min(channels, LENGTH) + 1)))
        row[generator.permutation(channels)[:count]] = 1.0
    return chosen
