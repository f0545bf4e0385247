"""Rows in, predictions out, from a bundle alone: kind.read, the program that runs the graphs, task.decode.

The same code answers in a notebook, when a study measures, and in the model server. Knows bundles, kinds and tasks.
Does not know HTTP, endpoints or batching; values of several requests are joined end to end before `answer`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np

from salus.bundle.read import Bundle
from salus.core.errors import SalusError
from salus.data.kinds import kind_named
from salus.data.kinds.base import Values
from salus.inference.chunks import chunks, rows_of
from salus.inference.engines.base import Engine
from salus.inference.engines.onnx import OnnxEngine
from salus.inference.examples import make_examples, typical_row
from salus.inference.programs import program_named
from salus.inference.programs.base import Options
from salus.inference.programs.single import MAIN
from salus.inference.requests import RowReader
from salus.tasks import task_named
from salus.tasks.compound import CompoundTask

WARMING_RUNS = 3
NO_OPTIONS: Options = MappingProxyType({})


class Predictor:
    """An opened bundle with its engine. Every method is safe from several threads."""

    def __init__(self, bundle: Bundle, engine: Engine) -> None:
        self.bundle = bundle
        self.engine = engine
        manifest = bundle.manifest
        self.schema = manifest.schema
        self.task = task_named(manifest.task)
        self._outputs = list(manifest.outputs)
        self._targets = [column.name for column in self.schema.targets]
        self._states = [column.state or {} for column in self.schema.targets]
        self._recordings = any(column.kind in ("series", "audio") for column in self.schema.inputs)
        self._program = program_named(manifest.program)
        self._reader = RowReader(self.schema)

    @classmethod
    def open(cls, bundle: Bundle, threads: int = 1, engine: Engine | None = None) -> Predictor:
        """A predictor that is ready to answer. engine: what runs the graphs; ONNX Runtime in this process by default."""
        needed = program_named(bundle.manifest.program).graphs
        if missing := [name for name in needed if name not in bundle.manifest.graphs]:
            raise SalusError("bundle_damaged", where="graphs", expected=", ".join(needed), found=f"no {missing[0]}")
        engine = engine if engine is not None else OnnxEngine()
        engine.load(bundle.graphs(), threads)
        return cls(bundle, engine)

    def predict_rows(self, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """One prediction a row of raw JSON values."""
        return self.answer(self.read_rows(rows))

    def predict_image(self, content: bytes) -> dict[str, Any]:
        """The prediction for the bytes of one picture."""
        return self.answer(self.read_media(content))[0]

    def predict_values(self, values: Mapping[str, Values]) -> dict[str, np.ndarray]:
        """Every output of the graph for whole columns of read values, in chunks of rows. Of a compound task what its program gives,
        for rows that fit into one run."""
        if self.task.plain:
            return dict(zip(self._outputs, self._run(values, self._outputs), strict=True))
        return {self.task.output: self._run_program(values, {})}

    def answers(self, values: Mapping[str, Values], options: Options = NO_OPTIONS) -> np.ndarray:
        """The answers (B,) of a compound task to whole columns of read values."""
        assert isinstance(self.task, CompoundTask), "a plain task has outputs of its graph"
        parts = [
            self.task.answers(self._run_program(part, options), self._states, part)
            for part in chunks(values, self.schema, self.task.rows_at_once)
        ]
        return np.concatenate(parts)

    def read_rows(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, Values]:
        """Raw JSON rows as values by column."""
        return self._reader.read(rows)

    def read_media(self, content: bytes) -> dict[str, Values]:
        """One picture or sound as it lies in a request body."""
        inputs = self.schema.inputs
        if len(inputs) != 1 or inputs[0].kind not in ("image", "audio"):
            names = ", ".join(f"{column.name} ({column.kind})" for column in inputs)
            raise SalusError("not_a_picture_model", where="the request body", found=names)
        return {inputs[0].name: [kind_named(inputs[0].kind).read(content, "the request body")]}

    def answer(self, values: Mapping[str, Values], options: Options = NO_OPTIONS) -> list[dict[str, Any]]:
        """One prediction a row. options: what a request asks of the program of a compound task."""
        if not rows_of(values):
            return []
        if not self.task.plain:
            return self.task.decode(self.answers(values, options), self._states, self._targets)
        raw = self._run(values, [self.task.output])[0]
        if not np.isfinite(raw).all():
            raise SalusError("engine_failed", found="an answer that is not finite")
        return self.task.decode(raw, self._states, self._targets)

    def _run(self, values: Mapping[str, Values], outputs: list[str]) -> list[np.ndarray]:
        if not self._recordings and rows_of(values) <= self.task.rows_at_once:
            return self.engine.run(MAIN, self._reader.encode(values), outputs)
        parts = [
            self.engine.run(MAIN, self._reader.encode(part), outputs)
            for part in chunks(values, self.schema, self.task.rows_at_once)
        ]
        return [np.concatenate([part[at] for part in parts]) for at in range(len(outputs))]

    def _run_program(self, values: Mapping[str, Values], options: Options) -> np.ndarray:
        """What the program gives for rows that go through it together."""
        return self._program.run(self.engine, self._reader.encode(values), self.task.output, self._states, options)

    def row_schema(self) -> dict[str, Any]:
        """JSON Schema of one row."""
        properties = {c.name: kind_named(c.kind).json_schema(c.state or {}) for c in self.schema.inputs}
        return {
            "type": "object",
            "properties": properties,
            "required": [c.name for c in self.schema.inputs if not c.options.get("optional")],
            "additionalProperties": False,
        }

    def request_schema(self) -> dict[str, Any]:
        """JSON Schema of a request body."""
        return {
            "type": "object",
            "properties": {"rows": {"type": "array", "items": self.row_schema(), "minItems": 1}},
            "required": ["rows"],
            "additionalProperties": False,
        }

    def answer_schema(self) -> dict[str, Any]:
        """JSON Schema of one prediction."""
        return self.task.output_schema(self._states, self._targets)

    def example_row(self) -> dict[str, Any]:
        """A plain row without missing values, made of synthetic ones."""
        rows = self.bundle.examples().get("rows") or make_examples(self.schema, 20, seed=0)
        return typical_row(self.schema, rows)

    def warm(self) -> None:
        """Runs the whole path, so that the first request does not pay for it."""
        row = self.example_row()
        for _ in range(WARMING_RUNS):
            self.predict_rows([row])

    def close(self) -> None:
        """Gives the engine's memory back."""
        self.engine.close()
