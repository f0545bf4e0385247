"""The nouns of DESIGN: columns and their kinds and roles, schemas, and the states of runs and jobs.

Plain frozen records, the same in code, files and HTTP.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class Noun(BaseModel):
    """A frozen record that refuses fields it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Role(StrEnum):
    """What a column is for."""

    INPUT = "input"
    TARGET = "target"
    GROUP = "group"
    TIME = "time"
    SPLIT = "split"
    WEIGHT = "weight"
    IGNORE = "ignore"


class Column(Noun):
    """One field of a row. `kind` is a name in `salus.data.kinds`; `state` is what the kind learned on train rows
    (None before fitting). `options` is what a person said about the kind: rate_hz, window_s, unit."""

    name: str
    kind: str
    role: Role = Role.INPUT
    options: dict[str, Any] = Field(default_factory=dict)
    state: dict[str, Any] | None = None


class Schema(Noun):
    """The columns in their order, and the task that follows from them (None before it is known)."""

    columns: tuple[Column, ...]
    task: str | None = None

    def column(self, name: str) -> Column:
        return next(column for column in self.columns if column.name == name)

    def with_role(self, role: Role) -> tuple[Column, ...]:
        return tuple(column for column in self.columns if column.role == role)

    @property
    def inputs(self) -> tuple[Column, ...]:
        return self.with_role(Role.INPUT)

    @property
    def targets(self) -> tuple[Column, ...]:
        return self.with_role(Role.TARGET)


class Severity(StrEnum):
    INFO = "info"
    WARNING = "warning"
    BLOCKER = "blocker"


class Finding(Noun):
    """Something about the data that its owner should know. `code` is a row of the message catalogue."""

    code: str
    severity: Severity
    columns: tuple[str, ...] = ()
    rows: tuple[int, ...] = ()  # the first ones, at most 20
    count: int = 0
    parameters: dict[str, Any] = Field(default_factory=dict)


class RunState(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def over(self) -> bool:
        return self in (RunState.SUCCEEDED, RunState.FAILED, RunState.CANCELLED)


class Split(StrEnum):
    TRAIN = "train"
    VALIDATION = "validation"
    TEST = "test"


class Interval(Noun):
    """A value and its 95 % interval."""

    value: float
    low: float
    high: float
    wide: bool = False  # few units: read it with care
