"""The gate: better than nothing, surely or on these; blockers; policies."""

from __future__ import annotations

from typing import Any

import pytest

from salus.core.catalogue import check_train_spec
from salus.core.errors import SalusError
from salus.core.explain import explain, groups_word
from salus.core.gate import check_policy, gate
from salus.core.specs import TrainSpec, checked


def report(
    low: float, value: float, high: float, nothing: float = 0.5, higher: bool = True, wide: bool = False, **more: Any
) -> dict[str, Any]:
    found = {"value": value, "low": low, "high": high, "wide": wide}
    metric = "accuracy" if higher else "rmse"
    headline = {
        "metric": metric,
        "interval": found,
        "baseline": nothing,
        "higher_is_better": higher,
        "rows": 40,
        "groups": 2 if wide else None,
    }
    return {"headline": headline, "metrics": {metric: found}, "findings": [], **more}


def test_surely_better_passes_without_a_word() -> None:
    assert gate(report(0.6, 0.7, 0.8)) == {"passed": True, "reasons": [], "codes": []}
    assert gate(report(1.0, 1.2, 1.4, nothing=1.5, higher=False))["passed"]


@pytest.mark.parametrize(
    "made",
    [
        report(0.45, 0.7, 0.8),
        report(0.5, 0.7, 0.8),
        report(0.3, 0.4, 0.5),
        report(1.0, 1.2, 1.6, nothing=1.5, higher=False),
    ],
)
def test_not_surely_better_is_refused_with_both_figures(made: dict[str, Any]) -> None:
    verdict = gate(made)
    assert not verdict["passed"]
    assert f"{made['headline']['baseline']:.3g}" in verdict["reasons"][0]


def test_few_people_who_fare_better_pass_and_it_is_said() -> None:
    verdict = gate(report(0.15, 0.93, 1.0, wide=True))
    assert verdict["passed"] and "2 people" in verdict["reasons"][0] and "too few" in verdict["reasons"][0]
    assert not gate(report(0.1, 0.4, 1.0, wide=True))["passed"]


def test_a_blocker_refuses_whatever_the_figures() -> None:
    blocker = {"code": "one_class", "severity": "blocker", "parameters": {"where": "y"}}
    warning = {"code": "constant_column", "severity": "warning", "parameters": {"where": "x"}}
    assert not gate(report(0.8, 0.9, 1.0, findings=[blocker]))["passed"]
    assert gate(report(0.8, 0.9, 1.0, findings=[warning]))["passed"]


def test_a_policy_demands_whole_intervals() -> None:
    made = report(0.8, 0.9, 0.95)
    assert gate(made, {"minimum": {"accuracy": 0.8}})["passed"]
    assert not gate(made, {"minimum": {"accuracy": 0.85}})["passed"]
    assert not gate(made, {"minimum": {"auc": 0.1}})["passed"]
    error = report(1.0, 1.2, 1.4, nothing=2.0, higher=False)
    assert gate(error, {"maximum": {"rmse": 1.5}})["passed"]
    assert not gate(error, {"maximum": {"rmse": 1.3}})["passed"]


def test_reasons_can_be_said_in_chinese() -> None:
    (code,) = gate(report(0.3, 0.4, 0.5))["codes"]
    assert "什么都不做" in SalusError.from_json(code).detail("zh")


def part(low: float, high: float, sex: str = "f") -> dict[str, Any]:
    return {"columns": ["sex", "age"], "levels": [sex, "60 – 80"], "value": (low + high) / 2, "low": low, "high": high}


@pytest.mark.parametrize(
    ("policy", "more", "passes"),
    [
        ({"findings": ["blocker", "warning"]}, {}, False),
        ({"findings": ["constant_column"]}, {}, False),
        ({"findings": ["one_class"]}, {}, True),
        ({"subgroup_floor": 0.6}, {"subgroups": {"parts": [part(0.5, 0.7)]}}, True),
        ({"subgroup_floor": 0.75}, {"subgroups": {"parts": [part(0.5, 0.7)]}}, False),
        ({"subgroup_floor": 0.6}, {"subgroups": {"parts": [part(0.5, 0.7)], "weakest": part(0.3, 0.5, "m")}}, False),
        ({"subgroup_floor": 0.1}, {}, False),
        ({"max_latency_ms": 5}, {"latency": {"one_row_ms": 4.9}}, True),
        ({"max_latency_ms": 5}, {"latency": {"one_row_ms": 5.1}}, False),
        ({"max_latency_ms": 5}, {}, False),
        ({"max_size_mb": 2}, {"size_bytes": 1_900_000}, True),
        ({"max_size_mb": 2}, {"size_bytes": 2_100_000}, False),
        ({"minimum": {"sensitivity": 0.9}}, {"decision": {"figures": {"sensitivity": {"low": 0.92, "high": 1}}}}, True),
        ({"minimum": {"sensitivity": 0.9}}, {"decision": {"figures": {"sensitivity": None}}}, False),
        ({"not_worse_than_previous": True}, {"versus": None}, True),
        ({"better_than_baseline": False, "minimum": {"accuracy": 0.7}}, {}, True),
    ],
)
def test_what_else_a_policy_can_demand(policy: dict[str, Any], more: dict[str, Any], passes: bool) -> None:
    warning = {"code": "constant_column", "severity": "warning", "parameters": {"where": "x"}}
    verdict = gate(report(0.8, 0.9, 0.95, findings=[warning], **more), policy)
    assert verdict["passed"] == passes
    assert len(verdict["reasons"]) == (0 if passes else 1)


