"""Whether a model may answer: a pure function of its report and a policy.

Knows the figures of a report and what is demanded of them. Does not know what happens to a model that is refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from salus.core.errors import SalusError

Report = Mapping[str, Any]


def gate(report: Report, policy: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """{"passed": bool, "reasons": [text]} and "codes": the reasons as {"code", "parameters"}, for other languages.

    The default policy demands that the main metric be better than doing nothing by its whole interval. Where the interval is
    marked wide (few people or rows), being better on these is enough, and the reasons say that it is no more.
    A blocker among the findings refuses. A policy {"minimum": {metric: value}, "maximum": {metric: value}} demands more.
    """
    found = [*_better_than_nothing(report), *_blockers(report), *_bounds(report, policy or {})]
    return {
        "passed": not any(refused for refused, _ in found),
        "reasons": [reason.detail() for _, reason in found],
        "codes": [reason.to_json() for _, reason in found],
    }


def _better_than_nothing(report: Report) -> Iterator[tuple[bool, SalusError]]:
    """Each reason with whether it refuses."""
    headline = report["headline"]
    found, nothing, higher = headline["interval"], headline["baseline"], headline["higher_is_better"]
    bound = found["low"] if higher else found["high"]
    if bound > nothing if higher else bound < nothing:
        return
    better_here = found["value"] > nothing if higher else found["value"] < nothing
    if found["wide"] and better_here:
        units = f"{headline['groups']} people or groups" if headline.get("groups") else f"{headline['rows']} rows"
        yield False, SalusError("gate_better_here", found=units)
    else:
        yield (
            True,
            SalusError("gate_not_better", where=headline["metric"], expected=f"{nothing:.3g}", found=f"{bound:.3g}"),
        )


def _blockers(report: Report) -> Iterator[tuple[bool, SalusError]]:
    for finding in report.get("findings", ()):
        if finding["severity"] == "blocker":
            text = SalusError(finding["code"], **finding.get("parameters", {})).detail()
            yield True, SalusError("gate_blocker", found=text)


def _bounds(report: Report, policy: Mapping[str, Any]) -> Iterator[tuple[bool, SalusError]]:
    for side, end, word in (("minimum", "low", "at least"), ("maximum", "high", "at most")):
        for name, demanded in policy.get(side, {}).items():
            metric = report["metrics"].get(name)
            kept = metric is not None and (metric[end] >= demanded if side == "minimum" else metric[end] <= demanded)
            if not kept:
                found = "no such metric" if metric is None else f"{metric['low']:.3g} to {metric['high']:.3g}"
                yield True, SalusError("gate_bound", where=name, expected=f"{word} {demanded:g}", found=found)
