"""A budget to a plan: the ordered fits with their full configs and the trials after them, stored before the first fit.

Knows the portfolio and how a budget is shared. What it decides is decided once: after a kill the stored plan is executed,
never a new one, so that the clock never changes the result.
"""

from __future__ import annotations

import time
from typing import Any

from salus.core.context import Context
from salus.core.errors import SalusError
from salus.core.specs import TrainSpec
from salus.learners import learner_named
from salus.learners.base import Learner, Prepared, Proposal
from salus.study.lesson import Lesson

RESERVED_SHARE = 0.2  # of the budget: calibrating, measuring, explaining, packaging, and what a plan cannot foresee
CONTRAST_SHARE, CONTRAST_S = 0.2, 30.0  # of the budget, at most so long: what a random split would have claimed
TRIALS_FILL = 0.7  # of the time that is left: a trial may cost more than what it varies
MOST_TRIALS = 40
MOST_DRAWS = 6  # trials where every outer fold repeats them
INNER_FOLDS = (5, 3, 2, 1)
FIRST_SHARE = 0.35  # of the time for fits, that the first learner may take with this many folds
ENOUGH_TO_TRY_S = 2.0
TIMED_S = 1.0
# What usually wins, by what the inputs are, in the order in which a short budget takes them: (learner, share of the time for fits,
# least seconds of budget at which it is worth a try).
PORTFOLIO: dict[str, tuple[tuple[str, float, float], ...]] = {
    "image": (("cnn", 1.0, 0.0),),
    "series": (("rocket", 0.6, 0.0), ("boosting", 0.2, 30.0), ("cnn1d", 0.4, 100.0)),
    "table": (
        ("linear", 0.15, 0.0),
        ("boosting", 0.35, 0.0),
        ("forest", 0.1, 30.0),
        ("svm", 0.1, 45.0),
        ("mlp", 0.3, 60.0),
    ),
}
# What is varied when time is left, with its share of that time.
TRIED: dict[str, dict[str, float]] = {
    "table": {"boosting": 0.7, "linear": 0.15, "svm": 0.15},
    "image": {},
    "series": {},
}


def make_plan(lesson: Lesson, outer: int, spec: TrainSpec, groups: bool, context: Context) -> dict[str, Any]:
    """The plan as JSON: {"budget_s", "fits": [{"learner", "config", "expected_s", "notes"}], "trials": [{"learner", "count",
    "expected_s"}], "rows", ...}. lesson: that of the model that is given away. outer: how many other lessons repeat all fits."""
    kept: dict[str, Any] | None = context.recall("plan")
    if kept is not None:
        context.event("planned", plan=kept, resumed=True)
        return kept
    prepared = lesson.prepared(0)
    contrast_s = min(CONTRAST_S, CONTRAST_SHARE * spec.budget_s) if groups and spec.contrast else 0.0
    left_s = max(1.0, spec.budget_s * (1 - RESERVED_SHARE) - contrast_s - context.elapsed_s())
    inner = _inner_folds(lesson, outer, prepared, spec, left_s, context)
    times = (outer + 1) * (inner + lesson.cross)  # how often everything is fitted
    fits, left_out = _fits(prepared, spec, left_s, times, context)
    trials = _trials(fits, prepared, spec, left_s, times, outer, context)
    plan = {
        "budget_s": spec.budget_s,
        "contrast_s": contrast_s,
        "rows": {"train": len(prepared.train), "validation": len(prepared.validation)},
        "inner_folds": inner,
        "outer_folds": outer,
        "seed": spec.seed,
        "threads": prepared.threads,
        "fits": fits,
        "trials": trials,
        "left_out": left_out,
    }
    context.remember("plan", plan)
    context.event("planned", plan=plan, resumed=False)
    return plan


def _inner_folds(
    lesson: Lesson, outer: int, prepared: Prepared, spec: TrainSpec, left_s: float, context: Context
) -> int:
    """How many of the lesson's folds are used: as many as leave time for more than the first learner, at least one."""
    if len(lesson.folds) == 1:
        return 1
    learner = _candidates(prepared, spec)[0][0]
    options = {name: value for name, value in spec.options.items() if name in learner.Config.model_fields}
    proposal = learner.propose(prepared, options, left_s / ((outer + 1) * 4), context)
    one_s = _seconds_of(learner, proposal, prepared, context)
    for count in INNER_FOLDS:
        if count <= len(lesson.folds) and one_s * (outer + 1) * (count + 1) <= FIRST_SHARE * left_s:
            return count
    return INNER_FOLDS[-1]


