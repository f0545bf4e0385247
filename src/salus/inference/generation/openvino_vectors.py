"""Vectors of texts by OpenVINO: the encoder of BERT written as a graph from the folder's own weights, pooled and normalised.

BERT: Devlin et al. 2019; mean pooling of its last layer: Reimers and Gurevych 2019. Knows the names of its tensors. Does not know pipes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import openvino
from openvino import opset13 as ops

from salus.bundle.large import CONFIG, TOKENIZER
from salus.bundle.safetensors_file import SafeTensor, read_safetensors
from salus.core.errors import SalusError
from salus.inference.generation.engine import Event, GenerationEngine, Loading
from salus.inference.generation.folder_as_gguf import read_tensor

MAX_PASS_TOKENS = 4096  # of one pass, filled up to its longest text
POOLING = "1_Pooling/config.json"
SUPPORTED = ("bert",)


class VectorEngine(GenerationEngine):
    def __init__(self) -> None:
        self._open: dict[int, list[list[int]]] = {}
        self._done: dict[int, list[list[float]]] = {}

    def load(self, loading: Loading) -> None:
        from tokenizers import Tokenizer

        config = json.loads(loading.files[CONFIG].read_bytes())
        if config.get("model_type") not in SUPPORTED or config.get("hidden_act") not in ("gelu", "relu"):
            found = f"{config.get('model_type')}, {config.get('hidden_act')}"[:80]
            raise SalusError("engine_cannot", expected="an encoder of the architecture bert", found=found)
        weights = Weights(loading.files)
        self._rows = weights.rows("embeddings.word_embeddings.weight")
        self._context_tokens = min(loading.context_tokens, weights.rows("embeddings.position_embeddings.weight"))
        self._tokenizer = Tokenizer.from_str(loading.files[TOKENIZER].read_text(encoding="utf-8"))
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        properties: dict[str, Any] = {"INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY"}
        if loading.threads:
            properties["INFERENCE_NUM_THREADS"] = loading.threads
        graph = encoder_graph(weights, config, _first_only(loading.files))
        self._request = openvino.Core().compile_model(graph, "CPU", properties).create_infer_request()

    @property
    def busy(self) -> bool:
        return bool(self._open)

    def begin(self, number: int, ask: Mapping[str, Any]) -> list[Event]:
        rows = [list(found.ids) for found in self._tokenizer.encode_batch(list(ask["texts"]))]
        longest = max(len(row) for row in rows)
        if longest > self._context_tokens:
            raise SalusError("context_length_exceeded", expected=self._context_tokens, found=longest)
        if (largest := max((max(row, default=0) for row in rows), default=0)) >= self._rows:
            raise SalusError("engine_cannot", expected=f"tokens below {self._rows}", found=f"{largest}")
        self._open[number], self._done[number] = rows, []
        return [{"id": number, "prompt_tokens": sum(len(row) for row in rows)}]

    def cancel(self, number: int) -> None:
        self._open.pop(number, None)
        self._done.pop(number, None)

    def step(self) -> list[Event]:
        """One pass for the request that waits longest."""
        number, rows = next(iter(self._open.items()))
        done = self._done[number]
        left = rows[len(done) :]
        count = 1
        while count < len(left) and (count + 1) * max(len(row) for row in left[: count + 1]) <= MAX_PASS_TOKENS:
            count += 1
        done += self._pass(left[:count]).tolist()
        if len(done) < len(rows):
            return []
        self.cancel(number)
        return [{"id": number, "vectors": done}, {"id": number, "end": "stop", "tokens": 0}]

    def _pass(self, rows: list[list[int]]) -> np.ndarray:
        """(B, D) of B texts."""
        longest = max(len(row) for row in rows)
        tokens_BT = np.zeros((len(rows), longest), np.int64)
        mask_BT = np.zeros((len(rows), longest), np.float32)
        for at, row in enumerate(rows):
            tokens_BT[at, : len(row)], mask_BT[at, : len(row)] = row, 1
        found: np.ndarray = np.array(self._request.infer([tokens_BT, mask_BT])[0])
        return found


class Weights:
    """Tensors by name, with or without the prefix that a model with a head has."""

    def __init__(self, files: Mapping[str, Path]):
        self._found: dict[str, tuple[Path, SafeTensor]] = {}
        for name in sorted(name for name in files if name.endswith(".safetensors")):
            for tensor, place in read_safetensors(files[name], name).items():
                self._found[tensor.removeprefix("bert.")] = (files[name], place)

    def rows(self, name: str) -> int:
        """How many rows a table has."""
        found = self._found.get(name)
        return found[1].shape[0] if found is not None and found[1].shape else 0

    def __call__(self, name: str) -> Any:
        if name not in self._found:
            raise SalusError("engine_cannot", expected=f"the tensor {name}", found="none of this name")
        return ops.constant(np.array(read_tensor(*self._found[name]), np.float32))


def encoder_graph(weights: Weights, config: Mapping[str, Any], first_only: bool) -> openvino.Model:
    """tokens (B, T) int64, mask (B, T) float -> vectors (B, D) of length one."""
    tokens = ops.parameter([-1, -1], np.int64, name="tokens")
    mask = ops.parameter([-1, -1], np.float32, name="mask")
    epsilon, heads = float(config.get("layer_norm_eps", 1e-12)), int(config["num_attention_heads"])
    zero, one = ops.constant(np.int64(0)), ops.constant(np.int64(1))
    length = ops.gather(ops.shape_of(tokens, output_type="i64"), one, zero)
    places = ops.range(zero, length, one, output_type="i64")
    words = ops.gather(weights("embeddings.word_embeddings.weight"), tokens, zero)
    positions = ops.gather(weights("embeddings.position_embeddings.weight"), places, zero)
    sort = ops.gather(weights("embeddings.token_type_embeddings.weight"), zero, zero)
    x = _norm(ops.add(ops.add(words, positions), sort), weights, "embeddings.LayerNorm", epsilon)
    # (B, 1, 1, T): what is filled up is never looked at
    hidden = ops.multiply(ops.subtract(mask, ops.constant(np.float32(1))), ops.constant(np.float32(1e9)))
    hidden = ops.unsqueeze(hidden, ops.constant(np.array([1, 2])))
    for layer in range(int(config["num_hidden_layers"])):
        x = _layer(x, hidden, weights, f"encoder.layer.{layer}", heads, epsilon, config["hidden_act"])
    if first_only:
        pooled = ops.gather(x, zero, one)
    else:
        shares = ops.unsqueeze(mask, ops.constant(np.array(2)))
        total = ops.reduce_sum(ops.multiply(x, shares), np.array([1]))
        pooled = ops.divide(total, ops.reduce_sum(shares, np.array([1])))
    unit = ops.normalize_l2(pooled, np.array([1]), 1e-12, "max")
    return openvino.Model([unit], [tokens, mask], "encoder")


def _layer(x: Any, hidden: Any, weights: Weights, name: str, heads: int, epsilon: float, act: str) -> Any:
    parts = [_heads(_linear(x, weights, f"{name}.attention.self.{part}"), heads) for part in ("query", "key", "value")]
    seen = ops.scaled_dot_product_attention(*parts, hidden)
    seen = ops.reshape(ops.transpose(seen, np.array([0, 2, 1, 3])), np.array([0, 0, -1]), True)
    seen = _linear(seen, weights, f"{name}.attention.output.dense")
    x = _norm(ops.add(x, seen), weights, f"{name}.attention.output.LayerNorm", epsilon)
    wide = _linear(x, weights, f"{name}.intermediate.dense")
    wide = ops.gelu(wide, "erf") if act == "gelu" else ops.relu(wide)
    return _norm(
        ops.add(x, _linear(wide, weights, f"{name}.output.dense")), weights, f"{name}.output.LayerNorm", epsilon
    )


def _heads(x: Any, heads: int) -> Any:
    """(B, T, D) -> (B, H, T, D / H)"""
    return ops.transpose(ops.reshape(x, np.array([0, 0, heads, -1]), True), np.array([0, 2, 1, 3]))


def _linear(x: Any, weights: Weights, name: str) -> Any:
    return ops.add(ops.matmul(x, weights(f"{name}.weight"), False, True), weights(f"{name}.bias"))


def _norm(x: Any, weights: Weights, name: str, epsilon: float) -> Any:
    same = ops.mvn(x, np.array([2]), True, epsilon, "inside_sqrt")
    return ops.add(ops.multiply(same, weights(f"{name}.weight")), weights(f"{name}.bias"))


def _first_only(files: Mapping[str, Path]) -> bool:
    """Whether the first token stands for the text; else the mean of all does."""
    if POOLING not in files:
        return False
    said = json.loads(files[POOLING].read_bytes())
    if said.get("pooling_mode_max_tokens") or said.get("pooling_mode_mean_sqrt_len_tokens"):
        raise SalusError("engine_cannot", expected="mean pooling or the first token's", found="another pooling")
    return bool(said.get("pooling_mode_cls_token"))
