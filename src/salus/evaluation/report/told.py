"""The sections that tell the story beside the scores: what a random split would have claimed, the rows that also lie in train, the
version before, what was tried and why one won, what more data would bring."""

from __future__ import annotations

from html import escape

from salus.core.explain import explain
from salus.evaluation.metrics import HIGHER_IS_BETTER
from salus.evaluation.report.curves import Drawn, line_plot
from salus.evaluation.report.parts import Said, note, section, signed, span, table, tag
from salus.evaluation.report.scores import SHARES, figure, in_order
from salus.evaluation.report.svg import interval_bars

MOST_TRIED = 20


def contrast(said: Said) -> str:
    """Honest by person against what a random split would have claimed."""
    found, words = said.report.get("contrast"), said.words
    if not found:
        return ""
    metric = found["metric"]
    honest = said.report["metrics"][metric]
    flattery = found["value"] - honest["value"]
    better = flattery if HIGHER_IS_BETTER[metric] else -flattery
    rows = [
        [words["by_person"], figure(metric, honest["value"]), span(metric, honest)],
        [words["by_chance"], figure(metric, found["value"]), span(metric, found)],
    ]
    verdict = words["flatters" if better > 0 else "flatters_not"].format(by=figure(metric, abs(flattery)))
    plot = ""
    if metric in SHARES:
        bars = [
            (words[name], item["value"], item["low"], item["high"], said.report["baseline"][metric]["value"])
            for name, item in (("by_person_short", honest), ("by_chance_short", found))
        ]
        plot = interval_bars(bars, words["nothing"])
    listed = table([said.metric(metric)], [words["value"], words["interval"]], rows)
    return section(words["contrast"], note(f"<b>{verdict}</b> {words['contrast_note']}"), plot, listed)


def overlap(said: Said) -> str:
    """The same model without the test rows that it may have learned by heart."""
    found, words = said.report.get("without_overlap"), said.words
    if not found:
        return ""
    rows = []
    for name, item in in_order(found["metrics"]):
        whole = said.report["metrics"][name]
        rows.append(
            [escape(said.metric(name)), figure(name, whole["value"]), figure(name, item["value"]), span(name, item)]
        )
    told = words["overlap_note"].format(
        left=f"{found.get('left_out', said.report['headline']['rows'] - found['rows']):,}", rows=f"{found['rows']:,}"
    )
    head = [words["all_rows"], words["without"], words["interval"]]
    return section(words["overlap"], note(told), table([words["metric"]], head, rows))


def versus(said: Said) -> str:
    """This model beside the version before, on the same rows."""
    found, words = said.report.get("versus"), said.words
    if not found:
        return ""
    rows = []
    for name, item in in_order(found["metrics"]):
        apart = item["difference"]
        word = {"better": "passed", "worse": "refused"}.get(item["surely"])
        mark = f" {tag(words['surely_' + item['surely']], word)}" if word else ""
        rows.append(
            [
                f"{escape(said.metric(name))}{mark}",
                figure(name, item["before"]),
                figure(name, item["now"]),
                f"{signed(name, apart['value'])}<small>{signed(name, apart['low'])} – {signed(name, apart['high'])}</small>",
            ]
        )
    told = words["versus_" + found["surely"]].format(name=escape(found["name"] or "–"), rows=f"{found['rows']:,}")
    head = [words["version_before"], words["this_version"], words["difference"]]
    return section(words["versus"], note(told), table([words["metric"]], head, rows))


def choice(said: Said) -> str:
    """What was tried, what won and why, and what more time or data would bring."""
    report, words = said.report, said.words
    if not report["tried"]:
        return ""
    sentences = explain(report, said.language)
    told = f"<ul>{''.join(f'<li>{escape(sentence)}</li>' for sentence in sentences)}</ul>" if sentences else ""
    by_loss = sorted(report["tried"], key=lambda item: item["score"])
    least = min(item["score"] for item in by_loss)
    rows = [
        [
            escape(item["learner"]) + (f" {tag(words['best'], 'passed')}" if item["score"] == least else ""),
            f"{item['score']:.4g}",
            f"{item['seconds']:.1f} s",
        ]
        for item in by_loss[:MOST_TRIED]
    ]
    more = note(words["more_tried"].format(count=len(by_loss) - MOST_TRIED)) if len(by_loss) > MOST_TRIED else ""
    listed = table([words["learner"]], [words["loss"], words["time"]], rows)
    return section(words["choice"], told, listed, more, _curve(said))


def _curve(said: Said) -> str:
    found, words = said.report.get("learning_curve") or [], said.words
    if len(found) < 2:
        return ""
    points = [(float(item["rows"]), item["loss"]) for item in found]
    errors = [1.96 * item.get("error", 0.0) for item in found]
    plot = line_plot([Drawn("", points)], (words["rows_learned"], words["loss"]), errors=errors)
    return f"<h3>{words['learning_curve']}</h3>{note(words['learning_curve_note'])}{plot}"
