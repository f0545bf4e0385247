"""Calibration as nodes behind the raw scores of a graph.

Knows the records of calibration ({"method": "temperature" | "platt" | "isotonic", ...}) and ONNX. Does not know how they were fitted.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from salus.learners.graphs import cleaned

NEVER = -1e30  # added to a score it takes it out of a sum of exponentials


def add_calibration(graph: bytes, record: Mapping[str, Any] | float | None) -> bytes:
    """The graph with a second output `probabilities` (rows, K) made of its `scores`.

    record: what was fitted; a number is a temperature. None (regression): the graph is only cleaned.
    """
    model = onnx.load_model_from_string(graph)
    if record is None:
        return cleaned(model)
    if not isinstance(record, Mapping):
        record = {"method": "temperature", "temperature": record}
    scores = next(output for output in model.graph.output if output.name == "scores")
    nodes = _Nodes(model)
    if record["method"] == "temperature":
        assert record["temperature"] > 0, "a temperature is above 0"
        nodes.softmax(nodes.add("Div", "scores", nodes.constant(np.float32(record["temperature"]).reshape(()))))
    elif record["method"] == "platt":
        scaled = nodes.add("Mul", "scores", nodes.constant(record["scale"]))
        nodes.softmax(nodes.add("Add", scaled, nodes.constant(record["bias"])))
    else:
        assert record["method"] == "isotonic", record["method"]
        _isotonic(nodes, record["lines"])
    output = model.graph.output.add()
    output.CopyFrom(scores)
    output.name = "probabilities"
    return cleaned(model)


class _Nodes:
    """Appends nodes to a model; every method gives the name of what it made."""

    def __init__(self, model: Any) -> None:
        self.graph = model.graph
        self.count = 0

    def add(self, operator: str, *inputs: str, output: str | None = None, **attributes: Any) -> str:
        self.count += 1
        name = f"calibration_{self.count}"
        self.graph.node.append(helper.make_node(operator, list(inputs), [output or name], name=name, **attributes))
        return output or name

    def constant(self, value: Any, dtype: type[np.generic] = np.float32) -> str:
        self.count += 1
        name = f"calibration_{self.count}"
        self.graph.initializer.append(numpy_helper.from_array(np.asarray(value, dtype=dtype), name))
        return name

    def softmax(self, scores: str) -> None:
        self.add("Softmax", scores, output="probabilities", axis=1)


def _isotonic(nodes: _Nodes, lines: list[Mapping[str, list[float]]]) -> None:
    """Two classes: one line from the difference of the scores. More: a line a class from its margin, and the shares made one."""
    if len(lines) == 1:
        logit = _lines(nodes, nodes.add("MatMul", "scores", nodes.constant([[-1.0], [1.0]])), lines)
        nodes.softmax(nodes.add("MatMul", logit, nodes.constant([[0.0, 1.0]])))
        return
    logits = _lines(nodes, _margins(nodes, len(lines)), lines)
    # Shares that add up to 1 are the softmax of the logarithms of shares, which keep their digits when they are small.
    nodes.softmax(nodes.add("Neg", nodes.add("Softplus", nodes.add("Neg", logits))))


def _margins(nodes: _Nodes, classes: int) -> str:
    """The logit of every class against the rest: its score less the log of the summed exponentials of the others."""
    third, last = nodes.constant([1], np.int64), nodes.constant([2], np.int64)
    # Below the highest, all of them: the differences keep their digits where the scores are large.
    scores = nodes.add("Sub", "scores", nodes.add("ReduceMax", "scores", third, keepdims=1))
    mask = np.where(np.eye(classes, dtype=bool), np.float32(NEVER), np.float32(0))
    others = nodes.add("Add", nodes.add("Unsqueeze", scores, third), nodes.constant(mask))
    highest = nodes.add("ReduceMax", others, last, keepdims=1)
    summed = nodes.add("ReduceSum", nodes.add("Exp", nodes.add("Sub", others, highest)), last, keepdims=0)
    level = nodes.add("Add", nodes.add("Log", summed), nodes.add("Squeeze", highest, last))
    return nodes.add("Sub", scores, level)


def _lines(nodes: _Nodes, values: str, lines: list[Mapping[str, list[float]]]) -> str:
    """Lines of many pieces, one a column of `values` (rows, K): where the line is nearest to 0, and from there of each piece its
    slope times how far one is in it, forwards or backwards. (From one end float32 would lose digits.)"""
    pieces = max(len(line["x"]) for line in lines) - 1
    corner, least, most, slope = (np.zeros((len(lines), pieces)) for _ in range(4))
    start = np.zeros(len(lines))
    for row, line in enumerate(lines):
        x, y = np.asarray(line["x"]), np.asarray(line["y"])
        middle, count = int(np.argmin(np.abs(y))), len(x) - 1
        width, forwards = np.diff(x), np.arange(count) >= middle
        start[row] = y[middle]
        corner[row, :count] = np.where(forwards, x[:-1], x[1:])
        least[row, :count] = np.where(forwards, 0, -width)
        most[row, :count] = np.where(forwards, width, 0)
        slope[row, :count] = np.diff(y) / width
    last = nodes.constant([2], np.int64)
    inside = nodes.add("Sub", nodes.add("Unsqueeze", values, last), nodes.constant(corner))
    inside = nodes.add("Min", nodes.add("Max", inside, nodes.constant(least)), nodes.constant(most))
    risen = nodes.add("ReduceSum", nodes.add("Mul", inside, nodes.constant(slope)), last, keepdims=0)
    return nodes.add("Add", risen, nodes.constant(start))
