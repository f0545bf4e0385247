"""Texts: which columns are taken for texts, and that their n-grams are fixed numbers."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from salus.data.kinds import kind_named
from salus.data.kinds.base import Kind
from salus.data.kinds.text import BUCKETS, gram_ids
from salus.testing.kind import KindContract


class TestText(KindContract):
    def kind(self) -> Kind:
        return kind_named("text")

    def good(self) -> list[Any]:
        return [
            "the knee hurts when running",
            None,
            "",
            "no pain at all today",
            "The knee  hurts!",
            "slept badly, again",
        ]

    def bad(self) -> list[Any]:
        return [3, True, ["a"], {"text": "a"}]


class TestChineseText(TestText):
    def good(self) -> list[Any]:
        return [
            "服务员的态度很好，房间干净",
            None,
            "送餐太慢了，菜都凉了！",
            "味道不错，下次还来",
            "位置偏僻不好找",
            "早餐很丰富",
        ]


@pytest.mark.parametrize(
    "values",
    [
        ["a", "b", "c"],
        ["Never married", "Never married", "Divorced or so"] * 20,
        ["P-1001", "P-1002", "P-1003"],
        ["1 2 3", None, 4],
        [b"bytes of something else"],
        ["some college but no degree", "high school graduate or so"] * 50,
    ],
)
def test_labels_and_ids_are_no_texts(values: list[Any]) -> None:
    assert kind_named("text").recognise(values) == 0.0


def test_n_grams_are_the_same_on_every_machine() -> None:
    assert gram_ids("Good dog", BUCKETS, 9).tolist() == [282259, 801150, 498931]
    assert gram_ids("ＧＯＯＤ  dog", BUCKETS, 9).tolist() == gram_ids("good dog", BUCKETS, 9).tolist()
    assert len(gram_ids("很好吃", BUCKETS, 99)) == 3 + 2 + 1
    assert gram_ids("good good good", BUCKETS, 9).tolist()[0] == 282259


@given(st.text(st.characters(codec=None), max_size=200), st.integers(1, 50))
def test_any_text_has_numbers_in_range(text: str, most: int) -> None:
    ids = gram_ids(text, BUCKETS, most)
    assert len(ids) <= most and len(set(ids.tolist())) == len(ids)
    assert not len(ids) or (ids.min() >= 1 and ids.max() <= BUCKETS)


def test_two_columns_share_one_feed() -> None:
    kind = kind_named("text")
    raws = {"a": ["one two three four", None], "b": ["x", "y z"]}
    states = {name: kind.fit(values, {}) for name, values in raws.items()}
    texts = kind.join({name: kind.encode(raws[name], states[name]) for name in raws}, states)["texts"]
    assert texts.shape == (2, 2, 9) and texts.dtype == np.int32
    assert texts[1, 0].tolist() == [0] * 9 and (texts[0, 1] > 0).sum() == 1


def test_many_short_texts_take_seconds_not_minutes() -> None:
    words = [f"word{number}" for number in range(500)]
    generator = np.random.default_rng(0)
    texts = [" ".join(generator.choice(words, 9)) for _ in range(2000)]
    kind = kind_named("text")
    started = time.process_time()
    kind.encode(texts, kind.fit(texts, {}))
    assert time.process_time() - started < 1.0  # 60,000 in half a minute at worst


def test_very_many_texts_have_fewer_n_grams_each(monkeypatch: pytest.MonkeyPatch) -> None:
    kind, texts = kind_named("text"), ["one two three four five six"] * 10
    assert kind.fit(texts, {})["grams"] == 6 + 5 + 4
    monkeypatch.setattr("salus.data.kinds.text.MOST_CELLS", 60)
    state = kind.fit(texts, {})
    assert kind.encode(texts, state)["ids"].shape == (10, 6)
    assert kind.fit([None, None], {}) == {"buckets": BUCKETS, "grams": 1, "spaces": True}


PIECES = {"pieces": 400, "grams": False}


class TestTextInPieces(TestText):
    def _fitted(self) -> tuple[Any, dict[str, Any]]:
        values = self.kind().column_values(self.good(), "good")
        return values, self.kind().fit(values, PIECES)


def test_pieces_come_in_their_order_and_no_text_is_without_one() -> None:
    kind, texts = kind_named("text"), ["not good", "good not", "", None, "\U0001f642"]
    state = kind.fit(texts * 4, PIECES)
    pieces = kind.join({"a": kind.encode(texts, state)}, {"a": state})["pieces"]
    assert pieces.dtype == np.int32 and pieces.shape[:2] == (5, 1)
    assert pieces[0, 0].tolist() != pieces[1, 0].tolist()
    assert sorted(pieces[0, 0].tolist()) == sorted(pieces[1, 0].tolist())
    assert ((pieces > 0).sum(axis=2) >= 1).all()


def test_a_served_state_holds_what_the_graph_takes_and_no_more() -> None:
    kind, texts = kind_named("text"), ["one two three"] * 5
    state = kind.fit(texts, {"pieces": 400})
    whole = kind.join({"a": kind.encode(texts, state)}, {"a": state})
    assert set(whole) == {"texts", "pieces"}
    for feed in whole:
        served = kind.needed(state, frozenset({feed}))
        found = kind.join({"a": kind.encode(texts, served)}, {"a": served})
        assert list(found) == [feed]
        np.testing.assert_array_equal(found[feed], whole[feed])
        assert kind.synthetic(served, 9, np.random.default_rng(0)) == kind.synthetic(state, 9, np.random.default_rng(0))
    assert "pieces" not in kind.needed(state, frozenset({"texts"}))


@pytest.mark.parametrize(
    "text", ["a" * 10_000_000, "\U0001f642", "привет мир 你好 hello", "\x00\x07\u202e\ud800", "。" * 500_000]
)
def test_strange_texts_are_read_in_bounded_time(text: str) -> None:
    kind = kind_named("text")
    state = kind.fit(["some words here", "你好，世界"] * 4, {"pieces": 400})
    started = time.process_time()
    arrays = kind.encode([text], state)
    assert time.process_time() - started < 1.0
    assert arrays["ids"].max() <= BUCKETS and arrays["pieces"].max() < 400
