"""Gated recurrent networks that turn a text into another one, and look back at it with attention (Bahdanau et al. 2015; Luong et al. 2015).

Its layers are in `networks/recurrent_rewriter.py`, how it is taught is in `rewriting`.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from salus.learners.networks.recurrent_rewriter import RecurrentRewriter
from salus.learners.rewriting import RewritingConfig, RewritingLearner


class Seq2SeqRnnConfig(RewritingConfig):
    width: int = Field(256, ge=16, le=2048, multiple_of=2, description="numbers a piece, and units of each side")
    dropout: float = Field(0.3, ge=0, lt=1, description="share of numbers left out while learning")
    precision: Literal["auto", "bf16", "float32"] = Field(
        "float32", description="numbers to compute with while learning"
    )


class Seq2SeqRnn(RewritingLearner):
    name: ClassVar[str] = "seq2seq_rnn"
    Config: ClassVar[type[RewritingConfig]] = Seq2SeqRnnConfig
    config: Seq2SeqRnnConfig

    def network(self, read_pieces: int, written_pieces: int) -> RecurrentRewriter:
        return RecurrentRewriter(read_pieces, written_pieces, self.config.width, self.config.dropout)
