"""Several graphs as one that answers their weighted mean: of probabilities, or of numbers.

Knows ONNX. Does not know how members were chosen or weighed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from salus.learners.graphs import IR_VERSION, cleaned

SMALLEST = 1e-9  # probabilities below this have this score


def mixture(graphs: Sequence[bytes], weights: Sequence[float], classification: bool) -> bytes:
    """The mean of the graphs. Members of a classification give calibrated `probabilities` (B, K); their mean is given as its
    logarithm, as `scores`, so that calibration may follow. Members of a regression give `values` (B, M)."""
    assert len(graphs) == len(weights), "one weight a graph"
    given, output = ("probabilities", "scores") if classification else ("values", "values")
    models = [_prefixed(graph, index) for index, graph in enumerate(graphs)]
    nodes = [node for model in models for node in model.graph.node]
    initialisers = [tensor for model in models for tensor in model.graph.initializer]
    inputs: dict[str, Any] = {}
    for model in models:
        for item in model.graph.input:
            inputs.setdefault(item.name, item)
    terms = []
    for index, weight in enumerate(weights):
        initialisers.append(_scalar(f"mixture_weight_{index}", weight))
        nodes.append(helper.make_node("Mul", [f"m{index}_{given}", f"mixture_weight_{index}"], [f"mixture_{index}"]))
        terms.append(f"mixture_{index}")
    last = "mixture_mean" if classification else output
    nodes.append(helper.make_node("Sum", terms, [last]))
    if classification:
        initialisers.append(_scalar("mixture_smallest", SMALLEST))
        nodes.append(helper.make_node("Max", [last, "mixture_smallest"], ["mixture_bounded"]))
        nodes.append(helper.make_node("Log", ["mixture_bounded"], [output]))
    declared = onnx.ValueInfoProto()
    declared.CopyFrom(models[0].graph.output[0])
    declared.name = output
    graph = helper.make_graph(nodes, "salus", list(inputs.values()), [declared], initialisers)
    return cleaned(helper.make_model(graph, opset_imports=_opsets(models), ir_version=IR_VERSION))


def mixed(answers: Sequence[np.ndarray], weights: Sequence[float], classification: bool) -> np.ndarray:
    """The same in numpy, of probabilities (B, K) or values (B, M): the scores, or the values, of the mixture."""
    total = np.zeros(answers[0].shape)
    for weight, of_member in zip(weights, answers, strict=True):
        total += weight * np.asarray(of_member, dtype=np.float64)
    return np.log(np.maximum(total, SMALLEST)) if classification else total


def _prefixed(graph: bytes, index: int) -> Any:
    """The model with every name but those of its feeds begun by that of the member, in the bodies of its scans too."""
    model = onnx.load_model_from_string(graph)
    feeds = {item.name for item in model.graph.input}
    _rename(model.graph, f"m{index}_", feeds, top=True)
    return model


def _rename(graph: Any, prefix: str, feeds: set[str], top: bool) -> None:
    """A body sees the names around it, so all levels are renamed alike."""
    named = [*graph.initializer, *graph.output, *graph.value_info] + ([] if top else list(graph.input))
    for thing in named:
        thing.name = prefix + thing.name
    for node in graph.node:
        node.name = prefix + node.name
        for names in (node.input, node.output):
            for place, name in enumerate(names):
                if name and name not in feeds:
                    names[place] = prefix + name
        for attribute in node.attribute:
            for body in (attribute.g, *attribute.graphs):
                if body.node:
                    _rename(body, prefix, feeds, top=False)


def _scalar(name: str, value: float) -> Any:
    return numpy_helper.from_array(np.asarray(value, dtype=np.float32), name)


def _opsets(models: Sequence[Any]) -> list[Any]:
    """One version a domain: members are all written here, for the same versions."""
    found: dict[str, int] = {}
    for model in models:
        for item in model.opset_import:
            assert found.setdefault(item.domain, item.version) == item.version, "members are of one version"
    return [helper.make_opsetid(domain, version) for domain, version in sorted(found.items())]
