"""A budget to a plan: the ordered fits with their full configs and the trials after them, stored before the first fit.

Knows the portfolio and how a budget is shared. What it decides is decided once: after a kill the stored plan is executed,
never a new one, so that the clock never changes the result.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from salus.core.context import Context
from salus.core.errors import SalusError
from salus.core.specs import TrainSpec
from salus.learners import learner_named
from salus.learners.base import Learner, Prepared, Proposal
from salus.study.fit import Candidate
from salus.study.lesson import Lesson
from salus.study.tune import searches
from salus.tasks import task_named

RESERVED_SHARE = 0.2  # of the budget: calibrating, measuring, explaining, packaging, and what a plan cannot foresee
CONTRAST_SHARE, CONTRAST_S = 0.2, 30.0  # of the budget, at most so long: what a random split would have claimed
FURTHER_SHARE = 0.8  # of the time that is left after the first fits: a trial may cost more than what it varies
TRIAL_SHARES = (0.6, 0.4)  # of the time for trials: the best learner, the second best
AGAIN_LEARNERS, AGAIN_SHARE = 3, 0.5  # so many of the best propose again, each for this share of what is left then
AGAIN_GROWTH = 1.5  # times the first fit's seconds, from which a second fit is worth it
PACE = (0.5, 3.0)  # a fit's real seconds over those expected are believed between these
MOST_TRIALS = 40
MOST_DRAWS = 6  # trials a learner where every outer fold repeats them
LEAST_TRIAL_S = 0.02
SHORTEST_SHARE = 0.5  # of what it varies, that a trial may last at least
TIMED_S = 1.0
ASKED_AGAIN = 1.25  # times the budget that a learner was asked with, from which it is asked anew
INNER_FOLDS = (5, 3, 2, 1)
ENOUGH_HELD_ROWS, LONG_S = 4000, 300.0  # with less time, so many rows held out tell enough: better fits are worth more
FIRST_SHARE = 0.35  # of the time for fits, that the first learner may take with this many folds
MANY_ROWS = 20_000  # above it some learners take long and seldom help


@dataclass(frozen=True)
class Chance:
    """A learner of the portfolio: its share of the time for fits, from which budget and up to how many train rows it is tried."""

    learner: str
    share: float
    least_budget_s: float = 0.0
    most_rows: int | None = None


# What usually wins, by the task or else by what the inputs are, in the order in which a short budget takes them.
PORTFOLIO: dict[str, tuple[Chance, ...]] = {
    "object-detection": (Chance("detector", 1.0),),
    "image": (Chance("cnn", 0.85), Chance("svm", 0.15, 45.0, MANY_ROWS)),
    "transcription": (Chance("ctc", 1.0),),
    "audio": (Chance("audio_cnn", 0.85), Chance("svm", 0.15, 45.0, MANY_ROWS)),
    "image-generation": (Chance("flow", 1.0),),
    "text-generation": (Chance("decoder_transformer", 1.0),),
    "translation": (Chance("seq2seq_transformer", 1.0),),
    "abstractive-summarization": (Chance("seq2seq_transformer", 1.0),),
    "summarization": (Chance("extractive", 0.9), Chance("lead", 0.05), Chance("textrank", 0.05)),
    "forecasting": (
        Chance("seasonal_naive", 0.02),
        Chance("linear_forecast", 0.08),
        Chance("boosting_forecast", 0.15),
        Chance("rnn_forecast", 0.4, 60.0),
        Chance("patch_transformer", 0.35, 600.0),  # slow on processors
    ),
    "series": (Chance("rocket", 0.6), Chance("boosting", 0.2, 30.0), Chance("cnn1d", 0.4, 100.0)),
    "text-classification": (
        Chance("linear", 0.15),
        Chance("bag", 0.15),
        Chance("text_cnn", 0.35, 100.0),
        Chance("text_rnn", 0.35, 150.0),
    ),
    "mixed": (Chance("boosting", 0.3), Chance("fusion", 0.6), Chance("linear", 0.1)),
    "table": (
        Chance("linear", 0.15),
        Chance("boosting", 0.35),
        Chance("forest", 0.1, 30.0, MANY_ROWS),
        Chance("svm", 0.1, 45.0, MANY_ROWS),
        Chance("mlp", 0.3, 60.0),
    ),
}


def make_plan(lesson: Lesson, outer: int, spec: TrainSpec, groups: bool, context: Context) -> dict[str, Any]:
    """The plan as JSON: {"budget_s", "fits": [{"learner", "config", "expected_s", ...}], "left_out": likewise what there was no
    time for, "rows", ...}. lesson: that of the model that is given away. outer: how many other lessons repeat all fits."""
    kept: dict[str, Any] | None = context.recall("plan")
    if kept is not None:
        context.event("planned", plan=kept, resumed=True)
        return kept
    prepared = lesson.prepared(0)
    contrast_s = min(CONTRAST_S, CONTRAST_SHARE * spec.budget_s) if groups and spec.contrast else 0.0
    for_fits_s = spec.budget_s * (1 - RESERVED_SHARE) - contrast_s
    left_s = max(1.0, for_fits_s - context.elapsed_s())
    proposals = _Proposals(prepared, spec, context)
    inner = _inner_folds(lesson, outer, proposals, left_s)
    times = (outer + 1) * (inner + lesson.cross)  # how often everything is fitted
    fits, left_out = _fits(proposals, max(1.0, for_fits_s - context.elapsed_s()), times)
    plan = {
        "budget_s": spec.budget_s,
        "for_fits_s": round(for_fits_s, 3),
        "contrast_s": contrast_s,
        "rows": {"train": len(prepared.train), "validation": len(prepared.validation)},
        "inner_folds": inner,
        "outer_folds": outer,
        "seed": spec.seed,
        "threads": prepared.threads,
        "fits": fits,
        "left_out": left_out,
    }
    context.remember("plan", plan)
    context.event("planned", plan=plan, resumed=False)
    return plan


def plan_further(
    plan: dict[str, Any], candidates: Sequence[Candidate], lesson: Lesson, spec: TrainSpec, context: Context
) -> list[dict[str, Any]]:
    """What else is fitted, now that it is known how long the first fits took: learners that seemed too long, then what the best
    learners propose for the time that is really left, then trials of the two best. candidates: those of `plan["fits"]`.
    [{"learner", "config", ...} or {"learner", "trial": number, "share": of the steps, where not all}]; stored, and repeated by every
    other lesson."""
    kept: list[dict[str, Any]] | None = context.recall("further")
    if kept is not None:
        return kept
    lessons = plan["outer_folds"] + 1
    spent_s = sum(candidate.seconds for candidate in candidates)
    longest_s = max(candidate.seconds for candidate in candidates) / plan["inner_folds"]
    refit_s = 2 * longest_s * lessons if lesson.cross else 0.0
    elapsed_s = max(context.elapsed_s(), spent_s)  # of a fit that was cut off the clock knows nothing
    left_s = FURTHER_SHARE * (plan["for_fits_s"] - elapsed_s - plan["outer_folds"] * spent_s - refit_s) / lessons
    slower = spent_s / max(1e-3, sum(fit["expected_s"] for fit in plan["fits"]) * plan["inner_folds"])
    further: list[dict[str, Any]] = []
    for entry in plan["left_out"]:
        cost_s = entry["expected_s"] * plan["inner_folds"] * slower
        if cost_s < left_s:
            further.append({"learner": entry["learner"], "config": entry["config"]})
            left_s -= cost_s
    again = 0
    if spec.recipe is None:
        tunable = _worth_trying(candidates, spec)
        repeated, costs = _proposed_again(plan, candidates, lesson, spec, left_s, bool(tunable), context)
        further += repeated
        again = len(repeated)
        left_s -= sum(costs.values())
        further += _trials(plan, candidates, tunable, costs, left_s)
    context.remember("further", further)
    context.event("planned_further", fits=len(further), again=again, slower=round(slower, 2))
    return further


def _proposed_again(
    plan: dict[str, Any],
    candidates: Sequence[Candidate],
    lesson: Lesson,
    spec: TrainSpec,
    left_s: float,
    trials: bool,
    context: Context,
) -> tuple[list[dict[str, Any]], dict[str, float]]:
    """What the best learners propose for a share of the time that is left, where it is noticeably more than they had; and the
    seconds of a lesson that each of these costs. trials: whether anything is to be left for trials."""
    proposals = _Proposals(lesson.prepared(0), spec, context)
    fits = plan["inner_folds"] + lesson.cross  # what wins is fitted once more from all rows
    pairs = sorted(zip(candidates, plan["fits"], strict=True), key=lambda pair: pair[0].loss)[:AGAIN_LEARNERS]
    found, costs = list[dict[str, Any]](), dict[str, float]()
    for place, (candidate, first) in enumerate(pairs):
        share_s = (AGAIN_SHARE if trials or place + 1 < len(pairs) else 1.0) * left_s / fits
        first_s = candidate.seconds / plan["inner_folds"]
        if share_s < AGAIN_GROWTH * first_s:
            continue
        pace = min(PACE[1], max(PACE[0], first_s / max(1e-3, first.get("estimated_s", first["expected_s"]))))
        entry = proposals.entry(learner_named(candidate.learner), share_s / pace)
        timed = entry["estimated_s"] <= TIMED_S
        one_s = entry["expected_s"] if timed else entry["estimated_s"] * pace
        if entry["config"] == candidate.config or not AGAIN_GROWTH * first_s <= one_s <= left_s / fits:
            continue
        found.append(entry)
        costs[candidate.learner] = one_s * fits
        left_s -= costs[candidate.learner]
    return found, costs


def _trials(
    plan: dict[str, Any],
    candidates: Sequence[Candidate],
    tunable: Sequence[tuple[str, float]],
    costs: Mapping[str, float],
    left_s: float,
) -> list[dict[str, Any]]:
    """As many trials of each learner as its share of the time allows; where it allows none, one for what nobody uses, if need be of fewer
    steps. costs: seconds of what a learner proposed again."""
    found, most = list[dict[str, Any]](), MOST_DRAWS if plan["outer_folds"] else MOST_TRIALS
    free_s = left_s
    for learner, share in tunable:
        first = next(candidate for candidate in candidates if candidate.learner == learner)
        cost_s = max(costs.get(learner, first.seconds), LEAST_TRIAL_S * plan["inner_folds"])
        count = min(most, int(share * left_s / cost_s))
        shorter = min(1.0, free_s / cost_s)
        if count:
            found += [{"learner": learner, "trial": number} for number in range(count)]
            free_s -= count * cost_s
        elif shorter >= (SHORTEST_SHARE if first.config.get("steps") else 1.0):
            found.append({"learner": learner, "trial": 0, "share": round(shorter, 3)})
            free_s -= shorter * cost_s
    return found


def _worth_trying(candidates: Sequence[Candidate], spec: TrainSpec) -> list[tuple[str, float]]:
    """The best two learners that have several options to vary, with their shares of the time."""
    ordered = dict.fromkeys(candidate.learner for candidate in sorted(candidates, key=lambda tried: tried.loss))
    tunable = [learner for learner in ordered if len(set(searches(learner)) - set(spec.options)) > 1]
    return list(zip(tunable, TRIAL_SHARES, strict=False))


class _Proposals:
    """What each learner proposes, asked again only for noticeably more time, with the seconds of a short fit measured."""

    def __init__(self, prepared: Prepared, spec: TrainSpec, context: Context):
        self.prepared, self.spec, self.context = prepared, spec, context
        self.candidates = _candidates(prepared, spec)
        self._made: dict[str, tuple[float, dict[str, Any]]] = {}

    def entry(self, learner: type[Learner], budget_s: float) -> dict[str, Any]:
        """{"learner", "config", "expected_s", "estimated_s", "notes"} for one fit within this budget; estimated: what the learner
        says, expected: what a short fit really took."""
        asked_s, made = self._made.get(learner.name, (0.0, {}))
        return self._ask(learner, budget_s) if not made or budget_s > ASKED_AGAIN * asked_s else made

    def smaller(self, learner: type[Learner], limit_s: float) -> dict[str, Any]:
        """The entry of a learner whose short fit took longer than it said, asked anew for as much less."""
        asked_s, made = self._made[learner.name]
        return self._ask(learner, asked_s * limit_s / made["expected_s"])

    def _ask(self, learner: type[Learner], budget_s: float) -> dict[str, Any]:
        self.context.stop_if_asked("planning")
        options = self.spec.options
        if self.spec.learner == "auto":  # an option is for the learners that have it
            options = {name: value for name, value in options.items() if name in learner.Config.model_fields}
        proposal = learner.propose(self.prepared, options, budget_s, self.context)
        made = {
            "learner": learner.name,
            "config": proposal.config,
            "expected_s": self._seconds(learner, proposal),
            "estimated_s": proposal.expected_s,
            "notes": proposal.notes,
        }
        self._made[learner.name] = budget_s, made
        return made

    def _seconds(self, learner: type[Learner], proposal: Proposal) -> float:
        """Seconds of one fit: a short one, which may be repeated often, is timed."""
        if proposal.expected_s > TIMED_S:
            return proposal.expected_s
        started = time.monotonic()
        learner(learner.Config(**proposal.config)).fit(self.prepared, self.context.silent())
        return round(time.monotonic() - started, 3)


def _inner_folds(lesson: Lesson, outer: int, proposals: _Proposals, left_s: float) -> int:
    """How many of the lesson's folds are used: as many as leave time for more than the first learner, at least one."""
    if len(lesson.folds) == 1:
        return 1
    one_s = proposals.entry(proposals.candidates[0][0], left_s / ((outer + 1) * 4))["expected_s"]
    most = len(lesson.folds)
    if lesson.part.groups is None and left_s < LONG_S:
        held = np.cumsum([len(rows) for _, rows in lesson.folds])
        most = min(most, int(np.searchsorted(held, ENOUGH_HELD_ROWS)) + 1)
    for count in INNER_FOLDS:
        if count <= most and one_s * (outer + 1) * (count + 1) <= FIRST_SHARE * left_s:
            return count
    return INNER_FOLDS[-1]


