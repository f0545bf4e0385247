"""What was tried, what won and by how much: the facts that `salus.core.explain` puts into words.

Knows candidates and a choice. Does not know any row.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from salus.study.choose import best_single, standard_error
from salus.study.fit import Candidate
from salus.study.learn import Learned

LATE_SHARE = 0.25  # the last part of the fits: when the best one is among them, more of them may help


def choice_facts(learned: Learned, plan: Mapping[str, Any]) -> dict[str, Any]:
    """report["choice"]."""
    candidates, choice = learned.candidates, learned.choice
    single = choice.single
    others = [candidate for candidate in candidates if candidate.learner != single.learner]
    second = None
    if others:
        runner_up = min(others, key=lambda candidate: candidate.loss)
        gains = runner_up.row_losses - single.row_losses
        second = {
            "learner": runner_up.learner,
            "loss": runner_up.loss,
            "gain": float(gains.mean()),
            "error": standard_error(gains, learned.lesson.held_groups),
        }
    tried = {candidate.learner for candidate in candidates}
    left_out = [entry["learner"] for entry in plan["left_out"]]
    members = [{"learner": candidate.learner, "weight": weight} for candidate, weight in choice.members]
    return {
        "tried": len(candidates),
        "learners": list(dict.fromkeys(candidate.learner for candidate in candidates)),
        "single": {"learner": single.learner, "loss": single.loss},
        "second": second,
        "members": members if len(members) > 1 else [],
        "gain": choice.gain,
        "error": choice.error,
        "left_out": [name for name in left_out if name not in tried],
        "late_gain": _late_gain(candidates, learned),
    }


def _late_gain(candidates: tuple[Candidate, ...], learned: Learned) -> bool:
    """Whether the last fits were still better than those before."""
    late = max(1, int(LATE_SHARE * len(candidates)))
    if len(candidates) < 8:
        return False
    groups = learned.lesson.held_groups
    return best_single(candidates, groups) is not best_single(candidates[:-late], groups)
