"""Object detection: what the graph gives becomes boxes, and how good they are is what pycocotools says."""

from __future__ import annotations

import contextlib
import io
import json
from typing import Any

import numpy as np
import pytest

from salus.core.errors import SalusError
from salus.core.nouns import Column, Role, Schema
from salus.evaluation.measures.detection import Detection
from salus.tasks.compound import as_objects
from salus.tasks.detection import ObjectDetection
from salus.tasks.infer import infer_task
from salus.tasks.overlap import SIDES, overlaps, surest

LEVELS = ["cell", "dust", "plate"]
STATES = [{"levels": LEVELS, "sides_px": [20.0, 30.0, 40.0]}]


def box(label: str, *corners: float, score: float | None = None) -> dict[str, Any]:
    made: dict[str, Any] = {"label": label, **dict(zip(SIDES, map(float, corners), strict=True))}
    return made if score is None else made | {"score": score}


def drawn(seed: int, pictures: int = 24) -> tuple[np.ndarray, np.ndarray]:
    """(answers, truths): noisy boxes about true ones, some doubled, some of another category, some missing."""
    generator = np.random.default_rng(seed)
    answers, truths = [], []
    for _ in range(pictures):
        true, said = [], []
        for _ in range(int(generator.integers(0, 9))):
            corner, size = generator.uniform(0, 200, 2), generator.uniform(8, 60, 2)
            label = LEVELS[int(generator.integers(0, 3))]
            true.append(box(label, *corner, *(corner + size)))
            for _ in range(int(generator.integers(0, 3))):
                off = generator.normal(0, 4, 4)
                other = label if generator.random() < 0.8 else LEVELS[int(generator.integers(0, 3))]
                corners = np.concatenate([corner, corner + size]) + off
                corners[2:] = np.maximum(corners[2:], corners[:2] + 1)
                said.append(box(other, *corners, score=float(generator.random())))
        answers.append(sorted(said, key=lambda one: -one["score"]))
        truths.append(true)
    return as_objects(answers), as_objects(truths)


def by_the_library(answers: np.ndarray, truths: np.ndarray) -> tuple[float, float]:
    """(mAP@[.5:.95], mAP@0.5) of pycocotools."""
    coco = pytest.importorskip("pycocotools.coco", reason="pycocotools is not installed")
    evaluating = pytest.importorskip("pycocotools.cocoeval")
    codes = {label: code for code, label in enumerate(LEVELS, start=1)}
    true = [(row, one) for row, boxes in enumerate(truths, start=1) for one in boxes]
    said = [(row, one) for row, boxes in enumerate(answers, start=1) for one in boxes]

    def note(row: int, one: dict[str, Any]) -> dict[str, Any]:
        size = [one["right"] - one["left"], one["bottom"] - one["top"]]
        return {"image_id": row, "category_id": codes[one["label"]], "bbox": [one["left"], one["top"], *size]}

    with contextlib.redirect_stdout(io.StringIO()):
        known = coco.COCO()
        known.dataset = {
            "images": [{"id": row + 1} for row in range(len(truths))],
            "categories": [{"id": code, "name": label} for label, code in codes.items()],
            "annotations": [
                note(row, one)
                | {"id": place, "iscrowd": 0, "area": note(row, one)["bbox"][2] * note(row, one)["bbox"][3]}
                for place, (row, one) in enumerate(true, start=1)
            ],
        }
        known.createIndex()
        results = known.loadRes([note(row, one) | {"score": one["score"]} for row, one in said])
        run = evaluating.COCOeval(known, results, "bbox")
        run.evaluate()
        run.accumulate()
        run.summarize()
    return float(run.stats[0]), float(run.stats[1])


@pytest.mark.parametrize("seed", range(6))
def test_average_precision_is_what_the_library_says(seed: int) -> None:
    answers, truths = drawn(seed)
    expected = by_the_library(answers, truths)
    measure = Detection()
    tallies = measure.tally(answers, truths, STATES)
    every = np.ones((1, len(tallies)))
    assert measure.values("map50_95", tallies, every)[0] == pytest.approx(expected[0], abs=1e-9)
    assert measure.values("map50", tallies, every)[0] == pytest.approx(expected[1], abs=1e-9)


def test_pictures_that_are_drawn_twice_count_twice() -> None:
    answers, truths = drawn(3)
    measure = Detection()
    tallies = measure.tally(answers, truths, STATES)
    doubled = measure.values("map50", tallies, np.full((1, len(tallies)), 2.0))
    assert doubled[0] == pytest.approx(measure.values("map50", tallies, np.ones((1, len(tallies))))[0], abs=0.02)
    intervals = measure.intervals(tallies, None, 0)
    for name in measure.metrics:
        assert 0 <= intervals[name].low < intervals[name].value < intervals[name].high <= 1


