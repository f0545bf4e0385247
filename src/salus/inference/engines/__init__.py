"""What runs graphs. Adding an engine is one file and one name in `ENGINES`."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from salus.inference.engines.base import Engine

ENGINES: dict[str, str] = {
    "onnx": "salus.inference.engines.onnx:OnnxEngine",
    "process": "salus.inference.engines.process:ProcessEngine",
}


def new_engine(name: str) -> Engine:
    """A fresh engine of this name, with nothing loaded."""
    module, _, attribute = ENGINES[name].partition(":")
    engine: Engine = getattr(importlib.import_module(module), attribute)()
    return engine
