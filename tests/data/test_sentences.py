"""Texts cut into sentences, and what shows of them."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from salus.data.kinds import kind_named
from salus.data.kinds.text import gram_ids
from salus.data.sentences import FEATURES, ITEM, encode_sentences, fit_sentences, sentences_of, walk

STATE = fit_sentences(["The cat sat. It slept all day.", "A dog ran home. The cat ran too."], gram_ids, 10_000)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "Dr. Smith paid $3.5m. He left at 5 p.m. on Monday.",
            ["Dr. Smith paid $3.5m.", "He left at 5 p.m. on Monday."],
        ),
        ('He asked: "Why?" Nobody knew.', ['He asked: "Why?"', "Nobody knew."]),
        ("A headline\n\nSales rose 2% to $11bn from $10.9bn.For 2005, more.", None),
        ("心率升高。为什么？因为跑步！", ["心率升高。", "为什么？", "因为跑步！"]),
        ("分析了模型结构.仿真结果表明有效.", ["分析了模型结构.", "仿真结果表明有效."]),
        ("提高了10.5%.受影响较大.", ["提高了10.5%.", "受影响较大."]),
        (f"one item without a stop{ITEM}another one", ["one item without a stop", "another one"]),
        ("Wrapped at a\nnarrow width. And on.\nSo it goes.", ["Wrapped at a narrow width.", "And on.", "So it goes."]),
        ("", []),
        (" \n\n ", []),
        ("🙂", ["🙂"]),
    ],
)
def test_sentences(text: str, expected: list[str] | None) -> None:
    if expected is None:
        expected = ["A headline", "Sales rose 2% to $11bn from $10.9bn.", "For 2005, more."]
    assert sentences_of(text) == expected


def test_clauses() -> None:
    assert sentences_of("采用模型,提出方法；结果表明，有效。", clauses=True) == [
        "采用模型,",
        "提出方法；",
        "结果表明，",
        "有效。",
    ]
    assert sentences_of("We paid 1,000 euros, at 10:30; it rained.", clauses=True) == [
        "We paid 1,000 euros,",
        "at 10:30;",
        "it rained.",
    ]


def test_no_more_than_asked_for() -> None:
    assert sentences_of("One is here. Two is here. Three is here.", 2) == ["One is here.", "Two is here."]


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=300))
def test_nothing_of_a_text_is_lost(text: str) -> None:
    assert "".join("".join(sentences_of(text, 10_000)).split()) == "".join(text.split())


@given(st.text(alphabet="ab .!?\n。x\u2029…'\"", max_size=120))
def test_whatever_the_text_features_are_finite(text: str) -> None:
    found = encode_sentences([text], STATE, gram_ids)
    assert np.isfinite(found["sentences"]).all()
    present = int((found["sentences"][0, :, 0] > 0).sum())
    assert present == len(sentences_of(text, STATE["most"]))
    assert not found["sentences"][0, present:].any() and not found["sentence_grams"][0, present:].any()


def test_what_a_text_is_about_is_most_central() -> None:
    text = "Heart rate rose. The heart rate of runners rose in the heat. Bananas are yellow. Runners felt the heat."
    common = ["The day was in the park. It rose. They are here. We felt the need of it."] * 9
    found = encode_sentences([text], fit_sentences([*common, text], gram_ids, 10_000), gram_ids)["sentences"][0]
    central = found[:4, FEATURES.index("walk_words")]
    assert central.argmax() == 1 and central.argmin() == 2


def test_a_walk_visits_everything_once() -> None:
    alike = np.array([[0, 0.5, 0], [0.5, 0, 0], [0, 0, 0.0]])
    met = walk(alike)
    assert met.sum() == pytest.approx(1) and met[0] == pytest.approx(met[1])


def test_only_the_words_hashes_travel() -> None:
    kind = kind_named("text")
    texts = ["Zebras graze. They run.", "Nothing else."]
    state = kind.fit(texts, {"grams": False, "sentences": True})
    assert "ebra" not in str(state) and set(state) == {"spaces", "sentences"}
    feeds = kind.join({"a": kind.encode([*texts, None], state)}, {"a": state})
    assert feeds["sentences"].shape == (3, 2, len(FEATURES)) and not feeds["sentences"][2].any()
    assert kind.needed(state, frozenset({"sentences"})) == state
    assert "sentences" not in kind.needed(state, frozenset({"pieces"}))


@pytest.mark.parametrize(
    "text", ["." * 20_000, " " * 20_000, "\n" + " " * 20_000, "…." * 10_000, "." * 9000 + '"' * 9000]
)
def test_a_text_of_nothing_but_marks_or_blanks_takes_no_time(text: str) -> None:
    started = time.monotonic()
    sentences_of(text)
    sentences_of(text, clauses=True)
    assert time.monotonic() - started < 5  # seconds where a run of marks is tried from each of its marks again
