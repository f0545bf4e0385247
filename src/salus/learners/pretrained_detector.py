"""The detector on a trunk that was learned from photographs before: it begins with eyes and learns what to look for.

Knows only what differs from `detector`: the trunk, whose weights come from where `pretrained` finds them, and gentler teaching.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from pydantic import Field

from salus.learners.base import LearnerConfig, Prepared, searched
from salus.learners.detector import PICTURE, Detector, DetectorConfig
from salus.learners.networks.detecting import DetectionNetwork
from salus.learners.networks.detecting_pretrained import SeenTrunk
from salus.learners.networks.efficient import BLOCKS, backbone
from salus.learners.pretrained import FOLDER_VARIABLE, PACKAGE, weights_of

WHERE = "the learner pretrained_detector"
WIDE = 64


class PretrainedDetectorConfig(DetectorConfig):
    weights: str = Field(
        "auto",
        max_length=200,
        description=f"auto: those of the package {PACKAGE}; or the name of a .safetensors file in the folder {FOLDER_VARIABLE}",
    )
    tuned_blocks: int = Field(11, ge=0, le=BLOCKS, description="how many of the last blocks are taught further")
    width: int | None = Field(WIDE, ge=4, le=256, description="channels of the way back to the largest map")
    learning_rate: float = searched(
        1e-3, 1e-4, 5e-3, log=True, gt=0, le=10, description="the highest rate of the schedule"
    )
    weight_decay: float = searched(
        2e-2, 1e-4, 2e-1, log=True, ge=0, le=1, description="how much weights shrink, times the rate, a step"
    )


class PretrainedDetector(Detector):
    name: ClassVar[str] = "pretrained_detector"
    Config: ClassVar[type[LearnerConfig]] = PretrainedDetectorConfig
    config: PretrainedDetectorConfig

    @classmethod
    def network(cls, config: DetectorConfig, prepared: Prepared) -> Callable[[int], DetectionNetwork]:
        assert isinstance(config, PretrainedDetectorConfig)
        tensors, channels = weights_of(config.weights), prepared.train.feeds[PICTURE].shape[3]
        still = 1 + BLOCKS - config.tuned_blocks if config.tuned_blocks < BLOCKS else 0

        def make(categories: int) -> DetectionNetwork:
            parts = [part.float() for part in backbone(tensors, WHERE)]
            return DetectionNetwork(SeenTrunk(parts, still, channels), categories, config.width or WIDE)

        return make

    @classmethod
    def width_for(cls, epochs: float) -> int:
        return WIDE
