"""What a table learner sees of any feeds: numbers (B, N), NaN where missing, beside the categories as they are.

Numbers pass as they are. Knows how the same columns are made in numpy and as graph nodes; does not know what is learned from them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from salus.learners.base import Prepared
from salus.learners.graphs import GraphBuilder


@dataclass(frozen=True)
class Front:
    """names: one a number column, for explaining."""

    names: tuple[str, ...]

    @classmethod
    def fit(cls, prepared: Prepared) -> Front:
        """Learned of train rows alone; the seed decides what is drawn."""
        return cls(tuple(column.name for column in prepared.schema.inputs if column.kind == "number"))

    @classmethod
    def takes(cls, kinds: frozenset[str]) -> bool:
        """Whether it can make a table of inputs of these kinds."""
        return bool(kinds) and kinds <= {"number", "category"}

    def feeds(self, feeds: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """`numbers` float32 (B, N) where there are any, and `categories` int64 (B, M) where there are any."""
        return {name: feeds[name] for name in ("numbers", "categories") if name in feeds}

    def number_nodes(self, builder: GraphBuilder) -> str:
        """The graph value (rows, N) of what `feeds` gives as `numbers`; only asked when there are any."""
        return builder.feed("numbers", np.float32, ("rows", len(self.names)))
