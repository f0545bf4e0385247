"""The task of drawing pictures: which data it takes, seeds, answers as JSON, and how a picture comes from noise."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from PIL import Image

from salus.core.errors import SalusError
from salus.core.nouns import Column, Role, Schema
from salus.inference.requests import RowReader
from salus.tasks.drawing import draw, noise_of
from salus.tasks.image_generation import SEED, ImageGeneration, png_of
from salus.tasks.infer import infer_task

TASK = ImageGeneration()


def targets(shape: tuple[int, int, int], count: int = 3) -> np.ndarray:
    generator = np.random.default_rng(0)
    found = np.empty(count, dtype=object)
    for row in range(count):
        found[row] = png_of(generator.integers(0, 256, shape, dtype=np.uint8))
    return found


@pytest.mark.parametrize("inputs", [[], ["category"], ["category", "category"]])
def test_pictures_of_labels_or_of_nothing_are_the_task(inputs: list[str]) -> None:
    columns = [Column(name=f"label {place}", kind=kind) for place, kind in enumerate(inputs)]
    schema = Schema(columns=(*columns, Column(name="image", kind="image", role=Role.TARGET)))
    assert infer_task(schema).name == "image-generation"


@pytest.mark.parametrize("inputs", [["number"], ["text"], ["image"]])
def test_pictures_of_anything_else_are_not(inputs: list[str]) -> None:
    columns = [Column(name="what", kind=kind) for kind in inputs]
    with pytest.raises(SalusError) as caught:
        infer_task(Schema(columns=(*columns, Column(name="image", kind="image", role=Role.TARGET))))
    assert caught.value.code == "no_task"


def test_large_pictures_are_drawn_smaller_with_their_sides_in_the_same_ratio() -> None:
    column = Column(name="image", kind="image", role=Role.TARGET)
    assert TASK.fit_target(targets((40, 60, 3)), column) == {"height": 40, "width": 60, "channels": 3}
    assert TASK.fit_target(targets((100, 200, 1)), column) == {"height": 32, "width": 64, "channels": 1}


def test_an_answer_is_a_png_of_the_pixels() -> None:
    raw = np.linspace(-5, 260, 2 * 4 * 3 * 3).reshape(2, 4, 3, 3)
    state = {"height": 4, "width": 3, "channels": 3}
    answers = TASK.settle(raw, [state])
    said = TASK.decode(answers, [state], ["image"])
    picture = Image.open(io.BytesIO(base64.b64decode(said[1]["image"]["base64"])))
    assert picture.format == "PNG" and picture.size == (3, 4)
    assert np.array_equal(np.asarray(picture), np.round(np.clip(raw[1], 0, 255)).astype(np.uint8))
    assert set(said[0]) == set(TASK.output_schema([state], ["image"])["required"])


def test_a_picture_that_is_not_finite_is_no_answer() -> None:
    with pytest.raises(SalusError) as caught:
        TASK.settle(np.full((1, 2, 2, 1), np.nan, np.float32), [{}])
    assert caught.value.code == "engine_failed"


def test_a_seed_may_be_left_out_of_a_row() -> None:
    label = Column(name="label", kind="category", state={"levels": ["a"]})
    seed = SEED.model_copy(update={"state": TASK.fit_asked(SEED, [])})
    reader = RowReader(Schema(columns=(label, seed)))
    feeds = reader.encode(reader.read([{"label": "a"}, {"label": "a", "seed": 7}, {"label": None, "seed": None}]))
    assert feeds["numbers"][:, 0].tolist() == pytest.approx([np.nan, 7, np.nan], nan_ok=True)
    for rows in (
        [{"seed": 7}],
        [{"label": "a", "seed": "x"}],
        [{"label": "a", "sead": 7}],
        ["a"],
        [{"label": "a", "seed": 1e39}],
    ):
        with pytest.raises(SalusError) as caught:
            reader.read(rows)  # type: ignore[arg-type]
        assert caught.value.code in ("schema_mismatch", "not_finite", "not_a_number")


@pytest.mark.parametrize("asked", [1.5, -1, 99_999_999])
def test_a_seed_that_no_generator_takes_is_refused(asked: float) -> None:
    seed = SEED.model_copy(update={"state": TASK.fit_asked(SEED, [])})
    reader = RowReader(Schema(columns=(seed,)))
    with pytest.raises(SalusError) as caught:
        reader.read([{"seed": 3}, {}, {"seed": asked}])
    assert caught.value.code == "number_not_allowed" and caught.value.parameters["where"] == "/rows/2/seed"


def test_losses_are_least_for_pictures_of_the_same_law() -> None:
    generator = np.random.default_rng(0)

    def discs(level: float, count: int = 60) -> list[np.ndarray]:
        return list((level + generator.normal(0, 30, (count, 8, 8, 1))).clip(0, 255).astype(np.uint8))

    target = np.empty(60, dtype=object)
    target[:] = [png_of(picture) for picture in discs(120)]
    same, other, mean = discs(120), discs(180), [np.full((8, 8, 1), 120, np.uint8)] * 60
    losses = [float(TASK.losses(np.array(drawn), target).mean()) for drawn in (same, other, mean)]
    assert losses[0] < losses[1] and losses[0] < losses[2]


def test_noise_follows_from_the_seed_alone() -> None:
    noise = noise_of(np.array([3.0, np.nan, 3.0, -4.0]), (1, 2, 2))
    assert np.array_equal(noise[0], noise[2]) and not np.array_equal(noise[0], noise[1])
    assert np.array_equal(noise[3], noise_of(np.array([4.0]), (1, 2, 2))[0])


def test_a_way_that_bends_is_followed_better_than_by_plain_steps() -> None:
    """dx/dt = x from 0.1 to 0.1 e: with 16 steps the error is less than a fifth of that of Euler's method."""
    noise, codes = np.full((1, 1, 1, 1), 0.1, np.float32), np.zeros((1, 0), np.int64)
    end = draw(lambda x, t, c: x, noise, codes, steps=16)[0, 0, 0, 0] / 127.5 - 1
    euler = 0.1 * (1 + 1 / 16) ** 16
    assert abs(end - 0.1 * np.e) < 0.2 * abs(euler - 0.1 * np.e)


def test_guidance_goes_beyond_the_difference_in_the_middle_of_the_way() -> None:
    asked: list[tuple[float, int]] = []

    def velocity(x: np.ndarray, t: np.ndarray, codes: np.ndarray) -> np.ndarray:
        asked.append((float(t[0]), len(x)))
        return np.where(codes[:, :1, None, None] == 2, 0.2, 0.1).astype(np.float32) * np.ones_like(x)

    noise = np.zeros((2, 1, 1, 1), np.float32)
    pixels = draw(velocity, noise, np.array([[2], [1]]), steps=10, guidance=3.0)[:, 0, 0, 0] / 127.5 - 1
    guided = [t for t, rows in asked if rows == 4]
    assert min(guided) >= 0.1 and max(guided) < 0.8 and len(guided) > 3
    assert pixels[0] > 0.25 and pixels[1] == pytest.approx(0.1, abs=1e-3)  # a label never seen is none
