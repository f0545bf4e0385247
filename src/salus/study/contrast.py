"""What a random split would have claimed: the same config where rows of one person lie on both sides, and how much that flatters.

Also the learning curve: the same config from fewer rows. Both are for the report alone; nothing is chosen by them.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from salus.core.context import Context
from salus.data.split import fold_rows
from salus.evaluation.intervals import Resampling
from salus.learners import learner_named
from salus.learners.base import Part, Prepared
from salus.study.answering import run_graph
from salus.study.fit import answers_of, calibration_of, losses_of
from salus.study.learn import Learned
from salus.study.lesson import Encoder, lesson_of, take_part
from salus.study.prepare import Material

FOLDS = 5
MOST_ROWS = 20_000
SHARES = (0.25, 0.5)


def contrast(
    material: Material, learned: Learned, metric: str, limit_s: float, seed: int, context: Context
) -> dict[str, Any] | None:
    """{"metric", "value", "low", "high", "rows", "seconds"} over rows of random folds, as many folds as the time allows; None
    where no group is kept together or no time is given."""
    if material.groups is None or limit_s <= 0 or not material.task.plain:
        return None
    started = time.monotonic()
    rows = len(material.target)
    drawn = np.random.default_rng([seed, rows]).permutation(rows)[:MOST_ROWS]
    encoder = Encoder(material, np.sort(drawn))
    places = np.arange(len(drawn))
    number = fold_rows(material.target[encoder.positions], None, material.task.classification, FOLDS, seed)
    said, truth, fold_s = list[np.ndarray](), list[np.ndarray](), 0.0
    for fold in range(FOLDS):
        if said and time.monotonic() - started + fold_s > limit_s:
            break
        began = time.monotonic()
        lesson = lesson_of("random", encoder, places, places[number == fold], 1, seed, learned.lesson.threads)
        said.append(_said(lesson.prepared(0), learned, context))
        truth.append(lesson.held_target)
        fold_s = time.monotonic() - began
    answers, target = np.concatenate(said), np.concatenate(truth)
    found = Resampling(target, None, seed).interval(metric, answers)
    seconds = round(time.monotonic() - started, 1)
    return {"metric": metric, "value": found.value, "low": found.low, "high": found.high} | {
        "rows": len(target),
        "seconds": seconds,
    }


def learning_curve(learned: Learned, limit_s: float, context: Context) -> list[dict[str, Any]]:
    """[{"rows", "loss", "error"}]: the mean loss on the rows that the first fold holds out, with its standard error, when a part
    of the other rows is learned from, and when all are; empty where there is no time for it."""
    lesson, best = learned.lesson, learned.best
    if not lesson.task.plain:
        return []
    first = len(lesson.folds[0][1])
    started, curve = time.monotonic(), list[dict[str, Any]]()
    expected_s = best.seconds / len(lesson.folds)
    for share in SHARES:
        if time.monotonic() - started + expected_s * share > limit_s:
            return []
        prepared = lesson.fewer(share)
        said = _raw(prepared, learned, context)
        losses = losses_of(_answered(said, prepared.validation), prepared.validation.target, lesson.classification)
        curve.append(_point(len(prepared.train), losses))
    held = take_part(lesson.part, lesson.folds[0][1])
    losses = losses_of(_answered(best.scores[:first], held), held.target, lesson.classification)
    return [*curve, _point(len(lesson.folds[0][0]), losses)]


def _point(rows: int, losses: np.ndarray) -> dict[str, Any]:
    return {"rows": rows, "loss": float(losses.mean()), "error": float(losses.std() / np.sqrt(len(losses)))}


def _said(prepared: Prepared, learned: Learned, context: Context) -> np.ndarray:
    """Probabilities or values of the rows held out, by the strongest member's config."""
    return answers_of(_raw(prepared, learned, context), learned.best.calibration)


def _answered(scores: np.ndarray, held: Part) -> np.ndarray:
    """Calibrated by the very rows, all points of the curve alike."""
    classification = held.target.dtype.kind == "i"
    return answers_of(scores, calibration_of(scores, held.target, held.groups) if classification else None)


def _raw(prepared: Prepared, learned: Learned, context: Context) -> np.ndarray:
    best = learned.best
    learner = learner_named(best.learner)
    fitted = learner(learner.Config(**best.config)).fit(prepared, context.silent())
    with tempfile.TemporaryDirectory(prefix="salus-contrast-") as scratch:
        output = "scores" if prepared.classification else "values"
        return run_graph(fitted.graphs(Path(scratch))["main"], prepared.validation.feeds, output, prepared.threads)
