"""Every engine keeps the contract; the one in a process of its own survives its process."""

from __future__ import annotations

import io
import os
import signal
import time
from pathlib import Path

import numpy as np
import onnx
import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper

from salus.core.errors import SalusError
from salus.inference.engines import ENGINES, new_engine
from salus.inference.engines.base import Engine
from salus.inference.engines.frames import described, raw, read_frame, restored, write_frame
from salus.inference.engines.onnx import OnnxEngine
from salus.inference.engines.process import ProcessEngine
from salus.inference.predictor import Predictor
from salus.testing.bundles import table_model
from salus.testing.engine import EngineContract, doubling_graph

FEEDS = {"numbers": np.ones((1, 1), np.float32)}


class TestOnnxEngine(EngineContract):
    def make_engine(self) -> Engine:
        return OnnxEngine()


class TestProcessEngine(EngineContract):
    def make_engine(self) -> Engine:
        return ProcessEngine()


def test_engines_are_found_by_name() -> None:
    assert {new_engine(name).name for name in ENGINES} == set(ENGINES)


def endless_graph() -> bytes:
    """Adds 1 more times than anybody waits for."""
    body = helper.make_graph(
        [helper.make_node("Add", ["sum", "one"], ["more"]), helper.make_node("Identity", ["go"], ["goes"])],
        "body",
        [helper.make_tensor_value_info("i", TensorProto.INT64, []), helper.make_tensor_value_info("go", TensorProto.BOOL, []),
         helper.make_tensor_value_info("sum", TensorProto.FLOAT, ["B", "N"])],
        [helper.make_tensor_value_info("goes", TensorProto.BOOL, []), helper.make_tensor_value_info("more", TensorProto.FLOAT, ["B", "N"])],
        [helper.make_tensor("one", TensorProto.FLOAT, [], [1.0])],
    )  # fmt: skip
    return _one_output(helper.make_node("Loop", ["times", "yes", "numbers"], ["values"], body=body), times=2**60)


def hungry_graph() -> bytes:
    """Asks for 16 GiB."""
    return _one_output(helper.make_node("Expand", ["numbers", "times"], ["values"]), times=2**32)


def _one_output(node: onnx.NodeProto, times: int) -> bytes:
    shape = [1] if node.op_type == "Expand" else []
    graph = helper.make_graph(
        [node],
        "g",
        [helper.make_tensor_value_info("numbers", TensorProto.FLOAT, ["B", "N"])],
        [helper.make_tensor_value_info("values", TensorProto.FLOAT, None)],
        [
            helper.make_tensor("times", TensorProto.INT64, shape, [times]),
            helper.make_tensor("yes", TensorProto.BOOL, [], [True]),
        ],
    )
    content: bytes = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9
    ).SerializeToString()
    return content


def fails(engine: Engine) -> str:
    with pytest.raises(SalusError) as caught:
        engine.run("main", FEEDS, ["values"])
    assert caught.value.code == "engine_failed"
    return caught.value.detail()


def test_after_a_crash_the_next_run_finds_a_fresh_process() -> None:
    engine = ProcessEngine()
    engine.load({"main": doubling_graph()}, threads=1)
    first = engine.process_id
    assert first is not None
    os.kill(first, signal.SIGSTOP)  # it takes the run, then dies in the middle of it
    engine._run_timeout_s = 0.3
    assert "0.3 seconds" in fails(engine)
    engine._run_timeout_s = 30.0
    assert engine.run("main", FEEDS, ["values"])[0].item() == 2.0
    assert engine.process_id not in (None, first)
    second = engine.process_id
    assert second is not None
    os.kill(second, signal.SIGKILL)
    psutil.Process(second).wait(5)
    assert engine.run("main", FEEDS, ["values"])[0].item() == 2.0
    last = engine.process_id
    engine.close()
    assert last is not None and not psutil.pid_exists(last)


def test_a_run_that_takes_too_long_is_ended() -> None:
    engine = ProcessEngine(run_timeout_s=0.5)
    engine.load({"main": endless_graph()}, threads=1)
    started = time.monotonic()
    assert "within 0.5 seconds" in fails(engine)
    assert time.monotonic() - started < 5
    engine.close()


def test_a_run_that_wants_too_much_memory_fails_alone() -> None:
    engine = ProcessEngine(memory_bytes=3 * 2**30)
    engine.load({"main": hungry_graph(), "other": doubling_graph()}, threads=1)
    fails(engine)
    assert engine.run("other", FEEDS, ["values"])[0].item() == 2.0
    engine.close()


def test_its_process_sees_no_secret_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SALUS_SECRET", "hidden")
    engine = ProcessEngine()
    engine.load({"main": doubling_graph()}, threads=1)
    assert engine.process_id is not None
    assert "SALUS_SECRET" not in psutil.Process(engine.process_id).environ()
    engine.close()


def test_a_predictor_runs_on_it(tmp_path: Path) -> None:
    model = table_model(examples=30)
    bundle = model.write(tmp_path / "bundle")
    inside, apart = Predictor.open(bundle), Predictor.open(bundle, engine=ProcessEngine())
    assert apart.predict_rows(model.rows) == inside.predict_rows(model.rows)
    inside.close()
    apart.close()


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from([np.float32, np.int64, np.uint8, np.bool_]), max_size=4), st.data())
def test_frames_carry_arrays_as_they_are(dtypes: list[type], data: st.DataObject) -> None:
    shapes = [tuple(data.draw(st.lists(st.integers(0, 4), max_size=3))) for _ in dtypes]
    arrays = [np.ones(shape, dtype) for shape, dtype in zip(shapes, dtypes, strict=True)]
    stream = io.BytesIO()
    write_frame(stream, {"arrays": [described(a) for a in arrays]}, [raw(a) for a in arrays])
    stream.seek(0)
    header, parts = read_frame(stream)
    for array, description, content in zip(arrays, header["arrays"], parts, strict=True):
        back = restored(description, content)
        assert back.dtype == array.dtype and back.shape == array.shape and np.array_equal(back, array)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=100))
def test_no_bytes_bring_the_reader_of_frames_down(content: bytes) -> None:
    with pytest.raises((EOFError, ValueError)):
        read_frame(io.BytesIO(content))


@pytest.mark.parametrize(
    "description",
    [None, {}, {"dtype": "object", "shape": [1]}, {"dtype": "float32", "shape": [2]}, {"dtype": "float32", "shape": [-1]},
     {"dtype": "float32", "shape": [True]}, {"dtype": "float32", "shape": "1"}, {"dtype": ["float32"], "shape": [1]}],
)  # fmt: skip
def test_descriptions_that_do_not_fit_are_refused(description: object) -> None:
    with pytest.raises((ValueError, TypeError)):
        restored(description, b"\x00" * 4)


def test_arrays_of_objects_never_leave() -> None:
    with pytest.raises(SalusError):
        described(np.array(["text"], dtype=object))
