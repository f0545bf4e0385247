"""Detection: blood cells in photographs of smears, 15 minutes from scratch, the published sides.

The answers of the bundle to the test pictures are also given to pycocotools, where it is installed, beside the truth as the file of the
set has it: the same figures must come out. Some pictures are asked as a request would, and their boxes at the score from which a person
is given boxes are counted here.
"""

from __future__ import annotations

import base64
import contextlib
import importlib.util
import io
import json
import time
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

import salus
from figures import short
from salus.inference.predictor import Predictor
from salus.tasks.overlap import corners_of, matched

NAMES = ("bccd",)
BUDGET_S = 900.0
SIDES = ("left", "top", "right", "bottom")
HALF = np.array([0.5])


def run(name: str, data: Path, budget_s: float | None, threads: int, seed: int) -> dict[str, Any]:
    """Figures of one set."""
    folder = data / name
    began = time.monotonic()
    model = salus.fit(folder, "boxes", budget=budget_s or BUDGET_S, threads=threads, seed=seed)
    seconds = time.monotonic() - began
    report = model.report
    truth = json.loads((folder / "test.json").read_text(encoding="utf-8"))
    pictures = _pictures(folder, truth)
    found: dict[str, Any] = {
        "metrics": {name: short(item) for name, item in report["metrics"].items()},
        "nothing": {name: round(item["value"], 4) for name, item in report["baseline"].items()},
        "categories": [short(one) for one in report["facts"]["categories"]],
        "split": {side: report["split"][side] for side in ("train", "validation", "test")},
        "learner": report["learner"]["name"],
        "config": report["learner"]["config"],
        "details": {name: item for name, item in report["learner"]["details"].items() if name != "curve"},
        "one_row_ms": report["latency"]["one_row_ms"],
        "graph_bytes": report["size_bytes"],
        "fit_seconds": report["seconds"],
        "seconds": round(seconds, 1),
    }
    return found | {
        "pycocotools": _by_the_library(model, truth, pictures),
        "as_requests": _asked(model, truth, pictures),
    }


def _pictures(folder: Path, truth: dict[str, Any]) -> list[bytes]:
    with zipfile.ZipFile(folder / "images.zip") as archive:
        return [archive.read(image["file_name"]) for image in truth["images"]]


def _by_the_library(model: Any, truth: dict[str, Any], pictures: list[bytes]) -> dict[str, Any] | None:
    """What the reference implementation says of the same answers."""
    if importlib.util.find_spec("pycocotools") is None:
        return None
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    predictor = Predictor.open(model.bundle)
    answers = predictor.answers({"image": pictures})
    predictor.close()
    codes = {category["name"]: category["id"] for category in truth["categories"]}
    said = [
        {
            "image_id": image["id"],
            "category_id": codes[box["label"]],
            "bbox": [box["left"], box["top"], box["right"] - box["left"], box["bottom"] - box["top"]],
            "score": box["score"],
        }
        for image, boxes in zip(truth["images"], answers, strict=True)
        for box in boxes
    ]
    with contextlib.redirect_stdout(io.StringIO()):
        known = COCO()
        known.dataset = truth
        known.createIndex()
        evaluation = COCOeval(known, known.loadRes(said), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return {"map50": round(float(evaluation.stats[1]), 4), "map50_95": round(float(evaluation.stats[0]), 4)}


def _asked(model: Any, truth: dict[str, Any], pictures: list[bytes]) -> dict[str, Any]:
    """Boxes as a caller gets them: how many, how many of them right, how many of the true ones found."""
    names = {category["id"]: category["name"] for category in truth["categories"]}
    true: dict[Any, list[dict[str, Any]]] = {image["id"]: [] for image in truth["images"]}
    for note in truth["annotations"]:
        left, top, width, height = note["bbox"]
        corners = dict(zip(SIDES, (left, top, left + width, top + height), strict=True))
        true[note["image_id"]].append({"label": names[note["category_id"]], **corners})
    given = right = there = 0
    for image, content in zip(truth["images"], pictures, strict=True):
        said = model.predict([{"image": base64.b64encode(content).decode()}])[0]["boxes"]
        given, there = given + len(said), there + len(true[image["id"]])
        for label in names.values():
            ours = [box["box"] for box in said if box["label"] == label]
            theirs = [box for box in true[image["id"]] if box["label"] == label]
            right += int(matched(corners_of(ours), corners_of(theirs), HALF).sum())
    return {"given": given, "right": round(right / max(1, given), 4), "found": round(right / max(1, there), 4)}
