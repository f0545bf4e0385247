"""The sections about decisions: the operating point of two labels, when the model does not answer, how wide a number's interval is."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from salus.evaluation.report.curves import Drawn, line_plot
from salus.evaluation.report.parts import Said, note, section, share, table
from salus.evaluation.report.scores import FIGURES, figure


def decision(said: Said) -> str:
    """From which probability on a label is said, what that brings, and what other thresholds would bring."""
    found, words = said.report.get("decision"), said.words
    if not found:
        return ""
    level = found["level"]
    if found["threshold"] is None:
        how = words["decided_by_most"].format(level=escape(level))
    else:
        how = words["decided_by_threshold"].format(level=escape(level), at=f"{found['threshold']:.3g}")
    rows = [
        [
            f"{words[name]}<small>{words[f'{name}_means'].format(level=escape(level))}</small>",
            share(None if item is None else item["value"]),
            "–" if item is None else f"{share(item['low'])} – {share(item['high'])}",
        ]
        for name in FIGURES
        for item in [found["figures"][name]]
    ]
    listed = table([words["metric"]], [words["value"], words["interval"]], rows)
    points = sorted((1 - item["specificity"], item["sensitivity"]) for item in found["curve"])
    here = found["figures"]
    mark = None
    if here["sensitivity"] and here["specificity"]:
        mark = (1 - here["specificity"]["value"], here["sensitivity"]["value"])
    axes = (words["false_alarms"], words["sensitivity"])
    plot = line_plot([Drawn("", points)], axes, (0.0, 1.0), (0.0, 1.0), mark, width=380)
    missed = "" if found.get("reached", True) else note(f"<b>{words['not_reached']}</b>")
    return section(words["decision"], note(how), missed, listed, plot, note(words["curve_note"]), _others(said, found))


def _others(said: Said, found: Mapping[str, Any]) -> str:
    """A few other thresholds in a table."""
    words, curve = said.words, found["curve"]
    every = max(1, len(curve) // 8)
    rows = [
        [f"{item['threshold']:.3g}", *(share(item[name]) for name in FIGURES), share(item["positive"])]
        for item in curve[every // 2 :: every]
    ]
    head = [words["threshold"], *(words[name] for name in FIGURES), words["called"].format(level=found["level"])]
    return f"<details><summary>{words['other_thresholds']}</summary>{table([], head, rows)}</details>"


def abstention(said: Said) -> str:
    """How right it is when it answers only where it is sure."""
    found, words = said.report.get("abstention"), said.words
    if not found or len(found["curve"]) < 2:
        return ""
    asked = ""
    if found["below"] is not None and found["coverage"] and found["accuracy"]:
        shares = {name: share(found[name]["value"]) for name in ("coverage", "accuracy")}
        ends = {
            name: f"{share(found[name]['low'])} – {share(found[name]['high'])}" for name in ("coverage", "accuracy")
        }
        asked = note(
            words["abstains"].format(
                below=f"{found['below']:.3g}",
                coverage=f"{shares['coverage']} ({ends['coverage']})",
                accuracy=f"{shares['accuracy']} ({ends['accuracy']})",
            )
        )
    points = [(item["coverage"], item["accuracy"]) for item in found["curve"]]
    mark = None
    if asked:
        mark = (found["coverage"]["value"], found["accuracy"]["value"])
    least = min(accuracy for _, accuracy in points)
    y_axis = (max(0.0, least - 0.08 * max(0.1, 1 - least)), 1.0)
    plot = line_plot([Drawn("", points)], (words["answered"], words["right_of_answered"]), (0.0, 1.0), y_axis, mark)
    return section(words["abstention"], note(words["abstention_note"]), asked, plot)


def conformal(said: Said) -> str:
    """The interval around a number and how often it held the truth."""
    found, words = said.report.get("conformal"), said.words
    if not found:
        return ""
    rows = [
        [
            escape(item["target"]),
            f"± {item['half_width']:.4g}",
            f"{figure('accuracy', found['level'])}",
            share(item["covered"]["value"]),
            f"{share(item['covered']['low'])} – {share(item['covered']['high'])}",
        ]
        for item in found["targets"]
    ]
    head = [words["half_width"], words["wanted"], words["held"], words["interval"]]
    return section(words["conformal"], note(words["conformal_note"]), table([words["target"]], head, rows))
