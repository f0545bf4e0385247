"""Forecasts as a person wants to see them: what was measured, what was said with its bands, what came; then errors by step ahead, by
channel, and whether the stated quantiles hold.

Knows the facts that `evaluation/measures/forecasting` leaves in a report.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from salus.evaluation.report.curves import Drawn, line_plot
from salus.evaluation.report.parts import Said, note, section, table
from salus.evaluation.report.svg import ACCENT, GREY, INK, LINE, SOFT, WIDTH, WRONG, line, opened, round_ticks, text

TALL = 170
LEFT, RIGHT, TOP = 74.0, WIDTH - 16.0, 10.0
MOST_CHANNELS = 30
WORDS = {
    "en": {
        "title": "Forecasts beside what came",
        "note": "Grey: measured before. Blue: said, with the bands in which 80 % and 40 % of the truths should lie. Red: what came. "
        "The rows are one of middling, one of small and one of large error, of the part of the data that was never learned from.",
        "row": "error {loss} (squared, in variances)",
        "from": "from {moment}",
        "steps": "By step ahead",
        "step": "step ahead",
        "mse": "squared error, in variances",
        "short_mse": "MSE (scaled)",
        "short_mae": "MAE",
        "short_mase": "MASE",
        "short_covered": "inside 80 %",
        "covered": "share inside the 80 % band",
        "channels": "By channel",
        "channel": "channel",
        "quantiles": "Do the stated quantiles hold?",
        "stated": "stated quantile",
        "found": "share of truths below it",
        "season": "Repeats every {season} steps, as far as the data show.",
        "no_season": "Nothing repeats, as far as the data show.",
    },
    "zh": {
        "title": "预测与实际",
        "note": "灰色：此前的测量值。蓝色：预测及其区间（应分别包含 80 % 与 40 % 的实际值）。红色：实际值。所示各行的误差分别为中等、较小和较大，"
        "均来自从未用于学习的数据。",
        "row": "误差 {loss}（平方，以方差为单位）",
        "from": "自 {moment} 起",
        "steps": "按预测步数",
        "step": "向前步数",
        "mse": "平方误差（以方差为单位）",
        "short_mse": "MSE（标准化）",
        "short_mae": "MAE",
        "short_mase": "MASE",
        "short_covered": "80 % 区间内",
        "covered": "落在 80 % 区间内的比例",
        "channels": "按通道",
        "channel": "通道",
        "quantiles": "所给分位数是否成立？",
        "stated": "所给分位数",
        "found": "低于它的实际值比例",
        "season": "从数据看，每 {season} 步重复一次。",
        "no_season": "从数据看，没有重复的规律。",
    },
}


def traces(said: Said, items: Sequence[Mapping[str, Any]]) -> str:
    """The section of the report."""
    words = WORDS[said.language]
    facts = said.report["facts"]
    season = facts.get("season") or 1
    repeats = words["season"].format(season=season) if season > 1 else words["no_season"]
    return section(
        words["title"],
        note(f"{words['note']} {repeats}"),
        "".join(_of_row(words, item) for item in items),
        _by_step(words, facts["by_step"]),
        _by_channel(words, facts["by_channel"]),
        _quantiles(words, facts["below"]),
    )


def _of_row(words: Mapping[str, str], item: Mapping[str, Any]) -> str:
    told = [f"<b>{escape(item['channel'])}</b>", words["row"].format(loss=f"{item['loss']:.3g}")]
    if item.get("from"):
        told.append(words["from"].format(moment=escape(str(item["from"]))))
    return f"<h3>{' · '.join(told)}</h3>{forecast_plot(item)}"


def forecast_plot(item: Mapping[str, Any]) -> str:
    """The past, the mean with two bands, and the truth, on one axis of steps; 0 is the newest measured value."""
    past, mean, truth = item["past"], item["mean"], item["truth"]
    first = 1 - len(past)
    bands = [ends for pair in item["bands"] for ends in pair]
    every = [value for line_ in (past, mean, truth, *bands) for value in line_ if value is not None]
    low, high = min(every, default=0.0), max(every, default=1.0)
    room = 0.06 * (high - low) or max(1e-6, 0.1 * abs(high))
    low, high = low - room, high + room

    def at(step: float, value: float) -> tuple[float, float]:
        x = LEFT + (step - first) / max(1, len(mean) - first) * (RIGHT - LEFT)
        return x, TOP + (1 - (value - low) / (high - low)) * TALL

    parts = [opened(WIDTH, TOP + TALL + 28)]
    for value in round_ticks(low, high):
        y = at(first, value)[1]
        parts += [line(LEFT, y, RIGHT, y, LINE), text(LEFT - 10, y + 4, f"{value:.6g}", SOFT, "end")]
    for step in round_ticks(first, len(mean)) if len(mean) > first else ():
        x = at(step, low)[0]
        parts.append(text(x, TOP + TALL + 18, f"{step:+g}" if step else "0", SOFT, "middle"))
    x = at(0, low)[0]
    parts.append(line(x, TOP, x, TOP + TALL, GREY, 1))
    for (lower, upper), opacity in zip(item["bands"], (0.16, 0.26), strict=False):
        edge = [at(1 + i, value) for i, value in enumerate(lower)]
        edge += [at(1 + i, value) for i, value in reversed(list(enumerate(upper)))]
        places = " ".join(f"{px:.1f},{py:.1f}" for px, py in edge)
        parts.append(f"<polygon points='{places}' fill='{ACCENT}' opacity='{opacity}'/>")
    for values, start, colour, width in ((past, first, SOFT, 1.4), (truth, 1, WRONG, 1.6), (mean, 1, ACCENT, 2.2)):
        parts += [_stroke([at(start + i, value) for i, value in run], colour, width) for run in _runs(values)]
    parts.append(line(LEFT, TOP + TALL, RIGHT, TOP + TALL, INK, 0.6))
    return "".join([*parts, "</svg>"])


def _runs(values: Sequence[float | None]) -> list[list[tuple[int, float]]]:
    """Stretches without a missing value."""
    runs: list[list[tuple[int, float]]] = [[]]
    for place, value in enumerate(values):
        if value is None:
            runs.append([])
        else:
            runs[-1].append((place, value))
    return [run for run in runs if run]


def _stroke(places: Sequence[tuple[float, float]], colour: str, width: float) -> str:
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    return f"<polyline points='{path}' fill='none' stroke='{colour}' stroke-width='{width}' stroke-linejoin='round'/>"


def _by_step(words: Mapping[str, str], by_step: Mapping[str, Any]) -> str:
    errors, covered = by_step["scaled_mse"], by_step["coverage_80"]
    if len(errors) < 2:
        return ""
    drawn = Drawn(words["mse"], [(1 + i, value) for i, value in enumerate(errors)])
    inside = Drawn(words["covered"], [(1 + i, value) for i, value in enumerate(covered)])
    error_plot = line_plot([drawn], (words["step"], words["mse"]), y_axis=(0.0, 1.1 * max(max(errors), 1e-9)))
    return f"<h3>{words['steps']}</h3>{error_plot}" + line_plot(
        [inside], (words["step"], words["covered"]), y_axis=(0.0, 1.0)
    )


def _by_channel(words: Mapping[str, str], by_channel: Sequence[Mapping[str, Any]]) -> str:
    rows = [
        [
            escape(str(one["name"])),
            f"{one['scaled_mse']:.4g}",
            f"{one['mae']:.4g}",
            f"{one['mase']:.3g}",
            f"{one['coverage_80']:.1%}",
        ]
        for one in by_channel[:MOST_CHANNELS]
    ]
    heads = [words[f"short_{name}"] for name in ("mse", "mae", "mase", "covered")]
    return f"<h3>{words['channels']}</h3>" + table([words["channel"]], heads, rows)


def _quantiles(words: Mapping[str, str], below: Sequence[Sequence[float]]) -> str:
    rows = [[f"{level:g}", f"{share:.1%}"] for level, share in below]
    return f"<h3>{words['quantiles']}</h3>" + table([words["stated"]], [words["found"]], rows)
