"""Texts that were answered with texts: the source, what a person wrote, what the model wrote."""

from __future__ import annotations

from html import escape
from typing import Any

from salus.evaluation.report.parts import Said, note, section

MOST_CHARACTERS = 1200  # of one text
BOTH_ROUGE = "(ROUGE-1 + ROUGE-L) / 2"
SCORE_OF = {
    "translation": "chrF",
    "summarization": BOTH_ROUGE,
    "abstractive-summarization": BOTH_ROUGE,
}  # of one text, by the task
WORDS = {
    "en": {
        "title": "What it wrote",
        "note": "From the worst to the best, evenly, of the part of the data that was never learned from.",
        "note_going_on": "Texts of the part of the data that was never learned from, and what the model writes after each. "
        "Below: how surprising the text was to it, in nats a character.",
        "source": "Source",
        "reference": "Reference",
        "answer": "Answer",
        "signatures": "How the scores were counted",
    },
    "zh": {
        "title": "模型写了什么",
        "note": "从最差到最好均匀选取，均来自从未用于学习的数据。",
        "note_going_on": "从未用于学习的文本，以及模型在其后续写的内容。下方为该文本令模型意外的程度（每字符奈特）。",
        "source": "原文",
        "reference": "参考",
        "answer": "回答",
        "signatures": "指标的计算方式",
    },
}


def texts(said: Said, items: list[dict[str, Any]]) -> str:
    """The section."""
    words, called = WORDS[said.language], SCORE_OF.get(said.report["task"], "")
    blocks = []
    for item in items:
        rows = "".join(
            f"<tr><th style='width:90px'>{words[name]}</th><td>{_short(item[name])}</td></tr>"
            for name in ("source", "reference", "answer")
            if item.get(name) is not None
        )
        score = f"<span class='soft'>{called} {item['score']:g}</span>" if "score" in item else ""
        blocks.append(f"<table>{rows}</table>{score}")
    signatures = (said.report.get("facts") or {}).get("signatures") or {}
    counted = "".join(f"<li>{escape(name)}: <code>{escape(text)}</code></li>" for name, text in signatures.items())
    told = f"<h3>{words['signatures']}</h3><ul class='soft'>{counted}</ul>" if counted else ""
    above = words["note_going_on" if said.report["task"] == "text-generation" else "note"]
    return section(words["title"], note(above), *blocks, told)


def _short(text: str) -> str:
    return escape(text if len(text) <= MOST_CHARACTERS else text[:MOST_CHARACTERS] + " …").replace("\n", "<br>")
