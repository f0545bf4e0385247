"""A small transformer that turns a text into another one. Its layers are in `networks/seq2seq.py`, how it is taught is in `rewriting`."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from salus.learners.networks.seq2seq import Seq2Seq, Size
from salus.learners.rewriting import RewritingConfig, RewritingLearner


class Seq2SeqConfig(RewritingConfig):
    width: int = Field(256, ge=16, le=2048, description="numbers a piece; a multiple of the heads")
    layers: int = Field(3, ge=1, le=24, description="of each side, the reading and the writing one")
    heads: int = Field(4, ge=1, le=32, description="ways of looking at once")
    inner: int = Field(768, ge=16, le=8192, description="width between two linear layers")


class Seq2SeqTransformer(RewritingLearner):
    name: ClassVar[str] = "seq2seq_transformer"
    Config: ClassVar[type[RewritingConfig]] = Seq2SeqConfig
    config: Seq2SeqConfig

    def network(self, read_pieces: int, written_pieces: int) -> Seq2Seq:
        config = self.config
        size = Size(config.layers, config.width, config.heads, config.inner, config.dropout)
        return Seq2Seq(read_pieces, written_pieces, size)
