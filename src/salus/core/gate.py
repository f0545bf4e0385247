"""Whether a model may answer: a pure function of its report and a policy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def gate(report: Mapping[str, Any], policy: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """{"passed": bool, "reasons": [text]}.

    The default policy demands that the main metric be better than doing nothing by its whole interval. Where the interval is
    marked wide (few people or rows), being better on these is enough, and the reasons say that it is no more.
    A policy {"minimum": {metric: value}} further demands a bound of the interval.
    """
    headline = report["headline"]
    found, nothing = headline["interval"], headline["baseline"]
    sign = 1 if headline["higher_is_better"] else -1
    bound = found["low"] if sign > 0 else found["high"]
    reasons: list[str] = []
    passed = True
    if sign * bound <= sign * nothing:
        better_here = sign * found["value"] > sign * nothing
        passed = bool(found["wide"]) and better_here
        if passed:
            reasons.append("better than doing nothing on these rows; too few of them to say more")
        else:
            reasons.append(f"{headline['metric']} is not surely better than doing nothing ({nothing:.3f})")
    for finding in report.get("findings", []):
        if finding["severity"] == "blocker":
            passed = False
            reasons.append(f"the data has a blocker: {finding['code']}")
    for name, least in (policy or {}).get("minimum", {}).items():
        if report["metrics"][name]["low"] < least:
            passed = False
            reasons.append(f"{name}: the interval begins below {least}")
    return {"passed": passed, "reasons": reasons}
