"""Drawing pictures: the graph says what the library says, seeds decide pictures, labels are obeyed, a killed fit resumes to the same bits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")

import torch

from salus.core.context import Context
from salus.core.errors import SalusError
from salus.core.nouns import Column, Role, Schema
from salus.inference.engines.onnx import OnnxEngine
from salus.inference.programs import program_named
from salus.learners.base import Part, Prepared
from salus.learners.flow import Flow, FlowConfig, FlowFitted
from salus.learners.networks.unet import UNet
from salus.tasks import task_named
from salus.tasks.image_generation import SEED, ImageGeneration, png_of
from salus.testing.learner import Stopping
from salus.training import checkpoints, loop

QUICK: dict[str, Any] = {
    "width": 16,
    "steps": 60,
    "batch_rows": 32,
    "learning_rate": 4e-3,
    "precision": "float32",
    "critic_width": 8,
    "critic_steps": 30,
    "ema": 0.9,
}
LEVELS = ["dark", "light"]


def problem(rows: int = 120, side: int = 10, labels: bool = True, seed: int = 0) -> Prepared:
    """Discs: dark ones on a light ground and light ones on a dark ground, anywhere."""
    generator = np.random.default_rng(seed)
    codes = generator.integers(0, 2, rows)
    ys, xs = np.mgrid[:side, :side]
    middles = generator.uniform(side * 0.3, side * 0.7, (rows, 2, 1, 1))
    inside = (ys - middles[:, 0]) ** 2 + (xs - middles[:, 1]) ** 2 < (side * 0.25) ** 2
    pixels = np.where(inside == (codes == 1)[:, None, None], 220, 30).astype(np.uint8)[..., None]
    target = np.empty(rows, dtype=object)
    for row in range(rows):
        target[row] = png_of(pixels[row])
    columns = [
        Column(name="image", kind="image", role=Role.TARGET, state={"height": side, "width": side, "channels": 1})
    ]
    feeds = {"numbers": np.arange(rows, dtype=np.float32)[:, None]}
    if labels:
        columns.append(Column(name="label", kind="category", state={"levels": LEVELS}))
        feeds["categories"] = codes[:, None] + 2
    columns.append(SEED.model_copy(update={"state": ImageGeneration().fit_asked(SEED, [])}))
    part = Part(feeds, target, np.arange(rows))
    none = Part({name: feed[:0] for name, feed in feeds.items()}, target[:0], np.arange(0))
    return Prepared(Schema(columns=tuple(columns)), part, none, False, 0, seed, 1, "image-generation")


def drawn(graphs: Mapping[str, bytes], feeds: Mapping[str, np.ndarray], schema: Schema, **options: Any) -> np.ndarray:
    engine = OnnxEngine()
    engine.load(graphs, 1)
    states: Sequence[Any] = [column.state for column in schema.targets]
    return program_named("diffusion").run(engine, feeds, "pixels", states, options)


@pytest.fixture(scope="module")
def fitted() -> FlowFitted:
    found = Flow(FlowConfig(**QUICK | {"steps": 250})).fit(problem(), Context())
    assert isinstance(found, FlowFitted)
    return found


def test_the_program_draws_what_the_library_draws(fitted: FlowFitted, tmp_path: Path) -> None:
    prepared = problem()
    feeds = {name: feed[:6] for name, feed in prepared.train.feeds.items()}
    feeds["categories"] = np.array([[0], [1], [2], [3], [2], [3]])  # nothing, unknown, labels
    pixels = drawn(fitted.graphs(tmp_path), feeds, prepared.schema)
    assert pixels.shape == (6, 10, 10, 1) and pixels.dtype == np.float32
    assert pixels.min() >= 0 and pixels.max() <= 255
    assert task_named("image-generation").agree(fitted.raw(feeds), pixels) <= 1  # type: ignore[attr-defined]


def test_a_seed_is_a_picture_among_any_others(fitted: FlowFitted, tmp_path: Path) -> None:
    prepared, graphs = problem(), fitted.graphs(tmp_path)
    feeds = {"numbers": np.array([[5], [6], [5]], np.float32), "categories": np.array([[2], [2], [2]])}
    pixels = drawn(graphs, feeds, prepared.schema)
    alone = drawn(graphs, {name: feed[2:] for name, feed in feeds.items()}, prepared.schema)
    assert np.abs(pixels[0] - pixels[2]).max() < 0.5 and np.abs(pixels[2] - alone[0]).max() < 0.5
    assert np.abs(pixels[0] - pixels[1]).mean() > 5
    unnamed = drawn(graphs, feeds | {"numbers": np.full((3, 1), np.nan, np.float32)}, prepared.schema)
    assert np.abs(unnamed[0] - unnamed[2]).mean() > 5


def test_a_label_is_obeyed_more_with_guidance(fitted: FlowFitted, tmp_path: Path) -> None:
    prepared, graphs = problem(), fitted.graphs(tmp_path)
    codes = np.repeat([2, 3], 40)[:, None]
    feeds = {"numbers": np.arange(80, dtype=np.float32)[:, None], "categories": codes}
    edges = [drawn(graphs, feeds, prepared.schema, guidance=g)[:, [0, -1]].mean(axis=(1, 2, 3)) for g in (0.0, 1.5)]
    right = [float(np.mean((edge < 127) == (codes[:, 0] == 3))) for edge in edges]
    assert right[1] > 0.9 and right[1] > right[0] + 0.2


def test_more_steps_than_bounded_are_not_done(fitted: FlowFitted, tmp_path: Path) -> None:
    prepared = problem()
    feeds = {name: feed[:1] for name, feed in prepared.train.feeds.items()}
    one = drawn(fitted.graphs(tmp_path), feeds, prepared.schema, steps=-3)
    assert np.isfinite(one).all()


def test_pictures_without_labels_are_drawn_too(tmp_path: Path) -> None:
    prepared = problem(labels=False)
    found = Flow(FlowConfig(**QUICK | {"steps": 5})).fit(prepared, Context())
    feeds = {name: feed[:3] for name, feed in prepared.train.feeds.items()}
    graphs = found.graphs(tmp_path)
    assert ImageGeneration().agree(found.raw(feeds), drawn(graphs, feeds, prepared.schema)) <= 1
    assert found.details["critic"]["labels"] == 0


@pytest.mark.parametrize(("shape", "levels"), [((3, 33, 30), [5, 4]), ((1, 64, 40), []), ((1, 1, 3), [3])])
def test_any_size_and_colour(shape: tuple[int, int, int], levels: list[int]) -> None:
    torch.manual_seed(0)
    network = UNet(shape, levels, 8, 1).eval()
    for tensor in network.parameters():
        if not tensor.any():
            torch.nn.init.normal_(tensor, std=0.05)
    generator = np.random.default_rng(0)
    x, t = generator.standard_normal((3, *shape), np.float32), generator.random(3, np.float32)
    codes = np.stack([generator.integers(0, count, 3) for count in levels], axis=1) if levels else np.zeros((3, 0), int)
    with torch.inference_mode():
        said = network(*map(torch.from_numpy, (x, t, codes))).numpy()
    engine = OnnxEngine()
    engine.load({"main": network.graph()}, 1)
    feeds = {"x": x, "t": t, "categories": codes.astype(np.int64)}
    found = engine.run("main", feeds, ["velocity"])[0]
    assert found.shape == (3, *shape) and np.abs(found - said).max() < 1e-4


def test_a_killed_fit_goes_on_with_the_same_bits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoints, "EVERY_S", 0.0)
    monkeypatch.setattr(loop, "LOOK_AROUND_S", 0.0)
    learner, prepared = Flow(FlowConfig(**QUICK | {"steps": 25})), problem()
    whole = learner.fit(prepared, Context()).graphs(tmp_path)
    with pytest.raises(SalusError):
        learner.fit(prepared, Stopping(45, tmp_path))
    assert learner.fit(prepared, Context(tmp_path)).graphs(tmp_path) == whole


def test_a_proposal_is_a_whole_config() -> None:
    proposal = Flow.propose(problem(), {"batch_rows": 16}, 2.0, Context())
    config = FlowConfig(**proposal.config)
    assert config.batch_rows == 16 and config.steps and config.width and config.critic_steps
    with pytest.raises(SalusError) as caught:
        Flow.propose(problem(), {"no_such_option": 1}, 2.0, Context())
    assert caught.value.code == "bad_spec"
