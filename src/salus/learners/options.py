"""Options that a person gave, as the config of a learner."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import ValidationError

from salus.core.errors import SalusError
from salus.learners.base import LearnerConfig

C = TypeVar("C", bound=LearnerConfig)


def config_from(config: type[C], options: Mapping[str, Any], learner: str) -> C:
    """The config, or `bad_spec` that names the option."""
    try:
        return config.model_validate(dict(options))
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        raise SalusError(
            "bad_spec",
            where=f"option '{name}' of the learner {learner}",
            expected=f"{first['msg']}; its options are {', '.join(config.model_fields)}",
            found=repr(first.get("input"))[:120],
        ) from None


def derived(config: C, options: Mapping[str, Any], values: Mapping[str, Any]) -> C:
    """The config with these values where no option was given: what a person says wins."""
    return config.model_copy(update={name: value for name, value in values.items() if name not in options})
