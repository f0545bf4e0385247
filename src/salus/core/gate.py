"""Whether a model may answer: a pure function of its report and a policy.

Knows the figures of a report and what is demanded of them. Does not know what happens to a model that is refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import Field, FiniteFloat

from salus.core.errors import SalusError
from salus.core.explain import groups_word
from salus.core.specs import Spec, checked

Report = Mapping[str, Any]
Reasons = Iterator[tuple[bool, SalusError]]  # each with whether it refuses


class Policy(Spec):
    """What is demanded of a model before it may answer. Every bound is kept by the whole 95 % interval."""

    better_than_baseline: bool = True  # the main metric is better than doing nothing
    minimum: dict[str, FiniteFloat] = Field(default_factory=dict)  # metric -> its interval lies above this
    maximum: dict[str, FiniteFloat] = Field(default_factory=dict)  # metric -> its interval lies below this
    findings: tuple[str, ...] = ("blocker",)  # severities or codes of findings that refuse
    subgroup_floor: FiniteFloat | None = None  # the main metric of no subgroup is surely worse than this
    max_latency_ms: float | None = Field(default=None, gt=0, allow_inf_nan=False)  # of one answer
    max_size_mb: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    not_worse_than_previous: bool = False  # not surely worse than the version before on the same rows


def check_policy(policy: Mapping[str, Any]) -> Policy:
    """The policy, or `bad_spec` that names the field."""
    return checked(Policy, dict(policy), "policy")


def gate(report: Report, policy: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """{"passed": bool, "reasons": [text]} and "codes": the reasons as {"code", "parameters"}, for other languages.

    The default policy demands that the main metric be better than doing nothing by its whole interval, and no blocker among the
    findings. Where the interval is marked wide (few people or rows), being better on these is enough, and the reasons say that it
    is no more. See `Policy` for what else can be demanded.
    """
    demanded = check_policy(policy or {})
    found = [
        *_better_than_nothing(report, demanded),
        *_findings(report, demanded),
        *_bounds(report, demanded),
        *_subgroups(report, demanded),
        *_resources(report, demanded),
        *_previous(report, demanded),
    ]
    return {
        "passed": not any(refused for refused, _ in found),
        "reasons": [reason.detail() for _, reason in found],
        "codes": [reason.to_json() for _, reason in found],
    }


def _better_than_nothing(report: Report, policy: Policy) -> Reasons:
    if not policy.better_than_baseline:
        return
    headline = report["headline"]
    found, nothing, higher = headline["interval"], headline["baseline"], headline["higher_is_better"]
    bound = found["low"] if higher else found["high"]
    if bound > nothing if higher else bound < nothing:
        return
    better_here = found["value"] > nothing if higher else found["value"] < nothing
    if found["wide"] and better_here:
        units = f"{headline['groups']} {groups_word(report)}" if headline.get("groups") else f"{headline['rows']} rows"
        yield False, SalusError("gate_better_here", found=units)
    else:
        yield (
            True,
            SalusError("gate_not_better", where=headline["metric"], expected=f"{nothing:.3g}", found=f"{bound:.3g}"),
        )


def _findings(report: Report, policy: Policy) -> Reasons:
    for finding in report.get("findings", ()):
        if finding["severity"] in policy.findings or finding["code"] in policy.findings:
            text = SalusError(finding["code"], **finding.get("parameters", {})).detail()
            yield True, SalusError("gate_blocker", found=text)


def _bounds(report: Report, policy: Policy) -> Reasons:
    for side, demands, end, word in (
        ("minimum", policy.minimum, "low", "at least"),
        ("maximum", policy.maximum, "high", "at most"),
    ):
        for name, demanded in demands.items():
            metric = _figure(report, name)
            kept = metric is not None and (metric[end] >= demanded if side == "minimum" else metric[end] <= demanded)
            if not kept:
                found = "no such metric" if metric is None else f"{metric['low']:.3g} to {metric['high']:.3g}"
                yield True, SalusError("gate_bound", where=name, expected=f"{word} {demanded:g}", found=found)


def _figure(report: Report, name: str) -> Mapping[str, Any] | None:
    """A metric, or a figure of the operating point (sensitivity, specificity, ppv, npv)."""
    found = report["metrics"].get(name)
    if found is None and report.get("decision"):
        found = report["decision"]["figures"].get(name)
    return dict(found) if found is not None else None


def _subgroups(report: Report, policy: Policy) -> Reasons:
    """A part refuses where even the better end of its interval misses the floor: few rows alone refuse nobody."""
    if policy.subgroup_floor is None:
        return
    found, higher = report.get("subgroups"), report["headline"]["higher_is_better"]
    if not found:
        yield True, SalusError("gate_no_subgroups")
        return
    for part in _parts(found):
        end = part["high"] if higher else part["low"]
        if end < policy.subgroup_floor if higher else end > policy.subgroup_floor:
            pairs = zip(part["columns"], part["levels"], strict=True)
            where = ", ".join(f"{column} = {level}" for column, level in pairs)
            shown = f"{part['low']:.3g} to {part['high']:.3g}"
            word = "at least" if higher else "at most"
            yield (
                True,
                SalusError("gate_subgroup", where=where, expected=f"{word} {policy.subgroup_floor:g}", found=shown),
            )


def _parts(found: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The parts that the report shows, and the weakest of all that were looked at when it is none of them."""
    parts, weakest = list(found["parts"]), found.get("weakest")
    shown = {(*part["columns"], *part["levels"]) for part in parts}
    if weakest and (*weakest["columns"], *weakest["levels"]) not in shown:
        parts.append(weakest)
    return parts


def _resources(report: Report, policy: Policy) -> Reasons:
    latency = report.get("latency", {}).get("one_row_ms")
    if policy.max_latency_ms is not None and (latency is None or latency > policy.max_latency_ms):
        found = "-" if latency is None else f"{latency:.3g} ms"
        yield True, SalusError("gate_resource", where="latency", expected=f"{policy.max_latency_ms:g} ms", found=found)
    size = report.get("size_bytes")
    if policy.max_size_mb is not None and (size is None or size > policy.max_size_mb * 1e6):
        found = "-" if size is None else f"{size / 1e6:.3g} MB"
        yield True, SalusError("gate_resource", where="size", expected=f"{policy.max_size_mb:g} MB", found=found)


def _previous(report: Report, policy: Policy) -> Reasons:
    if not policy.not_worse_than_previous:
        return
    found = report.get("versus")
    if not found and report.get("previous"):
        yield True, SalusError("gate_not_compared", found=report["previous"])
    if not found or found["surely"] != "worse":
        return
    difference = found["metrics"][found["metric"]]["difference"]
    shown = f"{difference['low']:.3g} to {difference['high']:.3g}"
    yield True, SalusError("gate_worse", where=found["metric"], found=shown, expected=found["name"] or "-")
