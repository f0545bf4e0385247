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
from salus.evaluation.explanations import worst_errors
from salus.evaluation.measure import measure
from salus.evaluation.measures import MEASURES
from salus.evaluation.metrics import HIGHER_IS_BETTER, softmax
from salus.evaluation.report.html import render
from salus.evaluation.report.scores import METRIC_WORDS, NOTHING_WORDS, TASK_WORDS, headline
from salus.evaluation.report.svg import round_ticks
from salus.evaluation.report.text import WORDS
from salus.tasks import TASKS, task_named

PICTURE = "data:image/png;base64,iVBORw0KGgo="
HOSTILE = "<script>alert(1)</script>'\"&![x](y)"


def report(levels: list[str], groups: np.ndarray | None = None, skill: float = 3.0, rows: int = 120) -> dict[str, Any]:
    generator = np.random.default_rng(0)
    task = task_named("multiclass-classification")
    target = np.arange(rows) % len(levels)
    scores = generator.normal(size=(rows, len(levels))) + skill * np.eye(len(levels))[target]
    states = [{"levels": levels}]
    raw = {"scores": scores, "probabilities": softmax(scores)}
    columns = {
        "site": [HOSTILE if row % 4 else None for row in range(rows)],
        HOSTILE: [f"{HOSTILE}{row % 3}" for row in range(rows)],
        "age": generator.uniform(20, 80, rows),
    }
    more = {"columns": columns, "overlap": np.arange(rows // 4), "before": softmax(scores / 2), "before_name": HOSTILE}
    made = measure(task, target, raw, states, ["y"], groups, task.baseline(target, states), 0, **more)
    made["errors"] = worst_errors(task, raw["probabilities"], target, states, ["y"])
    for item in made["errors"]:
        item |= {"values": {HOSTILE: HOSTILE}, "picture": PICTURE, "trace": [0.0, 1.0, None, -1.0]}
    seen = {"column": HOSTILE, "truth": HOSTILE, "said": HOSTILE}
    made["saliency"] = [
        seen | {"picture": PICTURE, "weights": [[0.5, -1.0], [0.0, 0.2]]},
        seen | {"picture": "javascript:alert(1)", "weights": [[0.5]]},
        seen | {"trace": [1.0, 2.0, None, 3.0], "weights": [1.0, -0.5]},
        seen | {"passage": [[HOSTILE, 1.0], [HOSTILE, -0.5], ["plain", 0.0]], "cut": True},
    ]
    lines = {"names": [levels[1]] if len(levels) == 2 else levels[:3]}
    values = [0.1] * len(lines["names"])
    made["partial_dependence"] = [
        lines | {"column": "age", "kind": "number", "points": [{"at": at, "values": values} for at in (1.0, 2.0)]},
        lines | {"column": HOSTILE, "kind": "category", "points": [{"at": HOSTILE, "values": values}]},
    ]
    return told(made, rows)


def report_of_numbers(columns: int, rows: int = 60, groups: np.ndarray | None = None) -> dict[str, Any]:
    generator = np.random.default_rng(0)
    task = task_named("regression")
    target = generator.normal(100, 20, (rows, columns))
    raw = {"values": target + generator.normal(0, 5, target.shape)}
    names = [f"{HOSTILE}{column}" for column in range(columns)]
    states = [{"conformal": {name: 8.0}} for name in names]
    made = measure(task, target, raw, states, names, groups, target.mean(axis=0), 0)
    made["errors"] = worst_errors(task, raw["values"], target, states, names)
    points = [{"at": at, "values": [at] * columns} for at in (1.0, 2.0, 3.0)]
    made["partial_dependence"] = [{"column": HOSTILE, "kind": "number", "names": names, "points": points}]
    return told(made, rows)


def told(made: dict[str, Any], rows: int) -> dict[str, Any]:
    """The report with the story that a study adds."""
    made |= {
        "target": [HOSTILE],
        "split": {"how": "group", "train": 10, "validation": 5, "test": rows, "groups": None, "digest": "0"},
        "findings": [{"code": "constant_column", "severity": "warning", "parameters": {"where": HOSTILE}}],
        "plan": {"budget_s": 10.0, "seed": 0},
        "cut": False,
        "learner": {"name": "linear", "config": {"penalty": 1.0, "sizes": [64, 32], "early": None}, "details": {}},
        "tried": [
            {"learner": name, "score": score, "seconds": 1.0} for name, score in (("linear", 0.5), (HOSTILE, 0.6))
        ],
        "choice": {
            "tried": 2,
            "learners": ["linear", HOSTILE],
            "single": {"learner": "linear", "loss": 0.5},
            "second": {"learner": HOSTILE, "loss": 0.6, "gain": 0.1, "error": 0.02},
            "members": [],
            "gain": 0.0,
            "error": 0.0,
            "left_out": [HOSTILE],
            "late_gain": False,
        },
        "learning_curve": [{"rows": 10 * part, "loss": 1 / part, "error": 0.1} for part in (1, 2, 4)],
        "importance": {
            "metric": "rmse" if made["task"] == "regression" else "log_loss",
            "rows": rows,
            "columns": [{"column": HOSTILE, "value": 0.2, "low": -0.1, "high": 0.5, "wide": False}],
            "left_out": 3,
        },
        "contrast": dict.fromkeys(("value", "low", "high"), 0.99)
        | {"metric": made["headline"]["metric"], "seconds": 1.0, "rows": rows},
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
        found = [value or "" for name, value in attrs if name in ("src", "href", "action")]
        self.addresses += [value for value in found if not value.startswith("data:")]


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
    for words in (WORDS, METRIC_WORDS, TASK_WORDS, NOTHING_WORDS):
        assert words["en"].keys() == words["zh"].keys()
    assert METRIC_WORDS["en"].keys() == HIGHER_IS_BETTER.keys()
    assert TASK_WORDS["en"].keys() == TASKS.keys()
    assert NOTHING_WORDS["en"].keys() == MEASURES.keys()


def test_people_are_told_without_names_and_parts_with_their_rows() -> None:
    made = report(["a", "b"], groups=np.arange(120) % 9)
    assert made["people"]["count"] == 9 and made["people"]["scores"] == sorted(made["people"]["scores"])
    rows = {tuple(part["levels"]): part["rows"] for part in made["subgroups"]["parts"]}
    assert rows[(HOSTILE,)] == 90 and rows[("–",)] == 30


def test_every_section_is_there_when_its_figures_are() -> None:
    classes = ["contrast", "overlap", "versus", "decision", "abstention", "calibration", "subgroups", "errors"]
    classes += ["importance", "dependence", "saliency", "choice", "learning_curve", "how"]
    for language in ("en", "zh"):
        page = render(report(["a", "b"], skill=1.0), language)
        assert all(WORDS[language][name] in page for name in classes)
        page = render(report_of_numbers(2), language)
        assert all(WORDS[language][name] in page for name in ("conformal", "errors", "dependence", "importance"))
    bare = report(["a", "b"], skill=1.0)
    for name in ("contrast", "errors", "saliency", "importance", "partial_dependence", "choice", "learning_curve"):
        del bare[name]
    bare |= {"versus": None, "without_overlap": None, "subgroups": None, "tried": []}
    assert WORDS["en"]["contrast"] not in render(bare) and WORDS["en"]["versus"] not in render(bare)


def test_options_are_written_as_a_person_would() -> None:
    page = render(report(["a", "b"]))
    assert "penalty 1, sizes 64, 32, early –" in page and "[64" not in page


def test_pictures_lie_in_the_page_and_nothing_else_is_shown() -> None:
    page = render(report(["a", "b"], skill=1.0))
    assert f"src='{PICTURE}'" in page and "javascript" not in page


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


@pytest.mark.parametrize("name", MEASURES)
def test_doing_nothing_is_said_as_the_task_does_it(name: str) -> None:
    made = report(["a", "b"])
    metric = task_named(name).metrics[0]
    compound = made | {"task": name, "headline": made["headline"] | {"metric": metric}}
    assert f"; {NOTHING_WORDS['en'][name]}: " in headline(compound, "en")
    assert f"；{NOTHING_WORDS['zh'][name]}为 " in headline(compound, "zh")
    assert "common answer" not in render(compound, "en")


def test_the_card_names_what_one_must_know_before_using_it() -> None:
    card = model_card(report(["a", "b"], groups=np.arange(120) % 9, skill=1.0))
    for heading in ("Intended use", "Data", "Splits", "Scores", "Decisions", "Calibration", "Subgroups", "Limits"):
        assert f"## {heading}" in card
    assert "Sensitivity" in card and "Gate: passed" in card and "split by chance" in card
    assert "<script" not in card and "![" not in card and "None" not in card
    numbers = model_card(report_of_numbers(2))
    assert "holds the truth in" in numbers and "## Calibration" not in numbers
    assert "## Scores" in model_card(report(["a", "b", "c"], rows=1))
    plain = report_of_numbers(2) | {"conformal": None}
    assert "without an interval" in model_card(plain)
    card = model_card(plain | {"task": "forecasting"})
    assert "quantiles 0.1 to 0.9" in card and "without an interval" not in card


def test_the_figures_of_the_page_are_those_of_the_json() -> None:
    made = report(["a", "b", "c"])
    assert sum(map(sum, made["confusion"]["counts"])) == 120
    assert sum(item["rows"] for item in made["per_class"]) == 120
    for item in made["per_class"]:
        assert item["recall_interval"][0] < item["recall"] <= item["recall_interval"][1]
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
