"""Graphs that were just exported, asked by the engine and the program that will serve them, about rows that are encoded already."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import numpy as np

from salus.inference.engines.onnx import OnnxEngine
from salus.inference.programs import program_named
from salus.learners.base import Part
from salus.study.lesson import Lesson, take_feeds, take_part
from salus.tasks.compound import CompoundTask

CHUNK_ROWS = 256
TIMED_PASSES, TIMED_S = 20, 0.5


def run_graph(graph: bytes, feeds: Mapping[str, np.ndarray], output: str, threads: int) -> np.ndarray:
    """One output of a graph for all rows, in chunks (recordings, whose windows hang together, in one)."""
    with _loaded({"main": graph}, threads) as engine:
        if "series" in feeds:
            return engine.run("main", dict(feeds), [output])[0]
        rows = len(next(iter(feeds.values())))
        chunks = [
            engine.run("main", {name: feed[start : start + CHUNK_ROWS] for name, feed in feeds.items()}, [output])[0]
            for start in range(0, rows, CHUNK_ROWS)
        ]
        return np.concatenate(chunks)


def run_program(program: str, graphs: Mapping[str, bytes], part: Part, lesson: Lesson) -> np.ndarray:
    """The answers (B,) of a compound task to the rows of a part."""
    task, states = lesson.task, lesson.target_states
    assert isinstance(task, CompoundTask), "a plain task has one graph"
    with _loaded(graphs, lesson.threads) as engine:
        parts = []
        for start in range(0, len(part), task.rows_at_once):
            some = take_part(part, np.arange(start, min(len(part), start + task.rows_at_once)))
            raw = program_named(program).run(engine, some.feeds, task.output, states, {})
            parts.append(task.answers(raw, states, some.values))
    return np.concatenate(parts) if parts else np.empty(0, dtype=object)


def seconds_of_one_row(
    program: str, graphs: Mapping[str, bytes], feeds: Mapping[str, np.ndarray], lesson: Lesson
) -> float:
    """Median seconds of one row in this process, one thread: as often as there is time for, at least twice."""
    one = take_feeds(feeds, np.zeros(1, dtype=np.int64))
    seconds, began = list[float](), time.perf_counter()
    with _loaded(graphs, 1) as engine:
        while len(seconds) < 2 or (len(seconds) < TIMED_PASSES and time.perf_counter() - began < TIMED_S):
            started = time.perf_counter()
            program_named(program).run(engine, one, _timed_output(lesson), lesson.target_states, {})
            seconds.append(time.perf_counter() - started)
    return float(np.median(seconds))


def _timed_output(lesson: Lesson) -> str:
    """A graph of a plain task has no calibration yet."""
    return "scores" if lesson.classification else lesson.task.output


@contextmanager
def _loaded(graphs: Mapping[str, bytes], threads: int) -> Iterator[OnnxEngine]:
    engine = OnnxEngine()
    engine.load(graphs, threads)
    try:
        yield engine
    finally:
        engine.close()
