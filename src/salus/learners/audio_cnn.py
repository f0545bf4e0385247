"""Convolutions over log-mel frames: sounds to labels. How it is taught is in `sounds` and `deep`."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import numpy as np
import torch

from salus.core.errors import SalusError
from salus.learners.base import Prepared
from salus.learners.deep import Goal, Lecture, course_of
from salus.learners.networks.sound import MeanNetwork
from salus.learners.sounds import FEED, SoundFitted, SoundLearner, SoundNetwork
from salus.tasks.base import Task
from salus.training.batches import Batches, step_generator
from salus.training.loop import Course


class AudioCnn(SoundLearner):
    name: ClassVar[str] = "audio_cnn"

    @classmethod
    def learns(cls, task: Task, kinds: frozenset[str]) -> bool:
        return task.classification and kinds == {"audio"}

    def making(self, prepared: Prepared) -> Callable[[], Course]:
        if len(np.unique(prepared.train.target)) < 2:
            raise SalusError("learner_one_class", where=self.name, found=1)
        goal, augmentation = Goal.of(prepared), self.config.augmentation()
        sounds, target = torch.from_numpy(prepared.train.feeds[FEED]), goal.values(prepared.train.target)
        held = torch.from_numpy(prepared.validation.feeds[FEED]), goal.values(prepared.validation.target)
        batches = Batches(len(sounds), self.config.batch_rows, prepared.seed)

        def batch(step: int) -> tuple[torch.Tensor, torch.Tensor]:
            rows = torch.from_numpy(batches.rows_of(step))
            return augmentation.apply(sounds[rows], step_generator(prepared.seed, step)), target[rows]

        def make() -> Course:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(prepared.seed)
                network = MeanNetwork(sounds.shape[2] - 1, prepared.classes, self.config.width)
            steps = self.config.steps or 10 * batches.steps_per_epoch
            return course_of(self.config, Lecture(network, batch, held), goal, steps)

        return make

    def fitted(self, network: SoundNetwork, prepared: Prepared) -> SoundFitted:
        frames, mels = prepared.train.feeds[FEED].shape[1:]
        return SoundFitted(network, (frames, mels), "scores", (prepared.classes,), prepared.threads)
