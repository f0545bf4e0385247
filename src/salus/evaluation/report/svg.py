"""The plots of a report as SVG text: interval bars, the confusion matrix, the reliability plot. Every text is escaped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

INK, SOFT, LINE, ACCENT, GREY = "#1c2733", "#5b6b7b", "#d7dee6", "#0f6e84", "#b8c4cf"
FONT = "font-family='system-ui,sans-serif' font-size='12'"
MAX_MATRIX = 25


def interval_bars(rows: Sequence[tuple[str, float, float, float, float | None]], low: float, high: float) -> str:
    """One line a metric: (name, value, low, high, doing nothing) on a common axis from `low` to `high`."""
    width, left, step = 640, 170, 34
    height = step * len(rows) + 34

    def at(value: float) -> float:
        share = (min(high, max(low, value)) - low) / ((high - low) or 1.0)
        return left + share * (width - left - 20)

    parts = [_open(width, height)]
    for tick in range(6):
        value = low + (high - low) * tick / 5
        parts.append(_line(at(value), 8, at(value), height - 26, LINE))
        parts.append(_text(at(value), height - 8, f"{value:.2g}", SOFT, "middle"))
    for index, (name, value, begin, end, nothing) in enumerate(rows):
        y = 22 + index * step
        parts.append(_text(left - 12, y + 4, name, INK, "end"))
        if nothing is not None:
            parts.append(_line(at(nothing), y - 11, at(nothing), y + 11, GREY, 4))
        parts.append(_line(at(begin), y, at(end), y, ACCENT, 5, opacity=0.35))
        parts.append(f"<circle cx='{at(value):.1f}' cy='{y}' r='6' fill='{ACCENT}'/>")
    return "".join([*parts, "</svg>"])


def confusion_matrix(levels: Sequence[str], counts: Sequence[Sequence[int]], truth: str, said: str) -> str:
    """Cells shaded by their share of the true class. Empty text for more classes than can be read."""
    classes = len(levels)
    if classes > MAX_MATRIX:
        return ""
    cell = 46 if classes <= 10 else 30
    left, top = 130, 110
    parts = [_open(left + cell * classes + 20, top + cell * classes + 14)]
    parts.append(_text(left, 16, f"{said} →", SOFT, "start"))
    parts.append(_text(4, top - 8, f"{truth} ↓", SOFT, "start"))
    for column, level in enumerate(levels):
        x = left + cell * column + cell / 2
        label = escape(_short(level))
        parts.append(
            f"<text x='{x}' y='{top - 8}' {FONT} fill='{INK}' transform='rotate(-45 {x} {top - 8})'>{label}</text>"
        )
    for row, level in enumerate(levels):
        total = sum(counts[row]) or 1
        parts.append(_text(left - 8, top + cell * row + cell / 2 + 4, _short(level), INK, "end"))
        for column in range(classes):
            share = counts[row][column] / total
            colour = ACCENT if row == column else "#b3402a"
            x, y = left + cell * column, top + cell * row
            parts.append(f"<rect x='{x}' y='{y}' width='{cell - 2}' height='{cell - 2}' rx='4' fill='#eef2f5'/>")
            parts.append(
                f"<rect x='{x}' y='{y}' width='{cell - 2}' height='{cell - 2}' rx='4' fill='{colour}' opacity='{share:.3f}'/>"
            )
            ink = "#fff" if share > 0.55 else INK
            parts.append(_text(x + cell / 2 - 1, y + cell / 2 + 4, str(counts[row][column]), ink, "middle"))
    return "".join([*parts, "</svg>"])


def reliability_plot(
    before: Sequence[Mapping[str, Any]], after: Sequence[Mapping[str, Any]], words: tuple[str, str, str, str]
) -> str:
    """Said confidence against the share that was right, before and after calibration. words: x, y, before, after."""
    size, left, top = 300, 60, 14
    parts = [_open(left + size + 150, top + size + 50)]

    def point(said: float, was: float) -> tuple[float, float]:
        return left + said * size, top + (1 - was) * size

    for tick in range(6):
        x, y = point(tick / 5, tick / 5)
        parts += [_line(left, y, left + size, y, LINE), _line(x, top, x, top + size, LINE)]
        parts.append(_text(left - 8, y + 4, f"{tick / 5:.1f}", SOFT, "end"))
        parts.append(_text(x, top + size + 18, f"{tick / 5:.1f}", SOFT, "middle"))
    parts.append(_line(left, top + size, left + size, top, GREY, 2))
    for bins, colour, name, row in ((before, GREY, words[2], 0), (after, ACCENT, words[3], 1)):
        points = [point(item["confidence"], item["accuracy"]) for item in bins]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        parts.append(f"<polyline points='{path}' fill='none' stroke='{colour}' stroke-width='2'/>")
        largest = max((item["count"] for item in bins), default=1)
        for (x, y), item in zip(points, bins, strict=True):
            radius = 3 + 5 * (item["count"] / largest) ** 0.5
            parts.append(f"<circle cx='{x:.1f}' cy='{y:.1f}' r='{radius:.1f}' fill='{colour}'/>")
        parts.append(f"<circle cx='{left + size + 20}' cy='{top + 14 + 22 * row}' r='6' fill='{colour}'/>")
        parts.append(_text(left + size + 32, top + 18 + 22 * row, name, INK, "start"))
    parts.append(_text(left + size / 2, top + size + 40, words[0], SOFT, "middle"))
    parts.append(
        f"<text x='16' y='{top + size / 2}' {FONT} fill='{SOFT}' text-anchor='middle' "
        f"transform='rotate(-90 16 {top + size / 2})'>{escape(words[1])}</text>"
    )
    return "".join([*parts, "</svg>"])


def _open(width: float, height: float) -> str:
    return f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {width:.0f} {height:.0f}' width='{width:.0f}' role='img'>"


def _line(x1: float, y1: float, x2: float, y2: float, colour: str, width: float = 1, opacity: float = 1) -> str:
    return (
        f"<line x1='{x1:.1f}' y1='{y1:.1f}' x2='{x2:.1f}' y2='{y2:.1f}' stroke='{colour}' "
        f"stroke-width='{width}' stroke-opacity='{opacity}' stroke-linecap='round'/>"
    )


def _text(x: float, y: float, text: str, colour: str, anchor: str) -> str:
    return f"<text x='{x:.1f}' y='{y:.1f}' {FONT} fill='{colour}' text-anchor='{anchor}'>{escape(text)}</text>"


def _short(text: str) -> str:
    return text if len(text) <= 16 else text[:15] + "…"
