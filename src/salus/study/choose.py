"""Which candidate wins, and whether several together are better. All by rows that were held out.

The order of the plan counts: simple learners come first, and a later candidate must be better by more than a standard error of
the paired difference, since few rows choose by luck. An ensemble is grown greedily (Caruana et al. 2004) and kept when it is better by half of one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from salus.core.errors import SalusError
from salus.learners.mixture import mixed
from salus.study.fit import Candidate, answers_of, losses_of
from salus.study.lesson import Lesson

PICKS = 20
MOST_MEMBERS = 4
LEAST_GAIN = 1e-5
ENSEMBLE_ERRORS = 0.5  # standard errors by which an ensemble must be better: a mean seldom loses what a choice may lose


@dataclass(frozen=True)
class Choice:
    """Members with weights that add up to 1; the best single one; by how much the members together are better than it, with its
    standard error (0 without an ensemble)."""

    members: tuple[tuple[Candidate, float], ...]
    single: Candidate
    gain: float
    error: float


def choose(
    candidates: Sequence[Candidate], lesson: Lesson, max_latency_ms: float | None, ensemble: bool = True
) -> Choice:
    """Of the candidates that answer fast enough (`too_slow` when none does)."""
    fast = [c for c in candidates if max_latency_ms is None or c.one_row_ms <= max_latency_ms]
    if not fast:
        fastest = min(c.one_row_ms for c in candidates)
        raise SalusError("too_slow", where="max_latency_ms", expected=max_latency_ms, found=fastest)
    single = best_single(fast, lesson.held_groups)
    if not ensemble or len(fast) < 2:
        return Choice(((single, 1.0),), single, 0.0, 0.0)
    members = _grown(fast, single, lesson, max_latency_ms)
    gains = single.row_losses - losses_together(members, lesson)
    error = standard_error(gains, lesson.held_groups)
    if len(members) == 1 or gains.mean() <= ENSEMBLE_ERRORS * error:
        return Choice(((single, 1.0),), single, 0.0, 0.0)
    return Choice(tuple(members), single, float(gains.mean()), error)


def best_single(candidates: Sequence[Candidate], groups: np.ndarray | None) -> Candidate:
    """The one that the rows held out favour, by more than a standard error over those before it in the plan; by half of one, if it
    is itself a mean with what its learner names as `mixed_with`."""
    best = candidates[0]
    for candidate in candidates[1:]:
        gains = best.row_losses - candidate.row_losses
        errors = ENSEMBLE_ERRORS if "mixed_with" in candidate.details else 1.0
        if gains.mean() > errors * standard_error(gains, groups):
            best = candidate
    return best


def standard_error(gains: np.ndarray, groups: np.ndarray | None) -> float:
    """Of the mean of these differences; rows of one group vary together."""
    if groups is None:
        return float(gains.std() / np.sqrt(len(gains)))
    units = np.unique(groups, return_inverse=True)[1]
    sums = np.bincount(units, weights=gains - gains.mean())
    count = len(sums)
    return float(np.sqrt(np.sum(sums**2) * count / max(1, count - 1)) / len(gains))


def scores_together(members: Sequence[tuple[Candidate, float]], classification: bool) -> np.ndarray:
    """What the members together said about the rows held out: scores (H, K) or values (H, M)."""
    if len(members) == 1:
        return members[0][0].scores
    answers = [answers_of(candidate.scores, candidate.calibration) for candidate, _ in members]
    return mixed(answers, [weight for _, weight in members], classification)


def losses_together(members: Sequence[tuple[Candidate, float]], lesson: Lesson) -> np.ndarray:
    """The loss of each row held out."""
    if len(members) == 1:
        return members[0][0].row_losses
    said = scores_together(members, lesson.classification)
    return losses_of(np.exp(said) if lesson.classification else said, lesson.held_target, lesson.classification)


def _grown(
    candidates: Sequence[Candidate], single: Candidate, lesson: Lesson, max_latency_ms: float | None
) -> list[tuple[Candidate, float]]:
    """Starts with the best one and adds, again and again, the candidate that helps the mean most."""
    answers = [answers_of(candidate.scores, candidate.calibration) for candidate in candidates]
    target = lesson.held_target
    picks = [next(place for place, candidate in enumerate(candidates) if candidate is single)]
    total = answers[picks[0]].copy()
    best = _mean_loss(total, target, lesson.classification)
    for _ in range(PICKS - 1):
        tried = {}
        for place in range(len(candidates)):
            chosen = {*picks, place}
            if len(chosen) <= MOST_MEMBERS and _fast_enough([candidates[i] for i in chosen], max_latency_ms):
                mean = (total + answers[place]) / (len(picks) + 1)
                tried[place] = _mean_loss(mean, target, lesson.classification)
        if not tried:
            break
        place = min(tried, key=lambda key: tried[key])
        if tried[place] > best - LEAST_GAIN:
            break
        picks.append(place)
        total += answers[place]
        best = tried[place]
    return [(candidates[place], picks.count(place) / len(picks)) for place in sorted(set(picks))]


def _mean_loss(answers: np.ndarray, target: np.ndarray, classification: bool) -> float:
    return float(losses_of(answers, target, classification).mean())


def _fast_enough(candidates: Sequence[Candidate], max_latency_ms: float | None) -> bool:
    return max_latency_ms is None or sum(candidate.one_row_ms for candidate in candidates) <= max_latency_ms
