"""What a caller is shown as the prompt of a text generator: words of its texts, and never one that is rare there."""

from __future__ import annotations

import numpy as np

from salus.core.nouns import Column, Role, Schema
from salus.inference.examples import make_examples, typical_row
from salus.tasks.text_generation import PROMPT, TextGeneration

RARE = "Zaphnathpaaneah"


def example_prompt(texts: list[str]) -> str:
    task = TextGeneration()
    column = Column(name="text", kind="text", role=Role.TARGET)
    state = task.fit_target(np.array(texts, dtype=object), column)
    asked = Column(name=PROMPT.name, kind="text", options=PROMPT.options, state=task.fit_asked(PROMPT, [state]))
    schema = Schema(columns=(asked, column), task="text-generation")
    return str(typical_row(schema, make_examples(schema, 20, seed=0))["prompt"])


def test_the_example_is_words_that_are_often_there() -> None:
    words = example_prompt(
        [f"the king and the queen go to court, {RARE}"] + ["the king and the queen go to court"] * 12
    ).split()
    assert len(words) >= 3
    assert set(words) <= {"the", "king", "and", "queen", "go", "to", "court"}


def test_words_that_are_rare_are_never_shown() -> None:
    assert RARE not in example_prompt([f"{RARE} went home"] * 3)
