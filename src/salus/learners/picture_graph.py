"""A taught network as it answers: uint8 pixels in, raw scores or target units out; and its ONNX graph.

Knows torch's exporter. Does not know how the network was taught.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Mapping

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from salus.learners.base import Prepared
from salus.learners.graphs import OPSET, cleaned

CHUNK_ROWS = 256


class Answering(nn.Module):
    """Pictures (B, H, W, C) uint8, one a column -> scores (B, K) or values (B, M)."""

    target_mean: torch.Tensor
    target_deviation: torch.Tensor

    def __init__(
        self, network: nn.Module, shapes_HWC: list[tuple[int, ...]], output: str, reduction: int, flip_average: bool
    ):
        super().__init__()
        self.network = network
        self.shapes_HWC = shapes_HWC
        self.output = output
        self.reduction = reduction
        self.flip_average = flip_average

    @classmethod
    def of(cls, network: nn.Module, prepared: Prepared, reduction: int, flip_average: bool) -> Answering:
        pictures = [feed for name, feed in sorted(prepared.train.feeds.items()) if name.startswith("image_")]
        folded = network.eval().folded()  # type: ignore[operator]
        assert isinstance(folded, nn.Module)
        output = "scores" if prepared.classification else "values"
        answering = cls(folded, [p.shape[1:] for p in pictures], output, reduction, flip_average)
        if not prepared.classification:
            mean, deviation = cls.target_scale(prepared)
            answering.register_buffer("target_mean", torch.from_numpy(mean.astype(np.float32)))
            answering.register_buffer("target_deviation", torch.from_numpy(deviation.astype(np.float32)))
        for tensor in answering.parameters():  # the layout of convolutions on processors is not that of graphs
            tensor.data = tensor.data.contiguous()
        return answering.eval().requires_grad_(False)

    @staticmethod
    def target_scale(prepared: Prepared) -> tuple[np.ndarray, np.ndarray]:
        """Mean and deviation of the train targets (M,)."""
        target = prepared.train.target
        return target.mean(axis=0), np.maximum(target.std(axis=0), 1e-12)

    def forward(self, *pictures_BHWC: torch.Tensor) -> torch.Tensor:
        joined = pictures_BHWC[0] if len(pictures_BHWC) == 1 else torch.cat(pictures_BHWC, dim=3)
        x_BCHW = joined.permute(0, 3, 1, 2).float()
        if self.reduction > 1:
            x_BCHW = functional.avg_pool2d(x_BCHW, self.reduction)
        answer: torch.Tensor = self.network(x_BCHW)
        if self.flip_average:
            answer = (answer + self.network(torch.flip(x_BCHW, dims=[3]))) / 2
        if self.output == "values":
            answer = answer * self.target_deviation + self.target_mean
        return answer


def answers(answering: Answering, feeds: Mapping[str, np.ndarray]) -> np.ndarray:
    """What torch itself answers."""
    names = sorted(name for name in feeds if name.startswith("image_"))
    parts = []
    with torch.inference_mode():
        for start in range(0, len(feeds[names[0]]), CHUNK_ROWS):
            chunk = [np.require(feeds[name][start : start + CHUNK_ROWS], requirements=["C", "W"]) for name in names]
            parts.append(answering(*(torch.from_numpy(picture) for picture in chunk)).numpy())
    return np.concatenate(parts) if parts else np.zeros((0, 0), dtype=np.float32)


def graph_of(answering: Answering) -> bytes:
    """One ONNX file, rows free, checked, without a word about this machine."""
    pictures = tuple(torch.zeros((2, *shape), dtype=torch.uint8) for shape in answering.shapes_HWC)
    rows = torch.export.Dim("rows")
    with warnings.catch_warnings(), _quiet():
        warnings.simplefilter("ignore")  # the exporter's own use of what torch deprecates
        program = torch.onnx.export(
            answering,
            pictures,
            dynamo=True,
            external_data=False,
            opset_version=OPSET,
            input_names=[f"image_{index}" for index in range(len(pictures))],
            output_names=[answering.output],
            dynamic_shapes=(tuple({0: rows} for _ in pictures),),
            verbose=False,
        )
    assert program is not None
    return cleaned(program.model_proto)


class _quiet:
    """The exporter's loggers, silent."""

    NAMES = ("torch.onnx", "onnxscript", "onnx_ir", "torch.export")

    def __enter__(self) -> None:
        self._levels = {name: logging.getLogger(name).level for name in self.NAMES}
        for name in self.NAMES:
            logging.getLogger(name).setLevel(logging.ERROR)

    def __exit__(self, *_: object) -> None:
        for name, level in self._levels.items():
            logging.getLogger(name).setLevel(level)
