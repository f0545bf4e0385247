"""What learners of networks that forecast share: traces of all channels in one, teaching, and a quick forecast beside them.

A network is mixed with the forecast of boosted trees over the closed form (the closed form alone, where LightGBM is not
installed), by the share that rows held out favour: what both miss differs, and their mean is seldom worse than the better one (Bates
and Granger 1969). Does not know which network: a learner says.
"""

from __future__ import annotations

import importlib.util
from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from pydantic import Field

from salus.core.context import Context
from salus.learners.base import Part, Prepared, Proposal, searched
from salus.learners.boosting_forecast import BoostingForecast
from salus.learners.deep import DeepConfig, Goal, Lecture, course_of, quickest, steps_within, taught, told
from salus.learners.forecasts import ForecastLearner, Mean, Scales, targets_nodes, told_in
from salus.learners.graphs import GraphBuilder
from salus.learners.linear_forecast import CHOOSING_ROWS, LinearForecast
from salus.learners.networks.forecast import TraceNetwork
from salus.learners.options import config_from
from salus.training.batches import Batches, step_generator
from salus.training.loop import Course, threads

CHUNK_TRACES = 1024
SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)  # of the network in the mean
RESERVED_SHARE = 0.1  # of the budget: the linear forecast, bands, export
MEASURED_SHARE = 0.1
BESIDE_SHARE = 0.2  # of the budget, for the forecast that a network is mixed with
MEASURED_S = 4.0


class ForecastNetworkConfig(DeepConfig):
    """Options of every network that forecasts."""

    batch_rows: int = Field(256, ge=2, le=8192, description="traces a step")
    optimiser: Literal["sgd", "adam"] = Field("adam", description="sgd with Nesterov momentum 0.9, or adam")
    learning_rate: float = searched(
        1e-3, 1e-4, 5e-3, log=True, gt=0, le=10, description="the highest rate of the schedule"
    )
    weight_decay: float = searched(
        1e-2, 1e-4, 1e-1, log=True, ge=0, le=1, description="how much weights shrink, times the rate, a step"
    )
    clip_norm: float = Field(1.0, ge=0, description="longest gradient, longer ones are shortened; 0: any")
    dropout: float = searched(0.2, 0.0, 0.5, ge=0, lt=1, description="share of hidden values that a step leaves out")


class Mixed(Mean):
    """A network and another forecast, by their shares."""

    def __init__(self, network: TraceNetwork, other: Mean, share: float, scales: Scales, threads_: int) -> None:
        self._network, self._other, self.share, self._scales = network, other, share, scales
        self._threads = threads_

    def said(self, x_BCT: np.ndarray, told: Mapping[str, np.ndarray]) -> np.ndarray:
        of_network = network_said(self._network, x_BCT[:, : self._scales.targets], self._threads)
        return self.share * of_network + (1 - self.share) * self._other.said(x_BCT, told)

    def nodes(self, builder: GraphBuilder, x: str, told: Mapping[str, str]) -> str:
        other = self._other.nodes(builder, x, told)
        if self.share == 0:
            return other
        flat = builder.constant([-1, self._scales.steps], np.int64)
        traces = builder.node("Reshape", targets_nodes(builder, x, self._scales), flat)
        shape = builder.constant([-1, self._scales.targets, self._scales.horizon], np.int64)
        said = builder.node("Reshape", self._network.nodes(builder, traces), shape)
        parts = [
            builder.node("Mul", value, builder.constant(np.float32(share)))
            for value, share in ((said, self.share), (other, 1 - self.share))
        ]
        return builder.node("Add", *parts)


