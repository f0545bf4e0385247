"""Words that speak for an answer: texts of each class in turn, parted from end to end, Chinese too."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from salus.study.look_texts import MOST_CHARACTERS, MOST_PARTS, MOST_TEXTS, passages

TEXTS = ["the food was awful, we left", "", None, "真的很难吃", "lovely food", "awful " * 400]
TRUTH = np.array([1, 1, 0, 1, 0, 1])


def says(values: dict[str, Any]) -> np.ndarray:
    sure = np.array([0.1 + 0.8 * ("awful" in text or "难" in text) for text in values["review"]])
    assert len(values["stars"]) == len(sure)
    return np.stack([1 - sure, sure], axis=1)


def test_texts_of_each_class_in_turn() -> None:
    values = {"review": TEXTS, "stars": np.arange(6.0)}
    found = passages(says, "review", values, TRUTH, ["good", "bad"], lambda: 60.0)
    assert [item["truth"] for item in found] == ["bad", "bad"], "of lovely food no word by itself changes the answer"
    first, second = found
    assert max(first["passage"], key=lambda part: part[1])[0] == "awful"
    assert "".join(part for part, _ in first["passage"]) == TEXTS[0] and not first["cut"]
    assert ["难", 1.0] in second["passage"] and len(second["passage"]) == 5
    assert len(found) <= MOST_TEXTS


def test_a_long_text_is_parted_into_runs_and_cut() -> None:
    def counts(values: dict[str, Any]) -> np.ndarray:
        sure = np.array([text.count("awful") / 1000 for text in values["review"]])
        return np.stack([1 - sure, sure], axis=1)

    (item,) = passages(counts, "review", {"review": TEXTS[5:]}, np.array([1]), ["good", "bad"], lambda: 60.0)
    assert item["cut"] and len(item["passage"]) <= MOST_PARTS
    assert sum(len(part) for part, _ in item["passage"]) == MOST_CHARACTERS


@pytest.mark.parametrize("texts", [[None], [""], ["   "]])
def test_nothing_is_shown_of_empty_texts(texts: list[Any]) -> None:
    assert passages(says, "review", {"review": texts, "stars": [1]}, np.array([0]), ["a", "b"], lambda: 60.0) == []
