"""Boxes the whole way: files to a version, a fit, a bundle that answers, a report with pictures."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image as Pillow
from tests.learners.learner_boxes import LEVELS, boxed_pictures

import salus
from salus.core.errors import SalusError
from salus.evaluation.report.html import render
from salus.inference.predictor import Predictor

SIDES = {"train": 24, "val": 8, "test": 8}


def png(pixels: Any, factor: int = 1) -> bytes:
    stream = io.BytesIO()
    picture = Pillow.fromarray(pixels)
    picture.resize((picture.width * factor, picture.height * factor)).save(stream, format="PNG")
    return stream.getvalue()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A COCO file a side beside a folder of pictures."""
    folder = tmp_path_factory.mktemp("shapes")
    (folder / "pictures").mkdir()
    categories = [{"id": code + 1, "name": level} for code, level in enumerate(LEVELS)]
    for seed, (side, count) in enumerate(SIDES.items()):
        pictures, boxes = boxed_pictures(count, seed)
        images, notes = [], []
        for row, (pixels, found) in enumerate(zip(pictures, boxes, strict=True)):
            name = f"{side}_{row}.png"
            (folder / "pictures" / name).write_bytes(png(pixels))
            images.append({"id": row, "file_name": name, "width": 64, "height": 64})
            for box in found:
                size = [box["right"] - box["left"], box["bottom"] - box["top"]]
                code = LEVELS.index(box["label"]) + 1
                notes.append({"image_id": row, "category_id": code, "bbox": [box["left"], box["top"], *size]})
        said = {"images": images, "annotations": notes, "categories": categories}
        (folder / f"{side}.json").write_text(json.dumps(said))
    return folder


@pytest.fixture(scope="module")
def model(folder: Path) -> salus.Model:
    options = {"steps": 60, "width": 8, "batch_rows": 4, "learning_rate": 4e-3, "ema": 0.9}
    return salus.fit(folder, "boxes", budget=6, learner="detector", options=options, threads=1)


def test_the_task_follows_and_the_figures_are_told(model: salus.Model) -> None:
    report = model.report
    assert report["task"] == "object-detection" and report["split"]["how"] == "given"
    assert {side: report["split"][side] for side in ("train", "validation", "test")} == {
        "train": 24,
        "validation": 8,
        "test": 8,
    }
    assert report["headline"]["metric"] == "map50" and report["headline"]["baseline"] == 0
    found = report["metrics"]["map50"]
    assert 0.2 < found["low"] <= found["value"] <= found["high"] <= 1
    assert [one["label"] for one in report["facts"]["categories"]] == LEVELS


def test_boxes_come_in_pixels_of_what_was_sent(model: salus.Model, folder: Path) -> None:
    pixels, truth = boxed_pictures(SIDES["test"], 2)
    counts = []
    for factor in (1, 3):
        said = model.predict([{"image": base64.b64encode(png(one, factor)).decode()} for one in pixels])
        boxes = [box for row in said for box in row["boxes"]]
        counts.append(len(boxes))
        assert all(set(box) == {"label", "score", "box"} and 0.5 <= box["score"] <= 1 for box in boxes)
        assert 32 * factor < max(box["box"]["right"] for box in boxes) <= 64 * factor
    assert counts[0] > 0.4 * sum(map(len, truth)) and abs(counts[0] - counts[1]) <= 0.4 * counts[0]


def test_what_is_no_picture_is_refused_and_a_missing_one_has_no_boxes(model: salus.Model) -> None:
    predictor = Predictor.open(model.bundle)
    assert predictor.predict_rows([{"image": None}]) == [{"boxes": []}]
    with pytest.raises(SalusError) as caught:
        predictor.predict_image(b"not a picture")
    assert caught.value.code == "not_a_picture"
    predictor.close()


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_page_shows_pictures_with_boxes(model: salus.Model, language: str) -> None:
    report = json.loads(json.dumps(model.report))
    for one in (*report["facts"]["categories"], *report["facts"]["curves"], *report["shown"]["items"][0]["truth"]):
        one["label"] = "<script>" if one["label"] == LEVELS[0] else one["label"]
    report["shown"]["items"][0]["picture"] = "'/><script>"
    page = render(report, language)
    assert page.count("<image href='data:image/jpeg;base64,") == len(report["shown"]["items"]) == 8
    assert "<script" not in page and "stroke-dasharray" in page
    assert "AP@0.5" in page and "<polyline" in page
