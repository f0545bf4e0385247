"""Recurrent networks, for recordings: a GRU or an LSTM reads a window step by step, the mean of its states answers.

How it is taught is in `recordings`; the layers are in `networks/recurrent.py`.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field
from torch import nn

from salus.learners.base import searched_among
from salus.learners.networks.recurrent import RecurrentNetwork
from salus.learners.recordings import RecordingConfig, RecordingLearner


class RnnConfig(RecordingConfig):
    cell: Literal["gru", "lstm"] = searched_among("gru", ("gru", "lstm"), description="the gates of a step")
    layers: int = Field(1, ge=1, le=8, description="one over the other")
    both_ways: bool = Field(True, description="read forwards and backwards")


class Rnn(RecordingLearner):
    name: ClassVar[str] = "rnn"
    Config: ClassVar[type[RecordingConfig]] = RnnConfig
    config: RnnConfig
    WIDTHS: ClassVar[tuple[int, ...]] = (32, 64, 128)
    COST_POWER: ClassVar[float] = 1.2

    def network(self, shape_CT: tuple[int, int], outputs: int) -> nn.Module:
        channels, steps = shape_CT
        assert self.config.width is not None, "decided"
        return RecurrentNetwork(
            channels, steps, outputs, self.config.width, self.config.layers, self.config.cell, self.config.both_ways
        )
