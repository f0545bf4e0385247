"""Summaries without learning, which every learned one must beat: the beginning of the text (Lead), and the sentences that have most in
common with the others (TextRank, Mihalcea and Tarau 2004). Only how long they are is learned, as with all that pick sentences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from salus.core.context import Context
from salus.data.sentences import FEATURES
from salus.learners.base import Prepared
from salus.learners.graphs import GraphBuilder
from salus.learners.picking import PickingLearner, Scorer


class OneFeature(Scorer):
    """What one of the things says that show of a sentence."""

    def __init__(self, name: str) -> None:
        self._place = FEATURES.index(name)

    def scores(self, feeds: Mapping[str, np.ndarray]) -> np.ndarray:
        return np.asarray(feeds["sentences"][:, :, self._place])

    def nodes(self, builder: GraphBuilder, sentences: str) -> str:
        return builder.node("Gather", sentences, builder.constant(self._place, np.int64), axis=2)


class Lead(PickingLearner):
    name: ClassVar[str] = "lead"

    def teach(self, prepared: Prepared, context: Context) -> tuple[Scorer, dict[str, Any]]:
        return OneFeature("from_start"), {}


class TextRank(PickingLearner):
    name: ClassVar[str] = "textrank"

    def teach(self, prepared: Prepared, context: Context) -> tuple[Scorer, dict[str, Any]]:
        return OneFeature("walk_words"), {}
