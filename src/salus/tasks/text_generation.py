"""Text generation: a text that goes on. Learned from texts alone; a request gives the beginning.

A request may say `prompt`, how many characters to write (`length`), how boldly (`temperature`, 0 for the likeliest), and a `seed`. It
may also give a text in `scored`: then the answer says how surprising it is, in nats, after the prompt; so models are measured.
Raw output: `written` float64 (B, 2 + L): nats and characters of the scored text, then the pieces that were written, zeros behind.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from salus.core.nouns import Column
from salus.data.kinds.base import Values
from salus.data.kinds.text import MAX_CHARACTERS
from salus.data.pieces import END, pieces_of, train_pieces
from salus.tasks.compound import MOST_SEED, CompoundTask, as_objects
from salus.tasks.continuing import MOST_LENGTH, MOST_TEMPERATURE

CHARACTERS = 8000  # different ones at most
LONGEST = 2048  # characters of a prompt, or of a scored text, that are looked at
OPTIONAL = {"optional": True}
PROMPT, SCORED = (
    Column(name="prompt", kind="text", options=OPTIONAL),
    Column(name="scored", kind="text", options=OPTIONAL),
)
LENGTH = Column(name="length", kind="number", options=OPTIONAL)
TEMPERATURE = Column(name="temperature", kind="number", options=OPTIONAL)
SEED = Column(name="seed", kind="number", options=OPTIONAL)
RANGES = {"length": (20.0, 40.0), "temperature": (0.0, 1.0), "seed": (0.0, 1000.0)}  # what examples ask
WORDS = 12  # that examples are made of
OFTEN = 10  # times that one must be there: callers see no rare word, such as a name
LONGEST_WORD = 20
BOUNDS = {"length": (0, MOST_LENGTH), "temperature": (0, MOST_TEMPERATURE), "seed": (0, MOST_SEED)}  # what may be asked
CONTEXT = "before"  # a column of the data with what stands before a text
SAMPLED_ROWS, SAMPLED_CHARACTERS = 6, 200  # the first of the rows that judge are also gone on from, for the report
APART = 0.25  # of the rows may be sampled otherwise by another engine, where two pieces are as likely


class TextGeneration(CompoundTask):
    name = "text-generation"
    output = "written"
    target_kind = "text"
    asked = (PROMPT, SCORED, LENGTH, TEMPERATURE, SEED)
    metrics = ("nats_per_character", "bits_per_character", "perplexity")
    rows_at_once = 32
    most_held = 300
    reads: ClassVar[Mapping[str, Mapping[str, Any]]] = {"text": {"grams": False}}

    def accepts(self, input_kinds: frozenset[str], target_kinds: tuple[str, ...], levels: int) -> bool:
        return not input_kinds and target_kinds == ("text",)

    def fit_target(self, target: np.ndarray, column: Column) -> dict[str, Any]:
        texts = [text[:MAX_CHARACTERS] for text in target.tolist()]
        longest = max((len(text) for text in texts), default=1)
        pieces = train_pieces(texts, CHARACTERS, "character")
        return {"pieces": pieces, "length": min(LONGEST, longest + 1), "words": usual_words(texts)}

    def fit_asked(self, column: Column, states: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        if column.kind == "text":
            state = {"pieces": states[0]["pieces"], "length": LONGEST, "spaces": True}
            return state | ({"keep": "last", "words": states[0]["words"]} if column.name == PROMPT.name else {})
        low, high = RANGES[column.name]
        whole = column.name != TEMPERATURE.name
        bounds = list(BOUNDS[column.name])
        return {"low": low, "high": high, "bounds": bounds, "offset": 0.0, "integer": whole, "missing": True}

    def asked_from(self, there: frozenset[str], targets: Sequence[str]) -> dict[str, str]:
        return {SCORED.name: targets[0]} | ({PROMPT.name: CONTEXT} if CONTEXT in there else {})

    def asked_values(self, column: Column, rows: np.ndarray) -> Values:
        if column.name == LENGTH.name:
            return np.where(np.arange(len(rows)) < SAMPLED_ROWS, float(SAMPLED_CHARACTERS), 0.0)
        if column.name == SEED.name:
            return rows.astype(np.float64)
        return np.full(len(rows), np.nan) if column.kind == "number" else [None] * len(rows)

    def settle(self, raw: np.ndarray, states: Sequence[Mapping[str, Any]]) -> np.ndarray:
        pieces, answers = pieces_of(states[0]["pieces"]), []
        for nats, characters, *written in raw.tolist():
            kept = [int(piece) for piece in written]
            text = pieces.decode(kept[: kept.index(END)] if END in kept else kept)
            scored = {"nats": nats, "characters": int(characters)} if characters else {}
            answers.append({"text": text, **scored})
        return as_objects(answers)

    def losses(self, answers: np.ndarray, target: np.ndarray) -> np.ndarray:
        return np.array([answer["nats"] / answer["characters"] if "nats" in answer else 0.0 for answer in answers])

    def nothing(
        self, train_target: np.ndarray, states: Sequence[Mapping[str, Any]], values: Mapping[str, Values], count: int
    ) -> np.ndarray:
        """Every character as often as in the train texts, whatever stands before it."""
        counts: Counter[str] = Counter()
        for text in train_target.tolist():
            counts.update(text)
        total = sum(counts.values()) + len(counts) + 1
        answers = []
        for text in values[SCORED.name]:
            logs = [np.log((counts[character] + 1) / total) for character in (text or "")]
            answers.append({"text": "", "nats": -float(np.sum(logs)), "characters": max(1, len(logs))})
        return as_objects(answers)

    def agree(self, expected: np.ndarray, found: np.ndarray) -> float:
        if len(expected) != len(found):
            return float("inf")
        wide = max(expected.shape[1], found.shape[1])
        left, right = (np.pad(part, ((0, 0), (0, wide - part.shape[1]))) for part in (expected, found))
        others = float(np.any(left[:, 2:] != right[:, 2:], axis=1).mean())
        return max(super().agree(left[:, :2], right[:, :2]), others / APART)

    def decode(
        self, answers: np.ndarray, states: Sequence[Mapping[str, Any]], names: Sequence[str]
    ) -> list[dict[str, Any]]:
        return list(answers)

    def output_schema(self, states: Sequence[Mapping[str, Any]], names: Sequence[str]) -> dict[str, Any]:
        properties = {
            "text": {"type": "string"},
            "nats": {"type": "number", "description": "of the scored text, after the prompt"},
            "characters": {"type": "integer", "description": "of the scored text"},
        }
        return {"type": "object", "properties": properties, "required": ["text"]}


def usual_words(texts: Sequence[str]) -> list[str]:
    """The words of two letters and more that are there most often, the most frequent first; none where too few are."""
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(word for word in text.split() if word.isalpha() and 1 < len(word) <= LONGEST_WORD)
    return [word for word, count in counts.most_common(WORDS) if count >= OFTEN]
