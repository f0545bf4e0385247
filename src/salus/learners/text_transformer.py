"""A small transformer over the pieces of texts (Vaswani et al. 2017): strong with many texts, behind the others with few."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from salus.learners.base import searched
from salus.learners.networks.text_attention import AttentionReader
from salus.learners.networks.texts import TextNetwork
from salus.learners.texts import Reading, TextConfig, TextLearner


class TextTransformerConfig(TextConfig):
    width: int = Field(32, ge=2, le=512, description="numbers a head looks at")
    heads: int = Field(4, ge=1, le=32, description="heads of a layer")
    layers: int = Field(2, ge=1, le=24, description="layers behind each other")
    learning_rate: float = searched(
        1e-3, 2e-4, 4e-3, log=True, gt=0, le=10, description="the highest rate of the schedule"
    )
    dropped_in: float = searched(
        0.1, 0.0, 0.4, ge=0, lt=1, description="share of the embedding, and of what a layer adds, left out of a step"
    )


class TextTransformer(TextLearner):
    name: ClassVar[str] = "text_transformer"
    Config: ClassVar[type[TextConfig]] = TextTransformerConfig

    def network(self, reading: Reading, outputs: int, length: int) -> TextNetwork:
        config = self.config
        assert isinstance(config, TextTransformerConfig)
        width = config.width * config.heads
        reader = AttentionReader(width, config.heads, config.layers, length, config.dropped_in)
        return TextNetwork(reading.sizes, reading.lookup, width, reader, outputs)
