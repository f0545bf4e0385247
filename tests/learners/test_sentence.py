"""A frozen sentence transformer: its graph says what torch says, only whole and plain folders are taken, and its own pieces are read."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("safetensors")

from learner_texts import TextContract, said
from safetensors.numpy import save

from salus.core.context import Context
from salus.core.errors import SalusError
from salus.core.nouns import Column, Schema
from salus.data.encoding import encode_columns
from salus.data.kinds import kind_named
from salus.learners.base import Part, Prepared
from salus.learners.sentence import Sentence, backbone_named
from salus.testing.learner import answers_of

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "the", "room", "was", "we", "had", "it", "there", "today", "very", "food"]
WORDS += ["awful", "cold", "dirty", "lovely", "warm", "clean", "late", "slow", "far"]
CONFIG = {"model_type": "bert", "hidden_act": "gelu", "hidden_size": 24, "num_hidden_layers": 2}
CONFIG |= {"num_attention_heads": 2, "intermediate_size": 40, "max_position_embeddings": 32}
PARTS = ("attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense")


def tokenizer() -> dict[str, Any]:
    special = [
        {
            "id": n,
            "content": WORDS[n],
            "single_word": False,
            "lstrip": False,
            "rstrip": False,
            "normalized": False,
            "special": True,
        }
        for n in range(4)
    ]
    frame = [{"SpecialToken": {"id": "[CLS]", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}]
    frame += [{"SpecialToken": {"id": "[SEP]", "type_id": 0}}]
    names = {name: {"id": name, "ids": [WORDS.index(name)], "tokens": [name]} for name in ("[CLS]", "[SEP]")}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": {
            "strategy": {"Fixed": 16},
            "direction": "Right",
            "pad_to_multiple_of": None,
            "pad_id": 0,
            "pad_type_id": 0,
            "pad_token": "[PAD]",
        },
        "added_tokens": special,
        "normalizer": {"type": "Lowercase"},
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {"type": "TemplateProcessing", "single": frame, "pair": frame, "special_tokens": names},
        "decoder": None,
        "model": {"type": "WordLevel", "vocab": {word: n for n, word in enumerate(WORDS)}, "unk_token": "[UNK]"},
    }


def tensors(seed: int = 0) -> dict[str, np.ndarray]:
    generator = np.random.default_rng(seed)

    def drawn(*shape: int) -> np.ndarray:
        return (0.1 * generator.normal(size=shape)).astype(np.float32)

    found = {
        f"embeddings.{name}.weight": drawn(rows, 24)
        for name, rows in (("word_embeddings", len(WORDS)), ("position_embeddings", 32), ("token_type_embeddings", 2))
    }
    found["embeddings.word_embeddings.weight"] *= 10  # what a word is outweighs where it stands
    norms = ["embeddings.LayerNorm"]
    for layer in range(2):
        start = f"encoder.layer.{layer}"
        shapes = {f"{start}.{part}": (24, 24) for part in PARTS} | {
            f"{start}.intermediate.dense": (40, 24),
            f"{start}.output.dense": (24, 40),
        }
        for name, (outputs, inputs) in shapes.items():
            found |= {f"{name}.weight": drawn(outputs, inputs), f"{name}.bias": drawn(outputs)}
        norms += [f"{start}.attention.output.LayerNorm", f"{start}.output.LayerNorm"]
    for name in norms:
        found |= {f"{name}.weight": 1 + drawn(24), f"{name}.bias": drawn(24)}
    return found


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a small network, which SALUS_WEIGHTS names."""
    backbone_named.cache_clear()
    monkeypatch.setenv("SALUS_WEIGHTS", str(tmp_path))
    made = tmp_path / "small"
    made.mkdir()
    (made / "config.json").write_text(json.dumps(CONFIG))
    (made / "tokenizer.json").write_text(json.dumps(tokenizer()))
    (made / "model.safetensors").write_bytes(save(tensors()))
    return made


def problem(classification: bool, rows: int = 160) -> Prepared:
    kind, parts, fitted = kind_named("text"), [], tuple[Column, ...]()
    for side in range(2):
        target = np.arange(rows) % 3
        texts = said(target, side)
        if side == 0:
            state = kind.fit(texts, Sentence.reads({"backbone": "small", "length": 12})["text"])
            fitted = (Column(name="text", kind="text", state=state),)
        answer = target if classification else np.stack([target * 50.0 + 7, -target], axis=1)
        parts.append(Part(encode_columns(fitted, {"text": texts}), answer, np.arange(rows)))
    return Prepared(Schema(columns=fitted), *parts, classification, 3 if classification else 2, 3, 1)


