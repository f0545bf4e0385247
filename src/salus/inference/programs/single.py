"""One pass through the graph `main`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from salus.inference.engines.base import Engine
from salus.inference.programs.base import Options, Program

MAIN = "main"


class Single(Program):
    name = "single"

    def run(
        self,
        engine: Engine,
        feeds: Mapping[str, np.ndarray],
        output: str,
        states: Sequence[Mapping[str, Any]],
        options: Options,
    ) -> np.ndarray:
        return engine.run(MAIN, feeds, [output])[0]
