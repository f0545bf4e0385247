"""A small transformer that goes on from a text. Its layers are in `networks/decoder.py`, how it is taught is in `writing`."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from salus.core.errors import SalusError
from salus.learners.networks.decoder import Decoder, Size
from salus.learners.writing import WritingConfig, WritingLearner

LONG_S, WIDE = 240.0, 192  # from this budget on the wider network


class DecoderConfig(WritingConfig):
    layers: int = Field(4, ge=1, le=24, description="one over the other")
    heads: int = Field(3, ge=1, le=32, description="ways of looking at once")


class DecoderTransformer(WritingLearner):
    name: ClassVar[str] = "decoder_transformer"
    Config: ClassVar[type[WritingConfig]] = DecoderConfig
    config: DecoderConfig

    @classmethod
    def decided(cls, config: DecoderConfig, budget_s: float) -> DecoderConfig:
        width = config.width or (WIDE if budget_s >= LONG_S else WIDE // 2)
        if width % (2 * config.heads):
            raise SalusError(
                "bad_spec", where="option 'width'", expected=f"a multiple of {2 * config.heads}", found=width
            )
        return config.model_copy(update={"width": width})

    def network(self, pieces: int) -> Decoder:
        config = self.config
        assert config.width is not None, "decided"
        return Decoder(pieces, Size(config.layers, config.width, config.heads, 4 * config.width, config.dropout))
