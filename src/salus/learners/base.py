"""The contract of a learner: a way to learn a task.

A learner may assume fitted kinds, encoded feeds and a target without missing values. It must keep: the seed decides
everything it draws; it asks `context.stop_if_asked` at least every second; with a checkpoint path it resumes to the same bits;
its exported graph gives raw scores (`scores` float32 (B, K) logits) or, for regression, `values` float32 (B, M)
for the feeds it was given, batch axis free. Calibration is added by others. For a compound task its graphs are what the program
named by `Fitted.program` runs (see `salus.inference.programs`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from salus.core.context import Context
from salus.core.nouns import Schema
from salus.data.kinds.base import Values
from salus.tasks.base import Task

Program = Literal["single", "encoder-step", "continuation", "diffusion"]


class LearnerConfig(BaseModel):
    """Every field has a unit (in its name where there is one), a default and bounds; the catalogue is made of them."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def searched(default: Any, low: float, high: float, *, log: bool = False, **bounds: Any) -> Any:
    """A field of a Config that tuning may change: between `low` and `high`, evenly, or evenly in its logarithm. An integer default
    is tuned in whole numbers. `bounds`: what `Field` takes, `description` among it."""
    return Field(default, json_schema_extra={"search": {"low": low, "high": high, "log": log}}, **bounds)


def searched_among(default: Any, choices: Sequence[Any], **bounds: Any) -> Any:
    """A field of a Config that tuning may change to one of `choices`."""
    return Field(default, json_schema_extra={"search": {"choices": list(choices)}}, **bounds)


@dataclass(frozen=True)
class Part:
    """The rows of one side of a split, encoded.

    feeds: graph inputs (see `Kind.join`), axis 0 rows, but `series` (W, C, T), whose windows `series_rows` (B, W) maps to rows.
    target: int64 codes (B,), or float64 (B, M), or what a compound task keeps: (B,) of objects, or dense. rows: their
    indices in the data version. groups: None without groups. values: of the inputs, as their kinds read them; for compound tasks
    alone, whose answers may be made of their inputs.
    """

    feeds: dict[str, np.ndarray]
    target: np.ndarray
    rows: np.ndarray
    groups: np.ndarray | None = None
    values: Mapping[str, Values] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.target)


@dataclass(frozen=True)
class Prepared:
    """What a learner learns from. `classes` is K for classification, M (targets) for regression, 0 for a compound task. `task`: its name.

    `validation` may have no rows: then all is learned from, and nothing is chosen by rows held out (but by folds of train)."""

    schema: Schema
    train: Part
    validation: Part
    classification: bool
    classes: int
    seed: int
    threads: int
    task: str = ""


class Fitted(ABC):
    """What a fit gave. `details` is JSON for the report: steps done, best iteration, curves. `refit`: changes of the config with
    which a fit without validation rows learns as much (boosting: as many trees as were best). `program`: what runs its graphs."""

    details: dict[str, Any]
    refit: Mapping[str, Any] = MappingProxyType({})
    program: Program = "single"

    @abstractmethod
    def raw(self, feeds: Mapping[str, np.ndarray]) -> np.ndarray:
        """What the trainer's own library answers (not the graph): scores (B, K), or values (B, M); for a compound task what its
        program gives, with default options. The bundle's examples are made of it, so that a graph that says something else is
        refused before it is published."""

    def export(self, path: Path) -> None:
        """Writes the one ONNX graph (single file, no external data, metadata stripped, checked)."""
        raise NotImplementedError

    def graphs(self, folder: Path) -> dict[str, bytes]:
        """All graphs by name, each by the rules of `export`; one called `main` for a program of a single pass. folder: for files
        on the way, which are gone afterwards."""
        path = folder / "exported.onnx"
        try:
            self.export(path)
            return {"main": path.read_bytes()}
        finally:
            path.unlink(missing_ok=True)

    def saliency_graph(self) -> bytes | None:
        """An ONNX graph with the same feeds that shows where it looks: output `saliency` float32, at least 0, (B, h, w) over the
        pictures or (W, t) over the windows, coarser than these: what speaks for the most probable class (for numbers: what
        the answer moves with). None for a learner that has no such view."""
        return None


@dataclass(frozen=True)
class Proposal:
    """A config with its expected cost, made for a budget before anything is fitted; it is stored in the plan."""

    config: dict[str, Any]
    expected_s: float
    notes: dict[str, Any] = field(default_factory=dict)


class Learner(ABC):
    name: ClassVar[str]
    Config: ClassVar[type[LearnerConfig]]

    def __init__(self, config: LearnerConfig):
        self.config = config

    @classmethod
    @abstractmethod
    def learns(cls, task: Task, kinds: frozenset[str]) -> bool:
        """Whether it can learn this task from inputs of these kinds."""

    @classmethod
    def reads(cls, options: Mapping[str, Any]) -> Mapping[str, Mapping[str, Any]]:
        """Kind of an input -> options that it is fitted with for this learner, in place of the task's; only when a person named it."""
        return {}

    @classmethod
    @abstractmethod
    def propose(cls, prepared: Prepared, options: Mapping[str, Any], budget_s: float, context: Context) -> Proposal:
        """A full config for this budget: `options` as given (they win), the rest derived from sizes and from rates that
        are measured here for at most a tenth of the budget. What it returns decides the fit; the clock is only a guard."""

    @abstractmethod
    def fit(self, prepared: Prepared, context: Context) -> Fitted:
        """Learns with `self.config`. A SalusError for what the data cannot give."""
