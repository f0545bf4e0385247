"""The sections of a report, each from report.json to HTML. All text that is not ours is escaped here.

A section whose figures the report does not have is empty.
"""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from salus.core.errors import SalusError
from salus.core.explain import groups_word
from salus.evaluation.report.parts import Said, duration, note, plain, share, size, span, table
from salus.evaluation.report.scores import NOTHING_WORDS, SHARES, figure, in_order
from salus.evaluation.report.svg import answer_plot, confusion_matrix, dots, interval_bars, reliability_plot

MOST_CLASSES = 40
MOST_MISTAKES = 10
READABLE_MATRIX = 10  # with more classes the most frequent mistakes are listed too
MOST_TARGETS = 6


def tiles(said: Said) -> str:
    """What one asks first, at a glance."""
    report, words = said.report, said.words
    found = report["headline"]
    facts = [(f"{found['rows']:,}", f"{words['rows']} {words['test']}")]
    if found["groups"]:
        facts.append((str(found["groups"]), groups_word(report, said.language)))
    facts += [
        (report["learner"]["name"], words["learner"]),
        (f"{report['latency']['one_row_ms']:.3g} ms", words["latency"]),
        (size(report["size_bytes"]), words["size"]),
    ]
    shown = [
        f"<div class='tile'><b>{escape(value).replace('_', '_<wbr>')}</b><span>{escape(name)}</span></div>"
        for value, name in facts
    ]
    return f"<div class='tiles'>{''.join(shown)}</div>"


def _interval_words(report: Mapping[str, Any]) -> str:
    if report["task"] == "forecasting":
        return "interval_times"
    return "interval_people" if report["headline"]["groups"] else "interval_note"


def metrics(said: Said) -> str:
    """Every score with its interval beside doing nothing."""
    report, words = said.report, said.words
    rows, bars = [], []
    for name, found in in_order(report["metrics"]):
        called, means = said.metric_words.get(name, (name, ""))
        nothing = report["baseline"][name]["value"]
        wide = f" <span class='tag warning'>{words['wide']}</span>" if found["wide"] else ""
        shown = f"{escape(called)}{wide}<small>{escape(means)}</small>"
        rows.append([shown, figure(name, found["value"]), span(name, found), figure(name, nothing)])
        if name in SHARES or name == "auc":
            bars.append((called, found["value"], found["low"], found["high"], nothing))
    plot = interval_bars(bars, words["nothing"]) if bars else ""
    listed = table([words["metric"]], [words["value"], words["interval"], words["nothing"]], rows)
    notes = [
        words[_interval_words(report)],
        _of_nothing(said),
        *([words["wide_note"]] if report["wide"] else []),
    ]
    return f"<h2>{words['metrics']}</h2>{plot}{listed}{note(' '.join(notes))}"


def _of_nothing(said: Said) -> str:
    """What doing nothing is, as a sentence."""
    always = NOTHING_WORDS[said.language].get(said.report["task"])
    if always is None:
        return said.words["nothing_classes" if said.report["confusion"] else "nothing_numbers"]
    return f"{said.words['nothing']}: {always}." if said.language == "en" else f"{said.words['nothing']}：{always}。"


def targets(said: Said) -> str:
    """Every target by itself, where there are several."""
    if "per_target" not in said.report:
        return ""
    names = [name for name, _ in in_order(said.report["metrics"])]
    rows = [
        [
            escape(item["target"]),
            *(f"{figure(name, item[name]['value'])} ({span(name, item[name])})" for name in names),
        ]
        for item in said.report["per_target"]
    ]
    head = [said.metric_words.get(name, (name, ""))[0] for name in names]
    return f"<h2>{said.words['targets']}</h2>{table([''], head, rows)}"


def answers(said: Said) -> str:
    """For numbers: what was said against what was true."""
    found, words = said.report.get("answers") or [], said.words
    plots = []
    for item in found[:MOST_TARGETS]:
        title = f"<h3>{escape(item['target'])}</h3>" if len(found) > 1 else ""
        plots.append(title + answer_plot(item["bins"], (words["said_number"], words["true_number"])))
    return f"<h2>{words['answers']}</h2>{note(words['answers_note'])}{''.join(plots)}" if plots else ""


def confusion(said: Said) -> str:
    """For classes: what is taken for what; with many classes the most frequent mistakes."""
    found, words = said.report["confusion"], said.words
    if not found:
        return ""
    levels, counts = found["levels"], found["counts"]
    plot = confusion_matrix(levels, counts, words["truth"], words["said"])
    parts = [f"<h2>{words['confusion']}</h2>"]
    if plot:
        parts += [note(words["confusion_note"]), plot]
    mistakes = sorted(
        (
            (count, levels[i], levels[j])
            for i, row in enumerate(counts)
            for j, count in enumerate(row)
            if i != j and count
        ),
        key=lambda item: (-item[0], item[1], item[2]),
    )[:MOST_MISTAKES]
    if mistakes and len(levels) > READABLE_MATRIX:
        rows = [[escape(truth), escape(answer), str(count)] for count, truth, answer in mistakes]
        parts.append(f"<h3>{words['mistakes']}</h3>{table([words['truth'], words['said']], [words['count']], rows)}")
    return "".join(parts) if len(parts) > 1 else ""


