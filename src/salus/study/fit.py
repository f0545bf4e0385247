"""Executes a plan: every fit in its order, exported and scored on validation rows by the engine that will serve it.

A fit that is finished is remembered with its graph, so that a killed run does not repeat it. The clock is only a guard.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from salus.core.context import Context
from salus.core.durable import write_file
from salus.evaluation.calibrate import fit_temperature
from salus.evaluation.metrics import softmax
from salus.inference.engines.onnx import OnnxEngine
from salus.learners import learner_named
from salus.learners.base import Learner, Part, Prepared

GUARD = 1.5  # times the budget: after this the rest of the plan is skipped and the run is marked cut
CHUNK_ROWS = 256
SMALLEST_PROBABILITY = 1e-7


@dataclass(frozen=True)
class Candidate:
    """One finished fit: its graph (raw scores), its losses on validation rows (their mean is `loss`), and its own library's
    answers to the examples."""

    learner: str
    config: dict[str, Any]
    details: dict[str, Any]
    seconds: float
    graph: bytes
    loss: float
    row_losses: np.ndarray
    temperature: float | None
    example_answers: np.ndarray


def execute(
    plan: dict[str, Any], prepared: Prepared, example_feeds: dict[str, np.ndarray], folder: Path, context: Context
) -> tuple[list[Candidate], bool]:
    """Every candidate of the plan, and whether the clock cut it."""
    candidates: list[Candidate] = []
    for index, entry in enumerate(plan["fits"]):
        if candidates and context.elapsed_s() > GUARD * plan["budget_s"]:
            context.event("cut", skipped=len(plan["fits"]) - index)
            return candidates, True
        candidate = _kept(index, folder, context)
        if candidate is None:
            candidate = _fit(index, entry, prepared, example_feeds, folder, context)
        candidates.append(candidate)
        context.event("fitted", learner=candidate.learner, loss=candidate.loss, seconds=candidate.seconds)
    return candidates, False


def choose(candidates: list[Candidate]) -> Candidate:
    """The one that validation rows favour. A later one in the plan (the larger model, which often stopped by these very rows) must be
    better by more than a standard error of the paired difference; few rows choose by luck."""
    best = candidates[0]
    for candidate in candidates[1:]:
        gains = best.row_losses - candidate.row_losses
        if gains.mean() > gains.std() / np.sqrt(len(gains)):
            best = candidate
    return best


def run_graph(graph: bytes, feeds: dict[str, np.ndarray], output: str, threads: int) -> np.ndarray:
    """One output of a graph for all rows, in chunks (recordings, whose windows hang together, in one)."""
    engine = OnnxEngine()
    engine.load({"main": graph}, threads)
    try:
        if "series" in feeds:
            return engine.run("main", feeds, [output])[0]
        rows = len(next(iter(feeds.values())))
        chunks = [
            engine.run("main", {name: feed[start : start + CHUNK_ROWS] for name, feed in feeds.items()}, [output])[0]
            for start in range(0, rows, CHUNK_ROWS)
        ]
        return np.concatenate(chunks)
    finally:
        engine.close()


def _fit(
    index: int,
    entry: dict[str, Any],
    prepared: Prepared,
    example_feeds: dict[str, np.ndarray],
    folder: Path,
    context: Context,
) -> Candidate:
    learner: type[Learner] = learner_named(entry["learner"])
    context.event("fitting", learner=learner.name, config=entry["config"], expected_s=entry["expected_s"])
    started = time.monotonic()
    fitted = learner(learner.Config(**entry["config"])).fit(prepared, context)
    path = folder / f"fit-{index}.onnx"
    fitted.export(path)
    graph = path.read_bytes()
    temperature, row_losses = _score(graph, prepared.validation, prepared)
    candidate = Candidate(
        learner=learner.name,
        config=entry["config"],
        details=fitted.details,
        seconds=round(time.monotonic() - started, 3),
        graph=graph,
        loss=float(row_losses.mean()),
        row_losses=row_losses,
        temperature=temperature,
        example_answers=fitted.raw(example_feeds),
    )
    _keep(index, candidate, path, context)
    return candidate


def _score(graph: bytes, validation: Part, prepared: Prepared) -> tuple[float | None, np.ndarray]:
    """The temperature that fits validation rows best, and the loss of each row with it; lower is better."""
    if not prepared.classification:
        values = run_graph(graph, validation.feeds, "values", prepared.threads)
        spread = np.maximum(validation.target.var(axis=0), 1e-12)
        return None, np.mean((values - validation.target) ** 2 / spread, axis=1)
    scores = run_graph(graph, validation.feeds, "scores", prepared.threads)
    temperature = fit_temperature(scores, validation.target)
    said = softmax(scores / temperature)[np.arange(len(scores)), validation.target]
    return temperature, -np.log(np.maximum(said, SMALLEST_PROBABILITY))


def _keep(index: int, candidate: Candidate, path: Path, context: Context) -> None:
    write_file(path, candidate.graph)  # again, synced
    record = {name: value for name, value in vars(candidate).items() if name != "graph"}
    lists = {name: record[name].tolist() for name in ("row_losses", "example_answers")}
    context.remember(f"fit-{index}", record | lists)


def _kept(index: int, folder: Path, context: Context) -> Candidate | None:
    record = context.recall(f"fit-{index}")
    path = folder / f"fit-{index}.onnx"
    if record is None or not path.exists():
        return None
    for name in ("row_losses", "example_answers"):
        record[name] = np.asarray(record[name], dtype=np.float64)
    return Candidate(**record, graph=path.read_bytes())
