"""Drawing pictures, and rows of several kinds.

Fashion-MNIST and CIFAR-10 by class, 5,000 pictures drawn and measured against real ones.

The figures are those of the report: Frechet distance, class accuracy, recall and precision of manifolds in the features of a network that
learned the labels of train pictures in the same run, with its accuracy on real test pictures; the same of class means plus noise, and of real
test pictures. Some pictures are also asked for as a request would, twice with one seed.

`mixed`: every picture of Fashion-MNIST (12,000 to learn from, 4,000 that judge) is given a price and a note. Both are made: the price is
lognormal about a middle one of its class, the note has a word for the season of its class in two of three rows and for another one in the
third. All three are learned from together, then the picture alone (`cnn`), then price and note alone, each in the same time.
"""

from __future__ import annotations

import base64
import gzip
import io
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import salus
from figures import short

NAMES = ("fashion_mnist", "cifar10", "mixed")
BUDGET_S = 900.0
MIXED_BUDGET_S = 180.0
MIXED_ROWS = {"train": 12_000, "t10k": 4000}
PRICES = (12, 40, 35, 45, 95, 30, 25, 70, 60, 110)  # the middle one of each class
SEASONS = ("summer", "any", "winter", "summer", "winter", "summer", "spring", "any", "any", "winter")
BARS = {"class_accuracy": 0.85, "critic_accuracy": 0.91, "frechet_beside_nothing": 0.5, "manifold_recall": 0.5}
ASKED = 20  # pictures that are asked for as a request would


def run(name: str, data: Path, budget_s: float | None, threads: int, seed: int) -> dict[str, Any]:
    """Figures of one set."""
    if name == "mixed":
        return _mixed(data / "fashion_mnist", budget_s or MIXED_BUDGET_S, threads, seed)
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
        "drawn": {name: short(item) for name, item in report["metrics"].items()},
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


def _mixed(data: Path, budget_s: float, threads: int, seed: int) -> dict[str, Any]:
    found: dict[str, Any] = {"budget_s": budget_s}
    with tempfile.TemporaryDirectory(prefix="salus-mixed-") as scratch:
        path = Path(scratch) / "mixed.parquet"
        _write_mixed(data, path, seed)
        sides = {"together": [], "picture_alone": ["price", "note"], "price_and_note_alone": ["image"]}
        for side, ignored in sides.items():
            model = salus.fit(path, "label", budget=budget_s, threads=threads, seed=seed, ignore=ignored)
            found[side] = {
                "metrics": {name: short(item) for name, item in model.report["metrics"].items()},
                "learner": model.report["learner"]["name"],
                "tried": model.report["tried"],
                "seconds": model.report["seconds"]["total"],
            }
    return found


def _write_mixed(data: Path, path: Path, seed: int) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    generator, tables = np.random.default_rng(seed), []
    for side, rows in MIXED_ROWS.items():
        pixels = np.frombuffer(
            gzip.decompress((data / f"{side}-images-idx3-ubyte.gz").read_bytes()), np.uint8, offset=16
        )
        codes = np.frombuffer(gzip.decompress((data / f"{side}-labels-idx1-ubyte.gz").read_bytes()), np.uint8, offset=8)
        said = np.where(generator.random(rows) < 2 / 3, codes[:rows], generator.integers(0, 10, rows))
        price = np.array(PRICES)[codes[:rows]] * np.exp(generator.normal(0, 0.35, rows))
        columns = {
            "image": [_png(picture) for picture in pixels.reshape(-1, 28, 28)[:rows]],
            "price": np.round(price, 2),
            "note": [f"sold well in {SEASONS[code]}, item {row} of the shelf" for row, code in enumerate(said)],
            "label": [f"class {code}" for code in codes[:rows]],
            "split": ["train" if side == "train" else "test"] * rows,
        }
        tables.append(pa.table(columns))
    parquet.write_table(pa.concat_tables(tables), path)


def _png(picture_HW: np.ndarray) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(picture_HW).save(stream, format="PNG")
    return stream.getvalue()


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
