"""Learning that starts from a folder: small models are made from their configuration, saved, and taught from there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

import salus
from salus.core.errors import SalusError
from salus.data.pieces import train_pieces
from salus.learners.start_folder import open_start, start_named

pytest.importorskip("transformers")

BERT = {
    "model_type": "bert",
    "vocab_size": 400,
    "hidden_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 48,
    "max_position_embeddings": 24,
    "pad_token_id": 0,
}
VIT = {
    "model_type": "vit",
    "hidden_size": 24,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "image_size": 16,
    "patch_size": 4,
}
RESNET = {"model_type": "resnet", "embedding_size": 8, "hidden_sizes": [8, 12], "depths": [1, 1], "layer_type": "basic"}


def folder(path: Path, config: dict[str, Any], prefix: str = "") -> Path:
    """A folder with a model of this configuration, its weights drawn by chance; texts get a tokenizer."""
    from transformers import AutoConfig, AutoModel

    torch.manual_seed(1)
    said = {name: value for name, value in config.items() if name != "model_type"}
    model: torch.nn.Module = AutoModel.from_config(AutoConfig.for_model(config["model_type"], **said))  # type: ignore[no-untyped-call]
    path.mkdir()
    (path / "config.json").write_text(json.dumps(config | {"architectures": ["Any"]}), encoding="utf-8")
    tensors = {prefix + name: value.contiguous() for name, value in model.state_dict().items()}
    save_file(tensors, path / "model.safetensors")
    (path / "README.md").write_text("---\nlicense: apache-2.0\n---\n", encoding="utf-8")
    if config["model_type"] == "bert":
        learned = train_pieces(["a good day with lovely food", "a bad day with awful food"], 400, fold=True)
        (path / "tokenizer.json").write_text(json.dumps(learned), encoding="utf-8")
    return path


def reviews(path: Path) -> Path:
    generator = np.random.default_rng(0)
    lines = ["text,label"]
    for row in range(150):
        word = ("awful", "lovely")[row % 2]
        around = " ".join(generator.choice(["the", "food", "was", "day", "with"], 4))
        lines.append(f"{around} {word} {generator.choice(['food', 'day'])},{('bad', 'good')[row % 2]}")
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


@pytest.mark.parametrize("tuned", [False, True])
def test_texts_from_a_folder_to_an_answer(tuned: bool, tmp_path: Path) -> None:
    start = folder(tmp_path / "small-bert", BERT, "bert.")
    options = {"tuned": tuned, "steps": 30, "learning_rate": 1e-3}
    split = reviews(tmp_path / "reviews.csv").read_text(encoding="utf-8").splitlines()
    sides = ["split", *("test" if row % 5 == 4 else "train" for row in range(150))]
    data = tmp_path / "split.csv"
    data.write_text("\n".join(f"{line},{side}" for line, side in zip(split, sides, strict=True)), encoding="utf-8")
    model = salus.fit(data, "label", learner="pretrained", start=str(start), options=options, budget=20, threads=1)
    report = model.report
    assert report["task"] == "text-classification" and report["learner"]["name"] == "pretrained_text"
    assert report["metrics"]["accuracy"]["value"] > 0.9
    told = report["learner"]["details"]["start"]
    assert told["licence"] == "apache-2.0" and told["architecture"] == "bert"
    assert str(tmp_path) not in json.dumps(report)
    assert [answer["label"] for answer in model.predict([{"text": "awful food"}, {"text": "lovely day"}])] == [
        "bad",
        "good",
    ]


@pytest.mark.parametrize(
    ("break_it", "code"),
    [
        (lambda path: (path / "pytorch_model.bin").write_bytes(b"\x80\x04"), "start_pickle"),
        (lambda path: (path / "modeling.py").write_text("print()"), "start_code"),
        (lambda path: _changed(path, {"auto_map": {"AutoModel": "modeling.Model"}}), "start_code"),
        (lambda path: _changed(path, {"model_type": "gpt9"}), "start_unknown"),
        (lambda path: _changed(path, {"hidden_size": 31}), "start_unknown"),
        (lambda path: _changed(path, {"num_hidden_layers": 2}), "start_incomplete"),
        (lambda path: _changed(path, {"intermediate_size": 64}), "start_incomplete"),
        (lambda path: (path / "config.json").write_text("{"), "start_incomplete"),
        (lambda path: (path / "model.safetensors").unlink(), "start_incomplete"),
        (lambda path: _cut(path / "model.safetensors"), "start_incomplete"),
        (
            lambda path: (path / "model.safetensors.index.json").write_text(
                '{"weight_map": {"a": "part-2.safetensors"}}'
            ),
            "start_incomplete",
        ),
        (lambda path: (path / "tokenizer.json").unlink(), "start_incomplete"),
        (
            lambda path: _normalized(path, {"type": "Replace", "pattern": {"Regex": "(a+)+$"}, "content": ""}),
            "start_unknown",
        ),
        (
            lambda path: _normalized(path, {"type": "Replace", "pattern": {"String": "a"}, "content": "a" * 999}),
            "start_unknown",
        ),
    ],
)
def test_a_folder_that_lies_or_is_half_copied_is_refused(break_it: Any, code: str, tmp_path: Path) -> None:
    start = folder(tmp_path / "small-bert", BERT)
    break_it(start)
    with pytest.raises(SalusError) as caught:
        salus.fit(
            reviews(tmp_path / "reviews.csv"), "label", learner="pretrained", start=str(start), budget=5, threads=1
        )
    assert caught.value.code == code
    assert str(tmp_path) not in str(caught.value)


def _changed(path: Path, changes: dict[str, Any]) -> None:
    (path / "config.json").write_text(json.dumps(BERT | changes), encoding="utf-8")


def _normalized(path: Path, normalizer: dict[str, Any]) -> None:
    file = path / "tokenizer.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"normalizer": normalizer}), encoding="utf-8")


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def test_nothing_there_and_other_learners_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SalusError) as caught:
        open_start(tmp_path / "nothing")
    assert caught.value.code == "start_missing"
    with pytest.raises(SalusError) as caught:
        start_named("never-opened@0")
    assert caught.value.code == "start_missing"
    with pytest.raises(SalusError) as caught:
        salus.fit(reviews(tmp_path / "reviews.csv"), "label", learner="linear", start=str(tmp_path))
    assert caught.value.code == "bad_spec"


@pytest.mark.parametrize("config", [VIT, RESNET])
def test_pictures_from_a_folder_to_an_answer(config: dict[str, Any], tmp_path: Path) -> None:
    from PIL import Image

    start = folder(tmp_path / "small-model", config)
    (start / "preprocessor_config.json").write_text(
        json.dumps({"image_mean": [0.5] * 3, "image_std": [0.25] * 3, "size": {"height": 16}}), encoding="utf-8"
    )
    generator = np.random.default_rng(0)
    for side, rows in (("train", 60), ("test", 30)):
        for row in range(rows):
            label = ("dark", "light")[row % 2]
            (tmp_path / "data" / side / label).mkdir(parents=True, exist_ok=True)
            pixels = generator.integers(0, 120, (20, 20, 3)) + 130 * (row % 2)
            Image.fromarray(pixels.astype(np.uint8)).save(tmp_path / "data" / side / label / f"{row}.png")
    model = salus.fit(
        tmp_path / "data",
        "label",
        learner="pretrained",
        start=str(start),
        options={"tuned": False},
        budget=10,
        threads=1,
    )
    assert model.report["learner"]["name"] == "pretrained_image"
    assert model.report["metrics"]["accuracy"]["value"] > 0.9
