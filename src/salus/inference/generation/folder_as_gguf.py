"""A folder as `transformers` writes it (config.json, safetensors, tokenizer.json) as one GGUF file, tensor by tensor.

The runtime opens GGUF and not such folders. Matrices are kept as float16, vectors as float32. Architectures whose layers are those of
Llama, Qwen2 and Qwen3. Knows both formats and how they order the rows of queries and keys. Loads no model.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from salus.bundle.large import CONFIG, TOKENIZER
from salus.bundle.safetensors_file import SafeTensor, read_safetensors
from salus.core.errors import SalusError
from salus.inference.generation.words import CONTROL, NORMAL, USER

ARCHITECTURES = ("llama", "qwen2", "qwen3")
OUTSIDE = {
    "model.embed_tokens.weight": "token_embd.weight",
    "model.norm.weight": "output_norm.weight",
    "lm_head.weight": "output.weight",
}
INSIDE = {
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "self_attn.q_norm": "attn_q_norm",
    "self_attn.k_norm": "attn_k_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}
LAYER = "model.layers."
LEFT_OUT = "rotary_emb.inv_freq"
UNUSED = 5
ALIGNMENT = 32
F32, F16 = 0, 1
NUMPY = {"F32": "<f4", "F16": "<f2", "F64": "<f8", "I64": "<i8", "I32": "<i4"}


@dataclass(frozen=True)
class Source:
    """One tensor of the folder and where it goes. heads: into how many its rows are reordered, 0 for none."""

    name: str
    path: Path
    tensor: SafeTensor
    heads: int

    @property
    def kind(self) -> int:
        return F32 if len(self.tensor.shape) == 1 else F16

    @property
    def size(self) -> int:
        return int(np.prod(self.tensor.shape)) * (4 if self.kind == F32 else 2)

    def content(self) -> bytes:
        values = read_tensor(self.path, self.tensor)
        if self.heads:
            values = _interleaved(values, self.heads)
        return np.ascontiguousarray(values, "<f4" if self.kind == F32 else "<f2").tobytes()


def folder_as_gguf(files: Mapping[str, Path], place: Path) -> None:
    """Writes `place`. files: relative name -> path. Raises `engine_cannot` for what the runtime would answer wrongly."""
    config = _json(files[CONFIG])
    _check(config)
    sources = list(_sources(files, config))
    fields = {**_shape(config, sources), **_texts(files, config, _rows(sources))}
    with place.open("xb") as stream:
        stream.write(b"GGUF" + struct.pack("<IQQ", 3, len(sources), len(fields)))
        for name, value in fields.items():
            stream.write(_text(name) + _field(value))
        offset = 0
        for source in sources:
            shape = source.tensor.shape[::-1]
            stream.write(_text(source.name) + struct.pack(f"<I{len(shape)}Q", len(shape), *shape))
            stream.write(struct.pack("<IQ", source.kind, offset))
            offset += -(-source.size // ALIGNMENT) * ALIGNMENT
        for source in sources:
            _pad(stream)
            stream.write(source.content())
        _pad(stream)


def read_tensor(path: Path, tensor: SafeTensor) -> np.ndarray:
    """The values of a tensor as floats; bfloat16 becomes float32."""
    if tensor.kind == "BF16":
        halves = np.memmap(path, "<u2", "r", tensor.start, tensor.size // 2)
        return (halves.astype(np.uint32) << 16).view(np.float32).reshape(tensor.shape)
    if tensor.kind not in NUMPY:
        raise SalusError("engine_cannot", expected="weights as float32, float16 or bfloat16", found=tensor.kind)
    form = np.dtype(NUMPY[tensor.kind])
    found: np.ndarray = np.memmap(path, form, "r", tensor.start, tensor.size // form.itemsize).reshape(tensor.shape)
    return found


def _check(config: Mapping[str, Any]) -> None:
    kind = config.get("model_type")
    if kind not in ARCHITECTURES:
        raise SalusError("engine_cannot", expected="a folder of " + ", ".join(ARCHITECTURES), found=str(kind)[:60])
    rope = config.get("rope_scaling") or config.get("rope_parameters") or {}
    plain = rope.get("rope_type", rope.get("type", "default")) == "default"
    if not plain or config.get("use_sliding_window") or config.get("hidden_act", "silu") != "silu":
        expected = "plain rotary positions, full attention and the activation silu"
        raise SalusError("engine_cannot", expected=expected, found=json.dumps(rope)[:100])


def _sources(files: Mapping[str, Path], config: Mapping[str, Any]) -> Iterator[Source]:
    tied = bool(config.get("tie_word_embeddings", False))
    for file in sorted(name for name in files if name.endswith(".safetensors")):
        for name, tensor in read_safetensors(files[file], file).items():
            if name.endswith(LEFT_OUT) or (tied and name == "lm_head.weight"):
                continue
            yield Source(_new_name(name), files[file], tensor, _heads(name, config))


def _new_name(name: str) -> str:
    if name in OUTSIDE:
        return OUTSIDE[name]
    number, _, rest = name.removeprefix(LAYER).partition(".")
    part, _, sort = rest.rpartition(".")
    if not name.startswith(LAYER) or part not in INSIDE or not number.isdecimal() or sort not in ("weight", "bias"):
        raise SalusError("engine_cannot", expected="the tensors of a known architecture", found=name[:100])
    return f"blk.{number}.{INSIDE[part]}.{sort}"


def _heads(name: str, config: Mapping[str, Any]) -> int:
    """Llama's GGUF has the two halves of each head's rotation side by side; Qwen's are as they were."""
    if config["model_type"] != "llama":
        return 0
    if ".q_proj." in name:
        return int(config["num_attention_heads"])
    return int(config.get("num_key_value_heads") or config["num_attention_heads"]) if ".k_proj." in name else 0


