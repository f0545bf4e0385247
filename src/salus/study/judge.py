"""Rows that judge in their turn: of every fold, what a model says that was chosen, tuned and calibrated without it.

Nested cross-validation (Stone 1974; Varma and Simon 2006). The models of the folds are thrown away; they measure the way in
which the model that is given away was made.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from salus.core.context import Context
from salus.core.nouns import Schema
from salus.core.specs import TrainSpec
from salus.data.encoding import encode_columns
from salus.data.kinds.base import Values
from salus.study.answering import run_graph
from salus.study.learn import Learned, learn
from salus.study.lesson import take_feeds
from salus.study.look import Asked
from salus.study.rounds import Rounds


@dataclass(frozen=True)
class Judged:
    """`raw`: graph output -> what was said about every row of the material, in its order. `asked`: the first fold's model, which may
    be asked more about its rows."""

    raw: dict[str, np.ndarray]
    asked: Asked


def judge(rounds: Rounds, plan: Mapping[str, Any], spec: TrainSpec, folder: Path, context: Context) -> Judged:
    """Learns once for every fold and asks about its rows."""
    rows = len(rounds.encoder.positions)
    task = rounds.material.task
    outputs = ("scores", "probabilities") if task.classification else ("values",)
    said: dict[str, np.ndarray] = {}
    asked: Asked | None = None
    for turn, (lesson, places) in enumerate(rounds.judged(), start=1):
        context.event("judging", lesson=lesson.name, rows=len(places), turn=turn, turns=rounds.outer)
        learned = learn(lesson, plan, spec, {}, folder, context)
        graph = learned.served()["main"]
        feeds = take_feeds(rounds.encoder.feeds(lesson.schema), places)
        for output in outputs:
            answers = run_graph(graph, feeds, output, rounds.threads)
            said.setdefault(output, np.zeros((rows, answers.shape[1])))[places] = answers
        asked = asked or Asked(
            rounds.encoder.positions[places],
            asking(graph, lesson.schema, task.output, rounds.threads),
            saliency_of(learned, rounds.threads),
        )
    assert asked is not None, "there are folds"
    return Judged(said, asked)


def asking(graph: bytes, schema: Schema, output: str, threads: int) -> Callable[[dict[str, Values]], np.ndarray]:
    """A function of values that this graph answers."""

    def predict(values: dict[str, Values]) -> np.ndarray:
        return run_graph(graph, encode_columns(schema.inputs, values), output, threads)

    return predict


def saliency_of(learned: Learned, threads: int) -> Callable[[dict[str, Values]], np.ndarray] | None:
    """What the only member's own graph shows of pictures; None where there is none, or several members."""
    kinds = {column.kind for column in learned.lesson.schema.inputs}
    if len(learned.members) > 1 or learned.members[0].saliency is None or "series" in kinds:
        return None
    return asking(learned.members[0].saliency, learned.lesson.schema, "saliency", threads)