@pytest.mark.parametrize(("surely", "passes"), [("better", True), ("neither", True), ("worse", False)])
def test_not_surely_worse_than_the_version_before(surely: str, passes: bool) -> None:
    difference = {"value": -0.1, "low": -0.2, "high": -0.05}
    metrics = {"accuracy": {"difference": difference, "surely": surely}}
    versus = {"name": "v1", "metric": "accuracy", "surely": surely, "metrics": metrics}
    made = report(0.8, 0.9, 0.95, versus=versus)
    assert gate(made, {"not_worse_than_previous": True})["passed"] == passes
    assert gate(made)["passed"]


@pytest.mark.parametrize(
    ("policy", "field"),
    [
        ({"minimun": {"auc": 1}}, "minimun"),
        ({"minimum": {"auc": "high"}}, "minimum.auc"),
        ({"minimum": 0.5}, "minimum"),
        ({"max_latency_ms": 0}, "max_latency_ms"),
        ({"subgroup_floor": float("nan")}, "subgroup_floor"),
        ({"findings": "warning"}, "findings"),
    ],
)
def test_a_policy_is_checked_when_it_is_asked_for(policy: dict[str, Any], field: str) -> None:
    with pytest.raises(SalusError) as caught:
        check_policy(policy)
    assert caught.value.code == "bad_spec" and f"'{field}'" in str(caught.value.parameters["where"])
    with pytest.raises(SalusError):
        check_train_spec(TrainSpec(target=("y",), policy=policy))


@pytest.mark.parametrize(
    ("language", "passes", "refuses"), [("en", "let it pass", "refused"), ("zh", "已通过", "未通过")]
)
def test_the_explanation_says_the_verdict_and_its_reasons(language: str, passes: str, refuses: str) -> None:
    good, bad = report(0.6, 0.7, 0.8), report(0.3, 0.4, 0.5)
    assert passes in explain(good | {"gate": gate(good)}, language)[-1]
    said = explain(bad | {"gate": gate(bad)}, language)
    assert refuses in said[-2] and "0.3" in said[-1]


def test_one_configuration_says_nothing_about_a_larger_budget() -> None:
    choice = {"single": {"learner": "flow", "loss": 0.5}, "members": [], "left_out": [], "late_gain": False}
    told = report(0.6, 0.7, 0.8) | {"split": {"how": "given", "test": 9}}
    one = " ".join(explain(told | {"choice": choice | {"tried": 1, "learners": ["flow"]}}))
    assert "One configuration was tried" in one and "would bring little" not in one
    assert "would bring little" in " ".join(explain(told | {"choice": choice | {"tried": 9, "learners": ["flow"]}}))


def test_what_judges_a_forecast_are_stretches_of_time_not_people() -> None:
    assert groups_word({"task": "forecasting"}) == "stretches of time"
    assert groups_word({"task": "regression"}) == "people or groups"
    assert groups_word({"task": "forecasting"}, "zh") == "段时间"


def test_a_spec_error_tells_the_fields_or_the_range() -> None:
    with pytest.raises(SalusError) as unknown:
        checked(TrainSpec, {"target": "y", "lerner": "linear"}, "the options")
    assert "learner" in unknown.value.text() and "found the field 'lerner'" in unknown.value.text()
    with pytest.raises(SalusError) as small:
        checked(TrainSpec, {"target": "y", "budget_s": 0}, "the options")
    assert "expected greater than or equal to 1; found 0" in small.value.text()


def test_a_version_that_was_not_compared_is_not_shown_to_be_no_worse() -> None:
    made = report(0.85, 0.9, 0.95) | {"versus": None, "previous": "walks@3"}
    assert gate(made)["passed"]
    refused = gate(made, {"not_worse_than_previous": True})
    assert not refused["passed"] and refused["codes"][0]["code"] == "gate_not_compared"
    assert gate(made | {"previous": None}, {"not_worse_than_previous": True})["passed"]
