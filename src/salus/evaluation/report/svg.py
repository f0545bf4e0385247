"""The plots of a report as SVG text. Every text is escaped; nothing is random, so equal figures give equal pictures.

Knows points and colours. Does not know what a report is.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

INK, SOFT, LINE, ACCENT, GREY, WRONG = "#1c2733", "#5b6b7b", "#e3e8ed", "#0f6e84", "#a9b6c2", "#b3402a"
FONT = "font-family='system-ui,sans-serif'"
MAX_MATRIX = 25
WIDTH = 720
Bars = Sequence[tuple[str, float, float, float, float]]


def interval_bars(rows: Bars, nothing: str) -> str:
    """One line a score on an axis from 0 to 1: (name, value, low, high, doing nothing). nothing: what the grey mark is called."""
    left, right, step = 170, WIDTH - 24, 34
    height = step * len(rows) + 50

    def at(value: float) -> float:
        return left + min(1.0, max(0.0, value)) * (right - left)

    parts = [opened(WIDTH, height)]
    for tick in range(6):
        x = at(tick / 5)
        parts += [line(x, 6, x, height - 44, LINE), text(x, height - 28, f"{tick / 5:.1f}", SOFT, "middle")]
    for index, (name, value, low, high, without) in enumerate(rows):
        y = 20 + index * step
        parts.append(text(left - 14, y + 4, name, INK, "end", 13))
        parts.append(line(at(without), y - 10, at(without), y + 10, GREY, 4))
        parts += [line(at(low), y, at(high), y, ACCENT, 6, 0.3), dot(at(value), y, 6, ACCENT)]
    parts += [line(left + 2, height - 14, left + 2, height - 2, GREY, 4), text(left + 12, height - 4, nothing, SOFT)]
    return "".join([*parts, "</svg>"])


def confusion_matrix(levels: Sequence[str], counts: Sequence[Sequence[int]], truth: str, said: str) -> str:
    """Cells shaded by their share of the true class (a little more for small ones, so that they show). Empty for too many classes."""
    classes = len(levels)
    if classes > MAX_MATRIX:
        return ""
    cell = {True: 62, False: 46}[classes <= 4] if classes <= 10 else 27
    longest = max(breadth(shortened(level)) for level in levels)
    tilted = longest > 5 or classes > 10
    left, top = max(76.0, 30 + 7.5 * longest), 30 + 5.6 * longest if tilted else 44.0
    parts = [opened(left + cell * classes + (4.2 * longest if tilted else 0) + 12, top + cell * classes + 6)]
    parts.append(text(left + 2, 14, f"{said} →", SOFT))
    parts.append(text(left - 10, top - 10, f"{truth} ↓", SOFT, "end"))
    for column, level in enumerate(levels):
        x, y = left + cell * (column + 0.5), top - 9
        turn = f" transform='rotate(-40 {x:.1f} {y:.1f})'" if tilted else ""
        parts.append(text(x, y, shortened(level), INK, "start" if tilted else "middle", extra=turn))
    for row, level in enumerate(levels):
        parts.append(text(left - 10, top + cell * (row + 0.5) + 4, shortened(level), INK, "end"))
        total = sum(counts[row]) or 1
        for column, count in enumerate(counts[row]):
            colour = ACCENT if row == column else WRONG
            parts.append(_cell(left + cell * column, top + cell * row, cell, count, (count / total) ** 0.7, colour))
    return "".join([*parts, "</svg>"])


def reliability_plot(
    before: Sequence[Mapping[str, Any]], after: Sequence[Mapping[str, Any]], words: tuple[str, str, str, str]
) -> str:
    """Said confidence against the share that was right, before and after calibration. words: x, y, before, after."""
    parts, point = _square((0.0, 1.0), words[0], words[1])
    for row, (bins, colour, name) in enumerate(((before, GREY, words[2]), (after, ACCENT, words[3]))):
        points = [point(item["confidence"], item["accuracy"]) for item in bins]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        parts.append(f"<polyline points='{path}' fill='none' stroke='{colour}' stroke-width='2'/>")
        largest = max((item["count"] for item in bins), default=1)
        for (x, y), item in zip(points, bins, strict=True):
            parts.append(dot(x, y, 3 + 5 * (item["count"] / largest) ** 0.5, colour))
        parts += [dot(400, 30 + 24 * row, 6, colour), text(414, 34 + 24 * row, name, INK, size=13)]
    return "".join([*parts, "</svg>"])


def answer_plot(bins: Sequence[Mapping[str, Any]], words: tuple[str, str]) -> str:
    """What was said against where the truth lay: a bar of nine in ten and the middle one. words: x, y."""
    ends = [value for item in bins for value in (item["said"], item["low"], item["high"])]
    low, high = min(ends), max(ends)
    room = 0.04 * ((high - low) or 1.0)
    parts, point = _square((low - room, high + room), *words)
    for item in bins:
        (x, bottom), (_, top), (_, middle) = (point(item["said"], item[end]) for end in ("low", "high", "median"))
        parts += [line(x, bottom, x, top, ACCENT, 7, 0.3), dot(x, middle, 5, ACCENT)]
    return "".join([*parts, "</svg>"])


def dots(scores: Sequence[float], low: float, high: float) -> str:
    """One dot a person along an axis, stacked where they meet, and a line at the middle one."""
    high = high if high > low else low + 1.0
    left, right, radius = 24, WIDTH - 24, 5 if len(scores) <= 120 else 3
    places = int((right - left) / (2 * radius + 1))
    stacks: dict[int, int] = {}
    marks = []
    for value in sorted(scores):
        place = round((value - low) / (high - low) * places)
        stacks[place] = stacks.get(place, 0) + 1
        marks.append((left + place * (right - left) / places, stacks[place]))
    height = max(stacks.values()) * (2 * radius + 1) + 34
    parts = [opened(WIDTH, height)]
    for value in round_ticks(low, high):
        x = left + (right - left) * (value - low) / (high - low)
        parts += [line(x, 4, x, height - 24, LINE), text(x, height - 6, f"{value:.6g}", SOFT, "middle")]
    ordered = sorted(scores)
    middle = (ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]) / 2
    x = left + (middle - low) / (high - low) * (right - left)
    parts.append(line(x, 4, x, height - 24, INK, 2))
    parts += [dot(x, height - 26 - (2 * radius + 1) * (stack - 0.5), radius, ACCENT) for x, stack in marks]
    return "".join([*parts, "</svg>"])


def round_ticks(low: float, high: float) -> list[float]:
    """Four to nine round numbers between two ends."""
    step = 10.0 ** math.floor(math.log10((high - low) / 4))
    step *= next(factor for factor in (5, 2, 1) if (high - low) / (factor * step) >= 4)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(step * place, 12) for place in range(first, last + 1)]


def _square(axis: tuple[float, float], x_name: str, y_name: str) -> tuple[list[str], Any]:
    """A square with one axis both ways and its diagonal, and where a point lies in it."""
    size, left, top, (low, high) = 300, 74, 14, axis
    parts = [opened(WIDTH, top + size + 50)]

    def point(x: float, y: float) -> tuple[float, float]:
        return left + (x - low) / (high - low) * size, top + (1 - (y - low) / (high - low)) * size

    for value in round_ticks(low, high):
        x, y = point(value, value)
        parts += [line(left, y, left + size, y, LINE), line(x, top, x, top + size, LINE)]
        parts.append(text(left - 10, y + 4, f"{value:.6g}", SOFT, "end"))
        parts.append(text(x, top + size + 18, f"{value:.6g}", SOFT, "middle"))
    parts.append(line(left, top + size, left + size, top, GREY, 1.5))
    parts.append(text(left + size / 2, top + size + 42, x_name, SOFT, "middle", 13))
    middle = top + size / 2
    parts.append(text(16, middle, y_name, SOFT, "middle", 13, f" transform='rotate(-90 16 {middle})'"))
    return parts, point


def _cell(x: float, y: float, cell: float, count: int, share: float, colour: str) -> str:
    box = f"x='{x:.1f}' y='{y:.1f}' width='{cell - 2}' height='{cell - 2}' rx='4'"
    shade = f"<rect {box} fill='#f0f3f6'/><rect {box} fill='{colour}' opacity='{share:.3f}'/>"
    ink = "#fff" if share > 0.55 else (INK if count else GREY)
    return shade + text(x + cell / 2 - 1, y + cell / 2 + 4, str(count), ink, "middle", 12 if cell > 30 else 10)


def opened(width: float, height: float) -> str:
    size = f"viewBox='0 0 {width:.0f} {height:.0f}' width='{width:.0f}' height='{height:.0f}'"
    return f"<svg xmlns='http://www.w3.org/2000/svg' {size} role='img'>"


def line(x1: float, y1: float, x2: float, y2: float, colour: str, width: float = 1, opacity: float = 1) -> str:
    return (
        f"<line x1='{x1:.1f}' y1='{y1:.1f}' x2='{x2:.1f}' y2='{y2:.1f}' stroke='{colour}' "
        f"stroke-width='{width}' stroke-opacity='{opacity}' stroke-linecap='round'/>"
    )


def dot(x: float, y: float, radius: float, colour: str) -> str:
    return f"<circle cx='{x:.1f}' cy='{y:.1f}' r='{radius:.1f}' fill='{colour}'/>"


def text(x: float, y: float, words: str, colour: str, anchor: str = "start", size: int = 12, extra: str = "") -> str:
    where = f"x='{x:.1f}' y='{y:.1f}' {FONT} font-size='{size}' fill='{colour}' text-anchor='{anchor}'{extra}"
    return f"<text {where}>{escape(words)}</text>"


def breadth(words: str) -> int:
    """In Latin letters; a Chinese character takes the room of two."""
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in words)


def shortened(words: str, most: int = 16) -> str:
    return words if len(words) <= most else words[: most - 1] + "…"
