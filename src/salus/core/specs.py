"""What a person may ask for: how to read data, what to train. Checked the moment it is asked, not an hour later."""

from __future__ import annotations

import re
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from salus.core.errors import SalusError


class Spec(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


S = TypeVar("S", bound=Spec)


class DataSpec(Spec):
    """How a file or folder is read. Everything left out is found."""

    kinds: dict[str, str] = Field(default_factory=dict)  # column -> kind, overriding what was recognised
    delimiter: str | None = None
    encoding: str | None = None


class TrainSpec(Spec):
    """What is trained on a data version."""

    target: tuple[str, ...]
    group: str | None = None
    split: str | None = None  # a column that holds train / validation / test
    ignore: tuple[str, ...] = ()
    learner: str = "auto"
    options: dict[str, Any] = Field(default_factory=dict)  # fields of the learner's Config
    budget_s: float = Field(default=300.0, ge=1.0, le=7 * 24 * 3600.0)
    seed: int = Field(default=0, ge=0, lt=2**31)
    threads: int = Field(default=0, ge=0, le=1024)  # 0: as many as the machine has
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
        raise SalusError(
            "bad_spec", where=f"{where}, field '{field}'", expected=first["msg"], found=repr(first.get("input"))[:120]
        ) from None


def parse_duration_s(text: str) -> float:
    """Seconds of '90', '90s', '5m', '1.5h'."""
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(s|m|h|)\s*", text)
    if match is None:
        raise SalusError("bad_spec", where="duration", expected="a number with s, m or h, such as 5m", found=text[:40])
    return float(match[1]) * {"": 1, "s": 1, "m": 60, "h": 3600}[match[2]]
