"""A sentence transformer: BERT (Devlin et al. 2019) whose last layer is averaged over the pieces of a text (Reimers and Gurevych 2019).

Its weights are those of a folder that somebody else trained: `config.json` says how many there are, `model.safetensors` holds them.
Knows the architecture alone; of a network that is another one it says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from salus.core.errors import SalusError
from salus.learners.graphs import GraphBuilder
from salus.learners.networks.attention import HIDDEN, Attention
from salus.learners.networks.nodes import mapped_nodes, norm_nodes, plain
from salus.learners.networks.text_attention import first_places, mask_nodes
from salus.learners.networks.texts import mean_nodes, trimmed_nodes

ARCHITECTURE = {"model_type": "bert", "hidden_act": "gelu", "position_embedding_type": "absolute"}
SIZES = ("hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size", "max_position_embeddings")
PARTS = {  # ours -> theirs
    "own.query": "attention.self.query",
    "own.key": "attention.self.key",
    "own.value": "attention.self.value",
    "own.out": "attention.output.dense",
    "norms.0": "attention.output.LayerNorm",
    "wide": "intermediate.dense",
    "narrow": "output.dense",
    "norms.1": "output.LayerNorm",
}
SMALLEST = 1e-12


class SentenceLayer(nn.Module):
    """Looks at all places, then goes through two layers; a norm behind each."""

    def __init__(self, width: int, heads: int, inner: int, epsilon: float) -> None:
        super().__init__()
        self.own = Attention(width, heads)
        self.wide, self.narrow = nn.Linear(width, inner), nn.Linear(inner, width)
        self.norms = nn.ModuleList(nn.LayerNorm(width, epsilon) for _ in range(2))

    def forward(self, x_NLD: torch.Tensor, mask_N11L: torch.Tensor) -> torch.Tensor:
        x_NLD = self.norms[0](x_NLD + self.own(x_NLD, x_NLD, mask_N11L))
        changed: torch.Tensor = self.norms[1](x_NLD + self.narrow(functional.gelu(self.wide(x_NLD))))
        return changed

    def nodes(self, builder: GraphBuilder, value: str, mask: str) -> str:
        key, kept = self.own.keys_and_values(builder, value)
        looked = builder.node("Add", value, self.own.nodes(builder, value, key, kept, mask))
        value = norm_nodes(builder, self.norms[0], looked)
        inner = mapped_nodes(builder, self.wide, value)
        bent = builder.node("Erf", builder.node("Mul", inner, builder.constant(0.5**0.5)))
        half = builder.node("Mul", inner, builder.constant(0.5))
        bent = builder.node("Mul", half, builder.node("Add", bent, builder.constant(1.0)))
        return norm_nodes(builder, self.norms[1], builder.node("Add", value, mapped_nodes(builder, self.narrow, bent)))


class SentenceNetwork(nn.Module):
    """ids_NL (0 behind the last piece) -> features_ND, as long as the root of D, so that each varies about as 1."""

    def __init__(self, words: int, config: Mapping[str, Any]) -> None:
        super().__init__()
        self.width, layers, heads, inner, self.longest = (int(config[name]) for name in SIZES)
        epsilon = float(config.get("layer_norm_eps", 1e-12))
        self.words, self.places = nn.Embedding(words, self.width), nn.Embedding(self.longest, self.width)
        self.first_type = nn.Parameter(torch.zeros(self.width))
        self.norm = nn.LayerNorm(self.width, epsilon)
        self.layers = nn.ModuleList(SentenceLayer(self.width, heads, inner, epsilon) for _ in range(layers))

    @classmethod
    def of(cls, config: Mapping[str, Any], tensors: Mapping[str, np.ndarray], where: str) -> SentenceNetwork:
        """With the weights of a folder, or `weights_bad`."""
        expected = "a sentence transformer of the BERT architecture"
        other = [
            f"{name} {config.get(name)}" for name, value in ARCHITECTURE.items() if config.get(name, value) != value
        ]
        bad = [name for name in SIZES if not isinstance(config.get(name), int) or not 1 <= config[name] <= 100_000]
        if other or bad:
            raise SalusError("weights_bad", where=where, expected=expected, found=", ".join([*other, *bad])[:120])
        named = {name.removeprefix("bert."): value for name, value in tensors.items()}
        theirs = {
            "words.weight": "embeddings.word_embeddings.weight",
            "places.weight": "embeddings.position_embeddings.weight",
            "norm.weight": "embeddings.LayerNorm.weight",
            "norm.bias": "embeddings.LayerNorm.bias",
        }
        for layer in range(int(config["num_hidden_layers"])):
            for end in ("weight", "bias"):
                theirs |= {f"layers.{layer}.{a}.{end}": f"encoder.layer.{layer}.{b}.{end}" for a, b in PARTS.items()}
        types = "embeddings.token_type_embeddings.weight"
        missing = [name for name in [*theirs.values(), types] if name not in named]
        if missing:
            raise SalusError("weights_bad", where=where, expected=expected, found=f"no {missing[0]}")
        found = {ours: torch.from_numpy(np.asarray(named[name], np.float32)) for ours, name in theirs.items()}
        found["first_type"] = torch.from_numpy(np.asarray(named[types], np.float32)[0])
        network = cls(len(found["words.weight"]), config)
        try:
            network.load_state_dict(found)
        except RuntimeError as error:
            shown = str(error).strip().splitlines()[-1].strip()
            raise SalusError("weights_bad", where=where, expected=expected, found=shown[:160]) from None
        return network.eval().requires_grad_(False)

    def forward(self, ids_NL: torch.Tensor) -> torch.Tensor:
        seen_NL1 = (ids_NL > 0).unsqueeze(2).float()
        x_NLD = self.norm(self.words(ids_NL) + self.places.weight[: ids_NL.shape[1]] + self.first_type)
        mask_N11L = ((1 - seen_NL1) * HIDDEN).transpose(1, 2).unsqueeze(1)
        for layer in self.layers:
            x_NLD = layer(x_NLD, mask_N11L)
        means = (x_NLD.float() * seen_NL1).sum(dim=1) / seen_NL1.sum(dim=1).clamp_min(1.0)
        features: torch.Tensor = functional.normalize(means, eps=SMALLEST) * self.width**0.5
        return features

    def nodes(self, builder: GraphBuilder, ids: str, length: int) -> str:
        """Of ids (N, length) the features (N, D)."""
        ids = trimmed_nodes(builder, ids, length)
        there = builder.node("Cast", builder.node("Greater", ids, builder.constant(0, np.int32)), to=1)
        seen = builder.node("Unsqueeze", there, builder.constant([2], np.int64))
        value = builder.node("Gather", builder.constant(plain(self.words.weight)), ids)
        places = plain(self.places.weight)[:length] + plain(self.first_type)
        value = norm_nodes(builder, self.norm, builder.node("Add", value, first_places(builder, places, value)))
        mask = mask_nodes(builder, seen)
        for layer in self.layers:
            assert isinstance(layer, SentenceLayer)
            value = layer.nodes(builder, value, mask)
        means = mean_nodes(builder, builder.node("Mul", value, seen), seen)
        size = builder.node("ReduceL2", means, builder.constant([1], np.int64), keepdims=1)
        plain_size = builder.node("Div", means, builder.node("Max", size, builder.constant(SMALLEST)))
        return builder.node("Mul", plain_size, builder.constant(self.width**0.5))
