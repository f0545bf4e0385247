"""Which lessons a study has: that of the model that is given away, and those of the folds whose rows judge.

Knows how a split and a budget become lessons. Does not know what is learned in them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from salus.core.specs import TrainSpec
from salus.study.lesson import Encoder, Lesson, lesson_of
from salus.study.prepare import Material
from salus.tasks.compound import CompoundTask

CROSS_ROWS = 20_000  # tables up to this choose by folds of all rows instead of one validation side
INNER_FOLDS = 5


@dataclass(frozen=True)
class Rounds:
    """`final`: the lesson of the model that is given away."""

    material: Material
    encoder: Encoder
    final: Lesson
    inner: int
    seed: int
    threads: int

    @property
    def outer(self) -> int:
        """How many folds judge in their turn; 0 where a side of the split judges."""
        folds = self.material.splits.folds
        return 0 if folds is None else int(folds.max()) + 1

    def judged(self) -> Iterator[tuple[Lesson, np.ndarray]]:
        """Every other lesson, with the places in the encoder of the rows that judge what is learned in it."""
        folds = self.material.splits.folds
        assert folds is not None, "one side of the split judges"
        for fold in range(self.outer):
            places = np.flatnonzero(folds != fold)
            yield (
                lesson_of(f"outer-{fold}", self.encoder, places, None, self.inner, self.seed, self.threads),
                np.flatnonzero(folds == fold),
            )


def rounds_of(material: Material, spec: TrainSpec, threads: int) -> Rounds:
    """The lessons of this split under this budget."""
    splits = material.splits
    learned_from = np.sort(np.concatenate([splits.train, splits.validation]))
    encoder = Encoder(material, learned_from)
    places = np.arange(len(learned_from))
    inner = 1 if _kinds(material) & {"image", "audio"} else INNER_FOLDS  # pictures take long to learn
    chosen_by = spread(splits.validation, material.task.most_held if isinstance(material.task, CompoundTask) else None)
    held = None if _crosses(material, len(places)) else np.flatnonzero(np.isin(learned_from, chosen_by))
    final = lesson_of("final", encoder, places, held, inner, spec.seed, threads)
    return Rounds(material, encoder, final, inner, spec.seed, threads)


def spread(positions: np.ndarray, most: int | None) -> np.ndarray:
    """At most so many of them, evenly spread."""
    if most is None or len(positions) <= most:
        return positions
    return positions[np.linspace(0, len(positions) - 1, most).astype(np.int64)]


def _crosses(material: Material, rows: int) -> bool:
    """Whether rows take turns in being held out. Where the future judges, the latest rows choose too."""
    if material.splits.folds is not None:
        return True
    if not material.task.plain or material.splits.how == "time" or material.validation_given:
        return False
    if material.groups is not None and len(np.unique(material.groups)) < 2:
        return False
    return rows <= CROSS_ROWS and not _kinds(material) & {"image", "series", "audio"}


def _kinds(material: Material) -> set[str]:
    return {column.kind for column in material.schema.inputs}
