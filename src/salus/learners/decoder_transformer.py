"""A small transformer that goes on from a text. Its layers are in `networks/decoder.py`, how it is taught is in `writing`."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from salus.core.errors import SalusError
from salus.learners.networks.decoder import Decoder, Size
from salus.learners.writing import WritingConfig, WritingLearner


class DecoderConfig(WritingConfig):
    layers: int = Field(4, ge=1, le=24, description="one over the other")
    heads: int = Field(3, ge=1, le=32, description="ways of looking at once")


class DecoderTransformer(WritingLearner):
    name: ClassVar[str] = "decoder_transformer"
    Config: ClassVar[type[WritingConfig]] = DecoderConfig
    WIDE: ClassVar[int] = 192
    config: DecoderConfig

    @classmethod
    def decided(cls, config: DecoderConfig, budget_s: float) -> DecoderConfig:
        wide: DecoderConfig = super().decided(config, budget_s)
        width = wide.width
        assert width is not None, "decided"
        if width % (2 * config.heads):
            raise SalusError(
                "bad_spec", where="option 'width'", expected=f"a multiple of {2 * config.heads}", found=width
            )
        return wide

    def network(self, pieces: int) -> Decoder:
        config = self.config
        assert config.width is not None, "decided"
        return Decoder(pieces, Size(config.layers, config.width, config.heads, 4 * config.width, config.dropout))
