"""What learners of networks on sounds share: how many steps fit a budget, how frames are varied, what answers.

Does not know which network nor what is learned: a learner says.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol

import numpy as np
import torch
from pydantic import Field

from salus.core.context import Context
from salus.core.durable import write_file
from salus.learners.base import Fitted, Learner, Prepared, Proposal, searched
from salus.learners.deep import DeepConfig, quickest, steps_within, taught, told
from salus.learners.graphs import GraphBuilder
from salus.learners.networks.sound import Trunk
from salus.learners.options import config_from
from salus.training.batches import Batches
from salus.training.loop import Course, threads
from salus.training.sounds import SoundAugmentation

FEED = "sound_0"
CHUNK_ROWS = 64
RESERVED_SHARE = 0.08  # of the budget: export and validation
MEASURED_SHARE = 0.1  # of the budget, at most this many seconds:
MEASURED_S = 5.0
WIDTH = 24


class SoundConfig(DeepConfig):
    """Options of every network on sounds."""

    width: int = Field(WIDTH, ge=4, le=256, description="channels of the first layer, later ones are multiples")
    batch_rows: int = Field(32, ge=2, le=4096, description="sounds a step")
    optimiser: Literal["sgd", "adam"] = Field("adam", description="sgd with Nesterov momentum 0.9, or adam")
    learning_rate: float = searched(
        2e-3, 2e-4, 1e-2, log=True, gt=0, le=10, description="the highest rate of the schedule"
    )
    weight_decay: float = searched(
        1e-2, 1e-4, 1e-1, log=True, ge=0, le=1, description="how much weights shrink, times the rate, a step"
    )
    clip_norm: float = Field(5.0, ge=0, description="longest gradient, longer ones are shortened; 0: any")
    precision: Literal["auto", "bf16", "float32"] = Field(
        "float32", description="numbers to compute with while learning"
    )
    mixup: float = Field(0.0, ge=0, le=0, description="none: sounds are varied in other ways")
    speed: float = searched(
        0.15, 0.0, 0.3, ge=0, le=0.5, description="most share by which sounds are quicker or slower"
    )
    voice: float = searched(0.15, 0.0, 0.3, ge=0, le=0.5, description="most share by which voices are higher or lower")
    masks: int = Field(2, ge=0, le=8, description="strips of bands and of time that are blanked (SpecAugment)")
    noise: float = searched(0.1, 0.0, 0.5, ge=0, le=2, description="noise on frames, in their deviations")

    def augmentation(self) -> SoundAugmentation:
        return SoundAugmentation(self.speed, self.voice, self.masks, self.noise)


class SoundNetwork(Protocol):
    trunk: Trunk

    def __call__(self, x_BFM: torch.Tensor) -> torch.Tensor: ...

    def nodes(self, builder: GraphBuilder, value: str) -> str: ...


class SoundFitted(Fitted):
    """The network as it answers, folded, float32. output: what its graph gives, of sizes `sizes` a row."""

    def __init__(
        self, network: SoundNetwork, shape_FM: tuple[int, int], output: str, sizes: tuple[int | str, ...], threads_: int
    ):
        self._network, self._shape, self._output, self._sizes = network, shape_FM, output, sizes
        self._threads = threads_

    def raw(self, feeds: Mapping[str, np.ndarray]) -> np.ndarray:
        sounds, parts = feeds[FEED], list[np.ndarray]()
        with threads(self._threads), torch.inference_mode():
            for start in range(0, max(1, len(sounds)), CHUNK_ROWS):
                some = torch.from_numpy(np.ascontiguousarray(sounds[start : start + CHUNK_ROWS]))
                parts.append(self._network(some).numpy())
        return np.concatenate(parts)

    def export(self, path: Path) -> None:
        builder = GraphBuilder()
        answer = self._network.nodes(builder, builder.feed(FEED, np.float32, ("rows", *self._shape)))
        write_file(path, builder.finish(self._output, answer, *self._sizes))


class SoundLearner(Learner):
    Config: ClassVar[type[SoundConfig]] = SoundConfig
    config: SoundConfig

    @abstractmethod
    def making(self, prepared: Prepared) -> Callable[[], Course]:
        """What begins the fit, as often as it must be begun."""

    def measuring(self, prepared: Prepared) -> Callable[[], Course]:
        """The same with steps that cost what those of a fit cost on average, however few of them are measured."""
        return self.making(prepared)

    @abstractmethod
    def fitted(self, network: SoundNetwork, prepared: Prepared) -> SoundFitted:
        """What answers."""

    @classmethod
    def propose(cls, prepared: Prepared, options: Mapping[str, Any], budget_s: float, context: Context) -> Proposal:
        config = config_from(cls.Config, options, cls.name)
        limit_s = min(MEASURED_S, MEASURED_SHARE * budget_s)
        left_s = budget_s * (1 - RESERVED_SHARE) - limit_s
        epoch = Batches(len(prepared.train), config.batch_rows, prepared.seed).steps_per_epoch
        chosen, step_s, notes = quickest(config, lambda c: cls(c).measuring(prepared), prepared, limit_s, context)
        steps = config.steps or steps_within(left_s, step_s, epoch)
        told_of = {"step_ms": notes, "epochs": round(steps / epoch, 2)}
        chosen = chosen.model_copy(update={"steps": steps})
        return Proposal(chosen.model_dump(mode="json"), round(steps * step_s, 3), told_of)

    def fit(self, prepared: Prepared, context: Context) -> Fitted:
        course, progress = taught(self.name, self.config, prepared, self.making(prepared), context)
        network: Any = course.network.eval().requires_grad_(False)
        network.trunk.fold()
        fitted = self.fitted(network, prepared)
        epoch = Batches(len(prepared.train), self.config.batch_rows, prepared.seed).steps_per_epoch
        fitted.details = told(course, progress, epoch)
        return fitted
