"""How a text goes on, piece by piece, and how surprising one is: the same in the serving runtime and in a trainer's own library.

`begin` takes `pieces` int32 (B, 2, P) and gives `cache_*`, with which the first step begins. `step` takes `token` int64 (B, 1) and the
caches, and gives `logits` (B, V) and `next_*`. `score` takes `tokens` int64 (N, C + 1) and gives `nats` (N, C): how surprising each
piece after the first is. Longer texts are scored in windows that overlap by half. Row i of `pieces` holds a prompt and a text to
score; `numbers` (B, 3) hold the length, the temperature and the seed. Knows no words and no network.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from salus.data.pieces import END, PAD, START, UNKNOWN

BEGIN, STEP, SCORE = "begin", "step", "score"
WINDOW = 256  # pieces that a network sees at once
WINDOWS_AT_ONCE = 32
LENGTH, MOST_LENGTH = 200, 1000  # pieces that are written, when not said otherwise and at most
TEMPERATURE, MOST_TEMPERATURE = 0.8, 5
NEVER = (PAD, UNKNOWN, START)


class Graphs(Protocol):
    """What runs the three graphs; see `salus.inference.engines.base.Engine`."""

    def outputs(self, graph: str) -> tuple[str, ...]: ...
    def run(self, graph: str, feeds: Mapping[str, np.ndarray], outputs: Sequence[str]) -> list[np.ndarray]: ...
    def run_kept(self, graph: str, feeds: Mapping[str, Any], outputs: Sequence[str]) -> list[Any]: ...
    def read(self, value: Any) -> np.ndarray: ...


@dataclass
class Row:
    """What one row asks."""

    prompt: list[int]
    scored: list[int]
    length: int
    temperature: float
    generator: np.random.Generator

    @classmethod
    def of(cls, pieces_2P: np.ndarray, numbers: np.ndarray) -> Row:
        prompt, scored = ([int(piece) for piece in part if piece != PAD] for part in pieces_2P)
        scored = [] if scored == [UNKNOWN] else scored  # an empty text is read as one unknown piece
        prompt = [] if prompt == [UNKNOWN] else prompt
        length, temperature, seed = numbers.tolist()
        wanted = (0 if scored else LENGTH) if np.isnan(length) else int(np.clip(length, 0, MOST_LENGTH))
        bold = TEMPERATURE if np.isnan(temperature) else float(np.clip(temperature, 0, MOST_TEMPERATURE))
        return cls(prompt, scored, wanted, bold, np.random.default_rng(0 if np.isnan(seed) else abs(int(seed))))

    @property
    def read(self) -> list[int]:
        """All that is read before anything is written, as far as it is seen."""
        return [*([] if self.prompt else [START]), *self.prompt, *self.scored][-WINDOW:]


def gone_on(graphs: Graphs, feeds: Mapping[str, np.ndarray]) -> np.ndarray:
    """The raw output of the task `text-generation` for these rows."""
    rows = [Row.of(pieces, numbers) for pieces, numbers in zip(feeds["pieces"], feeds["numbers"], strict=True)]
    nats = _scores(graphs, rows)
    written: list[list[int]] = [[] for _ in rows]
    places = [place for place, row in enumerate(rows) if row.length]
    if places:
        some = {name: feed[places] for name, feed in feeds.items()}
        for pieces in steps_of(graphs, some, [rows[place] for place in places]):
            for place, piece in zip(places, pieces.tolist(), strict=True):
                written[place] += [piece] if piece != PAD else []
    raw = np.zeros((len(rows), 2 + max(map(len, written), default=0)))
    for place, row in enumerate(rows):
        raw[place, :2] = nats[place], len(row.scored)
        raw[place, 2 : 2 + len(written[place])] = written[place]
    return raw


def steps_of(graphs: Graphs, feeds: Mapping[str, np.ndarray], rows: Sequence[Row]) -> Iterator[np.ndarray]:
    """The next piece of every row (B,), PAD where a row reads still or has ended."""
    names = graphs.outputs(BEGIN)
    caches = dict(zip(names, graphs.run_kept(BEGIN, feeds, names), strict=True))
    wanted = ["logits", *(f"next_{name.removeprefix('cache_')}" for name in names)]
    read, left = [row.read for row in rows], [row.length for row in rows]
    token = np.array([[pieces[0]] for pieces in read], dtype=np.int64)
    place = 0
    while any(left):
        logits, *kept = graphs.run_kept(STEP, {"token": token, **caches}, wanted)
        caches = dict(zip(names, kept, strict=True))
        scores, chosen = graphs.read(logits), np.full(len(rows), PAD, dtype=np.int64)
        place += 1
        for at, row in enumerate(rows):
            if place < len(read[at]):
                token[at] = read[at][place]
            elif left[at]:
                chosen[at] = token[at] = drawn(scores[at], row.temperature, row.generator)
                left[at] = 0 if chosen[at] == END else left[at] - 1
        yield chosen


def drawn(logits_V: np.ndarray, temperature: float, generator: np.random.Generator) -> int:
    """A piece by its probability at this temperature; the likeliest at 0."""
    scores = logits_V.astype(np.float64)
    scores[list(NEVER)] = -np.inf
    if temperature <= 0:
        return int(scores.argmax())
    scores = (scores - scores.max()) / temperature
    shares = np.cumsum(np.exp(scores))
    return int(np.searchsorted(shares, generator.random() * shares[-1], side="right"))


def _scores(graphs: Graphs, rows: Sequence[Row]) -> list[float]:
    """Nats of every scored text after its prompt."""
    windows: list[tuple[int, list[int], int]] = []  # row, pieces, how many of the last ones count
    for place, row in enumerate(rows):
        if not row.scored:
            continue
        context = [START] if not row.prompt else row.prompt[-WINDOW // 2 :]
        pieces = [*context, *row.scored]
        first = len(context)
        while first < len(pieces):
            start = max(0, first - WINDOW // 2) if first > len(context) else 0
            end = min(len(pieces), start + WINDOW + 1)
            windows.append((place, pieces[start:end], end - first))
            first = end
    nats = [0.0] * len(rows)
    for at in range(0, len(windows), WINDOWS_AT_ONCE):
        some = windows[at : at + WINDOWS_AT_ONCE]
        tokens = np.full((len(some), max(len(pieces) for _, pieces, _ in some)), PAD, dtype=np.int64)
        for index, (_, pieces, _) in enumerate(some):
            tokens[index, : len(pieces)] = pieces
        found = graphs.run(SCORE, {"tokens": tokens}, ["nats"])[0]
        for index, (place, pieces, counted) in enumerate(some):
            nats[place] += float(found[index, len(pieces) - 1 - counted : len(pieces) - 1].sum(dtype=np.float64))
    return nats
