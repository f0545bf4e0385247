"""The gate: better than nothing, surely or on these; blockers; policies."""

from __future__ import annotations

from typing import Any

import pytest

from salus.core.errors import SalusError
from salus.core.gate import gate


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