QUICK: dict[str, Any] = {"backbone": "small", "length": 12, "penalties": (0.1, 1.0)}


class TestSentence(TextContract):
    learner = Sentence
    options = QUICK

    def problem(self, classification: bool) -> Prepared:
        return problem(classification)


def test_texts_are_read_with_the_pieces_of_the_network() -> None:
    kind = kind_named("text")
    state = kind.fit(["we had food"], Sentence.reads({"backbone": "small", "length": 5})["text"])
    pieces = kind.encode(["The room", "we had it there today very late", "[SEP] food"], state)["pieces"]
    assert pieces[0].tolist()[:4] == [2, 4, 5, 3]
    assert pieces[1].tolist()[:5] == [2, 7, 8, 9, 3], "cut in front of its last piece"
    assert 3 not in pieces[2].tolist()[1:3], "a name of a special piece is letters"


def test_it_is_what_transformers_computes(folder: Path, tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    import torch

    model = transformers.BertModel(transformers.BertConfig(**CONFIG, vocab_size=len(WORDS)), add_pooling_layer=False)
    model.load_state_dict({name: torch.from_numpy(value) for name, value in tensors().items()})
    ids = np.array([[2, 5, 6, 15, 3], [2, 9, 3, 0, 0]])
    mask = torch.from_numpy(ids > 0).float()
    with torch.inference_mode():
        states = model.eval()(torch.from_numpy(ids), attention_mask=mask).last_hidden_state
        found = backbone_named("small").network(torch.from_numpy(ids)).numpy()
    means = ((states * mask[:, :, None]).sum(1) / mask.sum(1, keepdim=True)).numpy()
    np.testing.assert_allclose(found, means / np.linalg.norm(means, axis=1, keepdims=True) * 24**0.5, atol=1e-4)


@pytest.mark.parametrize(
    ("file", "content", "code"),
    [
        ("config.json", b"{", "weights_bad"),
        ("config.json", json.dumps(CONFIG | {"model_type": "gpt2"}).encode(), "weights_bad"),
        ("config.json", json.dumps(CONFIG | {"hidden_size": 10**9}).encode(), "weights_bad"),
        ("config.json", json.dumps(CONFIG | {"auto_map": {"AutoModel": "x.py"}}).encode(), "weights_bad"),
        ("config.json", json.dumps(CONFIG | {"num_hidden_layers": 3}).encode(), "weights_bad"),
        ("tokenizer.json", b"[]", "weights_bad"),
        ("model.safetensors", b"\x80\x04\x95", "weights_bad"),
        ("model.safetensors", None, "weights_bad"),
    ],
)
def test_a_folder_that_is_not_whole_is_refused(folder: Path, file: str, content: bytes | None, code: str) -> None:
    if content is None:
        (folder / file).unlink()
    else:
        (folder / file).write_bytes(content)
    with pytest.raises(SalusError) as caught:
        backbone_named("small")
    assert caught.value.code == code


@pytest.mark.parametrize("name", ["../small", "none", "small/config.json"])
def test_only_folders_of_the_named_folder_are_taken(name: str) -> None:
    with pytest.raises(SalusError) as caught:
        backbone_named(name)
    assert caught.value.code == "backbone_missing"


def test_a_text_goes_through_the_network_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    prepared = problem(True, rows=90)
    fitted = Sentence(Sentence.Config(**QUICK)).fit(prepared, Context())

    def refused(*_: Any) -> np.ndarray:
        raise AssertionError("seen again")

    monkeypatch.setattr("salus.learners.sentence._seen", refused)
    again = Sentence(Sentence.Config(**QUICK)).fit(replace(prepared, seed=4), Context())
    again.export(tmp_path / "graph.onnx")
    feeds = prepared.validation.feeds
    scores = answers_of((tmp_path / "graph.onnx").read_bytes(), feeds)["scores"]
    np.testing.assert_allclose(scores, fitted.raw(feeds), atol=1e-3)
