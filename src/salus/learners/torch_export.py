"""A torch module as one ONNX graph, by torch's own exporter: for networks that do not write their nodes themselves."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Mapping

import torch
from torch import nn

from salus.learners.graphs import OPSET, cleaned


def exported(module: nn.Module, examples: Mapping[str, torch.Tensor], output: str) -> bytes:
    """One file, rows free, checked, without a word about this machine. examples: a few rows of every input, by name and in the
    order in which the module takes them."""
    rows = torch.export.Dim("rows")
    with warnings.catch_warnings(), _quiet():
        warnings.simplefilter("ignore")  # the exporter's own use of what torch deprecates
        program = torch.onnx.export(
            module,
            tuple(examples.values()),
            dynamo=True,
            external_data=False,
            opset_version=OPSET,
            input_names=list(examples),
            output_names=[output],
            dynamic_shapes=_shapes(module, len(examples), rows),
            verbose=False,
        )
    assert program is not None
    return cleaned(program.model_proto)


def _shapes(module: nn.Module, inputs: int, rows: object) -> tuple[object, ...]:
    """The first axis of every input is free; those of a module that takes any number of inputs stand in one tuple."""
    free = tuple({0: rows} for _ in range(inputs))
    flags = module.forward.__code__.co_flags
    return (free,) if flags & 0x04 else free


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
