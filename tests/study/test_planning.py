"""What is planned further when the first fits have shown their real cost."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from salus.core.context import Context
from salus.core.nouns import Column, Schema
from salus.core.specs import TrainSpec
from salus.learners.base import Part
from salus.learners.svm import SvmConfig
from salus.study.fit import Candidate
from salus.study.lesson import Lesson
from salus.study.plan import make_plan, plan_further
from salus.tasks import task_named

ROWS = 3000


def lesson(rows: int = ROWS) -> Lesson:
    """Smooth answers of three numbers, five folds."""
    generator = np.random.default_rng(0)
    numbers = generator.normal(size=(rows, 3)).astype(np.float32)
    target = (np.sin(numbers[:, 0]) * numbers[:, 1] + numbers[:, 2] ** 2)[:, None].astype(np.float64)
    schema = Schema(columns=tuple(Column(name=f"n{i}", kind="number", state={}) for i in range(3)))
    every = np.arange(rows)
    folds = tuple((every[every % 5 != fold], every[every % 5 == fold]) for fold in range(5))
    return Lesson(
        "final", schema, Part({"numbers": numbers}, target, every), folds, True, task_named("regression"), 1, 0, 1
    )


def planned(config: dict[str, Any], budget_s: float, outer: int = 0) -> dict[str, Any]:
    fit = {"learner": "svm", "config": config, "expected_s": 0.01, "estimated_s": 0.01}
    return {"for_fits_s": budget_s, "inner_folds": 5, "outer_folds": outer, "fits": [fit], "left_out": []}


def candidate(config: dict[str, Any], seconds: float) -> Candidate:
    none = np.zeros(1)
    return Candidate(0, "svm", config, {}, {}, seconds, none, none, 0.1, None, 0.1, 1)


def few_rows() -> dict[str, Any]:
    return SvmConfig(max_rows=300).model_dump(mode="json")


def test_the_best_learner_proposes_again_for_the_time_that_is_left() -> None:
    plan, context = planned(few_rows(), 300.0), Context()
    spec = TrainSpec(target=("y",), budget_s=400)
    further = plan_further(plan, [candidate(few_rows(), 0.05)], lesson(), spec, context)
    assert further[0]["learner"] == "svm" and further[0]["config"]["max_rows"] > 2000
    assert all("trial" in entry for entry in further[1:]) and len(further) > 1
    assert plan_further(plan, [candidate(few_rows(), 99.0)], lesson(), spec, context) == further


def test_nothing_is_proposed_again_when_no_time_is_left() -> None:
    spec = TrainSpec(target=("y",), budget_s=10)
    assert plan_further(planned(few_rows(), 10.0), [candidate(few_rows(), 9.0)], lesson(), spec, Context()) == []
    spent = planned(few_rows(), 10.0, outer=5)
    assert plan_further(spent, [candidate(few_rows(), 2.0)], lesson(), spec, Context()) == []


def test_what_a_person_fixed_is_not_proposed_again() -> None:
    spec = TrainSpec(target=("y",), budget_s=400, learner="svm", options={"max_rows": 300, "kernel": "rbf"})
    further = plan_further(planned(few_rows(), 300.0), [candidate(few_rows(), 0.05)], lesson(), spec, Context())
    assert all("trial" in entry for entry in further)


def test_many_rows_need_fewer_folds_while_time_is_short() -> None:
    spec = TrainSpec(target=("y",), budget_s=250, learner="tree")
    assert make_plan(lesson(), 0, spec, False, Context())["inner_folds"] == 5
    assert make_plan(lesson(12_000), 0, spec, False, Context())["inner_folds"] == 2


def test_a_network_is_tried_for_fewer_steps_when_a_whole_trial_does_not_fit() -> None:
    steps = {"learner": "cnn1d", "config": {"steps": 100}, "expected_s": 50.0, "estimated_s": 50.0}
    plan = planned(few_rows(), 144.0) | {"fits": [steps]}
    tried = Candidate(0, "cnn1d", {"steps": 100}, {}, {}, 60.0, np.zeros(1), np.zeros(1), 0.1, None, 0.1, 1)
    spec = TrainSpec(target=("y",), budget_s=150, learner="cnn1d")
    recordings = replace(lesson(), schema=Schema(columns=(Column(name="s", kind="series", state={}),)))
    further = plan_further(plan, [tried], recordings, spec, Context())
    assert further == [{"learner": "cnn1d", "trial": 0, "share": 0.8}]
    rigid = Candidate(0, "svm", few_rows(), {}, {}, 60.0, np.zeros(1), np.zeros(1), 0.1, None, 0.1, 1)
    spec = TrainSpec(target=("y",), budget_s=180, learner="svm")
    assert plan_further(planned(few_rows(), 144.0), [rigid], lesson(), spec, Context()) == []
