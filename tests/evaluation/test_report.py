"""The report as a person sees it: the sentence, the page, the card; foreign text cannot break out."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest

from salus.core.errors import SalusError
from salus.core.gate import gate
from salus.evaluation.card import model_card
from salus.evaluation.measure import measure
from salus.evaluation.metrics import METRICS, softmax
from salus.evaluation.report.html import render
from salus.evaluation.report.svg import round_ticks
from salus.evaluation.report.text import METRIC_WORDS, TASK_WORDS, WORDS, headline
from salus.tasks import TASKS, task_named

HOSTILE = "<script>alert(1)</script>'\"&"


def report(levels: list[str], groups: np.ndarray | None = None, skill: float = 3.0, rows: int = 120) -> dict[str, Any]:
    generator = np.random.default_rng(0)
    task = task_named("multiclass-classification")
    target = np.arange(rows) % len(levels)
    scores = generator.normal(size=(rows, len(levels))) + skill * np.eye(len(levels))[target]
    states = [{"levels": levels}]
    raw = {"scores": scores, "probabilities": softmax(scores)}
    parts = {"site": [HOSTILE if row % 4 else None for row in range(rows)]}
    return told(measure(task, target, raw, states, ["y"], groups, task.baseline(target, states), 0, parts), rows)


def report_of_numbers(columns: int, rows: int = 60, groups: np.ndarray | None = None) -> dict[str, Any]:
    generator = np.random.default_rng(0)
    task = task_named("regression")
    target = generator.normal(100, 20, (rows, columns))
    raw = {"values": target + generator.normal(0, 5, target.shape)}
    names = [f"{HOSTILE}{column}" for column in range(columns)]
    return told(measure(task, target, raw, [{}] * columns, names, groups, target.mean(axis=0), 0), rows)


def told(made: dict[str, Any], rows: int) -> dict[str, Any]:
    """The report with the story that a study adds."""
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
    json.dumps(made, allow_nan=False)
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


REPORTS = {
    "classes": lambda: report(["a", HOSTILE, "c"]),
    "people": lambda: report(["a", HOSTILE], groups=np.arange(120) % 9),
    "one person": lambda: report(["a", HOSTILE], groups=np.zeros(120, dtype=int)),
    "many classes": lambda: report([f"{HOSTILE}{i}" for i in range(60)]),
    "Chinese classes": lambda: report(["健康", "疾病"]),
    "one row": lambda: report(["a", "b"], rows=1),
    "one number": lambda: report_of_numbers(1),
    "numbers of people": lambda: report_of_numbers(2, groups=np.arange(60) % 5),
    "one row of numbers": lambda: report_of_numbers(1, rows=1),
}


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("name", REPORTS)
def test_the_page_stands_by_itself_and_escapes_what_is_foreign(name: str, language: str) -> None:
    page = render(REPORTS[name](), language)
    found = Tags()
    found.feed(page)
    assert "script" not in found.tags and found.addresses == []
    assert {"svg", "table", "h1", "h2"} <= found.tags
    assert not re.search(r"url\(|@import|\bnan\b|None", page)


def test_both_languages_have_the_same_words() -> None:
    for words in (WORDS, METRIC_WORDS, TASK_WORDS):
        assert words["en"].keys() == words["zh"].keys()
    assert METRIC_WORDS["en"].keys() == METRICS.keys()
    assert TASK_WORDS["en"].keys() == TASKS.keys()


def test_people_and_parts_are_told_without_names() -> None:
    made = report(["a", "b"], groups=np.arange(120) % 9)
    assert made["people"]["count"] == 9 and made["people"]["scores"] == sorted(made["people"]["scores"])
    assert [(item["level"], item["rows"]) for item in made["subsets"]] == [(HOSTILE, 90), ("", 30)]


def test_numbers_are_shown_against_the_truth() -> None:
    made = report_of_numbers(2)
    bins = made["answers"][0]["bins"]
    assert sum(item["count"] for item in bins) == 60
    assert all(item["low"] <= item["median"] <= item["high"] for item in bins)
    assert len(made["per_target"]) == 2


@pytest.mark.parametrize(
    ("low", "high", "ticks"), [(0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1]), (69.7, 223, [80, 100, 120, 140, 160, 180, 200, 220])]
)
def test_axes_have_round_numbers(low: float, high: float, ticks: list[float]) -> None:
    assert round_ticks(low, high) == pytest.approx(ticks)


def test_answers_that_are_no_numbers_and_no_rows_are_refused() -> None:
    task = task_named("regression")
    for target, code in ((np.zeros((0, 1)), "nothing_to_measure"), (np.full((3, 1), 1.0), "answers_not_finite")):
        with pytest.raises(SalusError) as caught:
            measure(task, target, {"values": target * np.nan}, [{}], ["y"], None, np.zeros(1), 0)
        assert caught.value.code == code


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