class ForecastNetworkLearner(ForecastLearner):
    """A learner whose network `network` makes."""

    Config: ClassVar[type[ForecastNetworkConfig]] = ForecastNetworkConfig
    config: ForecastNetworkConfig

    @abstractmethod
    def network(self, steps: int, horizon: int) -> TraceNetwork:
        """New weights, drawn from torch's generator."""

    @classmethod
    def propose(cls, prepared: Prepared, options: Mapping[str, Any], budget_s: float, context: Context) -> Proposal:
        config = config_from(cls.Config, options, cls.name)
        scales = Scales.of(prepared.schema)
        limit_s = min(MEASURED_S, MEASURED_SHARE * budget_s)
        other_s = _beside().propose(prepared, {}, BESIDE_SHARE * budget_s, context).expected_s
        left_s = max(1.0, budget_s * (1 - RESERVED_SHARE) - limit_s - other_s)
        epoch = Batches(len(prepared.train) * scales.targets, config.batch_rows, prepared.seed).steps_per_epoch
        made = cls(config).making_some(prepared, scales)
        chosen, step_s, notes = quickest(config, lambda c: made(cls(c)), prepared, limit_s, context)
        steps = config.steps or steps_within(left_s, step_s, epoch)
        chosen = chosen.model_copy(update={"steps": steps})
        told_of = {"step_ms": notes, "epochs": round(steps / epoch, 2)}
        return Proposal(chosen.model_dump(mode="json"), round(steps * step_s + other_s, 3), told_of)

    def teach(self, prepared: Prepared, scales: Scales, context: Context) -> tuple[Mean, dict[str, Any]]:
        beside = _beside()
        other, _ = beside(beside.Config()).teach(prepared, scales, context)
        with torch.random.fork_rng(devices=[]):
            make = self.making_some(prepared, scales)(self)
            course, progress = taught(self.name, self.config, prepared, make, context)
        network = course.network.eval().requires_grad_(False)
        assert isinstance(network, TraceNetwork)
        share, losses = 1.0, list[float]()
        if len(prepared.validation):
            share, losses = _best_share(network, other, prepared, scales)
        epoch = Batches(len(prepared.train) * scales.targets, self.config.batch_rows, prepared.seed).steps_per_epoch
        details = told(course, progress, epoch)
        details |= {"network_share": share, "losses_by_share": losses, "mixed_with": beside.name}
        return Mixed(network, other, share, scales, prepared.threads), details

    def making_some(
        self, prepared: Prepared, scales: Scales
    ) -> Callable[[ForecastNetworkLearner], Callable[[], Course]]:
        """For learners that differ in their config alone: what begins a fit, as often as it must be begun. The traces are made once."""
        goal = Goal(False, scales.horizon, np.zeros(scales.horizon), np.ones(scales.horizon))
        inputs, wanted = _traces(prepared.train, scales)
        held = _traces(prepared.validation, scales)

        def of(learner: ForecastNetworkLearner) -> Callable[[], Course]:
            config = learner.config
            batches = Batches(len(inputs), config.batch_rows, prepared.seed)

            def batch(step: int) -> tuple[torch.Tensor, torch.Tensor]:
                rows = torch.from_numpy(batches.rows_of(step))
                # What dropout leaves out is decided by the step, so that a resumed fit leaves out the same.
                torch.manual_seed(int(step_generator(prepared.seed, step).integers(2**62)))
                return inputs[rows], wanted[rows]

            def make() -> Course:
                torch.manual_seed(prepared.seed)
                network = learner.network(scales.steps, scales.horizon)
                steps = config.steps or 5 * batches.steps_per_epoch
                return course_of(config, Lecture(network, batch, held), goal, steps)

            return make

        return of


def network_said(network: TraceNetwork, x_BKT: np.ndarray, threads_: int) -> np.ndarray:
    """(B, K, H) in float32, some traces at a time."""
    rows, channels, steps = x_BKT.shape
    traces = torch.from_numpy(np.ascontiguousarray(x_BKT, dtype=np.float32)).view(-1, steps)
    with threads(threads_), torch.inference_mode():
        parts = [network(some).numpy() for some in torch.split(traces, CHUNK_TRACES)]
    return np.asarray(np.concatenate(parts).reshape(rows, channels, -1))


def _beside() -> type[ForecastLearner]:
    """What a network is mixed with."""
    return BoostingForecast if importlib.util.find_spec("lightgbm") else LinearForecast


def _best_share(network: TraceNetwork, other: Mean, prepared: Prepared, scales: Scales) -> tuple[float, list[float]]:
    part = prepared.validation
    rows = np.unique(np.linspace(0, len(part) - 1, CHOOSING_ROWS).astype(np.int64))
    x_BCT, y_BKH = scales.standard(part.feeds["history"][rows]), scales.standard_target(part.target[rows])
    of_network = network_said(network, x_BCT[:, : scales.targets], prepared.threads)
    of_other = other.said(x_BCT, told_in(part.feeds, rows))
    losses = [float(np.mean((share * of_network + (1 - share) * of_other - y_BKH) ** 2)) for share in SHARES]
    return SHARES[int(np.argmin(losses))], [round(loss, 5) for loss in losses]


def _traces(part: Part, scales: Scales) -> tuple[torch.Tensor, torch.Tensor]:
    """(N, T) and (N, H): every target channel of every row."""
    if not len(part):
        return torch.zeros((0, scales.steps)), torch.zeros((0, scales.horizon))
    x_BKT = scales.standard(part.feeds["history"])[:, : scales.targets]
    x_NT = np.ascontiguousarray(x_BKT).reshape(-1, scales.steps)
    return torch.from_numpy(x_NT), torch.from_numpy(scales.standard_target(part.target).reshape(-1, scales.horizon))
