"""Salus itself through its public door: `salus.read`, `salus.fit`, `model.predict`. Runs in the environment of this repository.

Sets of few rows or people are given their train rows alone, as a person would who has no more; Salus then measures by nested
folds and ships what it learned from all of them. Larger sets carry a column `split` so that no train row is set aside to
report on. What the report of the fit says is kept in the details.
"""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
from exchange import Answering, Task, run

import salus

FEW_ROWS, FEW_GROUPS = 2000, 20
CHUNK_ROWS = 512
ROWS_KEPT = 200
SPLIT = "side_of_split"


def fit(task: Task) -> Answering:
    rows = read_rows(task)
    about = task.about
    kept = np.setdiff1d(np.arange(len(task.truth)), [] if not few(task) else task.test)
    sides = np.full(len(task.truth), "train", dtype=object)
    sides[task.test] = "test"
    columns = rows | ({} if few(task) else {SPLIT: sides.tolist()})
    path = write_rows(columns, kept, task)
    options: dict[str, Any] = {"rate_hz": about["rate_hz"]} if about["rate_hz"] else {}
    asked: dict[str, Any] = {"ignore": about["ignore"], "group": about["group"]}
    if not few(task):
        asked["split"] = SPLIT
    if os.environ.get("QUALITY_RECIPE"):
        asked["recipe"] = os.environ["QUALITY_RECIPE"]
    version = salus.read(path, **options)
    model = salus.fit(
        version, about["target"], budget=task.budget_s, threads=task.threads, seed=task.seed, contrast=False, **asked
    )
    left_out = {about["target"], about["group"], *about["ignore"]}
    inputs = {name: as_json(cells, task) for name, cells in rows.items() if name not in left_out}

    def batch(positions: np.ndarray) -> list[dict[str, Any]]:
        return [{name: cells[at] for name, cells in inputs.items()} for at in positions]

    def predict(asked_rows: list[dict[str, Any]]) -> np.ndarray:
        answers = []
        for start in range(0, len(asked_rows), CHUNK_ROWS):
            answers += model.predict(asked_rows[start : start + CHUNK_ROWS])
        if not task.classification:
            return np.array([answer["value"] for answer in answers])
        return np.array([[a["probabilities"].get(level, 0.0) for level in about["levels"]] for a in answers])

    def save(folder: Path) -> None:
        folder.mkdir()
        model.save(folder / "bundle")
        if task.about["family"] == "tables":
            (folder / "rows.json").write_text(json.dumps(batch(task.test[:ROWS_KEPT])), encoding="utf-8")

    size = sum(file.stat().st_size for file in model.folder.rglob("*") if file.is_file())
    return Answering(batch, predict, size, details_of(model.report), save=save)


def few(task: Task) -> bool:
    train = task.train
    return len(train) < FEW_ROWS or (task.about["group"] is not None and len(np.unique(task.units[train])) < FEW_GROUPS)


def details_of(report: dict[str, Any]) -> dict[str, Any]:
    """What was tried, what won, and what Salus itself says of its quality."""
    kept = {name: report.get(name) for name in ("learner", "tried", "choice", "split", "cut", "seconds", "headline")}
    if isinstance(kept["learner"], dict):
        kept["learner"] = {"name": kept["learner"].get("name"), "config": kept["learner"].get("config")}
    return kept


def read_rows(task: Task) -> dict[str, list[Any]]:
    """Every column as the set's folder holds it."""
    if task.about["family"] != "tables":
        import pyarrow.parquet as parquet

        table = parquet.read_table(task.folder / "rows.parquet")
        return {name: table[name].to_pylist() for name in table.column_names}
    with (task.folder / "rows.csv").open(encoding="utf-8", newline="") as file:
        lines = list(csv.reader(file))
    return {name: [line[at] for line in lines[1:]] for at, name in enumerate(lines[0])}


def write_rows(columns: dict[str, list[Any]], kept: np.ndarray, task: Task) -> Path:
    """The rows that Salus may see, as the kind of file in which the set lies."""
    task.scratch.mkdir(parents=True, exist_ok=True)
    chosen = {name: [cells[at] for at in kept] for name, cells in columns.items()}
    if task.about["family"] == "tables":
        path = task.scratch / "rows.csv"
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(chosen)
            writer.writerows(zip(*chosen.values(), strict=True))
        return path
    import pyarrow
    import pyarrow.parquet as parquet

    path = task.scratch / "rows.parquet"
    parquet.write_table(pyarrow.table(chosen), path)
    return path


def as_json(cells: list[Any], task: Task) -> list[Any]:
    """Cells of a table as a caller would send them: numbers where all of a column are, texts, and null."""
    if task.about["family"] != "tables":
        return cells
    try:
        return [float(cell) if cell != "" else None for cell in cells]
    except ValueError:
        return [cell if cell != "" else None for cell in cells]


run(fit, ("salus", "lightgbm", "torch", "onnxruntime"))
