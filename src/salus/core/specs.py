"""What a person may ask for: how to read data, what to train. Checked the moment it is asked, not an hour later."""

from __future__ import annotations

import re
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from salus.core.errors import SalusError


class Spec(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


S = TypeVar("S", bound=Spec)


class Join(Spec):
    """Another file of the same upload or folder, joined by a column that both have."""

    path: str
    on: str


class Recording(Spec):
    """One long table: every row is a sample of the recording that `id` names; rows of one id lie in the order of `time`."""

    id: str
    time: str | None = None  # seconds as numbers, or times; None: the rows are in order


class Threshold(Spec):
    """How the label of two classes is decided: the share of one to reach, or the costs of the two mistakes."""

    positive: str  # the label whose probability is compared
    sensitivity: float | None = Field(default=None, gt=0, le=1)
    specificity: float | None = Field(default=None, gt=0, le=1)
    missed_cost: float | None = Field(default=None, gt=0)  # of a positive that is called negative
    alarm_cost: float | None = Field(default=None, gt=0)  # of a negative that is called positive


class DataSpec(Spec):
    """How a file or folder is read. Everything left out is found."""

    kinds: dict[str, str] = Field(default_factory=dict)  # column -> kind, overriding what was recognised
    roles: dict[str, str] = Field(default_factory=dict)  # column -> role, overriding what was recognised
    units: dict[str, str] = Field(default_factory=dict)  # column -> unit, as the person says; never guessed
    delimiter: str | None = None
    encoding: str | None = None
    header: bool = True  # False: the first line is a row already; columns are called c0, c1, ...
    missing: tuple[str, ...] = ()  # texts that mean missing, beside the usual ones
    member: str | None = None  # a file inside the folder or archive (PATH#member)
    join: tuple[Join, ...] = ()  # other files whose columns are added by a common column
    recording: Recording | None = None  # rows are samples of recordings, not rows to predict
    rate_hz: float | None = Field(default=None, gt=0, le=1e7)  # samples a second of recordings
    window_s: float | None = Field(default=None, gt=0, le=86400)  # seconds of a recording that are seen at once
    stride_s: float | None = Field(default=None, gt=0, le=86400)  # seconds from one window to the next


class TrainSpec(Spec):
    """What is trained on a data version."""

    target: tuple[str, ...]
    task: str | None = None  # which task it is, where the kinds of the columns leave a choice
    group: str | None = None
    find_group: bool = True  # without a group: one that is found in the data keeps people on one side
    time: str | None = None  # split by this column: the latest rows are the test
    split: str | None = None  # a column that holds train / validation / test
    ignore: tuple[str, ...] = ()
    horizon: int | None = Field(default=None, ge=1, le=2048)  # forecast: so many steps ahead of every moment
    history: int | None = Field(default=None, ge=1, le=512)  # steps that a forecast looks back; None: as the data have
    known: tuple[str, ...] = ()  # columns of numbers that are known of the steps ahead too, such as a plan
    split_at: tuple[int | str, ...] = Field(default=(), max_length=3)  # rows or moments: choose, judge, end
    new_series: bool = False  # forecasts are judged on series (of `group`) that were never learned from
    learner: str = "auto"
    start: str | None = Field(default=None, max_length=4096)  # a folder with a model of transformers to start from
    options: dict[str, Any] = Field(default_factory=dict)  # fields of the learner's Config
    budget_s: float = Field(default=300.0, ge=1.0, le=7 * 24 * 3600.0)
    seed: int = Field(default=0, ge=0, lt=2**31)
    threads: int = Field(default=0, ge=0, le=1024)  # 0: as many as the machine has
    max_latency_ms: float | None = Field(default=None, gt=0)  # of one row, in the process that answers
    contrast: bool = True  # with groups: also what a random split would have claimed
    threshold: Threshold | None = None
    coverage: float | None = Field(default=None, gt=0, le=1)  # share of rows to answer; the least sure ones are not
    policy: dict[str, Any] = Field(default_factory=dict)  # what the gate demands; see salus.core.gate
    recipe: str | None = None  # a function of salus.recipes whose options apply

    @field_validator("target", mode="before")
    @classmethod
    def _one_or_several(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value


def checked(model: type[S], data: dict[str, Any], where: str) -> S:
    """The spec made of `data`, or `bad_spec` that names the field."""
    try:
        return model.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"]) or where
        expected, found = first["msg"].removeprefix("Input should be "), repr(first.get("input"))
        if first["type"] == "extra_forbidden":
            known = ", ".join(model.model_fields) if len(first["loc"]) == 1 else "those of the documentation"
            expected, found = f"one of the fields {known}", f"the field '{first['loc'][-1]}'"
        raise SalusError("bad_spec", where=f"{where}, field '{field}'", expected=expected, found=found[:120]) from None


def parse_duration_s(text: str) -> float:
    """Seconds of '90', '90s', '5m', '1.5h'."""
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(s|m|h|)\s*", text)
    if match is None:
        raise SalusError("bad_spec", where="duration", expected="a number with s, m or h, such as 5m", found=text[:40])
    return float(match[1]) * {"": 1, "s": 1, "m": 60, "h": 3600}[match[2]]


def parse_milliseconds(text: str) -> float:
    """Milliseconds of '5', '5ms', '0.5ms', '1s'."""
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(ms|s|)\s*", text)
    if match is None:
        raise SalusError("bad_spec", where="latency", expected="a number with ms or s, such as 5ms", found=text[:40])
    return float(match[1]) * {"": 1.0, "ms": 1.0, "s": 1000.0}[match[2]]
