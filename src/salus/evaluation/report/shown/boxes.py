"""Boxes as a person wants to see them: test pictures with what is there and what was said; then category by category, and how right
boxes are the more of them are found.

Knows the items and facts that `evaluation/measures/detection` leaves in a report.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from salus.evaluation.report.curves import COLOURS, Drawn, line_plot
from salus.evaluation.report.parts import Said, note, section, share, table
from salus.evaluation.report.scores import figure
from salus.evaluation.report.svg import FONT, INK, opened

TRUTH = "#ffffff"
MOST_CATEGORIES = 40
MOST_CURVES = 5
WORDS = {
    "en": {
        "title": "What it sees",
        "note": "Test pictures, from the worst to the best. White dashes: what people marked. Colours: what the model said, and how sure it "
        "is; boxes that are less sure than {least} are not given.",
        "wrong": "{share} of these boxes are wrong or missing",
        "categories": "Category by category",
        "category": "Category",
        "boxes": "Marked",
        "ap50": "AP@0.5",
        "ap50_95": "AP@[.5:.95]",
        "found": "Found",
        "right": "Right",
        "table_note": "AP: average precision, with half overlap and over ten overlaps. Found: the share of the marked boxes that it gives; "
        "right: the share of the boxes that it gives that are there, both with at least half overlap.",
        "curves": "The more it finds, the less it is right",
        "recall": "share found",
        "precision": "share right",
        "curves_note": "A line shows what one can have of one category: fewer boxes that are mostly right, or more of them. "
        "The area under it is its average precision.",
    },
    "zh": {
        "title": "模型看到了什么",
        "note": "测试图片，从最差到最好。白色虚线：人工标注。彩色：模型给出的方框及其置信度；低于 {least} 的方框不会给出。",
        "wrong": "其中 {share} 的方框错误或遗漏",
        "categories": "按类别",
        "category": "类别",
        "boxes": "标注数",
        "ap50": "AP@0.5",
        "ap50_95": "AP@[.5:.95]",
        "found": "找出",
        "right": "正确",
        "table_note": "AP：平均精度，分别按重叠一半和十种重叠计算。找出：标注的方框中被给出的比例；正确：给出的方框中确实存在的比例，"
        "重叠均至少一半。",
        "curves": "找得越多，错得越多",
        "recall": "找出的比例",
        "precision": "正确的比例",
        "curves_note": "每条线表示一个类别可作的取舍：少而准，或多而杂。线下面积即平均精度。",
    },
}


def boxes(said: Said, items: Sequence[Mapping[str, Any]]) -> str:
    """The section of the report."""
    words, facts = WORDS[said.language], said.report["facts"]
    labels = [one["label"] for one in facts["curves"]]  # whose lines have the same colours
    labels += [one["label"] for one in facts["categories"] if one["label"] not in labels]
    colours = {label: COLOURS[place % len(COLOURS)] for place, label in enumerate(labels)}
    cases = [
        f"<div class='case'>{_picture(item, colours)}{escape(words['wrong'].format(share=share(item['error'])))}</div>"
        for item in items
    ]
    legend = " ".join(_legend(label, colours[label]) for label in labels[:MOST_CATEGORIES])
    told = words["note"].format(least=figure("score", facts["least_score"]))
    return (
        section(
            escape(words["title"]), note(escape(told)), f"<p>{legend}</p>", f"<div class='cases'>{''.join(cases)}</div>"
        )
        + _categories(facts, words)
        + _curves(facts, words)
    )


def _picture(item: Mapping[str, Any], colours: Mapping[str, str]) -> str:
    """The picture with its boxes drawn on it. Only what is base64 gets into the address."""
    width, height = int(item["width"]), int(item["height"])
    parts = [opened(width, height)]
    try:
        content = base64.b64encode(base64.b64decode(item["picture"], validate=True)).decode()
    except (binascii.Error, ValueError):
        content = ""
    parts.append(f"<image href='data:image/jpeg;base64,{content}' width='{width}' height='{height}'/>")
    for box in item["truth"]:
        dashes = " stroke-dasharray='5 4'"
        parts.append(_box(box, TRUTH, 1.6, dashes))
    for box in item["said"]:
        colour = colours.get(box["label"], INK)
        parts.append(_box(box, colour, 2.2, ""))
        x, y = float(box["left"]) + 2, max(9.0, float(box["top"]) - 3)
        halo = " stroke='#fff' stroke-width='2.5' paint-order='stroke'"
        where = f"x='{x:.1f}' y='{y:.1f}' {FONT} font-size='10' fill='{colour}'{halo}"
        parts.append(f"<text {where}>{float(box['score']):.2f}</text>")
    return "".join([*parts, "</svg>"])


def _box(box: Mapping[str, Any], colour: str, width: float, extra: str) -> str:
    left, top = float(box["left"]), float(box["top"])
    size = max(0.0, float(box["right"]) - left), max(0.0, float(box["bottom"]) - top)
    where = f"x='{left:.1f}' y='{top:.1f}' width='{size[0]:.1f}' height='{size[1]:.1f}'"
    title = f"<title>{escape(str(box['label']))}</title>"
    return f"<rect {where} fill='none' stroke='{colour}' stroke-width='{width}'{extra}>{title}</rect>"


def _legend(label: str, colour: str) -> str:
    return f"<span class='tag' style='background:{colour};color:#fff'>{escape(label)}</span>"


def _categories(facts: Mapping[str, Any], words: Mapping[str, str]) -> str:
    rows = [
        [
            escape(one["label"]),
            f"{one['boxes']:,}",
            _figure(one["ap50"]),
            _figure(one["ap50_95"]),
            share(one["found"]),
            share(one["right"]),
        ]
        for one in facts["categories"][:MOST_CATEGORIES]
    ]
    head = [words[name] for name in ("boxes", "ap50", "ap50_95", "found", "right")]
    return section(
        escape(words["categories"]), table([words["category"]], head, rows), note(escape(words["table_note"]))
    )


def _figure(value: float | None) -> str:
    return "–" if value is None else figure("map50", value)


def _curves(facts: Mapping[str, Any], words: Mapping[str, str]) -> str:
    """Precision over the share found, a line a category."""
    lines = []
    for curve in facts["curves"][:MOST_CURVES]:
        last = max(1, len(curve["precision"]) - 1)
        points = [(index / last, float(precision)) for index, precision in enumerate(curve["precision"])]
        lines.append(Drawn(curve["label"], points))
    if not lines:
        return ""
    plot = line_plot(lines, (words["recall"], words["precision"]), (0.0, 1.0), (0.0, 1.0))
    return section(escape(words["curves"]), plot, note(escape(words["curves_note"])))
