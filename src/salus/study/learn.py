"""The whole way from a lesson to a model: every fit of the plan, the trials after them, the choice, the calibrated graph.

It is walked once for the model that is given away, and once more for every fold of rows that judge, so that nothing that was
chosen, tuned or calibrated ever saw the rows that judge it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from salus.core.context import Context
from salus.core.specs import TrainSpec
from salus.evaluation.calibrate import fit_calibration
from salus.learners.base import Program
from salus.learners.calibration_graph import add_calibration
from salus.learners.mixture import mixed, mixture
from salus.study.choose import Choice, choose, scores_together
from salus.study.fit import Candidate, Member, answers_of, held_out, member
from salus.study.lesson import Lesson
from salus.study.plan import plan_further
from salus.study.tune import ask

GUARD = 1.5  # times the budget: after this the rest of the plan is skipped and the run is marked cut


@dataclass(frozen=True)
class Learned:
    """A model and how it came to be. `graphs`: raw scores (or values) of all members together, without calibration, as `main`, or
    the graphs of a compound task; `example_answers`: what the members' own libraries say to the examples, likewise.
    `held_scores`: of the rows held out."""

    lesson: Lesson
    candidates: tuple[Candidate, ...]
    choice: Choice
    members: tuple[Member, ...]
    graphs: dict[str, bytes]
    calibration: dict[str, Any] | None
    held_scores: np.ndarray
    example_answers: np.ndarray
    cut: bool

    @property
    def best(self) -> Candidate:
        """The member that weighs most."""
        return max(self.choice.members, key=lambda pair: pair[1])[0]

    @property
    def program(self) -> Program:
        """What runs the graphs."""
        return self.members[0].program

    def served(self) -> dict[str, bytes]:
        """The graphs that answer."""
        if not self.lesson.task.plain:
            return self.graphs
        return {"main": add_calibration(self.graphs["main"], self.calibration)}


def learn(
    lesson: Lesson,
    plan: Mapping[str, Any],
    spec: TrainSpec,
    example_feeds: Mapping[str, np.ndarray],
    folder: Path,
    context: Context,
) -> Learned:
    """Executes the plan on a lesson."""
    lesson = lesson.with_folds(plan["inner_folds"])
    candidates, cut = _execute(lesson, plan, spec, example_feeds, folder, context)
    choice = choose(candidates, lesson, spec.max_latency_ms, ensemble=spec.recipe is None and lesson.task.plain)
    members = tuple(member(candidate, lesson, example_feeds, folder, context) for candidate, _ in choice.members)
    weights = [weight for _, weight in choice.members]
    held_scores = scores_together(choice.members, lesson.classification)
    graphs, answers = members[0].graphs, members[0].example_answers
    if len(members) > 1:
        records = [candidate.calibration for candidate, _ in choice.members]
        of_members = [add_calibration(one.graphs["main"], record) for one, record in zip(members, records, strict=True)]
        graphs = {"main": mixture(of_members, weights, lesson.classification)}
    if len(members) > 1 and example_feeds:
        of_examples = [answers_of(one.example_answers, record) for one, record in zip(members, records, strict=True)]
        answers = mixed(of_examples, weights, lesson.classification)
    calibration = None
    if lesson.classification:
        calibration = fit_calibration(held_scores, lesson.held_target, lesson.held_groups)
    return Learned(lesson, tuple(candidates), choice, members, graphs, calibration, held_scores, answers, cut)


def _execute(
    lesson: Lesson,
    plan: Mapping[str, Any],
    spec: TrainSpec,
    example_feeds: Mapping[str, np.ndarray],
    folder: Path,
    context: Context,
) -> tuple[list[Candidate], bool]:
    """Every candidate of the plan and of what was planned further, and whether the clock cut it."""
    candidates: list[Candidate] = []
    entries = list(plan["fits"])
    place = 0
    while place < len(entries):
        if candidates and _late(lesson, place, plan, context):
            context.event("cut", lesson=lesson.name, skipped=len(entries) - place)
            return candidates, True
        entry = _with_config(entries, candidates, plan, spec)
        candidates.append(held_out(place, entry, lesson, example_feeds, folder, context))
        place += 1
        if place == len(plan["fits"]):
            entries += plan_further(dict(plan), candidates, lesson, spec, context)
    return candidates, False


def _late(lesson: Lesson, place: int, plan: Mapping[str, Any], context: Context) -> bool:
    """Whether the guard ends the plan here; what it once said holds after a kill."""
    name = f"cut-{lesson.name}-{place}"
    if context.recall(name) is not None:
        return True
    if context.recall(f"fit-{lesson.name}-{place}") is not None or context.elapsed_s() <= GUARD * plan["budget_s"]:
        return False
    context.remember(name, True)
    return True


def _with_config(
    entries: list[dict[str, Any]], candidates: list[Candidate], plan: Mapping[str, Any], spec: TrainSpec
) -> dict[str, Any]:
    """The next entry itself, or that of a trial, which varies the best of what its learner proposed: its config is asked for in the
    light of the fits before, or, where outer folds repeat the plan, drawn at random."""
    entry = entries[len(candidates)]
    if "trial" not in entry:
        return entry
    learner = entry["learner"]
    of_learner = [candidate for candidate in candidates if candidate.learner == learner]
    proposed = [candidate for candidate in of_learner if "trial" not in entries[candidate.place]]
    base = min(proposed, key=lambda candidate: candidate.loss)
    told = [] if plan["outer_folds"] else [(candidate.config, candidate.loss) for candidate in of_learner]
    config = ask(learner, base.config, spec.options, told, plan["seed"], entry["trial"])
    if "share" in entry and config.get("steps"):  # rather a shorter trial than time that nobody uses
        config["steps"] = max(1, round(entry["share"] * config["steps"]))
    return entry | {"config": config}
