"""A bag of n-grams: each has a few numbers, their sum goes through a hidden layer (Joulin et al. 2016; Iyyer et al. 2015).

The quickest of the networks on texts. N-grams that only one train text has are left out, and of the others the most frequent
ones are kept.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from pydantic import Field

from salus.learners.base import Prepared, searched
from salus.learners.front_texts import places_of
from salus.learners.networks.texts import BagReader, TextNetwork
from salus.learners.texts import Reading, TextConfig, TextLearner

MAX_KEPT = 40_000  # n-grams of a column: a step changes the numbers of all of them


class BagConfig(TextConfig):
    epochs: float = searched(
        3.0, 1.0, 10.0, log=True, gt=0, le=1000, description="how often every text is seen, where the budget allows"
    )
    dimensions: int = Field(32, ge=2, le=1024, description="numbers an n-gram is embedded as")
    width: int = Field(32, ge=2, le=2048, description="units of the hidden layer")
    learning_rate: float = searched(
        4e-3, 1e-3, 2e-2, log=True, gt=0, le=10, description="the highest rate of the schedule"
    )
    batch_rows: int = Field(128, ge=2, le=8192, description="texts a step")
    dropped_in: float = Field(0.0, ge=0, lt=1, description="share of the embedding that is left out of a step")
    dropped_pieces: float = searched(0.3, 0.0, 0.6, ge=0, lt=1, description="share of the n-grams that are left out")


class Bag(TextLearner):
    name: ClassVar[str] = "bag"
    Config: ClassVar[type[TextConfig]] = BagConfig
    FEED: ClassVar[str] = "texts"

    def reading(self, prepared: Prepared) -> Reading:
        states = [column.state or {} for column in prepared.schema.inputs if column.kind == "text"]
        sizes = tuple(int(state["buckets"]) + 1 for state in states)
        rows, end = [], 0
        for column, size in enumerate(sizes):
            places = places_of(prepared.train.feeds["texts"][:, column], size - 1, MAX_KEPT)
            rows.append(np.where(places > 0, places + end, 0))
            end += int(places.max(initial=0))
        return Reading("texts", sizes, np.concatenate(rows).astype(np.int32))

    def network(self, reading: Reading, outputs: int, length: int) -> TextNetwork:
        dimensions = self.config.dimensions
        return TextNetwork(reading.sizes, reading.lookup, dimensions, BagReader(dimensions, self.config.width), outputs)
