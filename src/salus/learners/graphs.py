"""Parts from which learners make their ONNX graphs.

Knows ONNX and what a graph of ours may hold. Does not know what a learner learned.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

OPSET = 18
ML_OPSET = 3
IR_VERSION = 9
MAX_GRAPH_BYTES = 200 * 2**20


class GraphBuilder:
    """Collects nodes; every method gives the name of what it made, to be the input of the next one."""

    def __init__(self, outer: GraphBuilder | None = None) -> None:
        self._prefix = "" if outer is None else "each_"
        self._nodes: list[Any] = []
        self._initialisers: list[Any] = [] if outer is None else outer._initialisers
        self._inputs: dict[str, Any] = {}

    def feed(self, name: str, dtype: type[np.generic], shape: tuple[str | int, ...]) -> str:
        """A graph input; the same name twice is the same input."""
        element = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
        self._inputs.setdefault(name, helper.make_tensor_value_info(name, element, shape))
        return name

    def constant(self, value: Any, dtype: type[np.generic] = np.float32) -> str:
        """A tensor that is part of the graph."""
        name = f"constant_{len(self._initialisers)}"
        self._initialisers.append(numpy_helper.from_array(np.asarray(value, dtype=dtype), name))
        return name

    def node(self, operator: str, *inputs: str, domain: str = "", **attributes: Any) -> str:
        """One operator with one output."""
        name = f"{self._prefix}{operator.lower()}_{len(self._nodes)}"
        self._nodes.append(helper.make_node(operator, list(inputs), [name], name=name, domain=domain, **attributes))
        return name

    def several(self, operator: str, outputs: int, *inputs: str, **attributes: Any) -> list[str]:
        """One operator with several outputs."""
        name = f"{self._prefix}{operator.lower()}_{len(self._nodes)}"
        names = [f"{name}_{output}" for output in range(outputs)]
        self._nodes.append(helper.make_node(operator, list(inputs), names, name=name, **attributes))
        return names

    def each(
        self, items: str, shape: tuple[int | str, ...], width: int, work: Callable[[GraphBuilder, str], str]
    ) -> str:
        """`work` on one item of axis 0 after the other, so that memory does not grow with their number.

        work: makes a value (1, width) of a value (1, *shape) with the builder it is given. Gives a value (items, width).
        """
        inner = GraphBuilder(self)
        first = self.constant([0], np.int64)
        row = inner.node("Squeeze", work(inner, inner.node("Unsqueeze", "each_item", first)), first)
        item = helper.make_tensor_value_info("each_item", onnx.TensorProto.FLOAT, shape)
        result = helper.make_tensor_value_info(row, onnx.TensorProto.FLOAT, (width,))
        body = helper.make_graph(inner._nodes, "each", [item], [result])
        return self.node("Scan", items, body=body, num_scan_inputs=1)

    def finish(self, output: str, value: str, *sizes: int | str) -> bytes:
        """The graph whose one output, called `output`, is `value` as float32 (rows, *sizes)."""
        return self.finish_all({output: (value, ("rows", *sizes))})

    def finish_all(self, outputs: Mapping[str, tuple[str, tuple[int | str, ...]]]) -> bytes:
        """The graph with several outputs: name -> value, which is float32, and its shape."""
        declared = []
        for output, (value, shape) in outputs.items():
            self._nodes.append(helper.make_node("Identity", [value], [output], name=f"as_{output}"))
            declared.append(helper.make_tensor_value_info(output, onnx.TensorProto.FLOAT, shape))
        graph = helper.make_graph(self._nodes, "salus", list(self._inputs.values()), declared, self._initialisers)
        opsets = [helper.make_opsetid("", OPSET)]
        if any(node.domain == "ai.onnx.ml" for node in self._nodes):
            opsets.append(helper.make_opsetid("ai.onnx.ml", ML_OPSET))
        return cleaned(helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION))


def cleaned(model: Any) -> bytes:
    """The model's bytes without anything that tells where or how it was made; checked, one file."""
    model.producer_name, model.producer_version, model.doc_string = "salus", "", ""
    del model.metadata_props[:]
    graph = model.graph
    graph.doc_string = ""
    del graph.metadata_props[:]
    del graph.value_info[:]
    for thing in (*graph.node, *graph.initializer, *graph.input, *graph.output):
        thing.doc_string = ""
        del thing.metadata_props[:]
    for tensor in graph.initializer:
        assert tensor.data_location != onnx.TensorProto.EXTERNAL, f"{tensor.name} lies outside of the graph"
    data: bytes = model.SerializeToString()
    assert len(data) <= MAX_GRAPH_BYTES, f"a graph of {len(data)} bytes is too large"
    onnx.checker.check_model(data, full_check=True)
    return data
