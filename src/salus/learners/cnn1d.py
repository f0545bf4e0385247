"""Convolutions over time, for recordings: kernels of three widths side by side, six modules deep, two short ways around three of them.

How it is taught is in `recordings`; the layers are in `networks/inception.py`.
"""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field
from torch import nn

from salus.learners.networks.inception import InceptionNetwork
from salus.learners.recordings import RecordingConfig, RecordingLearner

SHORTEST_KERNEL = 3


class Cnn1dConfig(RecordingConfig):
    depth: int = Field(6, ge=1, le=24, description="modules one behind the other")
    kernel_steps: int = Field(39, ge=3, le=511, description="steps that the widest kernel sees, half and a quarter too")


class Cnn1d(RecordingLearner):
    name: ClassVar[str] = "cnn1d"
    Config: ClassVar[type[RecordingConfig]] = Cnn1dConfig
    config: Cnn1dConfig
    WIDTHS: ClassVar[tuple[int, ...]] = (8, 16, 32)
    COST_POWER: ClassVar[float] = 1.3

    def network(self, shape_CT: tuple[int, int], outputs: int) -> nn.Module:
        assert self.config.width is not None, "decided"
        widest = min(self.config.kernel_steps, max(SHORTEST_KERNEL, shape_CT[1]))
        kernels = tuple(max(SHORTEST_KERNEL, (widest // part - 1) // 2 * 2 + 1) for part in (1, 2, 4))
        return InceptionNetwork(shape_CT, outputs, self.config.width, self.config.depth, kernels)
