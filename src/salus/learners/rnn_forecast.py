"""A recurrent network that forecasts: a GRU reads segments of a history and says all segments ahead at once.

How it is taught, and what it is mixed with, is in `forecast_networks`; the layers are in `networks/forecast.py`.
"""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from salus.learners.forecast_networks import ForecastNetworkConfig, ForecastNetworkLearner
from salus.learners.networks.forecast import SegmentGru, TraceNetwork


class RnnForecastConfig(ForecastNetworkConfig):
    segment_steps: int = Field(24, ge=1, le=256, description="steps that are read, and said, at once")
    width: int = Field(128, ge=4, le=1024, description="numbers of the state")


class RnnForecast(ForecastNetworkLearner):
    name: ClassVar[str] = "rnn_forecast"
    Config: ClassVar[type[ForecastNetworkConfig]] = RnnForecastConfig
    config: RnnForecastConfig

    def network(self, steps: int, horizon: int) -> TraceNetwork:
        segment = max(1, min(self.config.segment_steps, steps, horizon))
        return SegmentGru(steps, horizon, segment, self.config.width, self.config.dropout)