def _fits(proposals: _Proposals, left_s: float, times: int) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The portfolio's proposals in order, as long as there is time for them, the first one always; and what there was no time for."""
    fits, left_out = list[dict[str, Any]](), list[dict[str, Any]]()
    total = sum(share for _, share in proposals.candidates)
    used_s = 0.0
    for learner, share in proposals.candidates:
        entry = proposals.entry(learner, left_s * share / total / times)
        if not fits and entry["expected_s"] * times > left_s:
            entry = proposals.smaller(learner, left_s / times)
        if fits and used_s + entry["expected_s"] * times > left_s:
            left_out.append(entry)
            continue
        used_s += entry["expected_s"] * times
        fits.append(entry)
    return fits, left_out


def _inputs(prepared: Prepared) -> str:
    kinds = {column.kind for column in prepared.schema.inputs}
    perceived = [kind for kind in ("image", "series", "audio") if kind in kinds]
    if perceived and len(kinds) > 1:
        return "mixed"
    return perceived[0] if perceived else "table"


def _candidates(prepared: Prepared, spec: TrainSpec) -> list[tuple[type[Learner], float]]:
    """The learners to try with their shares: the named one, or what the portfolio has installed."""
    kinds = frozenset(column.kind for column in prepared.schema.inputs)
    if spec.learner != "auto":
        learner = learner_named(spec.learner)
        if not learner.learns(task_named(prepared.task), kinds):
            raise SalusError("learner_cannot", where=f"the learner {spec.learner}", found=", ".join(sorted(kinds)))
        return [(learner, 1.0)]
    refusal = None
    # What no learner of its own sort takes, such as times beside recordings, is a table of features.
    for sort in dict.fromkeys((prepared.task, _inputs(prepared), "table")):
        found = []
        for chance in PORTFOLIO.get(sort, ()):
            too_many = chance.most_rows is not None and len(prepared.train) > chance.most_rows
            if spec.budget_s < chance.least_budget_s or too_many:
                continue
            try:
                learner = learner_named(chance.learner)
            except SalusError as error:
                refusal = error
                continue
            if learner.learns(task_named(prepared.task), kinds):
                found.append((learner, chance.share))
        if found:
            return found
        if refusal is not None:
            raise refusal
    raise SalusError("learner_cannot", where="auto", found=", ".join(sorted(kinds)))
