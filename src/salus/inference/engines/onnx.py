"""ONNX Runtime on the processor, in the caller's process.

Knows sessions. Does not check what a graph holds: `bundle.graph_check` did that before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnxruntime

from salus.core.errors import SalusError
from salus.inference.engines.base import Engine
from salus.inference.patience import go_on

ERRORS_ONLY = 3

onnxruntime.disable_telemetry_events()


class OnnxEngine(Engine):
    """One session a graph; a session may be run by several threads at once."""

    name = "onnx"

    def __init__(self) -> None:
        self._sessions: dict[str, tuple[onnxruntime.InferenceSession, frozenset[str]]] = {}

    def load(self, graphs: Mapping[str, bytes], threads: int) -> None:
        sessions = {}
        for name, content in graphs.items():
            try:
                session = onnxruntime.InferenceSession(content, _options(threads), providers=["CPUExecutionProvider"])
            except Exception as error:  # the runtime's own errors share no class
                raise SalusError("engine_refuses_graph", where=name, found=_first_line(error)) from None
            sessions[name] = (session, frozenset(found.name for found in session.get_inputs()))
        self._sessions = sessions

    def run(self, graph: str, feeds: Mapping[str, np.ndarray], outputs: Sequence[str]) -> list[np.ndarray]:
        found = self._sessions.get(graph)
        if found is None:
            raise SalusError("engine_failed", found=f"the graph '{graph}' is not loaded")
        session, inputs = found
        taken = {name: feed for name, feed in feeds.items() if name in inputs}
        go_on()
        try:
            arrays: list[np.ndarray] = session.run(list(outputs), taken)
        except Exception as error:  # as above
            raise SalusError("engine_failed", found=_first_line(error)) from None
        return arrays

    def outputs(self, graph: str) -> tuple[str, ...]:
        session, _ = self._sessions[graph]
        return tuple(found.name for found in session.get_outputs())

    def run_kept(self, graph: str, feeds: Mapping[str, Any], outputs: Sequence[str]) -> list[Any]:
        session, inputs = self._sessions[graph]
        taken = {
            name: onnxruntime.OrtValue.ortvalue_from_numpy(feed) if isinstance(feed, np.ndarray) else feed
            for name, feed in feeds.items()
            if name in inputs
        }
        go_on()
        try:
            values: list[Any] = session.run_with_ort_values(list(outputs), taken)
        except Exception as error:  # as above
            raise SalusError("engine_failed", found=_first_line(error)) from None
        return values

    def read(self, value: Any) -> np.ndarray:
        return value if isinstance(value, np.ndarray) else np.asarray(value.numpy())

    def close(self) -> None:
        self._sessions = {}


def _options(threads: int) -> onnxruntime.SessionOptions:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = max(1, threads)
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.log_severity_level = ERRORS_ONLY + 1
    # Idle threads that spin would take the processor from the other endpoints of this machine.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