def _fits(
    prepared: Prepared, spec: TrainSpec, left_s: float, times: int, context: Context
) -> tuple[list[dict[str, Any]], list[str]]:
    """The portfolio's proposals in order, as long as there is time for them, the first one always; and what there was no time for."""
    fits, left_out = list[dict[str, Any]](), list[str]()
    used_s = 0.0
    candidates = _candidates(prepared, spec)
    total = sum(share for _, share in candidates)
    for learner, share in candidates:
        context.stop_if_asked("planning")
        options = spec.options
        if spec.learner == "auto":  # an option is for the learners that have it
            options = {name: value for name, value in options.items() if name in learner.Config.model_fields}
        proposal = learner.propose(prepared, options, left_s * share / total / times, context)
        one_s = _seconds_of(learner, proposal, prepared, context) if times > 1 else proposal.expected_s
        expected_s = one_s * times
        if fits and used_s + expected_s > left_s:
            left_out.append(learner.name)
            continue
        used_s += expected_s
        entry = {"learner": learner.name, "config": proposal.config, "expected_s": one_s}
        fits.append(entry | {"notes": proposal.notes})
    return fits, left_out


def _seconds_of(learner: type[Learner], proposal: Proposal, prepared: Prepared, context: Context) -> float:
    """Seconds of one fit: a short one that will be repeated is timed, since an error would be repeated with it."""
    if proposal.expected_s > TIMED_S:
        return proposal.expected_s
    started = time.monotonic()
    learner(learner.Config(**proposal.config)).fit(prepared, context.silent())
    return round(time.monotonic() - started, 3)


def _trials(
    fits: list[dict[str, Any]],
    prepared: Prepared,
    spec: TrainSpec,
    left_s: float,
    times: int,
    outer: int,
    context: Context,
) -> list[dict[str, Any]]:
    """How many configs of which learners are tried in the time that is left."""
    shares = {spec.learner: 1.0} if spec.learner != "auto" else TRIED[_inputs(prepared)]
    if spec.recipe is not None or not shares:
        return []
    rest_s = left_s - sum(fit["expected_s"] for fit in fits) * times
    planned = {fit["learner"]: fit["expected_s"] for fit in fits if fit["learner"] in shares}
    total = sum(shares[name] for name in planned)
    trials = []
    for name, expected_s in planned.items():
        share_s = TRIALS_FILL * rest_s * shares[name] / total
        most = MOST_DRAWS if outer else MOST_TRIALS
        count = min(most, int(share_s / max(expected_s * times, 0.02 * times)))
        if count > 0 and rest_s > ENOUGH_TO_TRY_S and _tunable(name, spec):
            trials.append({"learner": name, "count": count, "expected_s": expected_s})
    return trials


def _tunable(name: str, spec: TrainSpec) -> bool:
    """Whether the learner has options that may be varied and that the person left open."""
    from salus.study.tune import searches

    return bool(set(searches(name)) - set(spec.options))


def _inputs(prepared: Prepared) -> str:
    kinds = {column.kind for column in prepared.schema.inputs}
    return next((kind for kind in ("image", "series") if kind in kinds), "table")


def _candidates(prepared: Prepared, spec: TrainSpec) -> list[tuple[type[Learner], float]]:
    """The learners to try with their shares: the named one, or what the portfolio has installed."""
    kinds = frozenset(column.kind for column in prepared.schema.inputs)
    if spec.learner != "auto":
        learner = learner_named(spec.learner)
        if not learner.learns(prepared.classification, kinds):
            raise SalusError("learner_cannot", where=f"the learner {spec.learner}", found=", ".join(sorted(kinds)))
        return [(learner, 1.0)]
    found, refusal = [], None
    for name, share, least_s in PORTFOLIO[_inputs(prepared)]:
        if spec.budget_s < least_s:
            continue
        try:
            learner = learner_named(name)
        except SalusError as error:
            refusal = error
            continue
        if learner.learns(prepared.classification, kinds):
            found.append((learner, share))
    if not found:
        raise refusal or SalusError("learner_cannot", where="auto", found=", ".join(sorted(kinds)))
    return found
