"""Plots of lines, bars from zero, and weights laid over pictures and traces, as SVG text. Every foreign text is escaped.

Knows points and colours. Does not know what a report is.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from salus.evaluation.report.svg import (
    ACCENT,
    GREY,
    INK,
    LINE,
    SOFT,
    WIDTH,
    WRONG,
    breadth,
    dot,
    line,
    opened,
    round_ticks,
    shortened,
    text,
)

COLOURS = (ACCENT, "#c4762b", "#6a4c93", "#3a7d44", WRONG)
TALL = 240


@dataclass(frozen=True)
class Drawn:
    """One line: its name, and points (x, y) in the order of x."""

    name: str
    points: Sequence[tuple[float, float]]


def line_plot(
    lines: Sequence[Drawn],
    words: tuple[str, str],
    x_axis: tuple[float, float] | None = None,
    y_axis: tuple[float, float] | None = None,
    mark: tuple[float, float] | None = None,
    errors: Sequence[float] | None = None,
    width: float = 520,
) -> str:
    """Lines on two axes. words: of x and y. mark: a point to be seen. errors: bars about the points of the first line."""
    every = [point for drawn in lines for point in drawn.points]
    spread = list(errors or [])
    low = [y - e for (_, y), e in zip(lines[0].points, spread, strict=False)] if lines else []
    high = [y + e for (_, y), e in zip(lines[0].points, spread, strict=False)] if lines else []
    x_axis = x_axis or _room([x for x, _ in every], 0.0)
    y_axis = y_axis or _room([*(y for _, y in every), *low, *high], 0.08)
    left, top, right = 74.0, 14.0, 74.0 + width - 94

    def at(x: float, y: float) -> tuple[float, float]:
        return (
            left + (x - x_axis[0]) / (x_axis[1] - x_axis[0]) * (right - left),
            top + (1 - (y - y_axis[0]) / (y_axis[1] - y_axis[0])) * TALL,
        )

    parts = [opened(WIDTH, top + TALL + 50)]
    for value in round_ticks(*x_axis):
        x, _ = at(value, y_axis[0])
        parts += [line(x, top, x, top + TALL, LINE), text(x, top + TALL + 18, f"{value:.6g}", SOFT, "middle")]
    for value in round_ticks(*y_axis):
        _, y = at(x_axis[0], value)
        parts += [line(left, y, right, y, LINE), text(left - 10, y + 4, f"{value:.6g}", SOFT, "end")]
    for index, drawn in enumerate(lines):
        colour = COLOURS[index % len(COLOURS)]
        places = [at(x, y) for x, y in drawn.points]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        parts.append(f"<polyline points='{path}' fill='none' stroke='{colour}' stroke-width='2.5'/>")
        if len(places) <= 15:
            parts += [dot(x, y, 3.5, colour) for x, y in places]
        if len(lines) > 1:
            parts += [dot(right + 22, top + 12 + 22 * index, 5, colour)]
            parts.append(text(right + 34, top + 16 + 22 * index, shortened(drawn.name), INK))
    for (x, y), error in zip(lines[0].points if lines else [], spread, strict=False):
        parts.append(line(*at(x, y - error), *at(x, y + error), ACCENT, 5, 0.3))
    if mark is not None:
        x, y = at(*mark)
        parts += [f"<circle cx='{x:.1f}' cy='{y:.1f}' r='8' fill='none' stroke='{WRONG}' stroke-width='3'/>"]
    parts.append(text((left + right) / 2, top + TALL + 42, words[0], SOFT, "middle", 13))
    middle = top + TALL / 2
    parts.append(text(16, middle, words[1], SOFT, "middle", 13, f" transform='rotate(-90 16 {middle})'"))
    return "".join([*parts, "</svg>"])


def bars_from_zero(rows: Sequence[tuple[str, float, float, float]]) -> str:
    """One bar a name with its interval: (name, value, low, high)."""
    longest = max(breadth(shortened(name, 32)) for name, *_ in rows)
    left, right, step = min(280.0, 30 + 7.2 * longest), WIDTH - 30.0, 28
    ends = [0.0, *(end for row in rows for end in row[1:])]
    low, high = _room(ends, 0.0)
    height = step * len(rows) + 34

    def at(value: float) -> float:
        return left + (value - low) / (high - low) * (right - left)

    parts = [opened(WIDTH, height)]
    for tick in round_ticks(low, high):
        parts += [line(at(tick), 4, at(tick), height - 28, LINE)]
        parts.append(text(at(tick), height - 10, f"{tick:.6g}", SOFT, "middle"))
    for index, (name, value, least, most) in enumerate(rows):
        y = 18 + index * step
        start, width = min(at(0), at(value)), max(1.0, abs(at(value) - at(0)))
        parts.append(text(left - 12, y + 4, shortened(name, 32), INK, "end", 13))
        box = f"x='{start:.1f}' y='{y - 7:.1f}' width='{width:.1f}' height='14'"
        parts.append(f"<rect {box} rx='2' fill='{ACCENT}' opacity='0.75'/>")
        if most > least:
            parts.append(line(at(least), y, at(most), y, INK, 1.6))
    parts.append(line(at(0), 4, at(0), height - 28, GREY, 1.5))
    return "".join([*parts, "</svg>"])


def picture_with_weights(address: str, weights: Sequence[Sequence[float]], side: int = 150) -> str:
    """A picture, and beside it the same with the weights over it: what speaks for the answer in the accent, what against in red."""
    gap = 10
    parts = [opened(2 * side + gap, side)]
    for x in (0, side + gap):
        box = f"x='{x}' y='0' width='{side}' height='{side}'"
        parts.append(f"<image {box} preserveAspectRatio='none' href='{escape(address, quote=True)}'/>")
    rows = len(weights)
    for row, line_of in enumerate(weights):
        for column, weight in enumerate(line_of):
            if abs(weight) < 0.08:
                continue
            width, height = side / len(line_of), side / rows
            box = f"x='{side + gap + column * width:.1f}' y='{row * height:.1f}' width='{width:.2f}' height='{height:.2f}'"
            colour = "#19b5d1" if weight > 0 else "#ff5a36"
            parts.append(f"<rect {box} fill='{colour}' opacity='{0.62 * min(1.0, abs(weight)):.2f}'/>")
    return "".join([*parts, "</svg>"])


def trace_with_weights(trace: Sequence[float | None], weights: Sequence[float] = (), width: int = 330) -> str:
    """A recording; behind it the stretches that speak for the answer, the darker the more, and in red those against."""
    height = 90
    present = [value for value in trace if value is not None]
    low, high = _room(present or [0.0], 0.05)
    parts = [opened(width, height)]
    for index, weight in enumerate(weights):
        step = width / len(weights)
        colour = ACCENT if weight > 0 else WRONG
        box = f"x='{index * step:.1f}' y='0' width='{step:.2f}' height='{height}'"
        if abs(weight) >= 0.05:
            parts.append(f"<rect {box} fill='{colour}' opacity='{0.55 * min(1.0, abs(weight)):.2f}'/>")
    last = max(1, len(trace) - 1)
    points = [
        f"{index / last * width:.1f},{(1 - (value - low) / (high - low)) * height:.1f}"
        for index, value in enumerate(trace)
        if value is not None
    ]
    parts.append(f"<polyline points='{' '.join(points)}' fill='none' stroke='{INK}' stroke-width='1.2'/>")
    return "".join([*parts, "</svg>"])


def _room(values: Sequence[float], share: float) -> tuple[float, float]:
    """The ends of an axis that holds the values, with some room."""
    low, high = min(values), max(values)
    if not math.isfinite(low) or high - low < 1e-12 * max(1.0, abs(high)):
        margin = max(1e-6, abs(low) * 0.1) if math.isfinite(low) else 1.0
        return low - margin, high + margin
    return low - share * (high - low), high + share * (high - low)
