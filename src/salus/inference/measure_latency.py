"""How long answers take in this process: the whole path from raw rows to predictions.

`python -m salus.inference.measure_latency FOLDER` prints one JSON line for the bundle there.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np

from salus.bundle.read import open_folder
from salus.inference.predictor import Predictor

WARMING_RUNS = 5
BATCH_ROWS = 64


def measure_latency(predictor: Predictor, runs: int = 200, most_s: float = 5.0) -> dict[str, Any]:
    """Milliseconds of one row (median and 99th percentile) and rows a second in batches.

    runs, most_s: as many passes as fit, at least three.
    """
    row = predictor.example_row()
    one = _times(predictor, [row], runs, most_s / 2)
    batch = _times(predictor, [row] * BATCH_ROWS, max(3, runs // BATCH_ROWS), most_s / 2)
    return {
        "one_row_ms": {
            "median": round(float(np.median(one)) * 1000, 4),
            "p99": round(float(np.quantile(one, 0.99)) * 1000, 4),
        },
        "batch_rows": BATCH_ROWS,
        "rows_per_s": round(BATCH_ROWS / float(np.median(batch)), 1),
        "runs": len(one),
    }


def _times(predictor: Predictor, rows: list[dict[str, Any]], runs: int, most_s: float) -> list[float]:
    for _ in range(WARMING_RUNS):
        predictor.predict_rows(rows)
    seconds: list[float] = []
    end = time.perf_counter() + most_s
    while len(seconds) < runs and (len(seconds) < 3 or time.perf_counter() < end):
        began = time.perf_counter()
        predictor.predict_rows(rows)
        seconds.append(time.perf_counter() - began)
    return seconds


def main(arguments: list[str] | None = None) -> None:
    """Prints what `measure_latency` found."""
    parser = argparse.ArgumentParser(prog="salus.inference.measure_latency")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args(arguments)
    predictor = Predictor.open(open_folder(options.folder), threads=options.threads)
    try:
        print(json.dumps(measure_latency(predictor)))
    finally:
        predictor.close()


if __name__ == "__main__":
    main()
