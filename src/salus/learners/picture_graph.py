"""A taught network as it answers: uint8 pixels in, raw scores or target units out; its ONNX graph, and the graph of where it looks.

A network that can write its own nodes (`feature_nodes`) does so; any other goes through torch's exporter. Does not know how the network
was taught.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from salus.learners.base import Prepared
from salus.learners.deep import Goal
from salus.learners.graphs import GraphBuilder
from salus.learners.networks.nodes import MeanHead, evidence_nodes, linear_nodes, plain
from salus.learners.torch_export import exported

CHUNK_ROWS = 256


class Answering(nn.Module):
    """Pictures (B, H, W, C) uint8, one a column -> scores (B, K) or values (B, M)."""

    target_mean: torch.Tensor
    target_deviation: torch.Tensor

    def __init__(
        self, network: nn.Module, shapes_HWC: list[tuple[int, ...]], goal: Goal, reduction: int, flip_average: bool
    ):
        super().__init__()
        self.network = network
        self.shapes_HWC = shapes_HWC
        self.classification, self.classes = goal.classification, goal.classes
        self.output = "scores" if goal.classification else "values"
        self.reduction = reduction
        self.flip_average = flip_average
        self.register_buffer("target_mean", torch.from_numpy(goal.mean.astype(np.float32)))
        self.register_buffer("target_deviation", torch.from_numpy(goal.deviation.astype(np.float32)))

    @classmethod
    def of(cls, network: nn.Module, prepared: Prepared, reduction: int, flip_average: bool) -> Answering:
        pictures = [feed for name, feed in sorted(prepared.train.feeds.items()) if name.startswith("image_")]
        folded = network.eval().folded()  # type: ignore[operator]
        assert isinstance(folded, nn.Module)
        answering = cls(folded, [p.shape[1:] for p in pictures], Goal.of(prepared), reduction, flip_average)
        for tensor in answering.parameters():  # the layout of convolutions on processors is not that of graphs
            tensor.data = tensor.data.contiguous()
        return answering.eval().requires_grad_(False)

    def forward(self, *pictures_BHWC: torch.Tensor) -> torch.Tensor:
        x_BCHW = self.seen(*pictures_BHWC)
        answer: torch.Tensor = self.network(x_BCHW)
        if self.flip_average:
            answer = (answer + self.network(torch.flip(x_BCHW, dims=[3]))) / 2
        return answer if self.classification else answer * self.target_deviation + self.target_mean

    def seen(self, *pictures_BHWC: torch.Tensor) -> torch.Tensor:
        """What the network sees: (B, C, h, w) float32, 0 to 255."""
        joined = pictures_BHWC[0] if len(pictures_BHWC) == 1 else torch.cat(pictures_BHWC, dim=3)
        x_BCHW = joined.permute(0, 3, 1, 2).float()
        return functional.avg_pool2d(x_BCHW, self.reduction) if self.reduction > 1 else x_BCHW


def answers(answering: Answering, feeds: Mapping[str, np.ndarray]) -> np.ndarray:
    """What torch itself answers."""
    names = sorted(name for name in feeds if name.startswith("image_"))
    parts = []
    with torch.inference_mode():
        for start in range(0, len(feeds[names[0]]), CHUNK_ROWS):
            chunk = [np.require(feeds[name][start : start + CHUNK_ROWS], requirements=["C", "W"]) for name in names]
            parts.append(answering(*(torch.from_numpy(picture) for picture in chunk)).numpy())
    return np.concatenate(parts) if parts else np.zeros((0, answering.classes), dtype=np.float32)


def graph_of(answering: Answering) -> bytes:
    """One ONNX file, rows free, checked, without a word about this machine."""
    if not isinstance(answering.network, MeanHead):
        pictures = [torch.zeros((2, *shape), dtype=torch.uint8) for shape in answering.shapes_HWC]
        names = [f"image_{index}" for index in range(len(pictures))]
        return exported(answering, dict(zip(names, pictures, strict=True)), answering.output)
    builder, network = GraphBuilder(), answering.network
    answer = ""
    for x in _seen_nodes(builder, answering):
        features = network.feature_nodes(builder, x)
        means = builder.node("Flatten", builder.node("GlobalAveragePool", features))
        said = linear_nodes(builder, network.head, means)
        answer = said if not answer else builder.node("Mul", builder.node("Add", answer, said), builder.constant(0.5))
    if not answering.classification:
        scaled = builder.node("Mul", answer, builder.constant(plain(answering.target_deviation)))
        answer = builder.node("Add", scaled, builder.constant(plain(answering.target_mean)))
    return builder.finish(answering.output, answer, answering.classes)


def seen_of(answering: Answering) -> bytes:
    """The graph of what a network with a head over means sees: output `seen` (B, K + D), its scores and then the D means."""
    builder, network = GraphBuilder(), answering.network
    assert isinstance(network, MeanHead), "a head over means"
    means = [_means(builder, network.feature_nodes(builder, x)) for x in _seen_nodes(builder, answering)]
    features = means[0]
    if len(means) > 1:
        features = builder.node("Mul", builder.node("Add", *means), builder.constant(0.5))
    seen = builder.node("Concat", linear_nodes(builder, network.head, features), features, axis=1)
    return builder.finish("seen", seen, answering.classes + network.head.in_features)


def saliency_of(answering: Answering) -> bytes | None:
    """Where it looks; None for a network whose head is not linear over means of features."""
    network = answering.network
    if not isinstance(network, MeanHead):
        return None
    builder, cams = GraphBuilder(), ""
    weights = plain(network.head.weight)[:, :, None, None]
    for mirrored, x in enumerate(_seen_nodes(builder, answering)):
        features = network.feature_nodes(builder, x)
        found = builder.node("Conv", features, builder.constant(weights), kernel_shape=[1, 1])
        cams = found if not mirrored else builder.node("Add", cams, _mirror_nodes(builder, found))
    biased = builder.node("Add", _means(builder, cams), builder.constant(_twice(answering, network.head)))
    flat = evidence_nodes(builder, cams, biased, answering.classes, answering.classification)
    with torch.inference_mode():
        shapes = [torch.zeros((1, *shape), dtype=torch.uint8) for shape in answering.shapes_HWC]
        height, width = network.features(answering.seen(*shapes)).shape[2:]
    places = builder.node("Reshape", flat, builder.constant([-1, height, width], np.int64))
    return builder.finish("saliency", places, height, width)


def _twice(answering: Answering, head: nn.Linear) -> np.ndarray:
    return plain(head.bias) * (2 if answering.flip_average else 1)


def _means(builder: GraphBuilder, value: str) -> str:
    return builder.node("Flatten", builder.node("GlobalAveragePool", value))


def _mirror_nodes(builder: GraphBuilder, value: str) -> str:
    last, first, axis, step = ([-1], [-(2**31)], [3], [-1])
    return builder.node("Slice", value, *(builder.constant(part, np.int64) for part in (last, first, axis, step)))


def _seen_nodes(builder: GraphBuilder, answering: Answering) -> list[str]:
    """What the network sees, and its mirror where both are asked."""
    names = [
        builder.feed(f"image_{index}", np.uint8, ("rows", *shape)) for index, shape in enumerate(answering.shapes_HWC)
    ]
    joined = names[0] if len(names) == 1 else builder.node("Concat", *names, axis=3)
    x = builder.node("Transpose", builder.node("Cast", joined, to=1), perm=[0, 3, 1, 2])
    if answering.reduction > 1:
        sides = [answering.reduction] * 2
        x = builder.node("AveragePool", x, kernel_shape=sides, strides=sides)
    return [x, _mirror_nodes(builder, x)] if answering.flip_average else [x]
