"""Thresholds, abstention, conformal intervals: chosen on held-out rows, true on others; labels follow them in every figure."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from salus.core.errors import SalusError
from salus.core.specs import Threshold
from salus.evaluation.compare import paired, versus
from salus.evaluation.decide import (
    choose_abstention,
    choose_threshold,
    conformal_widths,
    operating_curve,
    roc,
)
from salus.evaluation.measure import measure
from salus.evaluation.metrics import score
from salus.tasks import task_named

LEVELS = ["no", "sick"]


def patients(rows: int, seed: int, sick: float = 0.2) -> tuple[np.ndarray, np.ndarray]:
    """Calibrated probabilities (B, 2) and the truth."""
    generator = np.random.default_rng(seed)
    chance = generator.beta(4 * sick, 4 * (1 - sick), rows)
    return np.stack([1 - chance, chance], axis=1), (generator.random(rows) < chance).astype(int)


def measured(raw: np.ndarray, target: np.ndarray, state: dict[str, Any], **more: Any) -> dict[str, Any]:
    task = task_named("binary-classification")
    given = {"scores": np.log(np.maximum(raw, 1e-9)), "probabilities": raw}
    states = [{"levels": LEVELS, **state}]
    return measure(task, target, given, states, ["y"], None, task.baseline(target, states), 0, **more)


@pytest.mark.parametrize("wanted", [0.8, 0.9, 0.99])
def test_a_wanted_sensitivity_is_reached_on_other_rows(wanted: float) -> None:
    asked = Threshold(positive="sick", sensitivity=wanted)
    chosen = choose_threshold(asked, LEVELS, *patients(4000, 0))
    report = measured(*patients(4000, 1), {"threshold": chosen})
    found = report["decision"]["figures"]["sensitivity"]
    assert chosen["reached"] and found["value"] == pytest.approx(wanted, abs=0.04)
    assert found["low"] < found["value"] < found["high"]


def test_a_wanted_specificity_and_both() -> None:
    raw, target = patients(4000, 0)
    chosen = choose_threshold(Threshold(positive="sick", specificity=0.9), LEVELS, raw, target)
    called = raw[:, 1] >= chosen["probability"]
    assert 0.9 <= np.mean(~called[target == 0]) < 0.91
    both = choose_threshold(Threshold(positive="sick", sensitivity=0.99, specificity=0.99), LEVELS, raw, target)
    assert not both["reached"]
    easy = choose_threshold(Threshold(positive="sick", sensitivity=0.5, specificity=0.5), LEVELS, raw, target)
    assert easy["reached"]


def test_costs_move_the_threshold_as_theory_says_unless_the_rows_say_otherwise() -> None:
    asked = Threshold(positive="sick", missed_cost=9.0, alarm_cost=1.0)
    raw, target = patients(2000, 3)
    assert choose_threshold(asked, LEVELS, raw, target)["probability"] == pytest.approx(0.1)
    shy = np.stack([1 - raw[:, 1] / 4, raw[:, 1] / 4], axis=1)  # says a quarter of what is true
    assert choose_threshold(asked, LEVELS, shy, target)["probability"] < 0.06


@pytest.mark.parametrize(("levels", "positive"), [(LEVELS, "ill"), (["a", "b", "c"], "a")])
def test_a_threshold_is_for_one_of_two_labels(levels: list[str], positive: str) -> None:
    with pytest.raises(SalusError) as caught:
        choose_threshold(Threshold(positive=positive, sensitivity=0.9), levels, np.eye(3)[:2], np.array([0, 1]))
    assert caught.value.code == "bad_spec"
    with pytest.raises(SalusError) as caught:
        one_class = np.zeros(2, dtype=int)
        choose_threshold(Threshold(positive="sick", sensitivity=0.9), LEVELS, np.eye(2), one_class)
    assert caught.value.code == "threshold_one_class"


def test_the_labels_of_every_figure_follow_the_threshold() -> None:
    raw, target = patients(1000, 4)
    plain, decided = (measured(raw, target, {"threshold": at}) for at in (None, {"level": "sick", "probability": 0.1}))
    assert decided["metrics"]["accuracy"]["value"] == pytest.approx(np.mean((raw[:, 1] >= 0.1) == target))
    assert decided["metrics"]["accuracy"]["value"] < plain["metrics"]["accuracy"]["value"]
    assert decided["metrics"]["log_loss"] == plain["metrics"]["log_loss"]
    assert decided["metrics"]["auc"] == plain["metrics"]["auc"]
    assert sum(row[1] for row in decided["confusion"]["counts"]) == np.sum(raw[:, 1] >= 0.1)
    assert plain["headline"]["metric"] == "accuracy" and decided["headline"]["metric"] == "auc"
    assert plain["decision"]["level"] == "sick" and plain["decision"]["threshold"] is None


def test_the_curve_goes_from_all_to_none() -> None:
    raw, target = patients(300, 5)
    curve = operating_curve(raw[:, 1], target == 1)
    assert (curve[0]["sensitivity"], curve[0]["specificity"], curve[0]["npv"]) == (1, 0, None)
    assert (curve[-1]["sensitivity"], curve[-1]["specificity"], curve[-1]["ppv"]) == (0, 1, None)
    assert len(curve) <= 41
    at, sensitivity, _ = roc(raw[:, 1], target == 1)
    for place in (0, len(at) // 2, len(at) - 1):
        assert np.mean(raw[target == 1, 1] >= at[place]) == pytest.approx(sensitivity[place])


def test_abstention_answers_the_wanted_share_and_is_right_more_often() -> None:
    raw, _ = patients(3000, 6)
    below = choose_abstention(raw, 0.7, {"levels": LEVELS})
    report = measured(*patients(3000, 7), {"abstain_below": below})
    found = report["abstention"]
    assert found["coverage"]["value"] == pytest.approx(0.7, abs=0.03)
    assert found["accuracy"]["value"] > report["metrics"]["accuracy"]["value"] + 0.03
    assert found["curve"][-1] == {
        "coverage": 1.0,
        "accuracy": pytest.approx(report["metrics"]["accuracy"]["value"]),
        "below": pytest.approx(0.5, abs=0.02),
    }
    decoded = task_named("binary-classification").decode(raw, [{"levels": LEVELS, "abstain_below": below}], ["y"])
    assert np.mean([item["abstained"] for item in decoded]) == pytest.approx(0.3, abs=0.001)


@pytest.mark.parametrize("people", [None, 40])
def test_conformal_intervals_hold_the_truth_as_often_as_they_say(people: int | None) -> None:
    covered = []
    for seed in range(60):
        generator = np.random.default_rng(seed)

        def rows(count: int, generator: np.random.Generator = generator) -> tuple[np.ndarray, np.ndarray | None]:
            if people is None:
                return generator.normal(size=(count, 1)), None
            groups = np.repeat(np.arange(people), count // people)
            return generator.normal(size=people)[groups][:, None] + 0.3 * generator.normal(size=(count, 1)), groups

        errors, groups = rows(200)
        width = conformal_widths(errors, np.zeros_like(errors), ["y"], groups)["y"]
        covered.append(np.mean(np.abs(rows(2000)[0]) <= width))
    assert np.mean(covered) == pytest.approx(0.9, abs=0.025)


def test_few_rows_take_the_largest_error_and_the_report_says_how_often_it_held() -> None:
    errors = np.array([[1.0], [2.0], [-3.0]])
    assert conformal_widths(errors, np.zeros((3, 1)), ["y"]) == {"y": 3.0}
    task, target = task_named("regression"), np.arange(40.0)[:, None]
    states = [{"conformal": {"y": 1.0}}]
    off = np.where(np.arange(40) < 4, 2.0, 0.5)[:, None]
    report = measure(task, target, {"values": target + off}, states, ["y"], None, target.mean(axis=0), 0)
    (found,) = report["conformal"]["targets"]
    assert found["half_width"] == 1.0 and found["covered"]["value"] == pytest.approx(0.9)


def test_a_paired_difference_is_surer_than_two_intervals() -> None:
    raw, target = patients(600, 8)
    generator = np.random.default_rng(0)
    worse = np.clip(raw[:, 1] + generator.normal(0, 0.2, 600), 0.01, 0.99)
    blurred = np.stack([1 - worse, worse], axis=1)
    found = paired("log_loss", raw, blurred, target, None, 0)
    assert found.high < 0
    assert found.value == pytest.approx(score("log_loss", raw, target) - score("log_loss", blurred, target))
    assert paired("auc", raw, raw, target, None, 0).value == 0
    told = versus(task_named("binary-classification"), blurred, raw, target, np.arange(600) // 10, 0, "version 1")
    assert told["metrics"]["log_loss"]["surely"] == "worse" and told["name"] == "version 1"


@pytest.mark.parametrize("people", [0, 12])
def test_paired_intervals_hold_the_truth(people: int) -> None:
    """Both models are equally good: 0 lies inside in about 95 of 100 cases."""
    held = 0
    for seed in range(200):
        generator = np.random.default_rng(seed)
        groups = np.repeat(np.arange(people), 20) if people else None
        rows = 20 * people or 150
        shift = generator.normal(0, 0.3, (2, people))[:, groups] if people else np.zeros((2, rows))
        target = generator.normal(size=(rows, 1))
        both = [target + (generator.normal(size=rows) + shift[side])[:, None] for side in range(2)]
        found = paired("mae", both[0], both[1], target, groups, seed)
        held += found.low <= 0 <= found.high
    assert 180 <= held <= 199


def test_rows_that_lie_in_train_too_are_left_out() -> None:
    raw, target = patients(200, 9)
    known = np.flatnonzero((raw[:, 1] >= 0.5) == target)[:50]
    report = measured(raw, target, {}, overlap=known)
    assert report["without_overlap"]["rows"] == 150
    assert report["without_overlap"]["metrics"]["accuracy"]["value"] < report["metrics"]["accuracy"]["value"]
    assert measured(raw, target, {})["without_overlap"] is None
