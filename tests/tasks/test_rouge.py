"""ROUGE, beside the library and beside the definition."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from salus.tasks.rouge import best_rouge, common_run, rouge, words_of

PAIRS = [
    ("The cat sat on the mat.", "the cat was on the mat, it's said"),
    ("Profits rose 5.4% to $11.1bn (8.2bn euros)", "profits at the firm rose to $11.1bn, 5.4% up"),
    ("a b c d e f", "f e d c b a"),
    ("same words same words", "same words"),
    ("", "something"),
    ("nothing in common", "entirely other things"),
]


@pytest.mark.parametrize(("answer", "reference"), PAIRS)
def test_it_counts_as_the_library_does(answer: str, reference: str) -> None:
    scorer = pytest.importorskip("rouge_score.rouge_scorer").RougeScorer(["rouge1", "rouge2", "rougeL"])
    expected = scorer.score(reference, answer)
    found = rouge(words_of(answer), words_of(reference))
    assert found == pytest.approx([expected[name].fmeasure for name in ("rouge1", "rouge2", "rougeL")])


def test_by_hand() -> None:
    assert rouge(["a", "b", "c"], ["a", "c", "d", "e"]) == pytest.approx((2 * 2 / 7, 0.0, 2 * 2 / 7))


@given(st.lists(st.sampled_from("abcd"), max_size=25), st.lists(st.sampled_from("abcd"), max_size=25))
def test_the_longest_common_run(first: list[str], second: list[str]) -> None:
    table = [[0] * (len(second) + 1) for _ in range(len(first) + 1)]
    for i, one in enumerate(first):
        for j, other in enumerate(second):
            table[i + 1][j + 1] = table[i][j] + 1 if one == other else max(table[i][j + 1], table[i + 1][j])
    assert common_run(first, second) == table[-1][-1]


def test_of_several_references_the_best_counts_for_each_measure() -> None:
    assert best_rouge("a b c", ["c b a", "a b x"]) == pytest.approx([1.0, 0.5, 2 / 3])
    assert best_rouge("a", []) == pytest.approx([0.0, 0.0, 0.0])


def test_characters_are_the_words_of_scripts_without_spaces() -> None:
    assert words_of("心率升高，BMI 25") == ["心", "率", "升", "高", "bmi", "25"]
    assert best_rouge("心率升高", ["心率很高"])[0] == pytest.approx(0.75)
