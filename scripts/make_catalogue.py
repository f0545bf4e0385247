"""Writes src/salus/core/catalogue.json from the classes. Run it after changing a kind, task, learner or recipe."""

from __future__ import annotations

import json
from typing import Any

from salus.core.catalogue import FILE
from salus.data.kinds import KINDS
from salus.learners import LEARNERS, NEEDS, learner_named
from salus.recipes import RECIPES
from salus.tasks import TASKS


def main() -> None:
    FILE.write_text(text(), encoding="utf-8")


def text() -> str:
    """The catalogue as it should be."""
    learners: dict[str, Any] = {}
    for name in LEARNERS:
        schema = learner_named(name).Config.model_json_schema()
        learners[name] = {
            "extra": NEEDS.get(name, ("", ""))[1],
            "options": _without_titles(schema.get("properties", {})),
        }
    made = {"kinds": list(KINDS), "tasks": list(TASKS), "learners": learners, "recipes": list(RECIPES)}
    return json.dumps(made, indent=1, ensure_ascii=False) + "\n"


def _without_titles(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_titles(item) for name, item in value.items() if name != "title"}
    return [_without_titles(item) for item in value] if isinstance(value, list) else value


if __name__ == "__main__":
    main()
