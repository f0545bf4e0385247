"""Layers of torch as nodes of a graph, for networks that write their own: quicker than the exporter, and readable.

Knows convolutions, linear and recurrent layers and norms as they answer (not as they learn).
"""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from salus.learners.graphs import GraphBuilder

# Gates are stacked in another order by torch than by ONNX: (r, z, n) to (z, r, h), and (i, f, g, o) to (i, o, f, c).
GATES = {"GRU": (1, 0, 2), "LSTM": (0, 3, 1, 2)}


class MeanHead(nn.Module):
    """A network of pictures whose linear `head` reads the means of `features` (B, C, h, w), and that writes its own nodes."""

    head: nn.Linear

    def forward(self, x_BCHW: torch.Tensor) -> torch.Tensor:
        scores: torch.Tensor = self.head(self.features(x_BCHW).mean(dim=(2, 3)))
        return scores

    def features(self, x_BCHW: torch.Tensor) -> torch.Tensor:
        raise NotImplementedError

    def feature_nodes(self, builder: GraphBuilder, value: str) -> str:
        """`features` of the folded network as nodes."""
        raise NotImplementedError


def plain(tensor: torch.Tensor) -> np.ndarray:
    """float32, contiguous, on the processor."""
    return np.ascontiguousarray(tensor.detach().cpu().float().numpy())


def convolution_nodes(builder: GraphBuilder, layer: nn.Conv1d | nn.Conv2d, value: str) -> str:
    """A convolution with the zeros around it that the layer has."""
    assert not isinstance(layer.padding, str), "padding in numbers"
    pads = [int(size) for size in layer.padding] * 2
    inputs = [value, builder.constant(plain(layer.weight))]
    if layer.bias is not None:
        inputs.append(builder.constant(plain(layer.bias)))
    return builder.node(
        "Conv",
        *inputs,
        kernel_shape=list(layer.kernel_size),
        strides=list(layer.stride),
        pads=pads,
        group=layer.groups,
    )


def linear_nodes(builder: GraphBuilder, layer: nn.Linear, value: str) -> str:
    """(B, inputs) to (B, outputs)."""
    return builder.node(
        "Gemm", value, builder.constant(plain(layer.weight)), builder.constant(plain(layer.bias)), transB=1
    )


def mapped_nodes(builder: GraphBuilder, layer: nn.Linear, value: str) -> str:
    """A linear map of the last axis of any value."""
    product = builder.node("MatMul", value, builder.constant(plain(layer.weight).T))
    return builder.node("Add", product, builder.constant(plain(layer.bias)))


def norm_nodes(builder: GraphBuilder, layer: nn.Module, value: str) -> str:
    """A layer norm of the last axis."""
    assert isinstance(layer, nn.LayerNorm)
    weights = (builder.constant(plain(part)) for part in (layer.weight, layer.bias))
    return builder.node("LayerNormalization", value, *weights, axis=-1, epsilon=layer.eps)


def rows_nodes(builder: GraphBuilder, value: str) -> str:
    """(1,): how many rows a value has."""
    return builder.node("Slice", builder.node("Shape", value), *(builder.constant([at], np.int64) for at in (0, 1)))


def next_nodes(builder: GraphBuilder, tokens: str) -> tuple[str, str]:
    """(B, T + 1) pieces -> those that are read and those that follow them, (B, T) each."""
    start, axis = (builder.constant([at], np.int64) for at in (0, 1))
    read = builder.node("Slice", tokens, start, builder.constant([-1], np.int64), axis)
    return read, builder.node("Slice", tokens, axis, builder.constant([2**62], np.int64), axis)


def nats_nodes(builder: GraphBuilder, logits: str, wanted: str) -> str:
    """Logits (B, T, V) and pieces (B, T) -> how surprising each piece is (B, T)."""
    logs, last = builder.node("LogSoftmax", logits, axis=-1), builder.constant([2], np.int64)
    found = builder.node("GatherElements", logs, builder.node("Unsqueeze", wanted, last), axis=2)
    return builder.node("Neg", builder.node("Squeeze", found, last))


def recurrent_weights(builder: GraphBuilder, layer: nn.RNNBase, depth: int = 0) -> tuple[str, str, str]:
    """What a GRU or LSTM of ONNX takes after its sequence: weights, recurrent weights and biases, way by way. A GRU also
    needs `linear_before_reset=1`."""
    ends = ("", "_reverse") if layer.bidirectional else ("",)

    def gates(name: str) -> np.ndarray:
        parts = np.split(plain(getattr(layer, name)), len(GATES[layer.mode]))
        return np.concatenate([parts[index] for index in GATES[layer.mode]])

    weights, states = ([gates(f"weight_{at}_l{depth}{end}") for end in ends] for at in ("ih", "hh"))
    biases = [np.concatenate([gates(f"bias_ih_l{depth}{end}"), gates(f"bias_hh_l{depth}{end}")]) for end in ends]
    found = [builder.constant(np.stack(part)) for part in (weights, states, biases)]
    return found[0], found[1], found[2]


def folded_convolution(layer: nn.Conv1d | nn.Conv2d, norm: nn.BatchNorm1d | nn.BatchNorm2d) -> nn.Conv1d | nn.Conv2d:
    """One convolution that answers as `layer` and the batch norm behind it."""
    assert norm.running_var is not None and norm.running_mean is not None
    deviation = torch.sqrt(norm.running_var.double() + norm.eps)
    factor = (norm.weight.double() if norm.affine else torch.ones_like(deviation)) / deviation
    shift = norm.bias.double() if norm.affine else torch.zeros_like(deviation)
    before = layer.bias.double() if layer.bias is not None else torch.zeros_like(deviation)
    sizes = [-1] + [1] * (layer.weight.ndim - 1)
    made = type(layer)(
        layer.in_channels,
        layer.out_channels,
        layer.kernel_size,  # type: ignore[arg-type]
        stride=layer.stride,  # type: ignore[arg-type]
        padding=layer.padding,  # type: ignore[arg-type]
        groups=layer.groups,
    )
    with torch.no_grad():
        made.weight.copy_((layer.weight.double() * factor.view(sizes)).float().contiguous())
        assert made.bias is not None
        made.bias.copy_(((before - norm.running_mean.double()) * factor + shift).float())
    return made


def evidence_nodes(builder: GraphBuilder, cams: str, scores: str, classes: int, classification: bool) -> str:
    """Where the most probable class is seen (Grad-CAM in closed form: the head is linear over means, so the gradient at every
    place is the head's weight): cams (B, K, *places), scores (B, K) -> (B, all places), at least 0. For numbers: how far each
    place pulls the first one."""
    flat = builder.node("Reshape", cams, builder.constant([0, 0, -1], np.int64))
    if not classification:
        return builder.node("Abs", builder.node("Gather", flat, builder.constant(0, np.int64), axis=1))
    best = builder.node("ArgMax", scores, axis=1, keepdims=0)
    chosen = builder.node("OneHot", best, builder.constant(classes, np.int64), builder.constant([0.0, 1.0]))
    first = builder.constant([1], np.int64)
    seen = builder.node("MatMul", builder.node("Unsqueeze", chosen, first), flat)
    return builder.node("Relu", builder.node("Squeeze", seen, first))
