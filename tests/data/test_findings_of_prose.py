"""What is said of a column of texts: nothing of a clean one, and each fault where it stands."""

from __future__ import annotations

import pyarrow as pa
import pytest

from salus.core.nouns import Column, Finding, Schema
from salus.data.findings import Checker

CLEAN = ["the knee hurts when running", "no pain at all, slept well", "müde, aber zufrieden", "felt 2 °C warmer"] * 5
CODES = ("texts_without_words", "texts_broken", "texts_long", "texts_other_script")


def found_in(*parts: list[str | None]) -> dict[str, Finding]:
    checker = Checker(Schema(columns=(Column(name="note", kind="text"),)))
    for part in parts:
        checker.part(pa.table({"note": pa.array(part, pa.string())}))
    return {finding.code: finding for finding in checker.finish() if finding.code in CODES}


def test_nothing_is_said_of_clean_texts() -> None:
    assert found_in(CLEAN) == {}
    assert found_in([*CLEAN, None]) == {}, "a missing text is told elsewhere"
    assert found_in(["房间很干净", "服务 OK", "位置 WIFI 都好"] * 6) == {}


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "texts_without_words"),
        (" \n\t", "texts_without_words"),
        ("🙂🙂", "texts_without_words"),
        ("...!?", "texts_without_words"),
        ("bad \ufffd read", "texts_broken"),
        ("a\x00b c", "texts_broken"),
        ("turned \u202e round", "texts_broken"),
        ("word " * 5000, "texts_long"),
        ("房间很干净", "texts_other_script"),
        ("очень хорошо", "texts_other_script"),
    ],
)
def test_a_fault_is_found_where_it_stands(text: str, code: str) -> None:
    found = found_in(CLEAN, [*CLEAN[:3], text])
    assert list(found) == [code]
    assert found[code].rows == (23,) and found[code].count == 1 and found[code].columns == ("note",)


def test_two_languages_of_equal_weight_are_meant() -> None:
    assert found_in(CLEAN, ["房间很干净", "очень хорошо"] * 10) == {}


def test_a_finding_says_which_scripts() -> None:
    found = found_in(CLEAN, ["очень хорошо"])["texts_other_script"]
    assert found.parameters["expected"] == "Latin" and found.parameters["example"] == "Cyrillic"
