"""Large models for tests, small: a GGUF file and folders made byte by byte, and an engine that repeats what it reads.

Knows the formats as their definitions give them, not our readers of them.
"""

from __future__ import annotations

import json
import os
import struct
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from salus.core.errors import SalusError
from salus.inference.generation.engine import Event, GenerationEngine, Loading

TEMPLATE = "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}<assistant>"
SLOW_CONTEXT_TOKENS = 63  # a model that the echo loads for seconds
FIELDS: dict[str, Any] = {
    "general.architecture": "llama",
    "general.license": "mit",
    "llama.context_length": 64,
    "tokenizer.ggml.model": "gpt2",
    "tokenizer.ggml.tokens": ["a", "b", "<end>"],
    "tokenizer.ggml.token_type": [1, 1, 3],
    "tokenizer.ggml.eos_token_id": 2,
    "tokenizer.chat_template": TEMPLATE,
}


def gguf(
    fields: Mapping[str, Any] | None = None,
    tensors: Sequence[tuple[str, Sequence[int], int, int, bytes]] | None = None,
    version: int = 3,
    tensor_count: int | None = None,
) -> bytes:
    """A GGUF file. tensors: (name, shape, kind, offset, content); one float32 matrix by default. What they say is written as it is."""
    fields = FIELDS if fields is None else fields
    tensors = [("token_embd.weight", (4, 3), 0, 0, bytes(48))] if tensors is None else tensors
    head = b"GGUF" + struct.pack("<IQQ", version, len(tensors) if tensor_count is None else tensor_count, len(fields))
    for name, value in fields.items():
        head += _text(name) + _value(value)
    for name, shape, kind, offset, _ in tensors:
        head += _text(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, kind, offset)
    head += bytes(-len(head) % 32)
    content = bytearray()
    for _, _, _, offset, data in tensors:
        content.extend(bytes(max(0, offset - len(content))))
        content[offset : offset + len(data)] = data
    return head + bytes(content)


def safetensors(tensors: Mapping[str, np.ndarray], **changed: dict[str, Any]) -> bytes:
    """A safetensors file of float32 arrays. changed: other entries of the header for some of them."""
    header, content = dict[str, Any](), b""
    for name, array in tensors.items():
        data = np.ascontiguousarray(array, "<f4").tobytes()
        offsets = [len(content), len(content) + len(data)]
        header[name] = {"dtype": "F32", "shape": list(array.shape), "data_offsets": offsets, **changed.get(name, {})}
        content += data
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + content


def llama_folder(folder: Path, seed: int = 0, **config: Any) -> Path:
    """A Llama of two layers with weights by chance and a vocabulary of bytes, as `transformers` writes one."""
    said = {
        "model_type": "llama",
        "architectures": ["LlamaForCausalLM"],
        "hidden_size": 64,
        "intermediate_size": 96,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "max_position_embeddings": 128,
        "rms_norm_eps": 1e-5,
        "rope_theta": 10000.0,
        "hidden_act": "silu",
        "tie_word_embeddings": False,
        "eos_token_id": 256,
        **config,
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(said))
    (folder / "model.safetensors").write_bytes(safetensors(_llama_weights(said, seed)))
    (folder / "tokenizer.json").write_text(json.dumps(_byte_tokenizer()))
    (folder / "tokenizer_config.json").write_text(json.dumps({"chat_template": TEMPLATE}))
    (folder / "README.md").write_text("---\nlicense: apache-2.0\n---\n# Small\n")
    return folder


def files_of(folder: Path) -> dict[str, Path]:
    return {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}


