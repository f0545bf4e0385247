"""The table that trees see: numbers as they are, and categories as numbers.

A level stands for its smoothed mean answer on train rows (Micci-Barreca 2001), and train rows are coded out of fold: a row's own
answer, and those of its group, never take part in its own code. Missing stays missing. Behind them may lie the codes themselves, for trees that split
by single levels.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from salus.learners.base import Part, Prepared
from salus.learners.front import Front
from salus.learners.graphs import GraphBuilder

SMOOTHING_ROWS = 20.0  # a level counts as much as the overall mean when it has this many rows
FOLDS = 5
MAX_ANSWERS = 8  # classes (or targets) that get a code of their own a category


@dataclass(frozen=True)
class TableCodes:
    """tables: one float32 (codes, A) a category: code 0 (missing) is NaN, 1 (unknown) the overall mean. singles: the categories
    whose codes lie behind them as they are. train_table: the train rows, coded out of fold, float32
    (B, numbers + categories * A + singles)."""

    front: Front
    tables: list[np.ndarray]
    numbers: int
    singles: np.ndarray
    train_table: np.ndarray

    @classmethod
    def fit(
        cls,
        front: Front,
        part: Part,
        prepared: Prepared,
        most_single_levels: int = 0,
    ) -> TableCodes:
        """part: train rows with the feeds that `front` gives. most_single_levels: categories of up to so many levels also give their
        codes."""
        feeds, target = part.feeds, part.target
        states = [c.state for c in prepared.schema.inputs if c.kind == "category"]
        sizes = [len(state["levels"]) + 2 for state in states if state is not None]
        answers = _answers(target, prepared)
        numbers = feeds["numbers"].shape[1] if "numbers" in feeds else 0
        codes = feeds.get("categories", np.zeros((len(target), 0), dtype=np.int64))
        tables = [_table(codes[:, m], answers, size) for m, size in enumerate(sizes)]
        units = np.arange(len(target)) if part.groups is None else np.unique(part.groups, return_inverse=True)[1]
        folds = np.random.default_rng(prepared.seed).integers(0, FOLDS, len(target))[units]
        coded = [np.empty((len(target), answers.shape[1]), dtype=np.float32) for _ in sizes]
        for fold in range(FOLDS):
            inside = folds == fold
            for m, size in enumerate(sizes):
                coded[m][inside] = _table(codes[~inside, m], answers[~inside], size)[codes[inside, m]]
        singles = np.flatnonzero(np.asarray(sizes, dtype=np.int64) - 2 <= most_single_levels)
        parts = ([feeds["numbers"]] if numbers else []) + coded + [codes[:, singles].astype(np.float32)]
        return cls(front, tables, numbers, singles, np.concatenate(parts, axis=1).astype(np.float32))

    @property
    def single_columns(self) -> list[int]:
        """The columns of the table that are codes of levels."""
        width = self.train_table.shape[1]
        return list(range(width - len(self.singles), width))

    def table(self, feeds: Mapping[str, np.ndarray]) -> np.ndarray:
        """Any rows as the trees see them; feeds as they come."""
        feeds = self.front.feeds(feeds)
        parts = [feeds["numbers"]] if self.numbers else []
        if self.tables:
            codes = feeds["categories"]
            parts += [table[codes[:, m]] for m, table in enumerate(self.tables)] + [codes[:, self.singles]]
        return np.concatenate(parts, axis=1).astype(np.float32)

    def nodes(self, builder: GraphBuilder) -> str:
        """The graph value of the same table."""
        parts = [self.front.number_nodes(builder)] if self.numbers else []
        if self.tables:
            feed = builder.feed("categories", np.int64, ("rows", len(self.tables)))
            for m, table in enumerate(self.tables):
                column = builder.node("Gather", feed, builder.constant(m, np.int64), axis=1)
                parts.append(builder.node("Gather", builder.constant(table), column, axis=0))
            if len(self.singles):
                chosen = builder.node("Gather", feed, builder.constant(self.singles, np.int64), axis=1)
                parts.append(builder.node("Cast", chosen, to=1))
        return builder.node("Concat", *parts, axis=1) if len(parts) > 1 else parts[0]


def _answers(target: np.ndarray, prepared: Prepared) -> np.ndarray:
    """What is averaged for a level, float64 (B, A): the targets, standardised, or which class it is."""
    if not prepared.classification:
        kept = target[:, :MAX_ANSWERS]
        scaled: np.ndarray = (kept - kept.mean(axis=0)) / np.maximum(kept.std(axis=0), 1e-12)
        return scaled
    if prepared.classes == 2:
        second: np.ndarray = np.equal(target, 1)[:, None].astype(np.float64)
        return second
    frequent = np.argsort(-np.bincount(target, minlength=prepared.classes), kind="stable")[:MAX_ANSWERS]
    each: np.ndarray = np.equal(target[:, None], frequent).astype(np.float64)
    return each


def _table(codes: np.ndarray, answers: np.ndarray, size: int) -> np.ndarray:
    counts = np.bincount(codes, minlength=size).astype(np.float64)[:, None]
    sums = np.stack([np.bincount(codes, weights=column, minlength=size) for column in answers.T], axis=1)
    overall = answers.mean(axis=0) if len(answers) else np.zeros(answers.shape[1])
    table = (sums + SMOOTHING_ROWS * overall) / (counts + SMOOTHING_ROWS)
    table[1] = overall
    table[0] = np.nan
    return table.astype(np.float32)