def classes(said: Said) -> str:
    """Class by class, worst first."""
    found, words = said.report["per_class"], said.words
    if not found:
        return ""
    ordered = sorted(found, key=lambda item: (item["recall"] is None, item["recall"] or 0.0))
    rows = [
        [escape(item["level"]), f"{item['rows']:,}", *(_with_span(item, name) for name in ("recall", "precision"))]
        for item in ordered[:MOST_CLASSES]
    ]
    listed = table([words["class"]], [words["rows"], words["recall"], words["precision"]], rows)
    left = len(found) - MOST_CLASSES
    rest = note(words["more_classes"].format(count=left)) if left > 0 else ""
    return f"<h2>{words['classes']}</h2>{listed}{rest}"


def _with_span(item: Mapping[str, Any], name: str) -> str:
    """A share of a class with its interval where there is one."""
    ends = item.get(f"{name}_interval")
    return share(item[name]) + (f"<small>{share(ends[0])} – {share(ends[1])}</small>" if ends else "")


def people(said: Said) -> str:
    """The spread of the main score over people."""
    found, words = said.report.get("people"), said.words
    if not found or len(found["scores"]) < 2:
        return ""
    low, high = (0.0, 1.0) if found["metric"] in SHARES else (0.0, max(found["scores"]))
    called = escape(said.metric_words.get(found["metric"], (found["metric"], ""))[0])
    return (
        f"<h2>{words['people_by']}</h2>{note(f'{called}. ' + words['people_note'])}{dots(found['scores'], low, high)}"
    )


def calibration(said: Said) -> str:
    """Whether probabilities mean what they say, before and after calibration."""
    found, words = said.report["calibration"], said.words
    if not found:
        return ""
    named = (words["confidence"], words["share"], words["before"], words["after"])
    plot = reliability_plot(found["before"]["bins"], found["after"]["bins"], named)
    rows = []
    for side in ("before", "after"):
        item = found[side]
        gap = f"{item['ece']:.3f}<small>{item['ece_low']:.3f} – {item['ece_high']:.3f}</small>"
        rows.append([words[side], gap, f"{item['log_loss']:.3f}", f"{item['brier']:.3f}"])
    listed = table([""], [words[name] for name in ("ece", "log_loss", "brier")], rows)
    return f"<h2>{words['calibration']}</h2>{note(words['calibration_note'])}{plot}{listed}"


def findings(said: Said) -> str:
    """What was found in the data and what to do about it, gravest first."""
    order = ("blocker", "warning", "info")
    items = []
    for finding in sorted(said.report["findings"], key=lambda item: order.index(item["severity"])):
        message = SalusError(finding["code"], **finding["parameters"])
        tag = f"<span class='tag {finding['severity']}'>{said.words[finding['severity']]}</span>"
        remedy = f"<p class='soft'>{escape(message.remedy(said.language))}</p>"
        items.append(f"<div class='finding'>{tag}{escape(message.detail(said.language))}{remedy}</div>")
    return f"<h2>{said.words['findings']}</h2>{''.join(items) or note(said.words['no_findings'])}"


def made(said: Said) -> str:
    """Data, split, learner, time, gate."""
    report, words = said.report, said.words
    learner, groups = report["learner"], report["split"]["groups"] or {}
    sides = []
    for side in ("train", "validation", "test"):
        if not report["split"][side]:
            continue
        of_people = f" ({groups[side]} {groups_word(report, said.language)})" if side in groups else ""
        sides.append(f"{report['split'][side]:,} {words[side]}{of_people}")
    time = words["of"].format(used=duration(report["seconds"]["total"]), budget=duration(report["plan"]["budget_s"]))
    version = report["data"]["version"][:12]
    how = report["split"]["how"]
    how = words.get(f"split_{how}", words.get(how, how))
    facts = [
        (words["data"], f"{report['data']['name']} · {report['data']['rows']:,} {words['of_rows']} · {version}"),
        (words["split"], f"{how}: {', '.join(sides)}"),
        (words["learner"], learner["name"]),
        (words["options"], plain(learner["config"])),
        (words["time"], time),
        (words["seed"], str(report["plan"]["seed"])),
    ]
    terms = "".join(f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>" for name, text in facts)
    cut = f"<p><span class='tag warning'>{words['warning']}</span>{words['cut']}</p>" if report["cut"] else ""
    return f"<h2>{words['how']}</h2>{cut}<dl>{terms}<dt>{words['gate']}</dt><dd>{_gate(said)}</dd></dl>"


def _gate(said: Said) -> str:
    found = said.report["gate"]
    verdict = "passed" if found["passed"] else "refused"
    reasons = [SalusError.from_json(code).detail(said.language) for code in found.get("codes", ())] or found["reasons"]
    return f"<span class='tag {verdict}'>{said.words[verdict]}</span>{escape(' '.join(reasons))}"
