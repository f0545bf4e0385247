"""The detector: it learns from few pictures, its graph says what it says, and views take their boxes along."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.learners.learner_boxes import LEVELS, boxed_pictures, prepared_pictures

from salus.core.context import Context
from salus.core.errors import SalusError
from salus.evaluation.measures.detection import Detection
from salus.inference.engines.onnx import OnnxEngine
from salus.learners.base import Part, Prepared
from salus.learners.detection import Maps, Reading, even_scores, power_of
from salus.learners.detector import Detector, DetectorConfig, DetectorFitted, Truth, has_an_up
from salus.tasks import task_named
from salus.tasks.compound import as_objects
from salus.tasks.detection import LEAST_SCORE, ObjectDetection
from salus.testing.learner import Stopping
from salus.training.scenes import Scenes

QUICK: dict[str, Any] = {"steps": 120, "width": 8, "batch_rows": 4, "learning_rate": 4e-3, "ema": 0.9}


@pytest.fixture(scope="module")
def prepared() -> Prepared:
    return prepared_pictures(train=24, validation=10)


@pytest.fixture(scope="module")
def fitted(prepared: Prepared) -> DetectorFitted:
    return fit(prepared)


def fit(prepared: Prepared, context: Context | None = None, **options: Any) -> DetectorFitted:
    found = Detector(DetectorConfig(**QUICK | options)).fit(prepared, context or Context())
    assert isinstance(found, DetectorFitted)
    return found


def states_of(prepared: Prepared) -> list[dict[str, Any]]:
    return [column.state or {} for column in prepared.schema.targets]


def served(fitted: DetectorFitted, feeds: dict[str, np.ndarray], folder: Path) -> np.ndarray:
    engine = OnnxEngine()
    engine.load(fitted.graphs(folder), 1)
    return engine.run("main", feeds, ["detections"])[0]


def test_it_finds_what_it_was_shown(prepared: Prepared, fitted: DetectorFitted) -> None:
    task, measure, states = ObjectDetection(), Detection(), states_of(prepared)
    answers = task.settle(fitted.raw(prepared.validation.feeds), states)
    tallies = measure.tally(answers, prepared.validation.target, states)
    assert measure.values("map50", tallies, np.ones((1, len(tallies))))[0] > 0.7
    assert task.losses(answers, prepared.validation.target).mean() < 0.35
    given = task.decode(answers, states, ["boxes"])
    counts = [len(one["boxes"]) for one in given], [len(row) for row in prepared.validation.target]
    assert abs(sum(counts[0]) - sum(counts[1])) < 0.4 * sum(counts[1])


def test_the_graph_says_what_the_library_says(prepared: Prepared, fitted: DetectorFitted, tmp_path: Path) -> None:
    feeds = prepared.validation.feeds
    raw, found = fitted.raw(feeds), served(fitted, feeds, tmp_path)
    assert found.shape == raw.shape == (10, 64, 4 + len(LEVELS))
    assert ObjectDetection().agree(raw, found) <= 1
    alone = served(fitted, {name: feed[3:4] for name, feed in feeds.items()}, tmp_path)
    assert ObjectDetection().agree(found[3:4], alone) <= 1


def test_boxes_are_in_pixels_of_the_picture_as_it_was_sent(prepared: Prepared, fitted: DetectorFitted) -> None:
    feeds = dict(prepared.validation.feeds)
    once = fitted.raw(feeds)
    twice = fitted.raw(feeds | {"size_of_image_0": feeds["size_of_image_0"] * 2})
    np.testing.assert_allclose(twice[:, :, :4], once[:, :, :4] * 2, rtol=1e-4, atol=1e-3)
    assert once[:, :, :4].min() >= 0 and once[:, :, :4].max() <= 64


def test_the_seed_decides_every_bit(prepared: Prepared, tmp_path: Path) -> None:
    graphs = [fit(prepared, steps=6).graphs(tmp_path)["main"] for _ in range(2)]
    assert graphs[0] == graphs[1]


def test_it_stops_when_asked(prepared: Prepared) -> None:
    with pytest.raises(SalusError) as caught:
        fit(prepared, Stopping())
    assert caught.value.code == "stopped"


def test_a_killed_fit_ends_with_the_same_bits(
    prepared: Prepared, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("salus.training.checkpoints.EVERY_S", 0.0)
    monkeypatch.setattr("salus.training.loop.LOOK_AROUND_S", 0.0)
    whole = fit(prepared, steps=8).graphs(tmp_path)["main"]
    with pytest.raises(SalusError):
        fit(prepared, Stopping(5, tmp_path / "kept"), steps=8)
    assert fit(prepared, Context(tmp_path / "kept"), steps=8).graphs(tmp_path)["main"] == whole


def test_without_rows_held_out_it_scales_by_what_was_found_before(prepared: Prepared, fitted: DetectorFitted) -> None:
    side, none = prepared.validation, slice(0, 0)
    empty = Part({name: feed[none] for name, feed in side.feeds.items()}, side.target[none], side.rows[none])
    alone = replace(prepared, validation=empty)
    assert fit(alone, steps=2).refit == {"even_scores": {}}
    assert set(fitted.refit["even_scores"]) == set(LEVELS)
    assert fit(alone, steps=2, **fitted.refit).refit == fitted.refit


def test_a_proposal_fits_the_budget_and_keeps_what_was_said(prepared: Prepared) -> None:
    proposal = Detector.propose(prepared, {"width": 8, "batch_rows": 4}, 3.0, Context())
    config = DetectorConfig(**proposal.config)
    assert config.width == 8 and config.steps and 0 < proposal.expected_s < 3.0
    with pytest.raises(SalusError) as caught:
        Detector.propose(prepared, {"anchors": 9}, 3.0, Context())
    assert caught.value.code == "bad_spec"


def test_it_learns_detection_from_pictures_alone() -> None:
    task = task_named("object-detection")
    assert Detector.learns(task, frozenset({"image"}))
    assert not Detector.learns(task, frozenset({"image", "number"}))
    assert not Detector.learns(task_named("image-classification"), frozenset({"image"}))


@pytest.mark.parametrize("upright", [True, False])
@pytest.mark.parametrize("mosaic", [0.0, 1.0])
def test_views_take_their_boxes_along(upright: bool, mosaic: float) -> None:
    """What lies in a box of a view is what lay in a box of the picture, and nowhere else is anything."""
    pictures, boxes = boxed_pictures(12, seed=4)
    corners = [np.array([[b["left"], b["top"], b["right"], b["bottom"]] for b in row]).reshape(-1, 4) for row in boxes]
    codes = [np.array([LEVELS.index(b["label"]) for b in row], dtype=np.int64) for row in boxes]
    scenes = Scenes(torch.from_numpy(pictures), corners, codes, (0.7, 1.4), mosaic, upright, 0.0)
    drawn, found, kinds = scenes.draw(np.arange(12), np.random.default_rng(0), mosaic=True)
    assert drawn.shape == (12, 3, 64, 64) and sum(map(len, found)) > 12
    for view, places, of in zip(drawn.numpy(), found, kinds, strict=True):
        for (left, top, right, bottom), code in zip(places, of, strict=True):
            x, y = int((left + right) / 2), int((top + bottom) / 2)
            brightest = int(view[:, y, x].argmax())
            assert brightest == (0 if LEVELS[code] == "disc" else 2)
    nothing = torch.from_numpy(pictures[:1])
    empty = Scenes(nothing, [np.zeros((0, 4))], [np.zeros(0, dtype=np.int64)], (0.7, 1.4), 1.0, upright, 0.3)
    assert empty.draw(np.zeros(2, dtype=np.int64), np.random.default_rng(0), True)[1][0].shape == (0, 4)


def test_maps_and_their_reading_are_each_others_inverse() -> None:
    boxes = np.array([[8.0, 10, 31, 40], [30, 2, 61, 33], [50, 50, 54, 55]])
    codes = np.array([0, 1, 1])
    wanted = Maps(64, 64, 2).of([boxes], [codes])
    logits = torch.logit(wanted[:, :2].clamp(1e-4, 1 - 1e-4))
    logs = torch.log(wanted[:, 3:].clamp(min=1e-3) / 10.0)
    reading = Reading(64, 64, 2, 10.0, (1.0, 1.0))
    raw = reading.boxes(torch.cat([logits, logs], dim=1), torch.tensor([[64.0, 64.0]])).numpy()
    found = ObjectDetection().settle(raw, [{"levels": ["a", "b"]}])[0]
    sure = [box for box in found if box["score"] > 0.99]
    assert len(sure) == 3
    for box in sure:
        near = np.abs(boxes - [box[side] for side in ("left", "top", "right", "bottom")]).max(axis=1)
        assert near.min() < 0.3 and ["a", "b"][codes[near.argmin()]] == box["label"]


def test_scores_are_scaled_to_where_found_and_right_balance() -> None:
    truth = {"label": "a", "left": 0.0, "top": 0.0, "right": 9.0, "bottom": 9.0}
    wrong = truth | {"left": 40.0, "right": 49.0}
    answers = as_objects([[truth | {"score": 0.2}, wrong | {"score": 0.1}]] * 4)
    even = even_scores(answers, as_objects([[truth]] * 4), ["a", "b"])
    assert even == {"a": 0.2}
    assert 0.2 ** power_of(even["a"]) == pytest.approx(LEAST_SCORE, abs=1e-5)


def test_boxes_are_brought_into_the_frame(prepared: Prepared) -> None:
    feeds = dict(prepared.train.feeds)
    feeds["size_of_image_0"] = feeds["size_of_image_0"] * 2
    outside = {"label": "disc", "left": -10.0, "top": 100.0, "right": 20.0, "bottom": 300.0}
    strange = outside | {"label": "never seen"}
    target = as_objects([[outside, strange]] * len(prepared.train))
    truth = Truth.of(replace(prepared, train=replace(prepared.train, feeds=feeds, target=target)), LEVELS)
    assert truth.boxes[0].tolist() == [[0, 50, 10, 64]] and truth.codes[0].tolist() == [0]


def test_photographs_have_an_up_and_smears_have_none() -> None:
    generator = np.random.default_rng(0)
    smears = generator.integers(90, 160, (20, 32, 32, 3), dtype=np.uint8)
    sky = smears.copy()
    sky[:, :16] += 20
    assert has_an_up(sky) and not has_an_up(smears)
