"""What the runners of the peers share: which rows to learn from, which to answer, and what is written down about it.

Runs in the peer's own environment; needs numpy, and pandas or pyarrow for what is read. A runner calls `run(fit)`; its `fit`
is given the Task and returns an Answering.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

ONE_ROW_TRIES, ONE_ROW_SECONDS = 300, 10.0


@dataclass(frozen=True)
class Task:
    """about: the content of set.json. scratch: a folder for what a peer keeps on disk."""

    folder: Path
    about: dict[str, Any]
    fold: int
    budget_s: float
    threads: int
    seed: int
    scratch: Path

    @property
    def test(self) -> np.ndarray:
        return np.asarray(self.about["folds"][self.fold])

    @property
    def train(self) -> np.ndarray:
        return np.setdiff1d(np.arange(len(self.about["truth"])), self.test)

    @property
    def classification(self) -> bool:
        return self.about["levels"] is not None

    @property
    def truth(self) -> np.ndarray:
        """Codes of `levels`, or numbers; of all rows."""
        return np.asarray(self.about["truth"])

    @property
    def units(self) -> np.ndarray:
        """The person or patient of every row, as a code."""
        return np.asarray(self.about["units"])

    def table(self) -> Any:
        """Inputs of all rows as a pandas frame; texts are categories."""
        import pandas

        frame = pandas.read_csv(self.folder / "rows.csv")
        left_out = [self.about["target"], *self.about["ignore"]]
        frame = frame.drop(columns=left_out + ([self.about["group"]] if self.about["group"] else []))
        for name in frame.columns:
            if not pandas.api.types.is_numeric_dtype(frame[name]):
                frame[name] = frame[name].astype("category")
        return frame

    def columns(self, names: list[str]) -> dict[str, list[Any]]:
        """Columns of rows.parquet."""
        import pyarrow.parquet as parquet

        table = parquet.read_table(self.folder / "rows.parquet", columns=names)
        return {name: table[name].to_pylist() for name in names}


@dataclass(frozen=True)
class Answering:
    """A fitted peer. batch: positions -> what `predict` takes, not timed. predict: scores (B, K) or numbers (B,).
    save: keeps in a folder what `one_row.py` serves."""

    batch: Callable[[np.ndarray], Any]
    predict: Callable[[Any], np.ndarray]
    size_bytes: int
    details: dict[str, Any] = field(default_factory=dict)
    probabilities: bool = True
    save: Callable[[Path], None] | None = None


def run(fit: Callable[[Task], Answering], libraries: tuple[str, ...]) -> None:
    """Fits, answers the test rows and writes scores.npy and result.json into the output folder."""
    asked = _arguments()
    about = json.loads((asked.folder / "set.json").read_bytes())
    scratch = asked.output / "scratch"
    task = Task(asked.folder, about, asked.fold, asked.budget, asked.threads, asked.seed, scratch)
    began, busy = time.monotonic(), _processor_s()
    answering = fit(task)
    fit_s, processor_s = time.monotonic() - began, _processor_s() - busy
    scores = np.asarray(answering.predict(answering.batch(task.test)), dtype=np.float64)
    np.save(asked.output / "scores.npy", scores)
    if answering.save is not None:
        answering.save(asked.output / "kept")
    result = {
        "fit_s": fit_s,
        "processor_s": processor_s,
        "size_bytes": answering.size_bytes,
        "one_row_ms": _one_row_ms(answering, task.test),
        "probabilities": answering.probabilities,
        "details": answering.details,
        "versions": {name: metadata.version(name) for name in libraries},
    }
    (asked.output / "result.json").write_text(json.dumps(result, default=str), encoding="utf-8")


def _one_row_ms(answering: Answering, test: np.ndarray) -> float:
    """Median of asking for one row at a time, in this process."""
    rows = [answering.batch(test[at % len(test)][None]) for at in range(ONE_ROW_TRIES)]
    answering.predict(rows[0])
    seconds: list[float] = []
    for row in rows:
        began = time.perf_counter()
        answering.predict(row)
        seconds.append(time.perf_counter() - began)
        if sum(seconds) > ONE_ROW_SECONDS:
            break
    return float(np.median(seconds)) * 1000


def _processor_s() -> float:
    """Of this process and of the children that ended."""
    return sum(os.times()[:4])


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", type=Path, required=True, help="of the set")
    parser.add_argument("--fold", type=int, required=True)
    parser.add_argument("--budget", type=float, required=True, help="seconds")
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--output", type=Path, required=True, help="folder, which exists")
    return parser.parse_args()
