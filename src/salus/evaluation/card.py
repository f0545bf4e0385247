"""The model card: what a model is for, what it was made of, how good it is, for whom it is worse, and where not to use it, as Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from salus.core.errors import SalusError
from salus.core.explain import explain, groups_word
from salus.evaluation.report.parts import plain
from salus.evaluation.report.scores import FIGURES, METRIC_WORDS, TASK_WORDS, figure, headline, in_order
from salus.evaluation.report.text import WORDS

ENGLISH = WORDS["en"]
MOST_PARTS = 10
Report = Mapping[str, Any]


def model_card(report: Report) -> str:
    """card.md."""
    sections = (_use, _data, _splits, _scores, _decisions, _calibration, _subgroups, _limits, _making)
    head = [f"# Model of {_cell(', '.join(report['target']))}", "", headline(report, "en"), ""]
    return "\n".join([*head, *(line for section in sections for line in (*section(report), ""))])


def _use(report: Report) -> Iterator[str]:
    yield "## Intended use"
    yield ""
    yield f"Answers of the task {report['task']} ({TASK_WORDS['en'].get(report['task'], report['task'])}). {ENGLISH['limits']}"


def _data(report: Report) -> Iterator[str]:
    data = report["data"]
    yield "## Data"
    yield ""
    yield f"Data set {_cell(data['name'])}, version {data['version']}, {data['rows']} rows."
    yield ""
    for item in report["findings"]:
        yield f"- {item['severity']}: {_cell(SalusError(item['code'], **item['parameters']).text())}"
    if not report["findings"]:
        yield "Nothing in the data needed attention."


def _splits(report: Report) -> Iterator[str]:
    split, groups = report["split"], report["split"]["groups"] or {}
    how = split["how"]
    yield "## Splits"
    yield ""
    yield f"Split: {ENGLISH.get(f'split_{how}', ENGLISH.get(how, how))}."
    yield ""
    for side in ("train", "validation", "test"):
        if not split[side]:
            continue
        people = f" of {groups[side]} {groups_word(report)}" if side in groups else ""
        yield f"- {split[side]} rows{people} {ENGLISH[side]}"
    if contrast := report.get("contrast"):
        name = contrast["metric"]
        honest = figure(name, report["metrics"][name]["value"])
        yield ""
        yield f"With rows split by chance the {_name(name)} would have been {figure(name, contrast['value'])} instead of {honest}."


def _scores(report: Report) -> Iterator[str]:
    yield "## Scores on rows it never saw"
    yield ""
    rows = [
        (
            _name(name),
            figure(name, found["value"]),
            f"{_span(name, found)}{' (wide)' if found['wide'] else ''}",
            figure(name, report["baseline"][name]["value"]),
        )
        for name, found in in_order(report["metrics"])
    ]
    yield from _table(("score", "value", "95 % interval", "doing nothing"), rows)
    if without := report.get("without_overlap"):
        yield ""
        yield f"Without the test rows that also lie among those learned from ({without['rows']} rows remain):"
        yield ""
        some = [
            (_name(name), figure(name, item["value"]), _span(name, item)) for name, item in in_order(without["metrics"])
        ]
        yield from _table(("score", "value", "95 % interval"), some)
    if versus := report.get("versus"):
        yield ""
        yield ENGLISH[f"versus_{versus['surely']}"].format(
            name=_cell(versus["name"] or "the version before"), rows=versus["rows"]
        )


GIVEN = {  # what an answer is where no label is decided
    "regression": "Numbers are given without an interval.",
    "forecasting": "Every step is given as a mean and the quantiles 0.1 to 0.9; the scores say how well these hold.",
    "object-detection": "A box is given from a score of 0.5 on, which balances found and right on rows held out.",
}


def _decisions(report: Report) -> Iterator[str]:
    yield "## Decisions"
    yield ""
    decision, abstention, conformal = (report.get(name) for name in ("decision", "abstention", "conformal"))
    if decision:
        level = _cell(decision["level"])
        key = "decided_by_most" if decision["threshold"] is None else "decided_by_threshold"
        yield ENGLISH[key].format(level=level, at=f"{decision['threshold'] or 0:.3g}")
        yield ""
        found = [(name, decision["figures"][name]) for name in FIGURES if decision["figures"][name]]
        rows = [(ENGLISH[name], figure("accuracy", item["value"]), _span("accuracy", item)) for name, item in found]
        yield from _table((f"about {level}", "value", "95 % interval"), rows)
    elif report["confusion"]:
        yield "The most probable label is said."
    if abstention and abstention["below"] is not None and abstention["accuracy"]:
        shown = {name: figure("accuracy", abstention[name]["value"]) for name in ("coverage", "accuracy")}
        yield ""
        yield ENGLISH["abstains"].format(below=f"{abstention['below']:.3g}", **shown)
    if conformal:
        wanted = figure("accuracy", conformal["level"])
        for item in conformal["targets"]:
            held = figure("accuracy", item["covered"]["value"])
            width = f"± {item['half_width']:.4g} holds the truth in {held} of the test rows (wanted: {wanted})."
            yield f"- {_cell(item['target'])}: {width}"
    if not report["confusion"] and not conformal:
        yield GIVEN.get(report["task"], "Answers are given as they are, without a threshold.")


def _calibration(report: Report) -> Iterator[str]:
    if not report["calibration"]:
        return
    yield "## Calibration"
    yield ""
    for side in ("before", "after"):
        found = report["calibration"][side]
        gap = f"{found['ece']:.3f} ({found['ece_low']:.3f} to {found['ece_high']:.3f})"
        yield f"- {ENGLISH[side]}: mean gap between said and true {gap}, log loss {found['log_loss']:.3f}"


def _subgroups(report: Report) -> Iterator[str]:
    found = report.get("subgroups")
    yield "## Subgroups"
    yield ""
    if not found or not found["parts"]:
        yield "No column of the test rows was compared part by part."
        return
    notable = sum(part["notable"] for part in found["parts"])
    verdict = ENGLISH["subgroups_some" if notable else "subgroups_none"]
    yield verdict.format(count=notable, looked=found["looked_at"])
    yield ""
    metric, rows = found["metric"], []
    for part in found["parts"][:MOST_PARTS]:
        named = ", ".join(f"{_cell(c)} = {_cell(v)}" for c, v in zip(part["columns"], part["levels"], strict=True))
        told = f"**{named}**" if part["notable"] else named
        rows.append((told, str(part["rows"]), figure(metric, part["value"]), _span(metric, part)))
    yield from _table(("part, worst first", "rows", _name(metric), "95 % interval"), rows)


def _limits(report: Report) -> Iterator[str]:
    yield "## Limits"
    yield ""
    yield "Scores hold for rows like these. Other devices, places or people than in the data are not covered by the interval."
    if report["wide"]:
        yield ENGLISH["wide_note"]
    gate = report.get("gate")
    if gate:
        reasons = " ".join(gate["reasons"])
        yield ""
        yield f"Gate: {'passed' if gate['passed'] else 'refused'}. {_cell(reasons)}".rstrip()


def _making(report: Report) -> Iterator[str]:
    learner, plan = report["learner"], report["plan"]
    yield "## How it was made"
    yield ""
    yield f"Learner {learner['name']}; seed {plan['seed']}; budget {plan['budget_s']:.0f} s."
    yield f"Options: {_cell(plain(learner['config']))}."
    sentences = explain(report)
    if sentences:
        yield ""
        yield from (f"- {_cell(sentence)}" for sentence in sentences)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{' --- |' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(row)} |"


def _name(metric: str) -> str:
    return METRIC_WORDS["en"].get(metric, (metric, ""))[0]


def _span(name: str, found: Mapping[str, Any]) -> str:
    return f"{figure(name, found['low'])} to {figure(name, found['high'])}"


def _cell(text: str) -> str:
    """Foreign text that starts no table cell, tag, link, picture or line of its own."""
    safe = str(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    for mark in "|[]":
        safe = safe.replace(mark, f"\\{mark}")
    return " ".join(safe.split())
