"""One config, fitted: on every fold of a lesson, scored on the rows that each holds out by the engine that will serve it.

A fit that is finished is remembered, so that a killed run does not repeat it.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from salus.core.context import Context
from salus.core.durable import write_file
from salus.evaluation.calibrate import apply_calibration, fit_calibration
from salus.learners import learner_named
from salus.learners.base import Fitted, Learner, Prepared, Program
from salus.study.answering import run_graph, run_program, seconds_of_one_row
from salus.study.lesson import Lesson
from salus.tasks.compound import CompoundTask

SMALLEST_PROBABILITY = 1e-7


@dataclass(frozen=True)
class Candidate:
    """One config and what it said about the rows held out: `scores` (H, K) or values (H, M), and the loss of each row (its
    mean is `loss`); a compound task has no scores. `refit`: what changes in the config when nothing is held out. `one_row_ms`: median of one row."""

    place: int
    learner: str
    config: dict[str, Any]
    details: dict[str, Any]
    refit: dict[str, Any]
    seconds: float
    scores: np.ndarray
    row_losses: np.ndarray
    loss: float
    calibration: dict[str, Any] | None
    one_row_ms: float
    graph_bytes: int


@dataclass(frozen=True)
class Member:
    """A fitted config as graphs (a plain task: `main` alone, with raw scores), what runs them, and its own library's answers to
    the examples. `saliency`: the graph that shows where it looks, where the learner has one."""

    candidate: Candidate
    program: Program
    graphs: dict[str, bytes]
    example_answers: np.ndarray
    details: dict[str, Any]
    saliency: bytes | None


def held_out(
    place: int,
    entry: Mapping[str, Any],
    lesson: Lesson,
    example_feeds: Mapping[str, np.ndarray],
    folder: Path,
    context: Context,
) -> Candidate:
    """The candidate at this place of the plan: `entry` {"learner", "config"} fitted on every fold."""
    name = f"{lesson.name}-{place}"
    kept = _kept(name, context)
    if kept is not None:
        return kept
    learner: type[Learner] = learner_named(entry["learner"])
    context.event("fitting", learner=learner.name, lesson=lesson.name, place=place, folds=len(lesson.folds))
    started = time.monotonic()
    answers, refits, details, latency, size = [], list[Mapping[str, Any]](), dict[str, Any](), 0.0, 0
    for fold in range(len(lesson.folds)):
        prepared = lesson.prepared(fold)
        fitted = learner(learner.Config(**entry["config"])).fit(prepared, context)
        graphs = fitted.graphs(folder)
        answers.append(_said(fitted.program, graphs, prepared, lesson))
        refits.append(fitted.refit)
        if fold == 0:
            details, size = fitted.details, sum(map(len, graphs.values()))
            latency = _one_row_ms(fitted.program, graphs, prepared, lesson)
            if not lesson.cross:
                _keep_fitted(name, fitted, graphs, example_feeds, folder, context)
    said, row_losses, calibration = _judged(np.concatenate(answers), lesson)
    candidate = Candidate(
        place=place,
        learner=learner.name,
        config=dict(entry["config"]),
        details=details,
        refit=_merged(refits),
        seconds=round(time.monotonic() - started, 3),
        scores=said,
        row_losses=row_losses,
        loss=float(row_losses.mean()),
        calibration=calibration,
        one_row_ms=latency,
        graph_bytes=size,
    )
    _keep(name, candidate, context)
    context.event("fitted", learner=learner.name, lesson=lesson.name, loss=candidate.loss, seconds=candidate.seconds)
    return candidate


def member(
    candidate: Candidate, lesson: Lesson, example_feeds: Mapping[str, np.ndarray], folder: Path, context: Context
) -> Member:
    """The candidate as it is given away: of the only fold, or learned once more from all rows of the lesson."""
    name = f"{lesson.name}-{candidate.place}"
    record = context.recall(f"member-{name}")
    if record is None or not all(_graph_file(folder, name, graph).exists() for graph in record["graphs"]):
        learner = learner_named(candidate.learner)
        context.event("fitting", learner=learner.name, lesson=lesson.name, place=candidate.place, folds=0)
        if lesson.cross:
            config = learner.Config(**{**candidate.config, **candidate.refit})
            prepared = lesson.whole()
        else:  # the files of the fold are gone, its record is not
            config, prepared = learner.Config(**candidate.config), lesson.prepared(0)
        fitted = learner(config).fit(prepared, context)
        _keep_fitted(name, fitted, fitted.graphs(folder), example_feeds, folder, context)
    record = context.recall(f"member-{name}")
    assert record is not None, "just remembered"
    saliency = folder / f"saliency-{name}.onnx"
    return Member(
        candidate,
        record["program"],
        {graph: _graph_file(folder, name, graph).read_bytes() for graph in record["graphs"]},
        np.asarray(record["example_answers"], dtype=record["answers_type"]),
        record["details"],
        saliency.read_bytes() if saliency.exists() else None,
    )


def _said(program: str, graphs: Mapping[str, bytes], prepared: Prepared, lesson: Lesson) -> np.ndarray:
    """What the graphs say about the rows held out: scores or values, or answers."""
    if lesson.task.plain:
        output = "scores" if lesson.classification else "values"
        return run_graph(graphs["main"], prepared.validation.feeds, output, lesson.threads)
    return run_program(program, graphs, prepared.validation, lesson)


def _judged(said: np.ndarray, lesson: Lesson) -> tuple[np.ndarray, np.ndarray, dict[str, Any] | None]:
    """Scores, losses of the rows and the simple calibration of what was said about all rows held out."""
    task = lesson.task
    if isinstance(task, CompoundTask):
        return np.zeros((len(said), 0)), task.losses(said, lesson.held_target), None
    scores = said.astype(np.float64)  # as they come back after a kill
    calibration = calibration_of(scores, lesson.held_target, lesson.held_groups) if lesson.classification else None
    return scores, losses_of(answers_of(scores, calibration), lesson.held_target, lesson.classification), calibration


def calibration_of(scores: np.ndarray, target: np.ndarray, groups: np.ndarray | None) -> dict[str, Any]:
    """The simple calibration by which candidates are compared."""
    return fit_calibration(scores, target, groups, isotonic=False)


def answers_of(scores: np.ndarray, calibration: Mapping[str, Any] | None) -> np.ndarray:
    """Probabilities (H, K) of scores; values (H, M) as they are."""
    return scores if calibration is None else apply_calibration(calibration, scores)


def losses_of(answers: np.ndarray, target: np.ndarray, classification: bool) -> np.ndarray:
    """The loss of each row: -log of the true label's probability, or the squared error in variances of the target. Lower is better."""
    if not classification:
        return np.asarray(np.mean((answers - target) ** 2 / np.maximum(target.var(axis=0), 1e-12), axis=1))
    return np.asarray(-np.log(np.maximum(answers[np.arange(len(answers)), target], SMALLEST_PROBABILITY)))


