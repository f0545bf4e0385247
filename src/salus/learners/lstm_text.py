"""A long short-term memory (Hochreiter and Schmidhuber 1997) that goes on from a text: what was read lives in a few hundred numbers.

Its layers are in `networks/recurrent_writer.py`, how it is taught is in `writing`.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from salus.learners.networks.recurrent_writer import RecurrentWriter
from salus.learners.writing import WritingConfig, WritingLearner


class LstmTextConfig(WritingConfig):
    weight_decay: float = Field(1e-2, ge=0, le=1, description="how much weights shrink, times the rate, a step")
    precision: Literal["auto", "bf16", "float32"] = Field(
        "float32", description="numbers to compute with while learning"
    )


class LstmText(WritingLearner):
    name: ClassVar[str] = "lstm_text"
    Config: ClassVar[type[WritingConfig]] = LstmTextConfig
    WIDE: ClassVar[int] = 384
    config: LstmTextConfig

    def network(self, pieces: int) -> RecurrentWriter:
        config = self.config
        assert config.width is not None, "decided"
        return RecurrentWriter(pieces, config.width, config.layers, config.dropout)