def _interleaved(values: np.ndarray, heads: int) -> np.ndarray:
    shape = values.shape
    return values.reshape(heads, 2, shape[0] // heads // 2, *shape[1:]).swapaxes(1, 2).reshape(shape)


def _rows(sources: list[Source]) -> int:
    found = next((source for source in sources if source.name == "token_embd.weight"), None)
    if found is None:
        raise SalusError("engine_cannot", expected="the tensor model.embed_tokens.weight", found="none of this name")
    return found.tensor.shape[0]


def _shape(config: Mapping[str, Any], sources: list[Source]) -> dict[str, Any]:
    kind, heads = config["model_type"], int(config["num_attention_heads"])
    width = int(config.get("head_dim") or config["hidden_size"] // heads)
    rope = config.get("rope_parameters") or {}
    theta = config.get("rope_theta") or rope.get("rope_theta") or 10000.0
    return {
        "general.architecture": kind,
        "general.file_type": 1,
        f"{kind}.block_count": int(config["num_hidden_layers"]),
        f"{kind}.context_length": int(config["max_position_embeddings"]),
        f"{kind}.embedding_length": int(config["hidden_size"]),
        f"{kind}.feed_forward_length": int(config["intermediate_size"]),
        f"{kind}.attention.head_count": heads,
        f"{kind}.attention.head_count_kv": int(config.get("num_key_value_heads") or heads),
        f"{kind}.attention.key_length": width,
        f"{kind}.attention.value_length": width,
        f"{kind}.attention.layer_norm_rms_epsilon": float(config.get("rms_norm_eps", 1e-6)),
        f"{kind}.rope.freq_base": float(theta),
        f"{kind}.rope.dimension_count": width,
        f"{kind}.vocab_size": _rows(sources),
    }


def _texts(files: Mapping[str, Path], config: Mapping[str, Any], rows: int) -> dict[str, Any]:
    """What the tokenizer and the template say."""
    said = _json(files[TOKENIZER])
    model, added = said.get("model") or {}, said.get("added_tokens") or []
    if model.get("type") != "BPE":
        raise SalusError("engine_cannot", expected="a tokenizer of byte pairs (BPE)", found=str(model.get("type"))[:40])
    tokens, sorts = [f"[UNUSED{number}]" for number in range(rows)], [UNUSED] * rows
    for token, number in model["vocab"].items():
        if 0 <= number < rows:
            tokens[number], sorts[number] = token, NORMAL
    for entry in added:
        if 0 <= entry["id"] < rows:
            tokens[entry["id"]], sorts[entry["id"]] = entry["content"], CONTROL if entry.get("special") else USER
    merges = [pair if isinstance(pair, str) else " ".join(pair) for pair in model.get("merges") or []]
    byte_level = '"ByteLevel"' in json.dumps([said.get("pre_tokenizer"), said.get("decoder")])
    fields: dict[str, Any] = {
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "default",
        "tokenizer.ggml.tokens": tokens,
        "tokenizer.ggml.token_type": sorts,
        "tokenizer.ggml.merges": merges or ["a b"],
        "salus.vocabulary": "gpt2" if byte_level else "llama",
    }
    steering = _json(files["generation_config.json"]) if "generation_config.json" in files else {}
    ends = steering.get("eos_token_id", config.get("eos_token_id"))
    for name, number in zip(("eos", "eot", "eom"), ends if isinstance(ends, list) else [ends], strict=False):
        if isinstance(number, int):
            fields[f"tokenizer.ggml.{name}_token_id"] = number
    if isinstance(config.get("bos_token_id"), int):
        fields["tokenizer.ggml.bos_token_id"] = config["bos_token_id"]
    template = _template(files)
    return fields | ({"tokenizer.chat_template": template} if template else {})


def _template(files: Mapping[str, Path]) -> str | None:
    if "chat_template.jinja" in files:
        return files["chat_template.jinja"].read_text(encoding="utf-8")
    if "tokenizer_config.json" not in files:
        return None
    found = _json(files["tokenizer_config.json"]).get("chat_template")
    if isinstance(found, list):
        found = next((entry.get("template") for entry in found if entry.get("name") == "default"), None)
    return found if isinstance(found, str) else None


def _json(path: Path) -> dict[str, Any]:
    found = json.loads(path.read_bytes())
    return found if isinstance(found, dict) else {}


def _text(text: str) -> bytes:
    content = text.encode()
    return struct.pack("<Q", len(content)) + content


def _field(value: Any) -> bytes:
    if isinstance(value, str):
        return struct.pack("<I", 8) + _text(value)
    if isinstance(value, float):
        return struct.pack("<If", 6, value)
    if isinstance(value, int):
        return struct.pack("<II", 4, value)
    if isinstance(value[0], str):
        return struct.pack("<IIQ", 9, 8, len(value)) + b"".join([_text(text) for text in value])
    return struct.pack(f"<IIQ{len(value)}i", 9, 5, len(value), *value)


def _pad(stream: BinaryIO) -> None:
    stream.write(bytes(-stream.tell() % ALIGNMENT))
