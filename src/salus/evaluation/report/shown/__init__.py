"""Rows that a person would want to see, one file for each form they have. Adding one is one file and one name in `SHOWN`."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

from salus.evaluation.report.parts import Said

SHOWN: dict[str, str] = {
    "pictures": "salus.evaluation.report.shown.pictures:pictures",
    "sounds": "salus.evaluation.report.shown.sounds:sounds",
    "texts": "salus.evaluation.report.shown.texts:texts",
    "boxes": "salus.evaluation.report.shown.boxes:boxes",
    "traces": "salus.evaluation.report.shown.traces:traces",
}


def shown(said: Said) -> str:
    """The section of the report; empty where it has none."""
    found = said.report.get("shown")
    if not found or not found["items"]:
        return ""
    module, _, attribute = SHOWN[found["kind"]].partition(":")
    render: Callable[[Said, list[dict[str, Any]]], str] = getattr(importlib.import_module(module), attribute)
    return render(said, found["items"])
