"""Decisions that the person asked for, chosen on rows held out and written into the target's state, where answers read them.

From which probability on a label is said, when a model does not answer, and how far off a number may be.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from salus.core.nouns import Role
from salus.core.specs import TrainSpec
from salus.evaluation.calibrate import apply_calibration
from salus.evaluation.decide import choose_abstention, choose_threshold, conformal_widths
from salus.study.judge import Judged
from salus.study.learn import Learned
from salus.study.prepare import Material


def decided(material: Material, learned: Learned, judged: Judged | None, spec: TrainSpec) -> Material:
    """The material whose targets know their decisions. judged: where all rows judged in their turn, all of them decide: the few that
    one lesson held out would place a threshold by chance. A compound task decides nothing: its targets know what was learned with it."""
    if not material.task.plain:
        return material.with_schema(learned.lesson.schema)
    targets = material.schema.targets
    said, target, groups = _held_out(material, learned, judged)
    if learned.calibration is None:
        names = [column.name for column in targets]
        widths = conformal_widths(said, target, names, groups)
        added: list[dict[str, Any]] = [{"conformal": {name: widths[name]}} for name in names]
    else:
        state = dict(targets[0].state or {})
        if spec.threshold is not None:
            state["threshold"] = choose_threshold(spec.threshold, state["levels"], said, target, groups)
        if spec.coverage is not None:
            state["abstain_below"] = choose_abstention(said, spec.coverage, state)
        added = [state]
    states = {column.name: {**(column.state or {}), **more} for column, more in zip(targets, added, strict=True)}
    columns = tuple(
        column.model_copy(update={"state": states[column.name]}) if column.role is Role.TARGET else column
        for column in material.schema.columns
    )
    return material.with_schema(material.schema.model_copy(update={"columns": columns}))


def _held_out(
    material: Material, learned: Learned, judged: Judged | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Probabilities or values, truth and groups of rows that their models did not learn from."""
    if judged is not None:
        return judged.raw[material.task.output], material.target, material.groups
    said = learned.held_scores
    if learned.calibration is not None:
        said = apply_calibration(learned.calibration, said)
    return said, learned.lesson.held_target, learned.lesson.held_groups
