"""Speech recognition by connectionist temporal classification (Graves et al. 2006): a character or nothing at every step.

Knows how texts become codes and which network answers; how it is taught is in `sounds` and `deep`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

import numpy as np
import torch
from pydantic import Field
from torch.nn import functional

from salus.core.errors import SalusError
from salus.learners.base import Part, Prepared, searched
from salus.learners.deep import Lecture, course_with
from salus.learners.networks.sound import STEP_FRAMES, PathNetwork
from salus.learners.sounds import FEED, SoundConfig, SoundFitted, SoundLearner, SoundNetwork
from salus.tasks.base import Task
from salus.tasks.transcription import spoken
from salus.training.batches import SortedBatches, step_generator
from salus.training.loop import Course

LONG, LONG_SHARE = 1.5, 0.98
POOL = 8  # batches put in order of length together: with more, the sounds of a batch would be ever more alike


class CtcConfig(SoundConfig):
    learning_rate: float = searched(
        4e-3, 5e-4, 1e-2, log=True, gt=0, le=10, description="the highest rate of the schedule"
    )
    label_smoothing: float = Field(0.0, ge=0, le=0, description="none: paths are many")
    patience: int = Field(0, ge=0, le=0, description="none: all steps are done")


class Ctc(SoundLearner):
    name: ClassVar[str] = "ctc"
    Config: ClassVar[type[SoundConfig]] = CtcConfig

    @classmethod
    def learns(cls, task: Task, kinds: frozenset[str]) -> bool:
        return task.name == "transcription" and kinds == {"audio"}

    def making(self, prepared: Prepared) -> Callable[[], Course]:
        return self._making(prepared, lambda batches, step: batches.rows_of(step))

    def measuring(self, prepared: Prepared) -> Callable[[], Course]:
        return self._making(prepared, lambda batches, step: batches.rows_of(batches.typical_step))

    def _making(self, prepared: Prepared, rows_of: Callable[[SortedBatches, int], np.ndarray]) -> Callable[[], Course]:
        """rows_of: places in the batches that a step learns from."""
        characters = _characters(prepared)
        sounds, codes = torch.from_numpy(prepared.train.feeds[FEED]), coded(prepared.train, characters)
        fits = np.flatnonzero(_fits(prepared.train.feeds[FEED], codes))
        if not len(fits):
            raise SalusError("too_few_frames", where=f"the learner {self.name}")
        lengths = prepared.train.feeds[FEED][fits, :, -1].sum(axis=1)
        batches = SortedBatches(lengths, min(self.config.batch_rows, len(fits)), prepared.seed, pool=POOL)
        augmentation = self.config.augmentation()

        def batch(step: int) -> tuple[torch.Tensor, torch.Tensor]:
            rows = torch.from_numpy(fits[rows_of(batches, step)])
            seen = augmentation.apply(sounds[rows], step_generator(prepared.seed, step))
            steps = -(-seen[:, :, -1].sum(dim=1).long() // STEP_FRAMES)
            return seen, torch.cat([steps[:, None], codes[rows]], dim=1)

        def make() -> Course:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(prepared.seed)
                network = PathNetwork(sounds.shape[2] - 1, 1 + len(characters), self.config.width)
            nothing = torch.zeros(0)
            lecture = Lecture(network, batch, (nothing, nothing))
            return course_with(
                self.config, lecture, path_loss, path_loss, self.config.steps or 10 * batches.steps_per_epoch
            )

        return make

    def fitted(self, network: SoundNetwork, prepared: Prepared) -> SoundFitted:
        frames, mels = prepared.train.feeds[FEED].shape[1:]
        sizes = (-(-frames // STEP_FRAMES), 1 + len(_characters(prepared)))
        return SoundFitted(network, (frames, mels), "logits", sizes, prepared.threads)


def path_loss(logits_BTK: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """wanted (B, 1 + L): the steps of each sound, then its codes, 0 behind the last one."""
    codes = wanted[:, 1:]
    paths = functional.log_softmax(logits_BTK, dim=2).transpose(0, 1)
    return functional.ctc_loss(paths, codes, wanted[:, 0], (codes > 0).sum(dim=1), zero_infinity=True)


def coded(part: Part, characters: Sequence[str]) -> torch.Tensor:
    """(B, L) codes of the characters from 1; unknown ones are left out; 0 behind the last one."""
    known = {character: code for code, character in enumerate(characters, start=1)}
    texts = [[known[c] for c in spoken(text) if c in known] for text in part.target.tolist()]
    found = torch.zeros((len(texts), max(map(len, texts), default=0) or 1), dtype=torch.long)
    for row, text in enumerate(texts):
        found[row, : len(text)] = torch.tensor(text, dtype=torch.long)
    return found


def _fits(sounds_BFM: np.ndarray, codes: torch.Tensor) -> np.ndarray:
    """Rows whose sounds have more steps than their texts need, and are not far longer than most, which would make every step long."""
    steps = sounds_BFM[:, :, -1].sum(axis=1) / STEP_FRAMES
    found: np.ndarray = (steps > (codes > 0).sum(dim=1).numpy()) & (steps <= LONG * np.quantile(steps, LONG_SHARE))
    return found


def _characters(prepared: Prepared) -> list[str]:
    return list((prepared.schema.targets[0].state or {})["characters"])