def _graph_file(folder: Path, name: str, graph: str) -> Path:
    return folder / f"member-{name}-{graph}.onnx"


def _one_row_ms(program: str, graphs: Mapping[str, bytes], prepared: Prepared, lesson: Lesson) -> float:
    """Median milliseconds of one row in this process, one thread."""
    return round(seconds_of_one_row(program, graphs, prepared.validation.feeds, lesson) * 1000, 4)


def _merged(refits: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The mean of what the folds found (trees, epochs); of what is no number, the first."""
    merged: dict[str, Any] = {}
    for name in refits[0]:
        values = [refit[name] for refit in refits if name in refit]
        if all(isinstance(value, int) and not isinstance(value, bool) for value in values):
            merged[name] = max(1, round(float(np.mean(values))))
        elif all(isinstance(value, float) for value in values):
            merged[name] = float(np.mean(values))
        else:
            merged[name] = values[0]
    return merged


def _keep_fitted(
    name: str,
    fitted: Fitted,
    graphs: Mapping[str, bytes],
    example_feeds: Mapping[str, np.ndarray],
    folder: Path,
    context: Context,
) -> None:
    """The graphs first, synced; then the record that says that they are there."""
    for graph, content in graphs.items():
        write_file(_graph_file(folder, name, graph), content)
    saliency = fitted.saliency_graph()
    if saliency is not None:
        write_file(folder / f"saliency-{name}.onnx", saliency)
    answers = fitted.raw(example_feeds) if example_feeds else np.zeros(0)
    record = {"program": fitted.program, "graphs": sorted(graphs), "details": fitted.details}
    kept = "int64" if answers.dtype.kind in "iu" else "float64"
    context.remember(f"member-{name}", record | {"example_answers": answers.tolist(), "answers_type": kept})


def _keep(name: str, candidate: Candidate, context: Context) -> None:
    record = dict(vars(candidate))
    lists = {field: record[field].tolist() for field in ("scores", "row_losses")}
    context.remember(f"fit-{name}", record | lists)
    context.keep_clock()


def _kept(name: str, context: Context) -> Candidate | None:
    record = context.recall(f"fit-{name}")
    if record is None:
        return None
    for field in ("scores", "row_losses"):
        record[field] = np.asarray(record[field], dtype=np.float64)
    return Candidate(**record)