def test_no_boxes_are_worth_nothing_and_right_ones_all() -> None:
    _, truths = drawn(1)
    task, measure = ObjectDetection(), Detection()
    nothing = task.nothing(truths, STATES, {}, len(truths))
    right = as_objects([[one | {"score": 0.9} for one in row] for row in truths])
    for answers, worth in ((nothing, 0.0), (right, 1.0)):
        tallies = measure.tally(answers, truths, STATES)
        assert measure.values("map50", tallies, np.ones((1, len(tallies))))[0] == worth
        full = np.array([len(row) > 0 for row in truths])
        assert np.allclose(task.losses(answers, truths)[full], 1 - worth, atol=1e-9)
    facts = measure.facts(right, truths, STATES)
    assert all(one["found"] == one["right"] == 1.0 for one in facts["categories"])


def test_of_boxes_on_one_thing_the_surest_is_kept() -> None:
    corners = np.array([[0, 0, 10, 10], [1, 0, 11, 10], [50, 50, 60, 60], [0, 0, 10, 10]], dtype=np.float64)
    assert surest(corners, np.array([0.5, 0.9, 0.1, 0.4]), 0.5).tolist() == [1, 2]
    assert overlaps(corners[:1], corners)[0].tolist() == pytest.approx([1, 90 / 110, 0, 1])


def raw_of(rows: list[list[tuple[list[float], list[float]]]], places: int = 6) -> np.ndarray:
    raw = np.zeros((len(rows), places, 4 + len(LEVELS)), dtype=np.float32)
    for row, found in enumerate(rows):
        for place, (corners, scores) in enumerate(found):
            raw[row, place] = [*corners, *scores]
    return raw


def test_detections_become_typed_boxes() -> None:
    task = ObjectDetection()
    raw = raw_of([[([1, 2, 30, 40], [0.9, 0.1, 0]), ([2, 2, 30, 40], [0.6, 0, 0]), ([5, 5, 5, 9], [1, 0, 0])], []])
    settled = task.settle(raw, STATES)
    assert [one["label"] for one in settled[0]] == ["cell", "dust"] and settled[1] == []
    said = task.decode(settled, STATES, ["boxes"])
    assert said[0]["boxes"] == [
        {"label": "cell", "score": 0.9, "box": {"left": 1.0, "top": 2.0, "right": 30.0, "bottom": 40.0}}
    ]
    assert said[1] == {"boxes": []}
    json.dumps(said, allow_nan=False)
    assert set(task.output_schema(STATES, ["boxes"])["required"]) == {"boxes"}


def test_answers_agree_in_any_order_and_to_half_a_pixel() -> None:
    task = ObjectDetection()
    one = raw_of([[([1, 2, 30, 40], [0.9, 0.1, 0]), ([50, 2, 70, 40], [0.5, 0, 0])]])
    near, far = one.copy(), one.copy()
    near[0, 0, 0] += 0.4
    far[0, 0, 0] += 0.6
    assert task.agree(one, one[:, ::-1]) == 0
    assert 0.7 < task.agree(one, near) <= 1 < task.agree(one, far)
    assert task.agree(one, one[:, :3]) == float("inf")
    assert task.agree(one, np.full_like(one, np.nan)) == float("inf")


def test_the_task_follows_from_the_kinds_and_small_boxes_need_large_pictures() -> None:
    from tests.data.test_boxes import picture

    target = Column(name="boxes", kind="boxes", role=Role.TARGET)
    schema = Schema(columns=(Column(name="image", kind="image"), target))
    task = infer_task(schema)
    assert isinstance(task, ObjectDetection)
    pictures = [picture(800, 600)] * 3
    for small, width in ((5.0, 640), (40.0, 480), (200.0, 320)):
        state = task.fit_input(pictures, "image", {}, [{"levels": LEVELS, "sides_px": [small, 50, 90]}])
        assert state["whole"] and state["width"] == width


def test_where_no_box_is_there_is_nothing_to_learn() -> None:
    column = Column(name="boxes", kind="boxes", role=Role.TARGET)
    with pytest.raises(SalusError) as caught:
        ObjectDetection().fit_target(as_objects([[], []]), column)
    assert caught.value.code == "boxes_nowhere" and "boxes" in caught.value.detail()
