"""Translation: a text in, a text out. Raw output: `tokens` int64 (B, L), pieces of the answer, END and zeros behind.

The target's state holds its pieces (see `salus.data.pieces`), learned from train rows. Knows no language and no network.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from salus.core.nouns import Column
from salus.data.kinds.base import Values
from salus.data.kinds.text import MAX_CHARACTERS
from salus.data.pieces import END, pieces_of, train_pieces
from salus.tasks.compound import TextAnswer, as_objects
from salus.tasks.wording import nearness

PIECES = 6000  # of a language; a small network learns rare words better from their parts
LONGEST = 256  # pieces of an answer
LENGTH_SHARE = 0.999  # of the train answers are no longer than an answer may become


class Translation(TextAnswer):
    name = "translation"
    metrics: ClassVar[tuple[str, ...]] = ("bleu", "chrf")
    output = "tokens"
    rows_at_once = 64
    most_held = 300
    reads: ClassVar[Mapping[str, Mapping[str, Any]]] = {"text": {"grams": False, "pieces": PIECES, "fold": False}}

    def accepts(self, input_kinds: frozenset[str], target_kinds: tuple[str, ...], levels: int) -> bool:
        return input_kinds == {"text"} and target_kinds == ("text",)

    def fit_target(self, target: np.ndarray, column: Column) -> dict[str, Any]:
        texts = [text[:MAX_CHARACTERS] for text in target.tolist()]
        learned = train_pieces(texts, PIECES)
        lengths = [len(pieces_of(learned).encode(text)) for text in texts[:: max(1, len(texts) // 5000)]]
        longest = int(np.quantile(lengths, LENGTH_SHARE, method="higher")) if lengths else 1
        return {"pieces": learned, "length": max(1, min(LONGEST, longest + 1))}

    def learned(self, target: np.ndarray) -> list[str]:
        """The texts that a network learns to write."""
        return list(target.tolist())

    def settle(self, raw: np.ndarray, states: Sequence[Mapping[str, Any]]) -> np.ndarray:
        pieces = pieces_of(states[0]["pieces"])
        return as_objects([pieces.decode(_until_end(tokens)) for tokens in raw.tolist()])

    def losses(self, answers: np.ndarray, target: np.ndarray) -> np.ndarray:
        return np.array([1 - nearness(said, wanted) for said, wanted in zip(answers, target, strict=True)])

    def nothing(
        self, train_target: np.ndarray, states: Sequence[Mapping[str, Any]], values: Mapping[str, Values], count: int
    ) -> np.ndarray:
        """The source itself: what the reader has without a translation."""
        return as_objects([text or "" for text in next(iter(values.values()))])


def _until_end(tokens: list[int]) -> list[int]:
    return tokens[: tokens.index(END)] if END in tokens else tokens
