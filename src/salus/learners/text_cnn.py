"""Convolutions over the pieces of texts (Kim 2014): quick to learn, and it finds the telling phrase wherever it stands."""

from __future__ import annotations

from typing import ClassVar

from salus.learners.networks.texts import ConvolutionReader, TextNetwork
from salus.learners.texts import Reading, TextLearner


class TextCnn(TextLearner):
    name: ClassVar[str] = "text_cnn"

    def network(self, reading: Reading, outputs: int, length: int) -> TextNetwork:
        dimensions = self.config.dimensions
        reader = ConvolutionReader(dimensions, self.config.width)
        return TextNetwork(reading.sizes, reading.lookup, dimensions, reader, outputs)
