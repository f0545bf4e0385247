"""Whether the serving engine repeats, from the bundle alone, what the trainer's own library answered to the examples.

Runs in a fresh process with limits, before a bundle is published: nothing that the trainer left in memory can help.
`python -I -m salus.inference.verify FOLDER` prints one JSON line. Imports no torch and no scikit-learn.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from salus.bundle.read import Bundle, open_folder
from salus.core.errors import SalusError
from salus.core.wire import canonical
from salus.inference.engines.process import PASSED_ON
from salus.inference.limits import limit_memory, limit_processor_time, no_core_dumps
from salus.inference.predictor import Predictor
from salus.tasks import task_named
from salus.tasks.compound import CompoundTask

PROBABILITY_TOLERANCE = 1e-4
VALUE_TOLERANCE = 1e-4  # times the standard deviation of the target in training
SCORE_TOLERANCE = 1e-3  # times the size of the score, at least 1
TIMEOUT_S = 300.0
MEMORY_BYTES = 8 * 2**30


def verify_in_fresh_process(
    folder: Path,
    python: str = sys.executable,
    timeout_s: float = TIMEOUT_S,
    memory_bytes: int = MEMORY_BYTES,
) -> dict[str, Any]:
    """What the check found: {"rows", "largest": {output: difference}, "seconds"}.

    Raises `bundle_disagrees`, or what makes the bundle unusable (`bundle_damaged`, `graph_refused`, ...).
    """
    command = [python, "-I", "-m", "salus.inference.verify", str(folder.absolute())]
    command += ["--timeout-s", str(timeout_s), "--memory-bytes", str(memory_bytes)]
    environment = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    try:
        done = subprocess.run(command, capture_output=True, timeout=timeout_s, env=environment, check=False)
    except subprocess.TimeoutExpired:
        raise _disagrees(f"no answer within {timeout_s:g} seconds") from None
    lines = done.stdout.decode("utf-8", "replace").strip().splitlines()
    try:
        found = json.loads(lines[-1])
        assert isinstance(found, dict)
    except (IndexError, ValueError, AssertionError):
        raise _disagrees(f"a process that ended with the code {done.returncode}") from None
    if "error" in found:
        raise SalusError.from_json(found["error"])
    return found


def verify(bundle: Bundle) -> dict[str, Any]:
    """The check itself, in this process."""
    started = time.perf_counter()
    examples = bundle.examples()
    rows, answers = examples.get("rows"), examples.get("answers")
    if not rows or not answers:
        raise _disagrees("no examples with answers in the bundle")
    predictor = Predictor.open(bundle)
    try:
        values = predictor.read_rows(rows)
        found = predictor.predict_values(values)
        predictions = predictor.answer(values)
    finally:
        predictor.close()
    canonical(predictions)  # every prediction is JSON with finite numbers
    compare = _compare if predictor.task.plain else _compare_compound
    largest = {name: compare(bundle, name, answer, found) for name, answer in answers.items()}
    return {"rows": len(rows), "largest": largest, "seconds": round(time.perf_counter() - started, 4)}


def _compare(bundle: Bundle, name: str, answer: Any, found: dict[str, np.ndarray]) -> float:
    """The largest difference of one output, in units of what is allowed times the tolerance."""
    if name not in found:
        raise _disagrees(f"no output '{name}' in the graph")
    expected, got = np.asarray(answer, dtype=np.float64), np.asarray(found[name], dtype=np.float64)
    if expected.shape != got.shape:
        raise _disagrees(f"{name} of shape {got.shape} instead of {expected.shape}")
    if not np.all(np.isfinite(got)):
        raise _disagrees(f"{int(np.count_nonzero(~np.isfinite(got)))} values of {name} that are not finite")
    difference = np.abs(got - expected)
    allowed = _allowed(bundle, name, expected)
    worst = int(np.argmax(np.max(np.reshape(difference / allowed, (len(difference), -1)), axis=1)))
    if not np.all(difference <= allowed):
        raise _disagrees(f"{name} of example {worst} off by {float(np.max(difference[worst])):.3g}")
    return float(np.max(difference))


def _compare_compound(bundle: Bundle, name: str, answer: Any, found: dict[str, np.ndarray]) -> float:
    """By how many tolerances what the program gave differs."""
    task = task_named(bundle.manifest.task)
    assert isinstance(task, CompoundTask), "a plain task has numbers to compare"
    if name not in found:
        raise _disagrees(f"no output '{name}' of the program")
    expected = np.asarray(answer, dtype=found[name].dtype)
    apart = task.agree(expected, found[name])
    if not apart <= 1:
        raise _disagrees(
            f"{name} of shape {found[name].shape} instead of {expected.shape}, {apart:.3g} tolerances apart"
        )
    return apart


def _allowed(bundle: Bundle, name: str, expected: np.ndarray) -> np.ndarray:
    """The tolerance for each number of an output."""
    if name == "values":
        states = [column.state or {} for column in bundle.manifest.schema.targets]
        deviations = np.array([float(state.get("deviation") or 1.0) for state in states])
        return np.broadcast_to(VALUE_TOLERANCE * deviations, expected.shape)
    if name == "scores":
        return np.asarray(SCORE_TOLERANCE * np.maximum(1.0, np.abs(expected)))
    return np.full(expected.shape, PROBABILITY_TOLERANCE)


def _disagrees(found: str) -> SalusError:
    return SalusError("bundle_disagrees", where="the bundle", found=found)


def main(arguments: list[str] | None = None) -> int:
    """One JSON line on standard output; 0 when the bundle agrees."""
    parser = argparse.ArgumentParser(prog="salus.inference.verify")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--timeout-s", type=float, default=TIMEOUT_S)
    parser.add_argument("--memory-bytes", type=int, default=MEMORY_BYTES)
    options = parser.parse_args(arguments)
    no_core_dumps()
    limit_memory(options.memory_bytes)
    limit_processor_time(options.timeout_s)
    try:
        found = verify(open_folder(options.folder))
    except SalusError as error:
        found = {"error": error.to_json()}
    except MemoryError:
        found = {"error": _disagrees(f"a need for more than {options.memory_bytes} bytes of memory").to_json()}
    print(json.dumps(found))
    return int("error" in found)


if __name__ == "__main__":
    sys.exit(main())
