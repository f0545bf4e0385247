"""What every engine must keep (`salus.inference.engines.base`). Subclass it and give `make_engine`.

The tests make their graphs with the `onnx` package.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from salus.core.errors import SalusError
from salus.inference.engines.base import Engine


def doubling_graph(factor: float = 2.0) -> bytes:
    """`numbers` float32 (B, N) -> `values`, every number times `factor`, and `rows`, how many there are."""
    from onnx import TensorProto, helper

    nodes = [
        helper.make_node("Mul", ["numbers", "factor"], ["values"]),
        helper.make_node("Shape", ["numbers"], ["rows"], start=0, end=1),
    ]
    graph = helper.make_graph(
        nodes,
        "doubling",
        [helper.make_tensor_value_info("numbers", TensorProto.FLOAT, ["B", "N"])],
        [
            helper.make_tensor_value_info("values", TensorProto.FLOAT, ["B", "N"]),
            helper.make_tensor_value_info("rows", TensorProto.INT64, [1]),
        ],
        [helper.make_tensor("factor", TensorProto.FLOAT, [], [factor])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    content: bytes = model.SerializeToString()
    return content


class EngineContract:
    """Tests of one engine; `make_engine` gives a fresh one."""

    def make_engine(self) -> Engine:
        raise NotImplementedError

    @pytest.fixture
    def engine(self) -> Any:
        engine = self.make_engine()
        yield engine
        engine.close()

    def test_it_runs_what_it_was_given(self, engine: Engine) -> None:
        engine.load({"main": doubling_graph()}, threads=1)
        numbers = np.arange(6, dtype=np.float32).reshape(2, 3)
        values, rows = engine.run("main", {"numbers": numbers}, ["values", "rows"])
        assert np.array_equal(values, numbers * 2) and values.dtype == np.float32
        assert rows.tolist() == [2] and rows.dtype == np.int64

    def test_it_gives_only_the_outputs_asked_for(self, engine: Engine) -> None:
        engine.load({"main": doubling_graph()}, threads=1)
        assert len(engine.run("main", {"numbers": np.ones((1, 1), np.float32)}, ["rows"])) == 1

    def test_it_leaves_out_feeds_that_the_graph_does_not_have(self, engine: Engine) -> None:
        engine.load({"main": doubling_graph()}, threads=1)
        feeds: dict[str, np.ndarray] = {
            "numbers": np.ones((1, 2), np.float32),
            "categories": np.zeros((1, 1), np.int64),
        }
        assert engine.run("main", feeds, ["values"])[0].tolist() == [[2.0, 2.0]]

    def test_it_keeps_several_graphs_apart(self, engine: Engine) -> None:
        engine.load({"main": doubling_graph(2.0), "step": doubling_graph(3.0)}, threads=1)
        feeds = {"numbers": np.ones((1, 1), np.float32)}
        assert engine.run("main", feeds, ["values"])[0].item() == 2.0
        assert engine.run("step", feeds, ["values"])[0].item() == 3.0

    def test_several_threads_may_run_it_at_once(self, engine: Engine) -> None:
        engine.load({"main": doubling_graph()}, threads=1)

        def run(number: int) -> float:
            feeds = {"numbers": np.full((1, 4), number, np.float32)}
            return float(engine.run("main", feeds, ["values"])[0][0, 3])

        with ThreadPoolExecutor(4) as threads:
            assert list(threads.map(run, range(40))) == [2.0 * number for number in range(40)]

    def test_a_missing_feed_fails_and_the_next_run_works(self, engine: Engine) -> None:
        engine.load({"main": doubling_graph()}, threads=1)
        with pytest.raises(SalusError) as caught:
            engine.run("main", {}, ["values"])
        assert caught.value.code == "engine_failed"
        assert engine.run("main", {"numbers": np.ones((1, 1), np.float32)}, ["values"])[0].item() == 2.0

    def test_bytes_that_are_no_graph_are_refused(self, engine: Engine) -> None:
        with pytest.raises(SalusError) as caught:
            engine.load({"main": b"no graph"}, threads=1)
        assert caught.value.code == "engine_refuses_graph"

    def test_closing_twice_is_allowed_and_running_afterwards_is_not(self, engine: Engine) -> None:
        engine.load({"main": doubling_graph()}, threads=1)
        engine.close()
        engine.close()
        with pytest.raises(SalusError) as caught:
            engine.run("main", {"numbers": np.ones((1, 1), np.float32)}, ["values"])
        assert caught.value.code == "engine_failed"
