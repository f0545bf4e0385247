"""What a table learner sees of any feeds: numbers (B, N), NaN where missing, beside the categories as they are.

Numbers and times pass as they are. Texts, pictures and recordings become features by graph nodes, and there is no second
implementation: to learn from them, the very nodes are run by the engine that serves. Knows how the parts stand side by side; does
not know what is learned from them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, Protocol

import numpy as np

from salus.data.kinds.time import part_names
from salus.learners.base import Part, Prepared
from salus.learners.front_audio import SoundFeatures
from salus.learners.front_memory import MEMORY, digest
from salus.learners.front_pictures import PictureFeatures
from salus.learners.front_series import SeriesFeatures
from salus.learners.front_texts import TextFeatures
from salus.learners.graphs import GraphBuilder

KINDS = frozenset({"number", "category", "time", "text", "image", "series", "audio"})
CHUNK_BYTES = 32 * 2**20  # of feeds that are worked on at once
CHUNK_ROWS = 4096


class FrontPart(Protocol):
    """Features that are made by graph nodes."""

    @property
    def names(self) -> list[tuple[str, str]]:
        """(name, column it comes from) of every feature."""

    def nodes(self, builder: GraphBuilder) -> str:
        """The graph value (rows, features)."""


@dataclass(frozen=True)
class Front:
    """plain: (name, column) of the columns that pass as they are, by their feed. parts: what is made of the other feeds.
    names: one a column of what `feeds` gives as `numbers`; sources: the input column that each comes from."""

    plain: dict[str, list[tuple[str, str]]]
    parts: tuple[FrontPart, ...]
    threads: int

    @classmethod
    def fit(cls, prepared: Prepared) -> Front:
        """Learned of train rows alone; the seed decides what is drawn."""
        columns: dict[str, list[str]] = {}
        for column in prepared.schema.inputs:
            columns.setdefault(column.kind, []).append(column.name)
        feeds, parts = prepared.train.feeds, list[FrontPart]()
        plain = {"numbers": [(name, name) for name in columns["number"]]} if "number" in columns else {}
        if "time" in columns:
            plain["times"] = part_names(columns["time"])
        if "text" in columns:
            parts.append(_texts(columns["text"], prepared))
        for index, name in enumerate(columns.get("image", [])):
            parts.append(PictureFeatures(f"image_{index}", name, *feeds[f"image_{index}"].shape[1:]))
        for index, name in enumerate(columns.get("audio", [])):
            frames, bands = feeds[f"sound_{index}"].shape[1:]
            parts.append(SoundFeatures(f"sound_{index}", name, frames, bands - 1))
        if "series" in columns:
            parts.append(SeriesFeatures.fit(columns["series"], feeds))
        return cls(plain, tuple(parts), prepared.threads)

    @classmethod
    def takes(cls, kinds: frozenset[str]) -> bool:
        """Whether it can make a table of inputs of these kinds."""
        return bool(kinds) and kinds <= KINDS

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(name for name, _ in self._named)

    @property
    def sources(self) -> tuple[str, ...]:
        return tuple(source for _, source in self._named)

    def feeds(self, feeds: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """`numbers` float32 (B, N) where there are any, and `categories` int64 (B, M) where there are any."""
        return self._with(feeds, self._made(feeds) if self.parts else [])

    def learning(self, part: Part) -> dict[str, np.ndarray]:
        """`feeds` of rows it was fitted on, to learn from: what was learned of their answers is answered out of fold."""
        made = self._made(part.feeds) if self.parts else []
        for at, features in enumerate(self.parts):
            if isinstance(features, TextFeatures):
                made[at] = features.learning(made[at], part.rows)
        return self._with(part.feeds, made)

    def number_nodes(self, builder: GraphBuilder) -> str:
        """The graph value (rows, N) of what `feeds` gives as `numbers`; only asked when there are any."""
        values = [builder.feed(name, np.float32, ("rows", len(named))) for name, named in self.plain.items()]
        values += [part.nodes(builder) for part in self.parts]
        return values[0] if len(values) == 1 else builder.node("Concat", *values, axis=1)

    @cached_property
    def _named(self) -> list[tuple[str, str]]:
        found = [named for columns in self.plain.values() for named in columns]
        return found + [named for part in self.parts for named in part.names]

    def _with(self, feeds: Mapping[str, np.ndarray], made: list[np.ndarray]) -> dict[str, np.ndarray]:
        numbers = [feeds[name] for name in self.plain] + made
        found = {"numbers": np.concatenate(numbers, axis=1)} if numbers else {}
        return found | ({"categories": feeds["categories"]} if "categories" in feeds else {})

    def _made(self, feeds: Mapping[str, np.ndarray]) -> list[np.ndarray]:
        """What each part makes, float32 (B, features). Not to be changed: it may be given again."""
        found = []
        for part, (graph, session) in zip(self.parts, self._sessions, strict=True):
            wanted = {entry.name: feeds[entry.name] for entry in session.get_inputs()}
            make = partial(_run, session, wanted, len(part.names))
            found.append(MEMORY.get((graph, *wanted.values()), make, size=lambda made: int(made.nbytes)))
        return found

    @cached_property
    def _sessions(self) -> list[tuple[str, Any]]:
        """A digest of the nodes of each part, and the nodes ready to run."""
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = max(1, self.threads), 1
        options.log_severity_level = 4
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        sessions = []
        for part in self.parts:
            builder = GraphBuilder()
            graph = builder.finish("numbers", part.nodes(builder), len(part.names))
            session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
            sessions.append((digest([graph]), session))
        return sessions


def _texts(columns: list[str], prepared: Prepared) -> TextFeatures:
    """What is learned of texts, which takes long enough to be kept."""
    train = prepared.train
    learned_of = (
        columns,
        train.feeds["texts"],
        train.target,
        train.rows,
        train.groups,
        prepared.seed,
        prepared.classes,
    )
    made_of = (*learned_of, prepared.classification)
    kept: TextFeatures = MEMORY.get(made_of, lambda: TextFeatures.fit(columns, prepared), size=lambda made: made.nbytes)
    return kept


def _run(session: Any, feeds: Mapping[str, np.ndarray], width: int) -> np.ndarray:
    """What the nodes make of all rows, in pieces of bounded memory."""
    rows = len(feeds["series_rows"] if "series" in feeds else next(iter(feeds.values())))
    pieces = [session.run(None, piece)[0] for piece in _pieces(feeds, rows)]
    return np.concatenate([np.zeros((0, width), dtype=np.float32), *pieces])


def _pieces(feeds: Mapping[str, np.ndarray], rows: int) -> Iterator[dict[str, np.ndarray]]:
    """The feeds of some rows after the others; of recordings the windows that belong to them."""
    size = sum(feed.nbytes for name, feed in feeds.items() if name != "series_rows")
    step = max(1, min(CHUNK_ROWS, rows * CHUNK_BYTES // max(1, size)))
    for start in range(0, rows, step):
        chosen = slice(start, start + step)
        piece = {name: feed[chosen] for name, feed in feeds.items() if name not in ("series", "series_rows")}
        if "series" in feeds:
            of_rows = feeds["series_rows"][chosen]
            windows = np.flatnonzero(of_rows.any(axis=0))
            piece |= {"series": feeds["series"][windows], "series_rows": np.ascontiguousarray(of_rows[:, windows])}
        yield piece
