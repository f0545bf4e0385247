"""Which kinds, tasks, learners, options and recipes there are: plain data beside this file, made from the classes by
`scripts/make_catalogue.py` and tested for staleness.

So a wrong option is refused the moment it is asked, by a program that never loads a learner.
"""

from __future__ import annotations

import json
import math
from functools import cache
from pathlib import Path
from typing import Any

from salus.core.errors import SalusError
from salus.core.gate import check_policy
from salus.core.specs import TrainSpec

FILE = Path(__file__).with_name("catalogue.json")
PYTHON_TYPES: dict[str, tuple[type[Any], ...]] = {
    "integer": (int,),
    "number": (int, float),
    "string": (str,),
    "boolean": (bool,),
    "null": (type(None),),
    "array": (list, tuple),
}

# kind of the inputs -> the learner that begins with a folder that a person names
STARTED = {"image": "pretrained_image", "text": "pretrained_text"}


@cache
def catalogue() -> dict[str, Any]:
    """{"kinds", "tasks", "recipes": names; "learners": {name: {"extra", "options": JSON Schema}}}."""
    return dict(json.loads(FILE.read_bytes()))


def check_train_spec(spec: TrainSpec) -> None:
    """`bad_spec` for a learner, an option or a recipe that there is not, or a value outside its range; also of the policy."""
    check_policy(spec.policy)
    learners = catalogue()["learners"]
    if spec.recipe is not None and spec.recipe not in catalogue()["recipes"]:
        raise SalusError(
            "bad_spec", where="recipe", expected=f"one of {_words(catalogue()['recipes'])}", found=spec.recipe[:60]
        )
    if spec.task is not None and spec.task not in catalogue()["tasks"]:
        raise SalusError(
            "bad_spec", where="task", expected=f"one of {_words(catalogue()['tasks'])}", found=spec.task[:60]
        )
    if spec.learner != "auto" and spec.learner not in learners:
        raise SalusError(
            "bad_spec", where="learner", expected=f"auto or one of {_words(learners)}", found=spec.learner[:60]
        )
    if not spec.options:
        return
    if spec.start is not None:  # which of them it is follows from the data
        learners = {name: one for name, one in learners.items() if name in STARTED.values()}
    every = spec.learner == "auto" or spec.start is not None
    of_learner = _all_options(learners) if every else learners[spec.learner]["options"]
    for name, value in spec.options.items():
        if name not in of_learner:
            known = _words(sorted(of_learner))
            raise SalusError(
                "bad_spec", where=f"options of {spec.learner}", expected=f"some of {known}", found=str(name)[:60]
            )
        if not fits(value, of_learner[name]):
            expected = describe(of_learner[name])
            raise SalusError("bad_spec", where=f"option '{name}'", expected=expected, found=repr(value)[:80])


def fits(value: Any, schema: dict[str, Any]) -> bool:
    """Whether a JSON value is of the type and in the range of this schema (the parts of JSON Schema that options use)."""
    if "anyOf" in schema:
        return any(fits(value, part) for part in schema["anyOf"])
    if "enum" in schema or "const" in schema:
        return value in schema.get("enum", [schema.get("const")])
    if not _of_type(value, schema.get("type")):
        return False
    if schema.get("type") == "array":
        count = schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", math.inf)
        return bool(count and all(fits(item, schema.get("items", {})) for item in value))
    if schema.get("type") in ("integer", "number"):
        return bool(
            math.isfinite(value)
            and value >= schema.get("minimum", -math.inf)
            and value <= schema.get("maximum", math.inf)
            and value > schema.get("exclusiveMinimum", -math.inf)
            and value < schema.get("exclusiveMaximum", math.inf)
        )
    return True


def _of_type(value: Any, name: str | None) -> bool:
    if name not in PYTHON_TYPES:
        return True
    return isinstance(value, PYTHON_TYPES[name]) and (name == "boolean" or not isinstance(value, bool))


def describe(schema: dict[str, Any]) -> str:
    """The type and range of an option in words."""
    if "anyOf" in schema:
        return " or ".join(describe(part) for part in schema["anyOf"])
    if "enum" in schema:
        return "one of " + _words(map(str, schema["enum"]))
    bounds = [
        f"{words} {schema[name]}"
        for name, words in (
            ("minimum", "at least"),
            ("exclusiveMinimum", "above"),
            ("maximum", "at most"),
            ("exclusiveMaximum", "below"),
        )
        if name in schema
    ]
    return f"{schema.get('type', 'a value')} {', '.join(bounds)}".strip()


def _all_options(learners: dict[str, Any]) -> dict[str, Any]:
    """With `auto`, the options that any learner has."""
    found: dict[str, Any] = {}
    for learner in learners.values():
        for name, schema in learner["options"].items():
            found[name] = {"anyOf": [found[name], schema]} if name in found else schema
    return found


def _words(names: Any) -> str:
    return ", ".join(names)
