"""Texts the whole way: from a file to a bundle that answers any text, with what its graph takes and no more."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")

import salus

ROOMS = ("the room was", "we had a room that was", "our room, again,", "breakfast was there, the room")
SAID = {"bad": ("awful", "cold and dirty", "far too loud"), "good": ("lovely", "warm and clean", "very quiet")}
QUICK: dict[str, Any] = {"steps": 60, "batch_rows": 32, "learning_rate": 0.02, "dimensions": 16, "width": 8}
ODD = [
    None,
    "",
    " ",
    "🙂",
    "\x00\x07\u202e",
    "a" * 10_000_000,
    "room 房间 комната",
    "=cmd()",
    "<script>alert(1)</script>",
]


def written(folder: Path, rows: int = 240) -> Path:
    generator = np.random.default_rng(0)
    path = folder / "reviews.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["review", "label", "split"])
        for row in range(rows):
            label = ("bad", "good")[row % 2]
            text = f"{generator.choice(ROOMS)} {generator.choice(SAID[label])}, number {generator.integers(1000)}"
            writer.writerow([text, label, "test" if row % 4 < 2 and row > rows // 2 else "train"])
    return path


@pytest.mark.parametrize(
    ("learner", "kept"), [("bag", {"spaces", "buckets", "grams"}), ("text_cnn", {"spaces", "pieces", "length"})]
)
def test_from_a_file_to_answers(learner: str, kept: set[str], tmp_path: Path) -> None:
    model = salus.fit(written(tmp_path), "label", budget=6, learner=learner, options=QUICK, threads=1)
    manifest = model.bundle.manifest
    assert manifest.task == "text-classification"
    assert set(manifest.schema.column("review").state or {}) == kept, "only what the graph takes is kept"
    assert model.report["metrics"]["accuracy"]["value"] > 0.9
    rows = [{"review": text} for text in ["the room was awful", "our room, again, very quiet", *ODD]]
    answers = model.predict(rows)
    assert [answer["label"] for answer in answers[:2]] == ["bad", "good"]
    assert len(answers) == len(rows) and all(abs(sum(a["probabilities"].values()) - 1) < 1e-4 for a in answers)
    assert abs(model.predict(rows[1:2])[0]["probability"] - answers[1]["probability"]) < 1e-5
    telling = {
        part.strip(" ,") for item in model.report["saliency"] for part, weight in item["passage"] if weight == 1.0
    }
    assert telling & {"awful", "cold", "dirty", "loud", "lovely", "warm", "clean", "quiet", "far", "too", "very"}
