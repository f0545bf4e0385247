"""A budget to a plan: the ordered fits with their full configs, stored before the first fit.

Knows the portfolio and how a budget is shared. What it decides is decided once: after a kill the stored plan is executed,
never a new one, so that the clock never changes the result.
"""

from __future__ import annotations

from typing import Any

from salus.core.context import Context
from salus.core.errors import SalusError
from salus.core.specs import TrainSpec
from salus.learners import learner_named
from salus.learners.base import Learner, Prepared

RESERVED_SHARE = 0.12  # of the budget: calibrating, measuring, packaging
# What usually wins, by what the inputs are; (learner, share of the time for fits).
PORTFOLIO: dict[str, tuple[tuple[str, float], ...]] = {
    "image": (("cnn", 1.0),),
    "series": (("rocket", 1.0),),
    "table": (("linear", 0.25), ("boosting", 0.75)),
}


def make_plan(prepared: Prepared, spec: TrainSpec, context: Context) -> dict[str, Any]:
    """The plan as JSON: {"budget_s", "fits": [{"learner", "config", "expected_s", "notes"}], "rows"}."""
    kept: dict[str, Any] | None = context.recall("plan")
    if kept is not None:
        context.event("planned", plan=kept, resumed=True)
        return kept
    left_s = max(1.0, spec.budget_s * (1 - RESERVED_SHARE) - context.elapsed_s())
    fits = []
    for learner, share in _candidates(prepared, spec):
        context.stop_if_asked("planning")
        options = spec.options
        if spec.learner == "auto":  # an option is for the learners that have it
            options = {name: value for name, value in options.items() if name in learner.Config.model_fields}
        proposal = learner.propose(prepared, options, left_s * share, context)
        fits.append(
            {
                "learner": learner.name,
                "config": proposal.config,
                "expected_s": proposal.expected_s,
                "notes": proposal.notes,
            }
        )
    plan = {
        "budget_s": spec.budget_s,
        "rows": {"train": len(prepared.train), "validation": len(prepared.validation)},
        "seed": spec.seed,
        "threads": prepared.threads,
        "fits": fits,
    }
    context.remember("plan", plan)
    context.event("planned", plan=plan, resumed=False)
    return plan


def _candidates(prepared: Prepared, spec: TrainSpec) -> list[tuple[type[Learner], float]]:
    """The learners to try with their shares: the named one, or what the portfolio has installed."""
    kinds = frozenset(column.kind for column in prepared.schema.inputs)
    if spec.learner != "auto":
        learner = learner_named(spec.learner)
        if not learner.learns(prepared.classification, kinds):
            raise SalusError("learner_cannot", where=f"the learner {spec.learner}", found=", ".join(sorted(kinds)))
        return [(learner, 1.0)]
    group = next((kind for kind in ("image", "series") if kind in kinds), "table")
    found, refusal = [], None
    for name, share in PORTFOLIO[group]:
        try:
            learner = learner_named(name)
        except SalusError as error:
            refusal = error
            continue
        if learner.learns(prepared.classification, kinds):
            found.append((learner, share))
    if not found:
        raise refusal or SalusError("learner_cannot", where="auto", found=", ".join(sorted(kinds)))
    total = sum(share for _, share in found)
    return [(learner, share / total) for learner, share in found]
