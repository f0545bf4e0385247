"""The contract of a program: the feeds of some rows in, the one array out that the task settles into answers.

A program may assume a loaded engine and graphs with the names that its learner gave them. It must keep: no state of its own,
safe from several threads; the same feeds and options give the same array; it never runs longer than its options bound.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from salus.inference.engines.base import Engine

Options = Mapping[str, Any]


class Program(ABC):
    name: ClassVar[str]
    graphs: ClassVar[tuple[str, ...]] = ("main",)  # without which it cannot run

    @abstractmethod
    def run(
        self,
        engine: Engine,
        feeds: Mapping[str, np.ndarray],
        output: str,
        states: Sequence[Mapping[str, Any]],
        options: Options,
    ) -> np.ndarray:
        """What the graphs give for these rows, rows first. output: the task's name for it. states: of the targets. options: what a
        request asks for; an empty mapping means the defaults."""
