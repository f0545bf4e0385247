"""Gated recurrent networks over the pieces of texts, in both directions (Cho et al. 2014): they know what stood before, such as a "not"."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from salus.learners.networks.texts import RecurrentReader, TextNetwork
from salus.learners.texts import Reading, TextConfig, TextLearner


class TextRnnConfig(TextConfig):
    width: int = Field(64, ge=2, le=1024, description="units of each direction")


class TextRnn(TextLearner):
    name: ClassVar[str] = "text_rnn"
    Config: ClassVar[type[TextConfig]] = TextRnnConfig

    def network(self, reading: Reading, outputs: int, length: int) -> TextNetwork:
        dimensions = self.config.dimensions
        reader = RecurrentReader(dimensions, self.config.width)
        return TextNetwork(reading.sizes, reading.lookup, dimensions, reader, outputs)
