"""Drawing pictures of labels, and rows of pictures with plain columns, from files to answers."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image
from pyarrow import parquet

pytest.importorskip("torch")

import salus

DRAWN = {"steps": 120, "width": 16, "batch_rows": 32, "critic_steps": 40, "critic_width": 8, "ema": 0.9}
JOINED = {"steps": 60, "width": 8, "hidden": 32, "batch_rows": 32}


def png(pixels: np.ndarray) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, format="PNG")
    return stream.getvalue()


def written(path: Path, rows: int = 240) -> Path:
    """Dark and light squares; a weight and the name of the file beside them. Heavy light ones are "gold"."""
    generator = np.random.default_rng(0)
    light, heavy = generator.integers(0, 2, rows), generator.integers(0, 2, rows)
    columns = {
        "image": [
            png((np.full((8, 8), 60 + 130 * code) + generator.normal(0, 20, (8, 8))).clip(0, 255).astype(np.uint8))
            for code in light
        ],
        "weight": np.round(50 + 30 * heavy + generator.normal(0, 3, rows), 2),
        "file": [f"{('dark', 'light')[code]}/picture {row // 4}.png" for row, code in enumerate(light)],
        "tone": [("dark", "light")[code] for code in light],
        "metal": [("lead", "tin", "iron", "gold")[2 * a + b] for a, b in zip(heavy, light, strict=True)],
    }
    parquet.write_table(pa.table(columns), path)
    return path


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(tmp_path_factory.mktemp("pictures") / "metals.parquet")


def test_pictures_are_drawn_by_label_and_measured_beside_real_ones(table: Path) -> None:
    model = salus.fit(
        table, "image", ignore=["weight", "metal"], learner="flow", options=DRAWN, budget=20.0, threads=1, seed=1
    )
    report = model.report
    assert report["task"] == "image-generation" and report["headline"]["metric"] == "frechet"
    assert [finding["code"] for finding in report["findings"]].count("file_names_left_out") == 1
    assert report["metrics"]["class_accuracy"]["value"] > 0.8 and report["facts"]["real"]["class_accuracy"] > 0.8
    assert set(report["facts"]["real"]) == set(report["metrics"]) == set(report["baseline"])
    rows = [{"tone": "light", "seed": 1}, {"tone": "dark", "seed": 1}, {"tone": "light", "seed": 1}, {"tone": None}]
    said = model.predict(rows)
    assert said[0] == said[2] != said[1]
    means = [np.asarray(Image.open(io.BytesIO(base64.b64decode(one["image"]["base64"])))).mean() for one in said]
    assert means[0] > means[1] + 50
    json.dumps(said)


def test_plain_columns_beside_pictures_are_learned_from(table: Path) -> None:
    model = salus.fit(table, "metal", ignore=["tone"], learner="fusion", options=JOINED, budget=20.0, threads=1)
    assert {column.kind for column in model.bundle.manifest.schema.inputs} == {"image", "number"}
    assert model.report["metrics"]["accuracy"]["value"] > 0.85  # each column alone says half of it
    light = {"base64": base64.b64encode(png(np.full((8, 8), 190, np.uint8))).decode()}
    said = [one["label"] for one in model.predict([{"image": light, "weight": 80}, {"image": light, "weight": 50}])]
    assert said == ["gold", "tin"]
