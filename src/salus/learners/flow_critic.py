"""The network that judges drawn pictures: our own `cnn`, which learns the labels of the train pictures in a small part of the budget.

By its features and labels drawn pictures are measured against real ones. Where there are no labels, the features are those that table
learners see of pictures. Its graph `critic` takes pictures as `image_0` uint8 (B, H, W, C) and gives `seen` (B, K + D): scores, then features.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from salus.core.context import Context
from salus.data.kinds.category import FIRST
from salus.learners.base import Part, Prepared
from salus.learners.cnn import Cnn, CnnConfig, CnnFitted
from salus.learners.front_pictures import PictureFeatures
from salus.learners.graphs import GraphBuilder

FEWEST_LABELS = 2


class CriticOptions(Protocol):
    """What of a learner's config is about the critic."""

    @property
    def critic_width(self) -> int | None: ...
    @property
    def critic_steps(self) -> int | None: ...


@dataclass(frozen=True)
class Proposed:
    """What is decided about the critic before it learns: changes of the learner's config, and its seconds."""

    changes: Mapping[str, Any]
    expected_s: float


@dataclass(frozen=True)
class Critic:
    """graph: see above. details: JSON for the report."""

    graph: bytes
    details: dict[str, Any]

    @staticmethod
    def proposed(
        prepared: Prepared, pixels: np.ndarray, options: CriticOptions, budget_s: float, context: Context
    ) -> Proposed:
        """How wide and how long, for this many seconds; what a person said wins."""
        lesson = _lesson(prepared, pixels)
        if lesson is None:
            return Proposed({}, 0.0)
        asked = {"width": options.critic_width, "steps": options.critic_steps}
        given = {name: value for name, value in asked.items() if value is not None}
        found = Cnn.propose(lesson, given, budget_s, context)
        return Proposed(
            {"critic_width": found.config["width"], "critic_steps": found.config["steps"]}, found.expected_s
        )


def critic_of(prepared: Prepared, pixels: np.ndarray, options: CriticOptions, context: Context) -> Critic:
    """Learns it."""
    lesson = _lesson(prepared, pixels)
    if lesson is None:
        features = PictureFeatures("image_0", "pictures", *pixels.shape[1:])
        builder = GraphBuilder()
        graph = builder.finish("seen", features.nodes(builder), len(features.names))
        return Critic(graph, {"labels": 0, "features": len(features.names)})
    fitted = Cnn(CnnConfig.model_validate({"width": options.critic_width, "steps": options.critic_steps})).fit(
        lesson, context
    )
    assert isinstance(fitted, CnnFitted)
    return Critic(fitted.seen_graph(), {"labels": lesson.classes, "learner": Cnn.name, **_short(fitted.details)})


def _short(details: Mapping[str, Any]) -> dict[str, Any]:
    return {name: details[name] for name in ("steps", "epochs", "weights") if name in details}


def _lesson(prepared: Prepared, pixels: np.ndarray) -> Prepared | None:
    """The pictures and the codes of their first label column, without rows whose label is missing; None where there are not two."""
    columns = [column for column in prepared.schema.inputs if column.kind == "category"]
    classes = len((columns[0].state or {})["levels"]) if columns else 0
    if classes < FEWEST_LABELS:
        return None
    codes = prepared.train.feeds["categories"][:, 0] - FIRST
    known = np.flatnonzero(codes >= 0)
    train = Part({"image_0": pixels[known]}, codes[known], prepared.train.rows[known])
    none = np.zeros(0, dtype=np.int64)
    held = Part({"image_0": pixels[:0]}, none, none)
    return Prepared(prepared.schema, train, held, True, classes, prepared.seed, prepared.threads)
