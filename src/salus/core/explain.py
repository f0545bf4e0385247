"""Why a model is as it is, in plain words: what was tried, what won and why, what more time or data would bring, and the gate's verdict.

A pure function of a report's facts, in both languages; the command line, the report page and notebooks say the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from salus.core.errors import SalusError

Report = Mapping[str, Any]
FLAT_ERRORS = 1.0  # a learning curve that falls by less than this many standard errors is flat


def explain(report: Report, language: str = "en") -> list[str]:
    """One sentence a line."""
    return [fact.detail(language) for fact in (*_facts(report), *_gate(report.get("gate")))]


def groups_word(report: Report, language: str = "en") -> str:
    """What intervals are taken over where single rows are not independent: people, or of a forecast stretches of time."""
    if report.get("task") == "forecasting":
        return {"zh": "段时间"}.get(language, "stretches of time")
    return {"zh": "个人（组）"}.get(language, "people or groups")


def _facts(report: Report) -> Iterator[SalusError]:
    choice = report.get("choice")
    if not choice:
        return
    yield SalusError(
        "explain_tried_one" if choice["tried"] == 1 else "explain_tried",
        found=choice["tried"],
        expected=", ".join(choice["learners"]),
    )
    yield from _winner(choice)
    for left in choice["left_out"]:
        yield SalusError("explain_left_out", where=left)
    yield from _judged(report)
    yield from _contrast(report)
    yield from _more_data(report.get("learning_curve") or [])
    if choice["late_gain"] or choice["left_out"]:
        yield SalusError("explain_more_time")
    elif choice["tried"] == 1:
        yield SalusError("explain_time_unknown")
    else:
        yield SalusError("explain_time_enough")


def _winner(choice: Mapping[str, Any]) -> Iterator[SalusError]:
    single, second = choice["single"], choice.get("second")
    yield SalusError("explain_single", where=single["learner"], found=f"{single['loss']:.4g}")
    if second:
        code = "explain_clear" if second["gain"] > 2 * second["error"] else "explain_close"
        yield SalusError(
            code, where=second["learner"], found=f"{second['gain']:.3g}", expected=f"{second['error']:.2g}"
        )
    if choice["members"]:
        members = ", ".join(f"{member['learner']} {member['weight']:.0%}" for member in choice["members"])
        yield SalusError(
            "explain_ensemble", where=members, found=f"{choice['gain']:.3g}", expected=f"{choice['error']:.2g}"
        )


def _judged(report: Report) -> Iterator[SalusError]:
    split = report["split"]
    code = "explain_folds" if split["how"] in ("folds", "group-folds") else "explain_side"
    yield SalusError(code, found=split["test"])


def _contrast(report: Report) -> Iterator[SalusError]:
    contrast = report.get("contrast")
    if contrast:
        honest = report["metrics"][contrast["metric"]]["value"]
        yield SalusError(
            "explain_contrast",
            where=contrast["metric"],
            expected=f"{contrast['value']:.3f}",
            found=f"{honest:.3f}",
        )


def _gate(verdict: Mapping[str, Any] | None) -> Iterator[SalusError]:
    """Whether the gate lets the model answer, then its reasons."""
    if verdict:
        yield SalusError("explain_gate_passed" if verdict["passed"] else "explain_gate_refused")
        yield from (SalusError.from_json(reason) for reason in verdict["codes"])


def _more_data(curve: list[Mapping[str, Any]]) -> Iterator[SalusError]:
    if len(curve) < 2:
        return
    half, whole = curve[-2], curve[-1]
    fell = half["loss"] - whole["loss"]
    code = "explain_more_rows" if fell > FLAT_ERRORS * whole["error"] else "explain_rows_enough"
    yield SalusError(code, where=half["rows"], expected=whole["rows"], found=f"{fell:.3g}")
