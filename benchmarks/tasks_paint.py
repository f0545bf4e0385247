"""Drawing pictures: Fashion-MNIST and CIFAR-10 by class, 5,000 pictures drawn and measured against real ones.

The figures are those of the report: Frechet distance, class accuracy, recall and precision of manifolds in the features of a network that
learned the labels of train pictures in the same run, with its accuracy on real test pictures; the same of class means plus noise, and of real
test pictures. Some pictures are also asked for as a request would, twice with one seed.
"""

from __future__ import annotations

import base64
import io
import time
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import salus

NAMES = ("fashion_mnist", "cifar10")
BUDGET_S = 900.0
BARS = {"class_accuracy": 0.85, "critic_accuracy": 0.91, "frechet_beside_nothing": 0.5, "manifold_recall": 0.5}
ASKED = 20  # pictures that are asked for as a request would


def run(name: str, data: Path, budget_s: float | None, threads: int, seed: int) -> dict[str, Any]:
    """Figures of one set."""
    began = time.monotonic()
    ignored = ["source_path"] if name == "cifar10" else []
    options: dict[str, Any] = {"threads": threads, "seed": seed, "ignore": ignored}
    model = salus.fit(data / name, "image", budget=budget_s or BUDGET_S, **options)
    seconds = round(time.monotonic() - began, 1)
    report = model.report
    real, drawn = report["facts"]["real"], {name: item["value"] for name, item in report["metrics"].items()}
    nothing = {name: item["value"] for name, item in report["baseline"].items()}
    reached = {
        "class_accuracy": drawn["class_accuracy"],
        "critic_accuracy": real["class_accuracy"],
        "frechet_beside_nothing": drawn["frechet"] / max(nothing["frechet"], 1e-12),
        "manifold_recall": drawn["manifold_recall"],
    }
    return {
        "budget_s": budget_s or BUDGET_S,
        "seconds": seconds,
        "drawn": {name: _short(item) for name, item in report["metrics"].items()},
        "class_means_and_noise": {name: round(value, 5) for name, value in nothing.items()},
        "real_test_pictures": {name: round(value, 5) for name, value in real.items()},
        "critic": report["facts"]["critic"] | report["learner"]["details"]["critic"],
        "rows": report["headline"]["rows"],
        "split": {side: report["split"][side] for side in ("train", "validation", "test")},
        "reached": {name: round(value, 4) for name, value in reached.items()},
        "bars": BARS if name == "fashion_mnist" else None,
        "config": report["learner"]["config"],
        "epochs": report["learner"]["details"]["epochs"],
        "weights": report["learner"]["details"]["weights"],
        "graph_bytes": report["size_bytes"],
        "fit_seconds": report["seconds"],
        "as_requests": _asked(model, report["shown"]["items"]),
    }


def _asked(model: Any, items: list[dict[str, Any]]) -> dict[str, Any]:
    labels = [item["label"] for item in items if item["what"] == "label"]
    rows = [{"label": labels[place % len(labels)], "seed": place} for place in range(ASKED)]
    model.predict(rows[:1])
    began = time.perf_counter()
    first = model.predict(rows)
    seconds = time.perf_counter() - began
    again = model.predict(rows[::-1])[::-1]
    apart = [np.abs(_pixels(a).astype(int) - _pixels(b).astype(int)).max() for a, b in zip(first, again, strict=True)]
    return {"pictures": ASKED, "pictures_per_s": round(ASKED / seconds, 1), "most_levels_apart": int(max(apart))}


def _pixels(answer: dict[str, Any]) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(answer["image"]["base64"]))))


def _short(item: dict[str, Any]) -> dict[str, Any]:
    return {name: round(value, 5) if isinstance(value, float) else value for name, value in item.items()}
