"""Summaries as a task: what is picked, how it is put together, and when two texts are a summary and its source."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import salus
from salus.core.nouns import Column, Role, Schema
from salus.data.sentences import ITEM
from salus.evaluation.measures import measure_of
from salus.tasks import task_named
from salus.tasks.infer import infer_task
from salus.tasks.summarization import Summarization, picked, references_of

TEXT = "We like long walks. Heart rate rose by ten beats. It rained. Heart rate rose by ten beats in all."


def task() -> Summarization:
    found = task_named("summarization")
    assert isinstance(found, Summarization)
    return found


def raw(wanted: float, scores: list[float], repeating: float = 0.0, by_score: bool = False) -> np.ndarray:
    return np.array([[wanted, repeating, float(by_score), 0.0, *scores]], dtype=np.float32)


def answer(row: np.ndarray, text: str | None = TEXT) -> str:
    return str(task().answers(row, [{"words": 6.0}], {"text": [text]})[0])


def test_the_best_sentences_in_the_order_of_the_text_or_of_their_scores() -> None:
    scores = [0.9, 0.0, 1.0, 0.0]
    assert answer(raw(6, scores)) == "We like long walks. It rained."
    assert answer(raw(6, scores, by_score=True)) == "It rained. We like long walks."


def test_what_was_said_is_not_said_again() -> None:
    scores = [0.1, 1.0, 0.0, 0.9]
    assert answer(raw(14, scores)) == "Heart rate rose by ten beats. Heart rate rose by ten beats in all."
    assert answer(raw(10, scores, repeating=2.0)) == "We like long walks. Heart rate rose by ten beats."


@pytest.mark.parametrize("text", ["", None, " \n", "."])
def test_of_nothing_there_is_no_summary(text: str | None) -> None:
    assert answer(raw(5, [0.0, 0.0]), text) == ""


def test_one_sentence_at_least_and_none_that_was_not_scored() -> None:
    assert answer(raw(0.1, [0.0, 1.0])) == "Heart rate rose by ten beats."
    assert picked(np.zeros(0), [], 5.0, 0.0) == []


def test_chinese_is_put_together_without_spaces() -> None:
    assert answer(raw(9, [1.0, 1.0, 0.0]), "心率升高。血压正常。下雨了。") == "心率升高。血压正常。"


def test_titles_are_made_of_clauses() -> None:
    row = raw(4, [0.0, 1.0, 0.0])
    row[0, 3] = 1.0
    assert answer(row, "采用模型,提出方法；结果有效。") == "提出方法"
    texts, states = ["采用一种新的模型结构，提出一种新的方法，结果表明有效。"] * 4, [{"words": 6.0}]
    told = task().fit_input(texts, "text", task().reads["text"], states)
    assert told["sentences"]["clauses"] and told["sentences"]["most"] == 3
    states = [{"words": 20.0}]
    assert not task().fit_input(texts, "text", task().reads["text"], states)["sentences"]["clauses"]


def test_doing_nothing_is_the_beginning() -> None:
    found = task().nothing(np.array([TEXT]), [{"words": 4.0}], {"text": [TEXT, None]}, 2)
    assert found.tolist() == ["We like long walks.", ""]


def test_a_list_in_the_data_is_several_references() -> None:
    assert references_of(f"one{ITEM} two {ITEM}") == ["one", "two"]
    target = np.array([f"nothing like it{ITEM}It rained."], dtype=object)
    assert task().losses(np.array(["It rained."], dtype=object), target) == pytest.approx([0.0])
    assert task().fit_target(
        np.array(["a b c", f"a{ITEM}b c", "a b c d e"], dtype=object), Column(name="s", kind="text")
    ) == {"words": 3.0}


def test_what_it_is_follows_from_the_lengths() -> None:
    columns = (Column(name="a", kind="text"), Column(name="b", kind="text", role=Role.TARGET))
    assert infer_task(Schema(columns=columns), None, 0.2).name == "summarization"
    assert infer_task(Schema(columns=columns), None, 0.9).name == "translation"
    assert infer_task(Schema(columns=columns), "summarization", 0.9).name == "summarization"
    assert infer_task(Schema(columns=columns), "translation", 0.2).name == "translation"


def test_figures_are_means_over_texts_and_what_is_shown_is_json() -> None:
    measure = measure_of("summarization")
    answers = np.array(["It rained.", "Bananas.", "a b"], dtype=object)
    target = np.array([f"It rained.{ITEM}No.", "Apples.", "a c"], dtype=object)
    tallies = measure.tally(answers, target, [{}])
    assert measure.figure("rouge_1", tallies.sum(axis=0)) == pytest.approx(0.5)
    assert measure.figure("rouge_2", tallies.sum(axis=0)) == pytest.approx(1 / 3)
    found = measure.intervals(tallies, None, 0)["rouge_1"]
    assert found.low <= found.value <= found.high and found.value == pytest.approx(0.5)
    shown = measure.shown(answers, target, {"text": [f"x{ITEM}y", None, "z"]}, [{}])
    assert shown["kind"] == "texts" and [item["score"] for item in shown["items"]] == [0.0, 0.5, 1.0]
    assert json.loads(json.dumps(shown))["items"][2]["source"] == "x\ny"
    assert measure.facts(answers, target, [{}])["words"] == {"answers": 1.7, "references": 1.5}


def test_a_summary_in_new_words_is_written_and_judged_like_any_other(tmp_path: Path) -> None:
    subjects, verbs, days = ["cat", "dog", "fox"], ["sleeps", "runs"], ["monday", "friday", "sunday"]
    lines = ["text,short"]
    for number in range(180):
        subject, verb, day = subjects[number % 3], verbs[number % 2], days[number // 7 % 3]
        lines.append(f"It was {day} when {number} people saw that the {subject} of the house {verb}.,{subject} {verb}")
    path = tmp_path / "notes.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    options: dict[str, Any] = {"width": 48, "steps": 120, "batch_rows": 32, "learning_rate": 5e-3, "dropout": 0.0}
    said: dict[str, Any] = {"budget": 20.0, "threads": 1, "find_group": False}
    model = salus.fit(path, "short", task="abstractive-summarization", options=options, **said)
    assert model.report["metrics"]["rouge_1"]["value"] > 0.8 > model.report["baseline"]["rouge_1"]["value"]
    answer = model.predict([{"text": "It was friday when 9 people saw that the fox of the house runs."}])
    assert answer == [{"text": "fox runs"}]
