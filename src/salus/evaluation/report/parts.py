"""What the sections of a report are made of: the report with its words, tables, notes, figures as they are read.

Text that is not ours is escaped by whoever makes a cell of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from salus.evaluation.report.scores import figure

MOST_LIST_ITEMS = 8


@dataclass(frozen=True)
class Said:
    """A report and the words to say it with."""

    report: Mapping[str, Any]
    words: Mapping[str, str]
    metric_words: Mapping[str, tuple[str, str]]
    language: str

    def metric(self, name: str) -> str:
        """What a metric is called."""
        return self.metric_words.get(name, (name, ""))[0]


def section(title: str, *parts: str) -> str:
    """A heading with what stands under it."""
    return f"<h2>{title}</h2>{''.join(parts)}"


def table(texts: Sequence[str], numbers: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Cells of `rows` are HTML already; the first ones are texts, the others numbers."""
    marks = [""] * len(texts) + [" class='n'"] * len(numbers)
    head = "".join(f"<th{mark}>{escape(cell)}</th>" for mark, cell in zip(marks, [*texts, *numbers], strict=True))
    body = [
        "<tr>" + "".join(f"<td{mark}>{cell}</td>" for mark, cell in zip(marks, row, strict=True)) + "</tr>"
        for row in rows
    ]
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(body)}</tbody></table>"


def note(html: str) -> str:
    return f"<p class='note'>{html}</p>"


def tag(word: str, kind: str = "warning") -> str:
    """A word with a coloured ground."""
    return f"<span class='tag {kind}'>{word}</span>"


def span(name: str, found: Mapping[str, Any]) -> str:
    return f"{figure(name, found['low'])} – {figure(name, found['high'])}"


def share(value: float | None) -> str:
    return "–" if value is None else figure("accuracy", value)


def signed(name: str, value: float) -> str:
    """A difference, with its sign."""
    if abs(value) < 1e-12:
        return figure(name, 0.0)
    return ("+" if value > 0 else "\u2212") + figure(name, abs(value))


def size(size_bytes: int) -> str:
    return f"{size_bytes / 1e6:.1f} MB" if size_bytes >= 1e6 else f"{max(1, round(size_bytes / 1e3))} kB"


def duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def plain(value: Any) -> str:
    """An option as a person would write it."""
    if value is None or value == [] or value == {}:
        return "–"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {plain(item)}" for name, item in value.items())
    if isinstance(value, list | tuple):
        shown = [plain(item) for item in value[:MOST_LIST_ITEMS]]
        return ", ".join(shown) + (", …" if len(value) > MOST_LIST_ITEMS else "")
    return str(value)
