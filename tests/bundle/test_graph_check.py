"""What a graph may hold, and that no bytes bring the walk down."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from salus.bundle.graph_check import check_graph
from salus.core.errors import SalusError
from salus.testing.bundles import picture_model, recording_model, table_model

NUMBERS = helper.make_tensor_value_info("numbers", TensorProto.FLOAT, ["B", 3])
SCORES = helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["B", 3])


def model_of(
    *nodes: Any, initializers: tuple[Any, ...] = (), inputs: Any = (NUMBERS,), outputs: Any = (SCORES,), **more: Any
) -> Any:
    graph = helper.make_graph(list(nodes), "g", list(inputs), list(outputs), list(initializers))
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9, **more)


def add(first: str = "numbers", second: str = "numbers", made: str = "scores") -> Any:
    return helper.make_node("Add", [first, second], [made])


def refusal(content: bytes) -> SalusError:
    with pytest.raises(SalusError) as caught:
        check_graph(content)
    assert caught.value.code == "graph_refused"
    return caught.value


@pytest.mark.parametrize("model", [table_model(examples=5), picture_model(5), recording_model(5)], ids=lambda m: m.task)
def test_graphs_of_numbers_pass(model: Any) -> None:
    facts = check_graph(model.graph)
    assert facts.outputs == ["probabilities", "scores"]
    assert facts.inputs == [found.name for found in onnx.load_model_from_string(model.graph).graph.input]
    assert "Softmax" in facts.operators


def test_inputs_with_an_initializer_are_no_inputs() -> None:
    weight = numpy_helper.from_array(np.ones(3, np.float32), "weight")
    inputs = (NUMBERS, helper.make_tensor_value_info("weight", TensorProto.FLOAT, [3]))
    assert check_graph(
        model_of(add(second="weight"), initializers=(weight,), inputs=inputs).SerializeToString()
    ).inputs == ["numbers"]


def external(tensor: Any) -> Any:
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", "../secrets"
    return tensor


def subgraph_with(node: Any, *initializers: Any) -> Any:
    inner = helper.make_graph(
        [node], "inner", [], [helper.make_tensor_value_info("made", TensorProto.FLOAT, ["B", 3])], list(initializers)
    )
    return helper.make_node("If", ["yes"], ["scores"], then_branch=inner, else_branch=inner)


def strings(name: str = "words") -> Any:
    return helper.make_tensor(name, TensorProto.STRING, [1], [b"word"])


def refused_models() -> dict[str, Any]:
    weight = numpy_helper.from_array(np.ones(3, np.float32), "weight")
    location_only = numpy_helper.from_array(np.ones(3, np.float32), "weight")
    location_only.data_location = TensorProto.EXTERNAL
    function = helper.make_function(
        "own", "Twice", ["x"], ["y"], [helper.make_node("Add", ["x", "x"], ["y"])], [helper.make_opsetid("", 18)]
    )
    text_input = helper.make_tensor_value_info("numbers", TensorProto.STRING, ["B", 3])
    text_list = helper.make_value_info(
        "numbers", helper.make_sequence_type_proto(helper.make_tensor_type_proto(TensorProto.STRING, [1]))
    )
    a_map = helper.make_value_info(
        "numbers", helper.make_map_type_proto(TensorProto.INT64, helper.make_tensor_type_proto(TensorProto.FLOAT, [1]))
    )
    sparse = helper.make_sparse_tensor(
        helper.make_tensor("v", TensorProto.FLOAT, [1], [1.0]),
        helper.make_tensor("i", TensorProto.INT64, [1], [0]),
        [3],
    )
    sparse_model = model_of(add())
    sparse_model.graph.sparse_initializer.append(sparse)
    training = model_of(add())
    training.training_info.add()
    two_outputs_none = model_of(add(), outputs=())
    foreign_opset = model_of(add())
    foreign_opset.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    return {
        "external data": model_of(add(second="weight"), initializers=(external(weight),)),
        "external location alone": model_of(add(second="weight"), initializers=(location_only,)),
        "external data in a subgraph": model_of(
            subgraph_with(
                helper.make_node("Add", ["numbers", "w"], ["made"]),
                external(numpy_helper.from_array(np.ones(3, np.float32), "w")),
            )
        ),
        "external data in an attribute": model_of(
            helper.make_node(
                "Constant", [], ["scores"], value=external(numpy_helper.from_array(np.ones(3, np.float32)))
            )
        ),
        "function": model_of(add(), functions=[function]),
        "foreign domain": model_of(
            helper.make_node("FusedMatMul", ["numbers", "numbers"], ["scores"], domain="com.microsoft")
        ),
        "foreign domain in a subgraph": model_of(
            subgraph_with(helper.make_node("Run", ["numbers"], ["made"], domain="evil"))
        ),
        "foreign opset": foreign_opset,
        "string input": model_of(add(), inputs=(text_input,)),
        "sequence of strings": model_of(add(), inputs=(text_list,)),
        "map": model_of(add(), inputs=(a_map,)),
        "string initializer": model_of(add(), initializers=(strings(),)),
        "string constant": model_of(add(), helper.make_node("Constant", [], ["t"], value=strings())),
        "cast to string": model_of(helper.make_node("Cast", ["numbers"], ["scores"], to=TensorProto.STRING)),
        "string operator": model_of(helper.make_node("StringNormalizer", ["numbers"], ["scores"])),
        "picture decoder": model_of(helper.make_node("ImageDecoder", ["numbers"], ["scores"])),
        "sparse initializer": sparse_model,
        "training information": training,
        "no outputs": two_outputs_none,
    }


@pytest.mark.parametrize("name", refused_models().keys())
def test_what_reaches_outside_or_holds_text_is_refused(name: str) -> None:
    error = refusal(refused_models()[name].SerializeToString())
    assert error.text("zh") != error.text("en")


def test_endless_nesting_is_refused() -> None:
    made = [helper.make_tensor_value_info("made", TensorProto.FLOAT, ["B", 3])]
    node = helper.make_node("Identity", ["numbers"], ["made"])
    for depth in range(30):
        inner = helper.make_graph([node], f"inner {depth}", [], made)
        node = helper.make_node("If", ["yes"], ["made"], then_branch=inner)
    node.output[0] = "scores"
    refusal(model_of(node).SerializeToString())


def test_two_graphs_in_one_model_are_refused() -> None:
    content = model_of(add()).SerializeToString()
    refusal(content + content)


def test_empty_and_foreign_bytes_are_refused() -> None:
    for content in (b"", b"\x00", b"hello", b"\x80" * 20, b"\xff" * 64, b"PK\x03\x04" + b"\x00" * 100):
        refusal(content)


def test_too_large_is_refused_before_it_is_walked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("salus.bundle.graph_check.MAX_GRAPH_BYTES", 100)
    refusal(table_model(examples=1).graph)


def test_every_truncation_is_refused() -> None:
    content = model_of(add()).SerializeToString()
    whole = check_graph(content)
    for length in range(len(content)):
        try:
            facts = check_graph(content[:length])
        except SalusError as error:
            assert error.code == "graph_refused"
        else:  # only the end of the model, behind its graph, may be cut between two fields
            assert facts == whole


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=400))
def test_no_bytes_bring_it_down(content: bytes) -> None:
    try:
        check_graph(content)
    except SalusError as error:
        assert error.code == "graph_refused"


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_a_mutated_graph_never_hides_external_data_or_text(data: st.DataObject) -> None:
    """Whatever the walk lets through, the protobuf library sees neither external data nor text in it."""
    base = data.draw(
        st.sampled_from([model_of(add()), refused_models()["external data"], refused_models()["string initializer"]])
    )
    content = bytearray(base.SerializeToString())
    for _ in range(data.draw(st.integers(0, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    try:
        check_graph(bytes(content))
    except SalusError as error:
        assert error.code == "graph_refused"
        return
    try:
        model = onnx.load_model_from_string(bytes(content))
    except Exception:
        return
    for tensor in model.graph.initializer:
        assert tensor.data_location != TensorProto.EXTERNAL and not tensor.external_data
        assert tensor.data_type != TensorProto.STRING and not tensor.string_data
    assert {node.domain for node in model.graph.node} <= {"", "ai.onnx", "ai.onnx.ml"}
    assert not model.functions


def test_a_large_tree_is_walked_fast() -> None:
    count = 200_000
    attributes = {
        "nodes_featureids": list(range(count)),
        "nodes_values": np.random.default_rng(0).normal(size=count).astype(np.float32).tolist(),
        "nodes_truenodeids": [-1] * 1000,
    }
    node = helper.make_node("TreeEnsembleRegressor", ["numbers"], ["scores"], domain="ai.onnx.ml", **attributes)
    content = model_of(node).SerializeToString()
    assert len(content) > 1_500_000
    started = time.perf_counter()
    check_graph(content)
    assert time.perf_counter() - started < 0.5
