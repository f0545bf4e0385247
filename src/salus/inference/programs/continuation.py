"""A text goes on, piece by piece, or is scored: see `salus.tasks.continuing`, which says what its graphs take and give."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from salus.inference.engines.base import Engine
from salus.inference.programs.base import Options, Program
from salus.tasks.continuing import BEGIN, SCORE, STEP, gone_on


class Continuation(Program):
    name = "continuation"
    graphs = (BEGIN, STEP, SCORE)

    def run(
        self,
        engine: Engine,
        feeds: Mapping[str, np.ndarray],
        output: str,
        states: Sequence[Mapping[str, Any]],
        options: Options,
    ) -> np.ndarray:
        return gone_on(engine, feeds)
