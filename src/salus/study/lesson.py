"""What one model is learned from: rows, encoded by kinds that were fitted on them, and the folds that hold some of them out.

Knows how sides are cut out of encoded rows. Does not know learners or how good anything is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from salus.core.nouns import Schema
from salus.core.wire import canonical, digest
from salus.data.encoding import encode_columns
from salus.data.kinds import kind_named
from salus.data.kinds.base import Values
from salus.data.split import fold_rows
from salus.learners.base import Part, Prepared
from salus.study.prepare import Material
from salus.tasks.base import Task
from salus.tasks.compound import CompoundTask

ONE_OF = 6  # with one inner fold, this part of the rows is held out


@dataclass(frozen=True)
class Lesson:
    """`part`: all rows to learn from. `folds`: (rows to learn from, rows held out) as positions in `part`. cross: after choosing,
    the model is learned once more from all rows; otherwise that of the only fold is the model."""

    name: str
    schema: Schema
    part: Part
    folds: tuple[tuple[np.ndarray, np.ndarray], ...]
    cross: bool
    task: Task
    classes: int
    seed: int
    threads: int

    @property
    def classification(self) -> bool:
        return self.task.classification

    @property
    def target_states(self) -> list[dict[str, Any]]:
        """What the targets remember of the rows that are learned from."""
        return [column.state or {} for column in self.schema.targets]

    @property
    def held(self) -> np.ndarray:
        """Positions of the rows that were held out, in the order of the folds."""
        return np.concatenate([held for _, held in self.folds])

    @property
    def held_target(self) -> np.ndarray:
        target: np.ndarray = self.part.target[self.held]
        return target

    @property
    def held_groups(self) -> np.ndarray | None:
        return None if self.part.groups is None else self.part.groups[self.held]

    def prepared(self, fold: int) -> Prepared:
        """Train and validation of one fold."""
        train, held = self.folds[fold]
        return self._prepared(take_part(self.part, train), take_part(self.part, held))

    def with_folds(self, count: int) -> Lesson:
        """With the first folds alone."""
        return replace(self, folds=self.folds[:count])

    def whole(self) -> Prepared:
        """All rows to learn from, none held out."""
        return self._prepared(self.part, take_part(self.part, np.zeros(0, dtype=np.int64)))

    def fewer(self, share: float) -> Prepared:
        """The first fold with a share of its rows to learn from, for the learning curve."""
        train, held = self.folds[0]
        generator = np.random.default_rng([self.seed, len(train)])
        kept = np.sort(generator.permutation(train)[: max(4, round(share * len(train)))])
        return self._prepared(take_part(self.part, kept), take_part(self.part, held))

    def _prepared(self, train: Part, validation: Part) -> Prepared:
        return Prepared(
            self.schema,
            train,
            validation,
            self.task.classification,
            self.classes,
            self.seed,
            self.threads,
            self.task.name,
        )


@dataclass
class Encoder:
    """The values of some rows of the material, read once; encoded anew only where the fitted state of a kind differs."""

    material: Material
    positions: np.ndarray
    values: dict[str, Values] = field(init=False)
    _encoded: dict[str, tuple[str, dict[str, np.ndarray]]] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self.values = self.material.values(self.positions)

    def fit(self, places: np.ndarray) -> Schema:
        """The schema with the states that the kinds learn from the rows at these places alone."""
        task, schema = self.material.task, self.material.schema
        states: dict[str, dict[str, Any]] = {}
        of_targets: list[dict[str, Any]] = []
        if isinstance(task, CompoundTask):
            target = self.material.target[self.positions[places]]
            states = {column.name: task.fit_target(target, column) for column in schema.targets}
            of_targets = list(states.values())
            states |= {column.name: task.fit_asked(column, of_targets) for column in task.asked}
        for column in schema.inputs:
            if column.name not in states:
                of_rows = _taken(self.values[column.name], places)
                options = {**self.material.reads.get(column.kind, {}), **column.options}
                if isinstance(task, CompoundTask):
                    states[column.name] = task.fit_input(of_rows, column.kind, options, of_targets)
                else:
                    states[column.name] = kind_named(column.kind).fit(of_rows, options)
        columns = (
            column.model_copy(update={"state": states[column.name]}) if column.name in states else column
            for column in schema.columns
        )
        return schema.model_copy(update={"columns": tuple(columns)})

    def feeds(self, schema: Schema) -> dict[str, np.ndarray]:
        """The feeds of all rows with these states."""
        feeds: dict[str, np.ndarray] = {}
        for kind in dict.fromkeys(column.kind for column in schema.inputs):
            columns = tuple(column for column in schema.inputs if column.kind == kind)
            states = digest(canonical([[column.name, column.state] for column in columns]))
            if self._encoded.get(kind, ("", {}))[0] != states:
                self._encoded[kind] = (states, encode_columns(columns, self.values))
            feeds |= self._encoded[kind][1]
        return feeds

    def part(self, schema: Schema, places: np.ndarray) -> Part:
        """These rows, encoded."""
        positions = self.positions[places]
        return Part(
            feeds=take_feeds(self.feeds(schema), places),
            target=self.material.target[positions],
            rows=self.material.rows[positions],
            groups=self.material.groups_of(positions),
            values={} if self.material.task.plain else {n: _taken(of, places) for n, of in self.values.items()},
        )


def lesson_of(
    name: str, encoder: Encoder, places: np.ndarray, held: np.ndarray | None, inner: int, seed: int, threads: int
) -> Lesson:
    """The lesson of the rows at these places; `held`: those of them that are held out, or None for `inner` folds in turn (1: one
    fold of a sixth of the rows, after which all are learned from too)."""
    material = encoder.material
    if held is None:
        ordered, schema = places, encoder.fit(places)
        part = encoder.part(schema, ordered)
        count = inner if inner > 1 else ONE_OF
        number = fold_rows(part.target, part.groups, material.task.classification, count, seed)
        every = np.arange(len(ordered))
        used = np.unique(number) if inner > 1 else np.unique(number)[:1]
        folds = tuple((every[number != fold], every[number == fold]) for fold in used)
    else:
        train = np.setdiff1d(places, held)
        ordered, schema = np.concatenate([train, held]), encoder.fit(train)
        part = encoder.part(schema, ordered)
        folds = ((np.arange(len(train)), np.arange(len(train), len(ordered))),)
    return Lesson(name, schema, part, folds, held is None, material.task, _classes(material), seed, threads)


def _classes(material: Material) -> int:
    """Labels of a classification, numbers of a regression; 0 where an answer is neither."""
    targets = material.schema.targets
    if material.task.classification:
        return len((targets[0].state or {})["levels"])
    return len(targets) if material.task.plain else 0


def take_part(part: Part, places: np.ndarray) -> Part:
    """These rows of a part."""
    return Part(
        feeds=take_feeds(part.feeds, places),
        target=part.target[places],
        rows=part.rows[places],
        groups=None if part.groups is None else part.groups[places],
        values={name: _taken(of_all, places) for name, of_all in part.values.items()},
    )


def take_feeds(feeds: Mapping[str, np.ndarray], places: np.ndarray) -> dict[str, np.ndarray]:
    """These rows of feeds; of recordings the windows that belong to them. Rows that follow each other are not copied."""
    index: Any = places
    if len(places) and np.array_equal(places, np.arange(places[0], places[0] + len(places))):
        index = slice(int(places[0]), int(places[0]) + len(places))
    taken = {name: feed[index] for name, feed in feeds.items() if name != "series"}
    if "series" in feeds:
        of_rows = taken["series_rows"]
        windows = np.flatnonzero(of_rows.any(axis=0)) if len(of_rows) else np.zeros(0, dtype=np.int64)
        taken["series_rows"] = np.ascontiguousarray(of_rows[:, windows])
        taken["series"] = feeds["series"][windows]
    return taken


def _taken(values: Values, places: np.ndarray) -> Values:
    return values[places] if isinstance(values, np.ndarray) else [values[place] for place in places.tolist()]
