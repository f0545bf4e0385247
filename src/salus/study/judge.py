"""Rows that judge in their turn: of every fold, what a model says that was chosen, tuned and calibrated without it.

Nested cross-validation (Stone 1974; Varma and Simon 2006). The models of the folds are thrown away; they measure the way in
which the model that is given away was made.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from salus.core.context import Context
from salus.core.specs import TrainSpec
from salus.study.fit import run_graph
from salus.study.learn import learn
from salus.study.lesson import take_feeds
from salus.study.rounds import Rounds


def judge(
    rounds: Rounds, plan: Mapping[str, Any], spec: TrainSpec, folder: Path, context: Context
) -> dict[str, np.ndarray]:
    """Graph output -> what was said about every row of the material, in its order."""
    rows = len(rounds.encoder.positions)
    outputs = ("scores", "probabilities") if rounds.material.task.classification else ("values",)
    said: dict[str, np.ndarray] = {}
    for lesson, places in rounds.judged():
        context.event("judging", lesson=lesson.name, rows=len(places))
        graph = learn(lesson, plan, spec, {}, folder, context).calibrated()
        feeds = take_feeds(rounds.encoder.feeds(lesson.schema), places)
        for output in outputs:
            answers = run_graph(graph, feeds, output, rounds.threads)
            said.setdefault(output, np.zeros((rows, answers.shape[1])))[places] = answers
    return said
