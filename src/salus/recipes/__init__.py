"""Complete specs as functions: what a known example does, as options of a learner."""

from __future__ import annotations

import importlib
from typing import Any

from salus.core.errors import SalusError

RECIPES = ("cifar10_keras_cnn",)


def recipe_named(name: str) -> dict[str, Any]:
    """{"learner": name, "options": {...}} of a recipe, or `bad_spec`."""
    if name not in RECIPES:
        raise SalusError("bad_spec", where="recipe", expected=f"one of {', '.join(RECIPES)}", found=name[:60])
    made: dict[str, Any] = getattr(importlib.import_module(f"salus.recipes.{name}"), name)()
    return made
