"""BLEU and chrF are those of sacreBLEU, and their intervals hold them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF

from salus.evaluation.measures import measure_of
from salus.evaluation.report.parts import Said
from salus.evaluation.report.shown.texts import texts
from salus.tasks.compound import as_objects

WORDS = st.lists(st.sampled_from(["ein", "Hund", "rennt", "laut", "der", ".", "Mann", "geht"]), min_size=1, max_size=9)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(WORDS, WORDS), min_size=1, max_size=6))
def test_figures_are_those_of_sacrebleu(pairs: list[tuple[list[str], list[str]]]) -> None:
    said, wanted = ([" ".join(words) for words in part] for part in zip(*pairs, strict=True))
    measure = measure_of("translation")
    sums = measure.tally(as_objects(said), as_objects(wanted), [{}]).sum(axis=0)
    assert float(measure.figure("bleu", sums)) == pytest.approx(BLEU().corpus_score(said, [wanted]).score, abs=1e-6)
    assert float(measure.figure("chrf", sums)) == pytest.approx(CHRF().corpus_score(said, [wanted]).score, abs=1e-6)


def test_intervals_and_triples() -> None:
    wanted = as_objects([f"der Hund rennt zum Haus {row} ." for row in range(60)])
    said = as_objects([text if row % 3 else "ein Mann geht" for row, text in enumerate(wanted)])
    measure = measure_of("translation")
    found = measure.intervals(measure.tally(said, wanted, [{}]), None, 0)
    assert found["bleu"].low < found["bleu"].value < found["bleu"].high < 100
    shown = measure.shown(said, wanted, {"en": [f"the dog {row}" for row in range(60)]}, [{}])
    assert shown["kind"] == "texts" and shown["items"][0]["score"] <= shown["items"][-1]["score"]
    assert "tok:13a" in measure.facts(said, wanted, [{}])["signatures"]["bleu"]


def test_chinese_is_counted_by_characters() -> None:
    measure, wanted = measure_of("translation"), as_objects(["我今天很高兴。", "他明天来。"])
    assert "tok:zh" in measure.facts(wanted, wanted, [{}])["signatures"]["bleu"]
    assert float(measure.figure("bleu", measure.tally(wanted, wanted, [{}]).sum(axis=0))) == pytest.approx(100)


def test_surprise_is_a_mean_over_characters() -> None:
    measure = measure_of("text-generation")
    answers = as_objects([{"text": "", "nats": 6.0, "characters": 2}, {"text": "", "nats": 4.0, "characters": 8}])
    sums = measure.tally(answers, answers, [{}]).sum(axis=0)
    assert float(measure.figure("nats_per_character", sums)) == pytest.approx(1.0)
    assert float(measure.figure("perplexity", sums)) == pytest.approx(np.e)


def test_the_page_names_the_figure_under_a_text_and_claims_an_order_only_where_there_is_one() -> None:
    item = {"source": "a", "answer": "b", "score": 2.5}
    written = {task: texts(Said({"task": task}, {}, {}, "en"), [item]) for task in ("translation", "text-generation")}
    assert "chrF 2.5" in written["translation"] and "worst to the best" in written["translation"]
    assert "nats a character" in written["text-generation"] and "worst" not in written["text-generation"]
