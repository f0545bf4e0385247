"""Small bundles for tests, one for each sort of input, with answers that numpy gave.

Graphs are made with the `onnx` package. The weights are drawn from a fixed seed: nothing here has learned anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from salus.bundle.read import Bundle
from salus.bundle.sign import Signer
from salus.bundle.write import write_bundle
from salus.core.nouns import Column, Role, Schema
from salus.data.encoding import encode_columns
from salus.data.kinds import kind_named
from salus.inference.examples import make_examples

LEVELS = ["calm", "moving", "unknown to many"]
NUMBER = {"low": 0.0, "high": 10.0, "integer": False, "missing": True}


@dataclass(frozen=True)
class SmallModel:
    """What a small bundle is made of. answers: output -> what numpy says of the examples."""

    task: str
    schema: Schema
    outputs: tuple[str, ...]
    graph: bytes
    rows: list[dict[str, Any]]
    answers: dict[str, np.ndarray]

    def write(self, folder: Path, signer: Signer | None = None, **changed: Any) -> Bundle:
        """The bundle at `folder`; `changed` replaces arguments of `write_bundle`."""
        answers = {name: answer.tolist() for name, answer in self.answers.items()}
        arguments: dict[str, Any] = {
            "task": self.task,
            "schema": self.schema,
            "outputs": self.outputs,
            "graphs": {"main": self.graph},
            "examples": {"rows": self.rows, "answers": answers},
            "report": {"format": 1, "task": self.task, "metrics": {}},
            "report_html": "<!doctype html><title>report</title>",
            "card": "# A small model\n",
            "calibration": {"temperature": 1.0} if "probabilities" in self.outputs else None,
            "lineage": {"seed": 0},
            "signer": signer,
        }
        return write_bundle(folder, **{**arguments, **changed})


def table_model(numbers: int = 3, examples: int = 200, levels: int = 4) -> SmallModel:
    """Numbers and one category (`colour`) -> one of `LEVELS`; a group column `person` lies in the schema too."""
    states = {f"x{index}": ("number", NUMBER) for index in range(numbers)}
    colours = {"levels": [f"colour {index}" for index in range(levels)]}
    schema = _schema({**states, "colour": ("category", colours)}, {"label": ("category", {"levels": LEVELS})})
    generator = np.random.default_rng(1)
    weights = generator.normal(size=(numbers, len(LEVELS))).astype(np.float32) / 10
    table = generator.normal(size=(levels + 2, len(LEVELS))).astype(np.float32)
    rows, feeds = _examples(schema, examples)
    filled = np.where(np.isnan(feeds["numbers"]), np.float32(0), feeds["numbers"])
    scores = filled @ weights + table[feeds["categories"][:, 0]]
    nodes = [
        ("IsNaN", ["numbers"], "gap"),
        ("Where", ["gap", "zero", "numbers"], "filled"),
        ("MatMul", ["filled", "weights"], "from_numbers"),
        ("Gather", ["table", "categories"], "looked_up"),
        ("Squeeze", ["looked_up", "axis"], "from_colour"),
        ("Add", ["from_numbers", "from_colour"], "scores"),
        ("Softmax", ["scores"], "probabilities"),
    ]
    constants = {"zero": np.float32(0), "weights": weights, "table": table, "axis": np.array([1], dtype=np.int64)}
    graph = _graph(nodes, {"numbers": ["B", numbers], "categories": ["B", 1]}, constants, len(LEVELS))
    outputs = ("probabilities", "scores")
    return SmallModel(
        "multiclass-classification", schema, outputs, graph, rows, {"probabilities": _softmax(scores), "scores": scores}
    )


def regression_model(examples: int = 200) -> SmallModel:
    """Two numbers -> `weight` and `height`."""
    schema = _schema(
        {"a": ("number", NUMBER), "b": ("number", NUMBER)},
        {"weight": ("number", {"deviation": 2.0}), "height": ("number", {"deviation": 50.0})},
    )
    weights = np.array([[1.0, -2.0], [0.5, 3.0]], dtype=np.float32)
    rows, feeds = _examples(schema, examples)
    values = np.where(np.isnan(feeds["numbers"]), np.float32(0), feeds["numbers"]) @ weights
    nodes = [
        ("IsNaN", ["numbers"], "gap"),
        ("Where", ["gap", "zero", "numbers"], "filled"),
        ("MatMul", ["filled", "weights"], "values"),
    ]
    graph = _graph(nodes, {"numbers": ["B", 2]}, {"zero": np.float32(0), "weights": weights}, 2, ("values",))
    return SmallModel("regression", schema, ("values",), graph, rows, {"values": values})


def picture_model(examples: int = 20, side: int = 8) -> SmallModel:
    """A grey picture (`picture`) -> one of `LEVELS`."""
    state = {"height": side, "width": side, "channels": 1}
    schema = _schema({"picture": ("image", state)}, {"label": ("category", {"levels": LEVELS})})
    weights = np.random.default_rng(2).normal(size=(side * side, len(LEVELS))).astype(np.float32) / 255
    rows, feeds = _examples(schema, examples)
    scores = feeds["image_0"].reshape(examples, -1).astype(np.float32) @ weights
    nodes = [
        ("Cast", ["image_0"], "floats"),
        ("Flatten", ["floats"], "flat"),
        ("MatMul", ["flat", "weights"], "scores"),
        ("Softmax", ["scores"], "probabilities"),
    ]
    graph = _graph(nodes, {"image_0": ["B", side, side, 1]}, {"weights": weights}, len(LEVELS))
    outputs = ("probabilities", "scores")
    return SmallModel("image-classification", schema, outputs, graph, rows, {"probabilities": _softmax(scores)})


def recording_model(examples: int = 20, channels: Sequence[str] = ("ax", "ay"), window: int = 16) -> SmallModel:
    """Channels of a recording -> one of `LEVELS`, averaged over its windows."""
    state = {"window_steps": window, "stride_steps": window // 2, "mean": 0.0, "deviation": 1.0}
    inputs = {name: ("series", state) for name in channels}
    schema = _schema(inputs, {"label": ("category", {"levels": LEVELS})})
    weights = np.random.default_rng(3).normal(size=(len(channels), len(LEVELS))).astype(np.float32)
    rows, feeds = _examples(schema, examples)
    scores = feeds["series_rows"] @ (feeds["series"].mean(axis=2) @ weights)
    nodes = [
        ("ReduceMean", ["series", "axis"], "means"),
        ("MatMul", ["means", "weights"], "of_windows"),
        ("MatMul", ["series_rows", "of_windows"], "scores"),
        ("Softmax", ["scores"], "probabilities"),
    ]
    shapes: dict[str, list[Any]] = {"series": ["W", len(channels), window], "series_rows": ["B", "W"]}
    graph = _graph(nodes, shapes, {"weights": weights, "axis": np.array([2], dtype=np.int64)}, len(LEVELS))
    outputs = ("probabilities", "scores")
    return SmallModel("series-classification", schema, outputs, graph, rows, {"probabilities": _softmax(scores)})


def _schema(inputs: dict[str, tuple[str, dict[str, Any]]], targets: dict[str, tuple[str, dict[str, Any]]]) -> Schema:
    person = Column(name="person", kind="category", role=Role.GROUP)
    return Schema(
        columns=(
            *(Column(name=name, kind=kind, state=state) for name, (kind, state) in inputs.items()),
            person,
            *(Column(name=name, kind=kind, role=Role.TARGET, state=state) for name, (kind, state) in targets.items()),
        )
    )


def _examples(schema: Schema, count: int) -> tuple[list[dict[str, Any]], dict[str, np.ndarray]]:
    rows = make_examples(schema, count, seed=0)
    values = {c.name: kind_named(c.kind).column_values([row[c.name] for row in rows], c.name) for c in schema.inputs}
    return rows, encode_columns(schema.inputs, values)


def _softmax(scores: np.ndarray) -> np.ndarray:
    powers = np.exp(scores.astype(np.float64) - scores.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def _graph(
    nodes: list[tuple[str, list[str], str]],
    inputs: dict[str, list[Any]],
    constants: dict[str, Any],
    width: int,
    outputs: tuple[str, ...] = ("probabilities", "scores"),
) -> bytes:
    from onnx import TensorProto, helper, numpy_helper

    types = {"categories": TensorProto.INT64, "image_0": TensorProto.UINT8}
    attributes: dict[str, dict[str, Any]] = {
        "Cast": {"to": TensorProto.FLOAT},
        "ReduceMean": {"keepdims": 0},
        "Softmax": {"axis": 1},
    }
    graph = helper.make_graph(
        [helper.make_node(op, taken, [made], **attributes.get(op, {})) for op, taken, made in nodes],
        "small",
        [helper.make_tensor_value_info(n, types.get(n, TensorProto.FLOAT), shape) for n, shape in inputs.items()],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["B", width]) for name in outputs],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    content: bytes = model.SerializeToString()
    return content
