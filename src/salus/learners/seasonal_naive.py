"""The last season again and again: the forecast that every other one must beat. Where nothing repeats, the newest value."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from salus.core.context import Context
from salus.learners.base import LearnerConfig, Prepared, Proposal
from salus.learners.forecasts import ForecastLearner, Mean, Scales, targets_nodes
from salus.learners.graphs import GraphBuilder
from salus.learners.options import config_from


class SeasonalNaiveConfig(LearnerConfig):
    """It has no options."""


class Repeated(Mean):
    """places: int64 (H,), the step of the history that is said for every step ahead."""

    def __init__(self, scales: Scales) -> None:
        self._scales = scales
        period = scales.season if scales.season <= scales.steps else 1
        self._places = scales.steps - period + np.arange(scales.horizon) % period

    def said(self, x_BCT: np.ndarray, told: Mapping[str, np.ndarray]) -> np.ndarray:
        return np.asarray(x_BCT[:, : self._scales.targets, self._places])

    def nodes(self, builder: GraphBuilder, x: str, told: Mapping[str, str]) -> str:
        places = builder.constant(self._places, np.int64)
        return builder.node("Gather", targets_nodes(builder, x, self._scales), places, axis=2)


class SeasonalNaive(ForecastLearner):
    name: ClassVar[str] = "seasonal_naive"
    Config: ClassVar[type[LearnerConfig]] = SeasonalNaiveConfig

    @classmethod
    def propose(cls, prepared: Prepared, options: Mapping[str, Any], budget_s: float, context: Context) -> Proposal:
        return Proposal(config_from(cls.Config, options, cls.name).model_dump(mode="json"), 0.1)

    def teach(self, prepared: Prepared, scales: Scales, context: Context) -> tuple[Mean, dict[str, Any]]:
        return Repeated(scales), {"season": scales.season}
