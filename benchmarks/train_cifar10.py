"""Seconds of a fit and accuracy on the 10,000 test pictures of CIFAR-10: Salus against the published Keras network.

Four sides in turn, `--rounds` times: the Keras recipe as repaired in keras_cifar10_recipe.py, the same recipe in Salus, the fast
network of Salus with `--budget` seconds, and the whole study with that budget (`process_s`: from start to published bundle).
A fit begins with decoded pictures in memory and ends with the weights; every side runs in a fresh process. `--data` (or SALUS_BENCH_DATA) is
a folder with train.parquet and test.parquet, columns `image` and `label`; `--peer-python` a Python with tensorflow-cpu, scipy, pillow and
pyarrow, without which only our own sides run. Accuracy is that of the exported graph.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from figures import Figure, write_figures

HERE = Path(__file__).parent
CHUNK_ROWS = 500


def main() -> None:
    asked = arguments()
    if asked.side:
        print(json.dumps(run_side(asked.side, asked.data, asked.budget, asked.seed)), flush=True)
        return
    sides = ["recipe", "fast", "whole"] + (["keras"] if asked.peer_python else [])
    results: dict[str, list[dict[str, float]]] = {side: [] for side in sides}
    for seed in range(asked.rounds):
        for side in sides:
            results[side].append(in_process(side, asked, seed))
            print(side, results[side][-1], file=sys.stderr, flush=True)
    write_figures("train_cifar10", figures_of(results), asked.output)


def in_process(side: str, asked: argparse.Namespace, seed: int) -> dict[str, float]:
    """One fit in a fresh process."""
    if side == "keras":
        command = [asked.peer_python, str(HERE / "keras_cifar10_recipe.py"), str(asked.data)]
    else:
        command = [sys.executable, __file__, "--side", side, "--data", str(asked.data), "--seed", str(seed)]
        command += ["--budget", str(asked.budget)]
    environment = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"}
    began = time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    whole_s = time.monotonic() - began
    if done.returncode != 0:
        raise SystemExit(f"{side} failed:\n{done.stderr[-2000:]}")
    result: dict[str, float] = json.loads(done.stdout.strip().splitlines()[-1])
    return result | ({"process_s": whole_s} if side in ("keras", "whole") else {})


def run_whole(data: Path, budget_s: float, seed: int) -> dict[str, float]:
    """The whole study from the files to the published, verified bundle with its report; accuracy is the bundle's on the test pictures."""
    import salus

    model = salus.fit(data, "label", budget=budget_s, seed=seed)
    return {"accuracy": model.report["metrics"]["accuracy"]["value"]}


def run_side(side: str, data: Path, budget_s: float, seed: int) -> dict[str, float]:
    """Fit, export, and the graph asked about the test pictures."""
    if side == "whole":
        return run_whole(data, budget_s, seed)
    from salus.core.context import Context
    from salus.learners.cnn import Cnn, CnnConfig
    from salus.recipes import recipe_named

    prepared, test = read_pictures(data, seed)
    began, processor = time.monotonic(), time.process_time()
    if side == "recipe":
        config = CnnConfig(**recipe_named("cifar10_keras_cnn")["options"])
    else:
        config = CnnConfig(**Cnn.propose(prepared, {}, budget_s, Context()).config)
    fitted = Cnn(config).fit(prepared, Context())
    fit_s, processor_s = time.monotonic() - began, time.process_time() - processor
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "graph.onnx"
        fitted.export(path)
        graph = path.read_bytes()
    return {"fit_s": fit_s, "processor_s": processor_s, **ask(graph, test)}


def read_pictures(data: Path, seed: int) -> tuple[Any, Any]:
    """What the learner is given, which has no rows held out; and the test pictures."""
    from salus.core.nouns import Column, Schema
    from salus.data.kinds import kind_named
    from salus.learners.base import Part, Prepared

    state = {"height": 32, "width": 32, "channels": 3}
    names: list[str] = []
    parts = []
    import pyarrow.parquet as parquet

    for side in ("train", "test"):
        table = parquet.read_table(data / f"{side}.parquet", columns=["image", "label"])
        pixels = kind_named("image").encode(table["image"].to_pylist(), state)["pixels"]
        labels = table["label"].to_pylist()
        names = names or sorted(set(labels))
        codes = np.array([names.index(label) for label in labels], dtype=np.int64)
        parts.append(Part({"image_0": pixels}, codes, np.arange(len(codes))))
    schema = Schema(columns=(Column(name="image", kind="image", state=state),))
    none = Part({"image_0": parts[1].feeds["image_0"][:0]}, parts[1].target[:0], parts[1].rows[:0])
    return Prepared(schema, parts[0], none, True, len(names), seed, os.cpu_count() or 1), parts[1]


def ask(graph: bytes, test: Any) -> dict[str, float]:
    """Accuracy of the graph, and milliseconds for one picture on one thread."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    pixels = test.feeds["image_0"]
    chunks = [
        session.run(["scores"], {"image_0": pixels[start : start + CHUNK_ROWS]})[0]
        for start in range(0, len(pixels), CHUNK_ROWS)
    ]
    seconds = []
    for row in range(1000):
        began = time.perf_counter()
        session.run(["scores"], {"image_0": pixels[row : row + 1]})
        seconds.append(time.perf_counter() - began)
    right = float(np.mean(np.concatenate(chunks).argmax(axis=1) == test.target))
    return {"accuracy": right, "one_picture_ms": median(seconds) * 1000}


def figures_of(results: dict[str, list[dict[str, float]]]) -> list[Figure]:
    """Medians, each beside what it is compared with."""
    titles = {"keras": "Keras recipe"}
    units = {
        "fit_s": "s",
        "process_s": "s",
        "processor_s": "processor s",
        "accuracy": "share of 10,000",
        "one_picture_ms": "ms",
    }
    found = []
    for side, rounds in results.items():
        for name, unit in units.items():
            runs = [result[name] for result in rounds if name in result]
            if runs:
                against = titles["keras"] if side != "keras" and "keras" in results else None
                found.append(Figure(f"{side}: {name}", median(runs), unit, against, runs))
    return found


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    given = os.environ.get("SALUS_BENCH_DATA")
    parser.add_argument("--data", type=Path, default=Path(given) if given else None, required=given is None)
    parser.add_argument("--peer-python", help="a Python that has tensorflow-cpu")
    parser.add_argument("--budget", type=float, default=36.0, help="seconds for the fast network, planning included")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--output", type=Path, help="also write the figures to this file")
    parser.add_argument("--side", choices=["recipe", "fast", "whole"], help=argparse.SUPPRESS)
    parser.add_argument("--seed", type=int, default=0, help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
