"""Learners that pick sentences: the graph says what the library says, what tells is learned, and the whole way from a folder."""

from __future__ import annotations

import json
import tempfile
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import salus
from salus.core.context import Context
from salus.core.errors import SalusError
from salus.core.nouns import Column, Role, Schema
from salus.data.encoding import encode_columns
from salus.data.kinds import kind_named
from salus.learners import learner_named
from salus.learners.base import Fitted, Part, Prepared
from salus.learners.extractive import belonging
from salus.tasks import task_named
from salus.tasks.compound import CompoundTask, as_objects
from salus.testing.learner import Stopping, answers_of

QUICK: dict[str, dict[str, Any]] = {"lead": {}, "textrank": {}, "extractive": {"steps": 60, "batch_rows": 16}}
THINGS = ("hearts", "lungs", "runners", "sensors", "steps", "nights", "meals", "pulses", "watches", "scores")
FILLING = (
    "many",
    "people",
    "know",
    "that",
    "often",
    "these",
    "vary",
    "with",
    "age",
    "and",
    "weather",
    "however",
    "much",
)


def documents(rows: int, seed: int) -> tuple[list[str], list[str]]:
    """Texts of 4 to 8 sentences, one of which, never the first, says what was done; it is the summary, less its first words."""
    generator = np.random.default_rng(seed)
    texts, summaries = [], []
    for _ in range(rows):
        count = int(generator.integers(4, 9))
        sentences = [" ".join(generator.choice(FILLING, 9)).capitalize() + "." for _ in range(count)]
        told = f"{' '.join(generator.choice(THINGS, 6))} {generator.choice(THINGS)}"
        sentences[int(generator.integers(1, count))] = f"In this paper we propose {told}."
        texts.append(" ".join(sentences))
        summaries.append(f"Propose {told}.")
    return texts, summaries


@cache
def problem() -> Prepared:
    kind, task = kind_named("text"), task_named("summarization")
    assert isinstance(task, CompoundTask)
    parts, columns = [], tuple[Column, ...]()
    for side, rows in enumerate((160, 80)):
        texts, summaries = documents(rows, side)
        if side == 0:
            state = kind.fit(texts, task.reads["text"])
            target = Column(name="summary", kind="text", role=Role.TARGET)
            learned = task.fit_target(as_objects(summaries), target)
            columns = (Column(name="text", kind="text", state=state), target.model_copy(update={"state": learned}))
        values = {"text": texts}
        parts.append(Part(encode_columns(columns[:1], values), as_objects(summaries), np.arange(rows), None, values))
    return Prepared(Schema(columns=columns), parts[0], parts[1], False, 0, 3, 1, "summarization")


def fit(name: str, prepared: Prepared, context: Context | None = None, **options: Any) -> Fitted:
    learner = learner_named(name)
    return learner(learner.Config(**{**QUICK[name], **options})).fit(prepared, context or Context())


def graph_of(fitted: Fitted) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        return fitted.graphs(Path(folder))["main"]


@cache
def fitted(name: str) -> Fitted:
    return fit(name, problem())


def loss(made: Fitted) -> float:
    task, part = task_named("summarization"), problem().validation
    assert isinstance(task, CompoundTask)
    answers = task.answers(made.raw(part.feeds), [{}], part.values)
    return float(task.losses(answers, part.target).mean())


@pytest.mark.parametrize("name", QUICK)
def test_the_graph_says_what_the_library_says(name: str) -> None:
    feeds = {feed: np.concatenate([of[:30], np.zeros_like(of[:1])]) for feed, of in problem().validation.feeds.items()}
    raw, graph = fitted(name).raw(feeds), graph_of(fitted(name))
    found = answers_of(graph, feeds)["summary"]
    assert found.dtype == np.float32 and found.shape == raw.shape
    assert task_named("summarization").agree(raw, found) < 1  # type: ignore[attr-defined]
    alone = answers_of(graph, {feed: of[4:5] for feed, of in feeds.items()})["summary"]
    np.testing.assert_allclose(alone[0], found[4], rtol=1e-4, atol=1e-4)


def test_what_tells_is_learned() -> None:
    found = {name: loss(fitted(name)) for name in QUICK}
    assert found["extractive"] < 0.5 * min(found["lead"], found["textrank"])


def test_the_seed_decides_every_bit() -> None:
    assert graph_of(fit("extractive", problem())) == graph_of(fitted("extractive"))


@pytest.mark.parametrize("name", QUICK)
def test_a_refit_without_rows_held_out_learns_as_much(name: str) -> None:
    prepared = problem()
    none = Part(
        {n: f[:0] for n, f in prepared.train.feeds.items()}, prepared.train.target[:0], np.arange(0), None, {"text": []}
    )
    refit = fit(name, replace(prepared, validation=none), **fitted(name).refit)
    assert loss(refit) < loss(fitted(name)) + 0.1
    assert {n: refit.refit[n] for n in ("length", "by_score")} == {
        n: fitted(name).refit[n] for n in ("length", "by_score")
    }


@pytest.mark.parametrize("name", QUICK)
def test_it_stops_when_asked_and_proposes_a_whole_config(name: str) -> None:
    with pytest.raises(SalusError) as caught:
        fit(name, problem(), Stopping())
    assert caught.value.code == "stopped"
    learner = learner_named(name)
    proposal = learner.propose(problem(), {"length": 1.0}, 2.0, Context())
    assert learner.Config(**proposal.config).model_dump()["length"] == 1.0 and proposal.expected_s > 0
    with pytest.raises(SalusError):
        learner.propose(problem(), {"no_such_option": 1}, 2.0, Context())


def test_which_sentences_an_answer_is_made_of() -> None:
    sentences = [words.split() for words in ("a b c d", "x y z", "e f g", "a b")]
    assert sorted(belonging(sentences, [["a", "b", "c", "d", "e", "f", "g"]])) == [0, 2]
    assert belonging(sentences, [["q", "r"]]) == []
    assert belonging(sentences, [["q", "r"], ["x", "y", "z"]]) == [1]
    assert belonging([], [["a"]]) == []


def test_from_a_folder_of_lists_to_an_answer(tmp_path: Path) -> None:
    for side, rows in (("train", 120), ("dev", 30), ("test", 30)):
        texts, summaries = documents(rows, rows)
        items = [
            {
                "source": text.replace(". ", ".\n").split("\n"),
                "target": [summary, "Nothing like it."][: 1 + (side != "train")],
            }
            for text, summary in zip(texts, summaries, strict=True)
        ]
        (tmp_path / f"{side}.jsonl").write_text("\n".join(map(json.dumps, items)), encoding="utf-8")
    model = salus.fit(tmp_path, "target", budget=20, threads=1, options={"steps": 40})
    report = model.report
    assert report["task"] == "summarization" and report["split"]["how"] == "given"
    assert report["learner"]["name"] == "extractive" and report["facts"]["references_a_text"] == 2.0
    assert report["metrics"]["rouge_1"]["low"] > report["baseline"]["rouge_1"]["value"]
    text = "Many people know this. In this paper we propose sensors watches pulses meals nights scores. It varies."
    assert model.predict([{"source": text}]) == [
        {"text": "In this paper we propose sensors watches pulses meals nights scores."}
    ]
    assert model.predict([{"source": None}, {"source": "🙂"}]) == [{"text": ""}, {"text": ""}]
