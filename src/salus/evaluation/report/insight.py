"""The sections about where it fails and what it looks at: subgroups, importance, dependence, errors, saliency."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from salus.evaluation.report.curves import (
    Drawn,
    bars_from_zero,
    line_plot,
    picture_with_weights,
    trace_with_weights,
)
from salus.evaluation.report.parts import Said, note, section, share, signed, span, table, tag
from salus.evaluation.report.scores import figure
from salus.evaluation.report.svg import ACCENT, WRONG

MOST_PARTS, MOST_BARS, MOST_DEPENDENCES = 12, 20, 6


def subgroups(said: Said) -> str:
    """The parts of the test rows, worst first."""
    found, words = said.report.get("subgroups"), said.words
    if not found or not found["parts"]:
        return ""
    metric, rows = found["metric"], []
    for part in found["parts"][:MOST_PARTS]:
        named = [f"{escape(c)}: {escape(v)}" for c, v in zip(part["columns"], part["levels"], strict=True)]
        marks = (" " + tag(words["notable"], "blocker") if part["notable"] else "") + (
            " " + tag(words["wide"]) if part["wide"] else ""
        )
        count = f"{part['rows']:,}" + (f"<small>{part['people']} {words['people']}</small>" if part["people"] else "")
        apart = part["difference"]
        rows.append(
            [
                f" {words['and']} ".join(named) + marks,
                count,
                f"{figure(metric, part['value'])}<small>{span(metric, part)}</small>",
                f"{signed(metric, apart['value'])}<small>{signed(metric, apart['low'])} – {signed(metric, apart['high'])}</small>",
            ]
        )
    notable = sum(part["notable"] for part in found["parts"])
    verdict = words["subgroups_some"] if notable else words["subgroups_none"]
    head = [words["rows"], said.metric(metric), words["against_rest"]]
    told = note(verdict.format(count=notable, looked=found["looked_at"]))
    return section(words["subgroups"], told, table([words["subset"]], head, rows), note(words["subgroups_note"]))


def importance(said: Said) -> str:
    """How much worse it gets without each column."""
    found, words = said.report.get("importance"), said.words
    if not found or not found["columns"]:
        return ""
    bars = [(item["column"], item["value"], item["low"], item["high"]) for item in found["columns"][:MOST_BARS]]
    told = words["importance_note"].format(metric=escape(said.metric(found["metric"])), rows=f"{found['rows']:,}")
    rest = len(found["columns"]) - MOST_BARS + found.get("left_out", 0)
    more = note(words["more_columns"].format(count=rest)) if rest > 0 else ""
    return section(words["importance"], note(told), bars_from_zero(bars), more)


def dependence(said: Said) -> str:
    """What it says on average as one column changes."""
    found, words = said.report.get("partial_dependence"), said.words
    if not found:
        return ""
    plots = []
    for item in found[:MOST_DEPENDENCES]:
        plots.append(f"<h3>{escape(item['column'])}</h3>{_dependence(item, said)}")
    return section(words["dependence"], note(words["dependence_note"]), *plots)


def _dependence(item: Mapping[str, Any], said: Said) -> str:
    names, points = item["names"], item["points"]
    classes = bool(said.report["confusion"])
    what = said.words["probability_of"].format(level=names[0]) if classes and len(names) == 1 else ""
    what = what or (said.words["probability"] if classes else said.words["said_number"])
    if item["kind"] == "number":
        lines = [
            Drawn(name, [(point["at"], point["values"][place]) for point in points]) for place, name in enumerate(names)
        ]
        return line_plot(lines, (item["column"], what))
    if len(names) == 1:
        return bars_from_zero([(str(point["at"]), *[point["values"][0]] * 3) for point in points]) + note(escape(what))
    rows = [[escape(str(point["at"])), *(f"{value:.3g}" for value in point["values"])] for point in points]
    return table([item["column"]], names, rows)


def errors(said: Said) -> str:
    """The rows where it was surest and wrong, or farthest off."""
    found, words = said.report.get("errors"), said.words
    if not found:
        return ""
    shown = []
    for item in found:
        seen = f"<img src='{_address(item['picture'])}' alt=''>" if item.get("picture") else ""
        seen += trace_with_weights(item["trace"], width=240) if item.get("trace") else ""
        values = ", ".join(
            f"<b>{escape(str(name))}</b> {escape(str(value))}" for name, value in (item.get("values") or {}).items()
        )
        if "probability" in item:
            figures = f"{escape(item['said'])} ({share(item['probability'])})", escape(item["truth"])
        else:
            figures = f"{item['said']:.4g}", f"{item['truth']:.4g}"
        what = f"{escape(item['target'])}: " if "target" in item and len(said.report["target"]) > 1 else ""
        told = f"{what}{words['said']} <b>{figures[0]}</b>, {words['truth']} <b>{figures[1]}</b>"
        shown.append(f"<div class='case'>{seen}<div>{told}<div class='soft'>{values}</div></div></div>")
    title = words["errors_classes" if said.report["confusion"] else "errors_numbers"]
    return section(words["errors"], note(title), f"<div class='cases'>{''.join(shown)}</div>")


def saliency(said: Said) -> str:
    """Where in pictures, recordings and texts the evidence lay."""
    found, words = said.report.get("saliency"), said.words
    if not found:
        return ""
    shown = []
    for item in found:
        if item.get("picture"):
            seen = picture_with_weights(_address(item["picture"]), item["weights"])
        elif item.get("passage"):
            seen = _passage(item["passage"], item["cut"])
        else:
            seen = trace_with_weights(item["trace"], item["weights"])
        told = f"{words['said']} <b>{escape(item['said'])}</b>, {words['truth']} <b>{escape(item['truth'])}</b>"
        shown.append(f"<div class='case wide'>{seen}<div>{told}</div></div>")
    return section(words["saliency"], note(words["saliency_note"]), f"<div class='cases'>{''.join(shown)}</div>")


def _passage(parts: Sequence[Sequence[Any]], cut: bool) -> str:
    """A text whose words are coloured, the darker the more they speak for the answer, and in red those against it."""
    made = []
    for text, weight in parts:
        colour, strength = (ACCENT if weight > 0 else WRONG), round(60 * min(1.0, abs(weight)))
        behind = f"background:color-mix(in srgb,{colour} {strength}%,transparent)"
        made.append(f"<span style='{behind}'>{escape(text)}</span>" if strength >= 3 else escape(text))
    return f"<p style='white-space:pre-wrap;margin:0'>{''.join(made)}{'…' if cut else ''}</p>"


def _address(picture: str) -> str:
    """A small picture that lies in the page itself; anything else is not shown."""
    return escape(picture, quote=True) if picture.startswith("data:image/png;base64,") else "data:,"
