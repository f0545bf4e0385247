"""Networks on texts: the contract, several columns, and that empty places behind a text say nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")

from learner_texts import TextContract, problem_of_texts

from salus.core.context import Context
from salus.learners.bag import Bag
from salus.learners.base import Learner, Part
from salus.learners.text_cnn import TextCnn
from salus.learners.text_rnn import TextRnn
from salus.learners.text_transformer import TextTransformer
from salus.tasks import task_named
from salus.testing.learner import answers_of, rows_of
from salus.training.batches import SortedBatches

QUICK: dict[str, Any] = {"steps": 60, "batch_rows": 32, "learning_rate": 0.02, "dimensions": 16, "width": 8}
QUICK |= {"precision": "float32", "dropped_in": 0.1, "dropped_out": 0.1, "dropped_pieces": 0.05}
LEARNERS: list[type[Learner]] = [Bag, TextCnn, TextRnn, TextTransformer]


class TestBag(TextContract):
    learner = Bag
    options = QUICK


class TestTextCnn(TextContract):
    learner = TextCnn
    options = QUICK


class TestTextRnn(TextContract):
    learner = TextRnn
    options = QUICK


class TestTextTransformer(TextContract):
    learner = TextTransformer
    options = QUICK | {"heads": 2}


@pytest.mark.parametrize("learner", LEARNERS)
def test_several_columns_are_read_each_by_itself(learner: type[Learner], tmp_path: Path) -> None:
    prepared = problem_of_texts(True, columns=2)
    fitted = learner(learner.Config(**QUICK)).fit(prepared, Context())
    feeds = prepared.validation.feeds
    raw = fitted.raw(feeds)
    assert np.mean(raw.argmax(axis=1) == prepared.validation.target) > 0.6
    fitted.export(tmp_path / "graph.onnx")
    graph = (tmp_path / "graph.onnx").read_bytes()
    np.testing.assert_allclose(answers_of(graph, feeds)["scores"], raw, atol=1e-4)


@pytest.mark.parametrize("learner", LEARNERS)
def test_empty_places_say_nothing(learner: type[Learner], tmp_path: Path) -> None:
    prepared = problem_of_texts(True)
    fitted = learner(learner.Config(**QUICK | {"steps": 5})).fit(prepared, Context())
    fitted.export(tmp_path / "graph.onnx")
    graph = (tmp_path / "graph.onnx").read_bytes()
    feeds = prepared.validation.feeds
    shortest = np.argsort((feeds["pieces"][:, 0] > 0).sum(axis=1))[:5]
    alone = [answers_of(graph, rows_of(feeds, slice(row, row + 1)))["scores"][0] for row in shortest]
    np.testing.assert_allclose(alone, answers_of(graph, feeds)["scores"][shortest], atol=1e-4)


def test_a_network_of_pieces_knows_their_order() -> None:
    generator = np.random.default_rng(0)
    prepared = problem_of_texts(True, rows=400)
    ids = generator.integers(10, 30, (400, 1, 6)).astype(np.int32)
    target = (ids[:, 0, :3].sum(axis=1) > ids[:, 0, 3:].sum(axis=1)).astype(np.int64)
    part = Part({"pieces": ids}, target, np.arange(400))
    ordered = replace(prepared, train=part, validation=part, classes=2)
    fitted = TextRnn(TextRnn.Config(**QUICK | {"steps": 300})).fit(ordered, Context())
    assert np.mean(fitted.raw(part.feeds).argmax(axis=1) == target) > 0.8


def test_networks_of_pieces_are_for_the_task_that_has_them() -> None:
    task = task_named("text-classification")
    assert TextCnn.learns(task, frozenset({"text"})) and Bag.learns(task, frozenset({"text"}))
    assert not TextCnn.learns(task, frozenset({"text", "number"}))
    assert not TextCnn.learns(task_named("regression"), frozenset({"text"}))


def test_batches_are_of_texts_about_as_long_as_each_other() -> None:
    lengths = np.random.default_rng(0).integers(1, 100, 1000)
    batches = SortedBatches(lengths, 16, 5)
    seen = [batches.rows_of(step) for step in range(batches.steps_per_epoch)]
    rows = np.concatenate(seen)
    assert len(np.unique(rows)) == len(rows) == 16 * 62
    assert np.mean([np.ptp(lengths[of_step]) for of_step in seen]) < 10
    assert not np.array_equal(batches.rows_of(62), seen[0])
    np.testing.assert_array_equal(SortedBatches(lengths, 16, 5).rows_of(3), seen[3])
