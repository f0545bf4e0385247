"""Phrases and the sentences they were cut from stay on one side of what chooses."""

from __future__ import annotations

import numpy as np

from salus.data.families import apart, families
from salus.data.split import split_rows

SENTENCES = [
    f"the {a} room number {n} was {b} today" for n in range(40) for a, b in (("small", "cold"), ("large", "warm"))
]
PHRASES = [text.split(" was ")[0] for text in SENTENCES]


def test_a_phrase_belongs_to_the_sentence_that_holds_it() -> None:
    texts = [
        "it was a lovely day at the sea",
        "a lovely day",
        "lovely",
        "A  Lovely Day",
        "the sea was cold",
        "",
        None,
        "今天天气很好",
        "天气很好",
    ]
    assert families(texts).tolist() == [0, 0, 0, 0, 4, 5, 6, 7, 7]


def test_words_in_another_order_or_cut_in_two_are_no_part() -> None:
    assert families(["one two three four", "two one", "thr", "three five"]).tolist() == [0, 1, 2, 3]


def test_the_side_that_chooses_holds_whole_families() -> None:
    texts = [*SENTENCES, *PHRASES]
    target = np.arange(len(texts)) % 2
    given = ["test" if row % 5 == 0 else "train" for row in range(len(texts))]
    splits = split_rows(target, None, given, True, 3)
    moved, parts = apart(splits, texts, 3)
    assert parts >= 0.2 * len(texts)
    np.testing.assert_array_equal(moved.test, splits.test)
    both = np.sort(np.concatenate([moved.train, moved.validation]))
    np.testing.assert_array_equal(both, np.sort(np.concatenate([splits.train, splits.validation])))
    family = families([texts[row] for row in both])
    assert not set(family[np.isin(both, moved.train)]) & set(family[np.isin(both, moved.validation)])
    assert len(moved.validation) >= len(splits.validation) and moved.digest != splits.digest
    assert apart(splits, texts, 3)[0].digest == moved.digest


def test_where_few_texts_are_parts_nothing_is_moved() -> None:
    target = np.arange(len(SENTENCES)) % 2
    splits = split_rows(target, None, None, True, 3)
    assert apart(splits, SENTENCES, 3) == (splits, 0)