class EchoEngine(GenerationEngine):
    """Writes the prompt again, a letter a step, until it is asked for no more. A prompt with `slow` takes a moment a letter, and one with `die` ends
    the process."""

    def load(self, loading: Loading) -> None:
        if loading.context_tokens == SLOW_CONTEXT_TOKENS:
            time.sleep(6)
        self._context_tokens = loading.context_tokens
        self._open: dict[int, tuple[list[str], bool, int]] = {}
        self._vectors: list[tuple[int, list[list[float]]]] = []

    @property
    def busy(self) -> bool:
        return bool(self._open or self._vectors)

    def begin(self, number: int, ask: Mapping[str, Any]) -> list[Event]:
        if "texts" in ask:
            self._vectors.append((number, [[float(len(text)), 1.0] for text in ask["texts"]]))
            return [{"id": number, "prompt_tokens": sum(map(len, ask["texts"]))}]
        prompt = ask["prompt"] if "prompt" in ask else "".join(message["content"] for message in ask["messages"])
        wanted = ask["max_tokens"] or min(ask["most_tokens"], len(prompt))
        if len(prompt) + (ask["max_tokens"] or 1) > self._context_tokens:
            raise SalusError("context_length_exceeded", expected=self._context_tokens, found=len(prompt) + wanted)
        if "die" in prompt:
            os._exit(3)
        text = (prompt * wanted)[:wanted]
        for stop in ask.get("stop") or ():
            text = text.partition(stop)[0]
        self._open[number] = (list(text), "slow" in prompt, wanted)
        return [{"id": number, "prompt_tokens": len(prompt)}]

    def cancel(self, number: int) -> None:
        self._open.pop(number, None)

    def step(self) -> list[Event]:
        events: list[Event] = []
        for number, vectors in self._vectors:
            events += [{"id": number, "vectors": vectors}, {"id": number, "end": "stop", "tokens": 0}]
        self._vectors = []
        if any(slow for _, slow, _ in self._open.values()):
            time.sleep(0.05)
        for number, (letters, _, wanted) in list(self._open.items()):
            if letters:
                events.append({"id": number, "text": letters.pop(0)})
            if not letters:
                del self._open[number]
                events.append({"id": number, "end": "length", "tokens": wanted})
        return events


def _llama_weights(said: Mapping[str, Any], seed: int) -> dict[str, np.ndarray]:
    chance = np.random.default_rng(seed)
    wide, inner = said["hidden_size"], said["intermediate_size"]
    keys = wide // said["num_attention_heads"] * said["num_key_value_heads"]
    shapes: dict[str, tuple[int, ...]] = {"model.embed_tokens.weight": (257, wide), "lm_head.weight": (257, wide)}
    for layer in range(said["num_hidden_layers"]):
        name = f"model.layers.{layer}"
        shapes |= {f"{name}.self_attn.{part}_proj.weight": (wide, wide) for part in "qo"}
        shapes |= {f"{name}.self_attn.{part}_proj.weight": (keys, wide) for part in "kv"}
        shapes |= {f"{name}.mlp.{part}_proj.weight": (inner, wide) for part in ("gate", "up")}
        shapes[f"{name}.mlp.down_proj.weight"] = (wide, inner)
    weights = {name: chance.normal(0, 2.5 / np.sqrt(shape[1]), shape) for name, shape in shapes.items()}
    norms = ["model.norm"] + [
        f"model.layers.{layer}.{part}_layernorm"
        for layer in range(said["num_hidden_layers"])
        for part in ("input", "post_attention")
    ]
    return weights | {f"{name}.weight": 1 + 0.1 * chance.normal(size=wide) for name in norms}


def _byte_tokenizer() -> dict[str, Any]:
    """Every byte a token, written as byte-level vocabularies write it; 256 ends a text."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    letters = {byte: chr(byte) for byte in printable} | {byte: chr(256 + at) for at, byte in enumerate(others)}
    level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    end = {"id": 256, "content": "<end>", "single_word": False, "lstrip": False, "rstrip": False}
    return {
        "version": "1.0",
        "added_tokens": [{**end, "normalized": False, "special": True}],
        "normalizer": None,
        "pre_tokenizer": level,
        "post_processor": None,
        "decoder": level,
        "model": {"type": "BPE", "vocab": {letters[byte]: byte for byte in range(256)} | {"<end>": 256}, "merges": []},
    }


def _text(text: str) -> bytes:
    return struct.pack("<Q", len(text.encode())) + text.encode()


def _value(value: Any) -> bytes:
    if isinstance(value, str):
        return struct.pack("<I", 8) + _text(value)
    if isinstance(value, int):
        return struct.pack("<II", 4, value)
    if isinstance(value[0], str):
        return struct.pack("<IIQ", 9, 8, len(value)) + b"".join(_text(text) for text in value)
    return struct.pack(f"<IIQ{len(value)}i", 9, 5, len(value), *value)
