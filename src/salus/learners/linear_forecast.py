"""Every step ahead a weighted sum of the history, in closed form: what all channels have in common, and as much of its own for each as
rows held out allow.

Ridge regression on histories without their level (Zeng et al. 2023, DLinear and NLinear; Toner and Darlow 2024 give the closed
form, and show that these networks are it). The level is taken away in three ways: the newest value, the mean, and the mean with restless
histories counting less, as they do when each is divided by its deviation (Kim et al. 2022). Each is linear in the history, so the
mean of the three is again one matrix a channel. The weights of a channel are drawn to those that are shared (partial pooling). How
strong the penalties are is chosen on rows held out. All of it comes from two matrices of second moments a channel, which are summed
once.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from salus.core.context import Context
from salus.learners.base import LearnerConfig, Part, Prepared, Proposal
from salus.learners.folds import few_threads
from salus.learners.forecasts import ForecastLearner, Mean, Scales, targets_nodes
from salus.learners.graphs import GraphBuilder
from salus.learners.options import config_from

CHUNK_ROWS = 512
CHOOSING_ROWS = 512
STILL = 1e-2  # variance that is added to that of a history before it is divided by
ALIKE = 0.005  # losses that differ by less are taken for equal: few independent futures are held out
TIMED_SIZE = 512  # of a product of matrices that is timed
MOST_OWN = 24  # channels that have weights of their own; of more, all share theirs
LEVELS = ("newest", "mean", "evened")


class LinearForecastConfig(LearnerConfig):
    penalties: tuple[float, ...] = Field(
        (1e-3, 1e-2, 3e-2, 0.1, 0.3, 1.0),
        min_length=1,
        max_length=20,
        description="strengths of the penalty to choose from, in mean variances of a step without its level",
    )
    pooling: tuple[float, ...] = Field(
        (300.0, 100.0, 30.0, 10.0, 3.0),
        max_length=20,
        description="how strongly the weights of a channel are drawn to the shared ones, to choose from beside sharing all; "
        "none: all channels share their weights",
    )


class Weights(Mean):
    """weights: float32 (K, T, H)."""

    def __init__(self, weights: np.ndarray, scales: Scales) -> None:
        self.weights, self._scales = np.ascontiguousarray(weights, dtype=np.float32), scales

    def said(self, x_BCT: np.ndarray, told: Mapping[str, np.ndarray]) -> np.ndarray:
        return said_of(self.weights, x_BCT[:, : self._scales.targets])

    def nodes(self, builder: GraphBuilder, x: str, told: Mapping[str, str]) -> str:
        by_channel = builder.node("Transpose", targets_nodes(builder, x, self._scales), perm=[1, 0, 2])
        said = builder.node("MatMul", by_channel, builder.constant(self.weights))
        return builder.node("Transpose", said, perm=[1, 0, 2])


@dataclass(frozen=True)
class Moments:
    """Second moments (K, T + H, T + H) of histories and their futures by channel (or of all in one), plain, and divided by
    the variances of the histories."""

    plain: np.ndarray
    evened: np.ndarray
    steps: int

    @classmethod
    def of(cls, part: Part, scales: Scales, own: bool, context: Context) -> Moments:
        size = scales.steps + scales.horizon
        count = scales.targets if own else 1
        plain, evened = np.zeros((count, size, size)), np.zeros((count, size, size))
        for x_BKT, y_BKH in traces_of(part, scales):
            context.stop_if_asked("the learner linear_forecast")
            both = np.concatenate([x_BKT, y_BKH], axis=2).transpose(1, 0, 2).reshape(count, -1, size)
            weighted = both / np.sqrt(both[:, :, : scales.steps].var(axis=2) + np.float32(STILL))[:, :, None]
            plain += both.transpose(0, 2, 1) @ both
            evened += weighted.transpose(0, 2, 1) @ weighted
        return cls(plain, evened, scales.steps)

    def levelled(self, level: str) -> tuple[np.ndarray, np.ndarray]:
        """The moments (K, T + H, T + H) of traces without this level, and the weights (T,) that give the level."""
        taken = np.full(self.steps, 1 / self.steps)
        if level == "newest":
            taken = np.zeros(self.steps)
            taken[-1] = 1
        moments = self.evened if level == "evened" else self.plain
        # A trace z without its level is z (I - t 1'), so its moments need no second look at the rows.
        less = np.eye(moments.shape[1])
        less[: self.steps] -= taken[:, None]
        return less.T @ moments @ less, taken


class LinearForecast(ForecastLearner):
    name: ClassVar[str] = "linear_forecast"
    Config: ClassVar[type[LearnerConfig]] = LinearForecastConfig
    config: LinearForecastConfig

    @classmethod
    def propose(cls, prepared: Prepared, options: Mapping[str, Any], budget_s: float, context: Context) -> Proposal:
        config = config_from(LinearForecastConfig, options, cls.name)
        scales = Scales.of(prepared.schema)
        size = scales.steps + scales.horizon
        own = len(config.pooling) * scales.targets if scales.targets <= MOST_OWN else 0
        solving = len(LEVELS) * (len(config.penalties) + own) * size**3
        summing = 4 * len(prepared.train) * scales.targets * size**2
        return Proposal(config.model_dump(mode="json"), round((solving + summing) / _operations_a_second(), 3))

    def teach(self, prepared: Prepared, scales: Scales, context: Context) -> tuple[Mean, dict[str, Any]]:
        own = 1 < scales.targets <= MOST_OWN and bool(self.config.pooling)
        moments = Moments.of(prepared.train, scales, own, context)
        judged = prepared.validation if len(prepared.validation) else prepared.train
        held = sample_of(judged, scales)
        chosen, told = [], []
        for level in LEVELS:
            weights, record = self._of_level(moments, level, scales.targets, held, context)
            chosen.append(weights)
            told.append({"level": level, **record})
        weights = np.mean(chosen, axis=0)
        return Weights(weights, scales), {"members": told, "loss": round(loss_of(weights, held), 5)}

    def _of_level(
        self, moments: Moments, level: str, targets: int, held: tuple[np.ndarray, np.ndarray], context: Context
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """The best weights (K, T, H) on rows held out, and what they are."""
        of_channels, taken = moments.levelled(level)
        steps, together = moments.steps, of_channels.sum(axis=0)

        def tried(weights: list[np.ndarray]) -> tuple[np.ndarray, float]:
            """These of all channels, or of each, with the level again, and their loss."""
            context.stop_if_asked("the learner linear_forecast")
            levelled = [with_level(one, taken) for one in weights]
            stacked = np.broadcast_to(levelled[0], (targets, *levelled[0].shape)) if len(levelled) == 1 else levelled
            return np.asarray(stacked), loss_of(np.asarray(stacked), held)

        alone = [solved(together, steps, penalty, None) for penalty in sorted(self.config.penalties)]
        shared = [tried([weights]) for weights in alone]
        place = simplest([loss for _, loss in shared])
        best, loss = shared[place]
        record = {"loss": round(loss, 5), "penalty": sorted(self.config.penalties)[place], "pooling": None}
        for pooling in self.config.pooling if len(of_channels) > 1 else ():
            weights, of_pooled = tried([solved(own, steps, pooling, alone[place]) for own in of_channels])
            if of_pooled < loss:
                best, loss = weights, of_pooled
                record |= {"loss": round(loss, 5), "pooling": pooling}
        return best, record


def simplest(losses: list[float]) -> int:
    """The last place whose loss is as good as the lowest: a stronger penalty is the safer one where both forecast alike."""
    lowest = min(losses)
    return max(place for place, loss in enumerate(losses) if loss <= (1 + ALIKE) * lowest)


def solved(moments: np.ndarray, steps: int, penalty: float, towards: np.ndarray | None) -> np.ndarray:
    """Ridge weights (T, H) of moments (T + H, T + H), drawn to 0 or to other weights."""
    gram, cross = moments[:steps, :steps], moments[:steps, steps:]
    strength = penalty * max(float(np.trace(gram)) / steps, 1e-12)
    wanted = cross if towards is None else cross + strength * towards
    return np.asarray(np.linalg.solve(gram + strength * np.eye(steps), wanted))


def with_level(weights: np.ndarray, taken: np.ndarray) -> np.ndarray:
    """Weights of a trace without its level, as weights of the trace itself, the level added again."""
    return np.asarray(weights + np.outer(taken, 1 - weights.sum(axis=0)))


def said_of(weights_KTH: np.ndarray, x_BKT: np.ndarray) -> np.ndarray:
    """(B, K, H)."""
    return np.asarray((x_BKT.transpose(1, 0, 2) @ weights_KTH).transpose(1, 0, 2))


def traces_of(part: Part, scales: Scales) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Standardised histories (B, K, T) and futures (B, K, H) of the targets, some rows at a time."""
    for start in range(0, len(part), CHUNK_ROWS):
        some = slice(start, start + CHUNK_ROWS)
        x_BKT = scales.standard(part.feeds["history"][some])[:, : scales.targets]
        yield x_BKT, scales.standard_target(part.target[some])


def sample_of(part: Part, scales: Scales) -> tuple[np.ndarray, np.ndarray]:
    """Histories (B, K, T) and futures (B, K, H) of rows spread evenly over a part."""
    rows = np.unique(np.linspace(0, len(part) - 1, CHOOSING_ROWS).astype(np.int64))
    x_BKT = scales.standard(part.feeds["history"][rows])[:, : scales.targets]
    return x_BKT, scales.standard_target(part.target[rows])


def loss_of(weights_KTH: np.ndarray, held: tuple[np.ndarray, np.ndarray]) -> float:
    x_BKT, y_BKH = held
    return float(np.mean((said_of(weights_KTH.astype(np.float32), x_BKT) - y_BKH) ** 2, dtype=np.float64))


def _operations_a_second() -> float:
    """What this machine multiplies and adds in float32 now, of which a fit gets about a third."""
    matrix = np.ones((TIMED_SIZE, TIMED_SIZE), dtype=np.float32)
    seconds = []
    with few_threads(0, 1):
        for _ in range(4):
            began = time.perf_counter()
            matrix @ matrix
            seconds.append(time.perf_counter() - began)
    return 2 * TIMED_SIZE**3 / min(seconds) / 3
