"""Texts that are written: translation of Multi30k (English to German) and Tatoeba (English to Chinese), and texts that go on
(Tiny Shakespeare, Tang poems), each learned from nothing through `salus.fit`."""

from __future__ import annotations

import csv
import tempfile
import time
from pathlib import Path
from typing import Any

import salus

BUDGETS_S = {"multi30k": 1200.0, "tatoeba": 1200.0, "tinyshakespeare": 600.0, "tang": 600.0}
NAMES = tuple(BUDGETS_S)
REFERENCES = {
    "multi30k": "sacreBLEU 38 to 41 by a small transformer on a GPU",
    "tatoeba": "none standard",
    "tinyshakespeare": "nanoGPT: 1.47 nats on a GPU, 1.88 with its setting for processors",
    "tang": "none known",
}


def run(name: str, data: Path, budget_s: float | None, threads: int, seed: int) -> dict[str, Any]:
    """The metrics of one of NAMES with their intervals, beside doing nothing and what others report."""
    with tempfile.TemporaryDirectory(prefix="salus-write-") as scratch:
        began = time.monotonic()
        version, options = _prepared(name, data, Path(scratch))
        model = salus.fit(version, budget=budget_s or BUDGETS_S[name], threads=threads, seed=seed, **options)
        report = model.report
        return {
            "budget_s": budget_s or BUDGETS_S[name],
            "fit_s": round(time.monotonic() - began, 1),
            "reference": REFERENCES[name],
            "learner": report["learner"]["name"],
            "details": {key: report["learner"]["details"][key] for key in ("epochs", "steps_done", "weights")},
            "rows": report["headline"]["rows"],
            "metrics": report["metrics"],
            "baseline": {metric: found["value"] for metric, found in report["baseline"].items()},
            "facts": report["facts"],
            "one_row_ms": report["latency"]["one_row_ms"],
            "size_bytes": report["size_bytes"],
            "shown": report["shown"]["items"][::4],
        }


def _prepared(name: str, data: Path, scratch: Path) -> tuple[Any, dict[str, Any]]:
    """The data version and what `salus.fit` is told."""
    if name == "multi30k":
        return salus.read(data / "multi30k_en_de"), {"target": "de"}
    if name == "tinyshakespeare":
        return salus.read(data / "tinyshakespeare"), {"target": "text"}
    if name == "tang":
        version = salus.read(data / "tang_poetry" / "tang_10000.jsonl", kinds={"paragraphs": "text"})
        return version, {"target": "paragraphs", "ignore": ["id", "author", "title"], "find_group": False}
    table = scratch / "pairs.csv"
    with (
        (data / "tatoeba_en_zh" / "cmn.txt").open(encoding="utf-8") as source,
        table.open("w", newline="", encoding="utf-8") as sink,
    ):
        writer = csv.writer(sink)
        writer.writerow(["en", "zh", "same"])  # equal English sentences lie on one side
        for line in source:
            english, chinese, *_ = line.rstrip("\n").split("\t")
            writer.writerow([english, chinese, f"sentence {english}"])
    version = salus.read(table, kinds={"en": "text", "zh": "text", "same": "category"})
    return version, {"target": "zh", "group": "same"}
