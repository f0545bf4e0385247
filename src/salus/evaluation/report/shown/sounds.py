"""Sounds that can be played, with what was said and what the model wrote."""

from __future__ import annotations

from html import escape
from typing import Any

from salus.evaluation.report.parts import Said, note, section

WORDS = {
    "en": {
        "title": "What it heard",
        "note": "From the worst to the best, evenly, of the part of the data that was never learned from; the first seconds of each.",
        "sound": "Sound",
        "reference": "Reference",
        "answer": "Answer",
    },
    "zh": {
        "title": "模型听到了什么",
        "note": "从最差到最好均匀选取，均来自从未用于学习的数据；每段播放开头几秒。",
        "sound": "声音",
        "reference": "参考",
        "answer": "回答",
    },
}


def sounds(said: Said, items: list[dict[str, Any]]) -> str:
    """The section."""
    words = WORDS[said.language]
    heads = "".join(f"<th>{words[name]}</th>" for name in ("sound", "reference", "answer"))
    rows = "".join(
        f"<tr><td>{_player(item['sound'])}</td><td>{escape(item['reference'])}</td><td>{escape(item['answer'])}</td></tr>"
        for item in items
    )
    return section(words["title"], note(words["note"]), f"<table><tr>{heads}</tr>{rows}</table>")


def _player(sound: str) -> str:
    return f'<audio controls preload="none" src="data:audio/wav;base64,{escape(sound)}"></audio>' if sound else ""
