"""Answers a second of each task over HTTP, against the same passes through the same ONNX graphs in a bare loop.

A small model of each task is learned through `salus.fit`, signed for a home of its own and served by the real model server; wrk asks
for one real row over 1 and 8 connections. The bare loop is ONNX Runtime alone in one process: the passes that the row needs
were written down once, and are run again with the feeds they had. For a greedy text the inputs of every step, its caches among
them, are values of the runtime bound by IOBinding, and the likeliest piece is looked for after each step; no request, no reading
and no decoding on that side. Both sides have one thread on the same processor, wrk has the other; they alternate round by round
and the median of the rounds' ratios is told. The bundle is signed for a home made here, as serve.py does it.
Needs `wrk` and Linux.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import onnxruntime

import salus
from figures import Figure, write_figures
from salus.bundle.sign import Signer
from salus.inference.engines.onnx import OnnxEngine
from salus.inference.predictor import Predictor
from salus.inference.programs.encoder_step import STEP
from salus.notebook import Model
from serve import SERVER_PROCESSOR, asked_for, make_home, ours, write_script
from serve_tasks_sets import SETS

CONNECTIONS = (1, 8)
ONE_PASS, GREEDY = 0.5, 0.7  # of the bare loop
LOGITS = "logits"
Pass = tuple[str, dict[str, Any], list[str]]  # graph, feeds, outputs


class Noting(OnnxEngine):
    """An engine that writes down the passes it runs."""

    def __init__(self) -> None:
        super().__init__()
        self.passes: list[Pass] = []

    def run(self, graph: str, feeds: Mapping[str, np.ndarray], outputs: Sequence[str]) -> list[np.ndarray]:
        self._note(graph, feeds, outputs)
        return super().run(graph, feeds, outputs)

    def run_kept(self, graph: str, feeds: Mapping[str, Any], outputs: Sequence[str]) -> list[Any]:
        self._note(graph, feeds, outputs)
        return super().run_kept(graph, feeds, outputs)

    def _note(self, graph: str, feeds: Mapping[str, Any], outputs: Sequence[str]) -> None:
        taken = {name: np.array(feed) if isinstance(feed, np.ndarray) else feed for name, feed in feeds.items()}
        self.passes.append(
            (graph, {name: taken[name] for name in taken if name in self._sessions[graph][1]}, list(outputs))
        )


class Bare:
    """The passes of one row, again and again, by ONNX Runtime alone."""

    def __init__(self, predictor: Predictor, noting: Noting, row: Mapping[str, Any]) -> None:
        predictor.predict_rows([row])
        noting.passes.clear()
        predictor.predict_rows([row])
        self.passes = list(noting.passes)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self.sessions = {
            name: onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
            for name, content in predictor.bundle.graphs().items()
        }
        self.greedy = any(graph == STEP for graph, _, _ in self.passes)

    def answer(self) -> None:
        """What one row needs."""
        for graph, feeds, outputs in self.passes:
            session = self.sessions[graph]
            if not self.greedy:
                session.run(outputs, feeds)
                continue
            binding = session.io_binding()
            for name, feed in feeds.items():
                if isinstance(feed, np.ndarray):
                    binding.bind_cpu_input(name, feed)
                else:
                    binding.bind_ortvalue_input(name, feed)
            for name in outputs:
                binding.bind_output(name)
            session.run_with_iobinding(binding)
            if LOGITS in outputs:
                binding.get_outputs()[outputs.index(LOGITS)].numpy().argmax(axis=1)

    def run(self, seconds: float) -> dict[str, float]:
        """Answers a second and the middle time of one, on the server's processor."""
        before = os.sched_getaffinity(0)
        os.sched_setaffinity(0, {int(SERVER_PROCESSOR)})
        try:
            self.answer()
            times, began = [], time.perf_counter()
            while time.perf_counter() - began < seconds:
                start = time.perf_counter()
                self.answer()
                times.append(time.perf_counter() - start)
            return {"rate": len(times) / (time.perf_counter() - began), "p50_ms": 1e3 * median(times)}
        finally:
            os.sched_setaffinity(0, before)


def main() -> None:
    asked = arguments()
    figures: list[Figure] = []
    for name in asked.task or list(SETS):
        with tempfile.TemporaryDirectory(prefix="salus-serve-") as folder:
            figures += measured(name, asked, Path(folder))
            write_figures("serve_tasks", figures, asked.output)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of the data sets")
    parser.add_argument("--task", action="append", choices=list(SETS), help="one task; may be given again; all without")
    parser.add_argument("--budget", type=float, default=45.0, help="seconds of one fit")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=2, help="of one measurement")
    parser.add_argument("--output", type=Path, help="file for the figures; printed in any case")
    parser.add_argument("--peer-python", type=Path, help="not needed; taken so that all scripts can be called alike")
    asked = parser.parse_args()
    if shutil.which("wrk") is None or shutil.which("taskset") is None:
        parser.error("wrk and taskset are needed")
    return asked


def measured(name: str, asked: argparse.Namespace, folder: Path) -> list[Figure]:
    """The figures of one task."""
    source, options, row = SETS[name](asked.data, folder)
    model = salus.fit(source, budget=asked.budget, threads=1, seed=0, **options)
    noting = Noting()
    bare = Bare(Predictor.open(model.bundle, engine=noting), noting, row)
    script = folder / "ask.lua"
    body = folder / "row.json"
    body.write_text(json.dumps({"rows": [row]}), encoding="utf-8")
    write_script(script, body, "application/json")
    home = make_home(folder / "home", signed(model, folder / "bundle"))
    runs: dict[str, list[dict[str, float]]] = {}
    with ours(home) as (address, _):
        for connections in CONNECTIONS:
            asked_for(address, script, connections, 1)
        for number in range(asked.rounds):
            sides: list[int] = [0, *CONNECTIONS]
            for side in sides if number % 2 == 0 else sides[::-1]:
                run = asked_for(address, script, side, asked.seconds) if side else bare.run(asked.seconds)
                runs.setdefault(str(side), []).append(run)
    learned = f"{model.report['learner']['name']}, {asked.budget:g} s of learning, {len(bare.passes)} passes a row"
    return told(name, learned, bare, runs)


def signed(model: Model, folder: Path) -> Path:
    """A copy of the bundle, signed with a key that lies beside it."""
    model.save(folder)
    signer = Signer.create(folder.parent / "signing.pem")
    (folder / "signature.json").write_bytes(signer.signature_file((folder / "manifest.json").read_bytes()))
    return folder


def told(name: str, learned: str, bare: Bare, runs: Mapping[str, list[dict[str, float]]]) -> list[Figure]:
    bar = GREEDY if bare.greedy else ONE_PASS
    loops = [run["rate"] for run in runs["0"]]
    loop_ms = median(run["p50_ms"] for run in runs["0"])
    figures = [Figure(f"{name}: bare loop", median(loops), "1/s", learned, loops)]
    for connections in CONNECTIONS:
        mine = runs[str(connections)]
        rates, times = [run["rate"] for run in mine], [run["p50_ms"] for run in mine]
        ratios = [rate / loop for rate, loop in zip(rates, loops, strict=True)]
        clients = f"{name}, {connections} client{'s' if connections > 1 else ''}"
        figures += [
            Figure(f"{clients}: answers", median(rates), "1/s", None, rates),
            Figure(f"{clients}: p50", median(times), "ms", f"bare loop {loop_ms:.4g}", times),
            Figure(f"{clients}: answers against the bare loop", median(ratios), "x", f">= {bar}", ratios),
        ]
    return figures


if __name__ == "__main__":
    main()
