"""The report as a person sees it: the sentence, the page, the card; foreign text cannot break out."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest

from salus.core.gate import gate
from salus.evaluation.card import model_card
from salus.evaluation.measure import measure
from salus.evaluation.metrics import softmax
from salus.evaluation.report.html import render
from salus.evaluation.report.text import headline
from salus.tasks import task_named

HOSTILE = "<script>alert(1)</script>'\"&"


def report(levels: list[str], groups: np.ndarray | None = None, skill: float = 3.0, rows: int = 120) -> dict[str, Any]:
    generator = np.random.default_rng(0)
    task = task_named("multiclass-classification")
    target = np.arange(rows) % len(levels)
    scores = generator.normal(size=(rows, len(levels))) + skill * np.eye(len(levels))[target]
    states = [{"levels": levels}]
    raw = {"scores": scores, "probabilities": softmax(scores)}
    made = measure(task, target, raw, states, ["y"], groups, task.baseline(target, states), 0)
    made |= {
        "target": [HOSTILE],
        "split": {"how": "group", "train": 10, "validation": 5, "test": rows, "groups": None, "digest": "0"},
        "findings": [{"code": "constant_column", "severity": "warning", "parameters": {"where": HOSTILE}}],
        "plan": {"budget_s": 10.0, "seed": 0},
        "cut": False,
        "learner": {"name": "linear", "config": {"penalty": 1.0}, "details": {}},
        "tried": [{"learner": "linear", "score": 0.5, "seconds": 1.0}],
        "data": {"name": HOSTILE, "version": "0" * 64, "rows": rows},
        "latency": {"one_row_ms": 0.1},
        "size_bytes": 1000,
        "seconds": {"total": 3.0, "measuring": 1.0},
    }
    made["gate"] = gate(made)
    return made


class Tags(HTMLParser):
    """Collects tags and attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href", "action")]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_page_stands_by_itself_and_escapes_what_is_foreign(language: str) -> None:
    page = render(report(["a", HOSTILE, "c"]), language)
    found = Tags()
    found.feed(page)
    assert "script" not in found.tags and found.addresses == []
    assert {"svg", "table", "h1"} <= found.tags
    assert not re.search(r"url\(|@import", page)


def test_the_sentence_says_people_and_doing_nothing() -> None:
    made = report(["a", "b"], groups=np.repeat(np.arange(4), 30))
    text = headline(made, "en")
    assert "4 people" in text and "wide" in text and "most common answer: 50.0\u00a0%" in text
    assert "4 个人" in headline(made, "zh")


def test_the_card_names_data_scores_and_limits() -> None:
    card = model_card(report(["a", "b", "c"]))
    for heading in ("Intended use", "Data", "Scores", "Limits"):
        assert f"## {heading}" in card


def test_the_figures_of_the_page_are_those_of_the_json() -> None:
    made = report(["a", "b", "c"])
    assert sum(map(sum, made["confusion"]["counts"])) == 120
    assert sum(item["rows"] for item in made["per_class"]) == 120
    assert f"{made['metrics']['accuracy']['value']:.1%}".replace("%", "\u00a0%") in render(made)


def test_the_gate_wants_better_than_nothing() -> None:
    assert report(["a", "b", "c"])["gate"]["passed"]
    assert not report(["a", "b", "c"], skill=0.0)["gate"]["passed"]


def test_the_gate_says_when_few_people_prove_little() -> None:
    made = report(["a", "b"], groups=np.repeat([0, 1], 30), skill=1.0, rows=60)
    assert made["gate"]["passed"] and "too few" in made["gate"]["reasons"][0]


def test_the_gate_keeps_blockers_and_minimums() -> None:
    made = report(["a", "b", "c"])
    blocked = made | {"findings": [{"code": "one_class", "severity": "blocker", "parameters": {}}]}
    assert not gate(blocked)["passed"]
    assert not gate(made, {"minimum": {"accuracy": 0.999}})["passed"]
