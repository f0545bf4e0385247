"""A small transformer that forecasts from patches of a history, one set of weights for all channels.

How it is taught, and what it is mixed with, is in `forecast_networks`; the layers are in `networks/forecast.py`.
"""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from salus.learners.forecast_networks import ForecastNetworkConfig, ForecastNetworkLearner
from salus.learners.networks.forecast import PatchTransformer, TraceNetwork


class PatchTransformerConfig(ForecastNetworkConfig):
    patch_steps: int = Field(32, ge=1, le=256, description="steps of a patch; half of them from one patch to the next")
    width: int = Field(32, ge=4, le=512, description="numbers a patch is told by")
    layers: int = Field(2, ge=1, le=12, description="attentions one behind the other")
    heads: int = Field(4, ge=1, le=16, description="attentions side by side; the width is made a multiple of it")


class PatchTransformerForecast(ForecastNetworkLearner):
    name: ClassVar[str] = "patch_transformer"
    Config: ClassVar[type[ForecastNetworkConfig]] = PatchTransformerConfig
    config: PatchTransformerConfig

    def network(self, steps: int, horizon: int) -> TraceNetwork:
        config = self.config
        patch = max(1, min(config.patch_steps, steps))
        width = -(-config.width // config.heads) * config.heads
        return PatchTransformer(
            steps, horizon, patch, max(1, patch // 2), width, config.layers, config.heads, config.dropout
        )
