"""Summaries against references: ROUGE-1, -2 and -L (Lin 2004), as `tasks/rouge` counts them.

The figure of a set is the mean over its texts, so intervals come from drawing texts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from salus.evaluation.measures.base import MOST_SHOWN, Measure
from salus.tasks.rouge import NAMES, SIGNATURE, best_rouge, words_of
from salus.tasks.summarization import as_lines, references_of, source_of


class Summaries(Measure):
    metrics = NAMES

    def tally(self, answers: np.ndarray, target: np.ndarray, states: Sequence[Mapping[str, Any]]) -> np.ndarray:
        """The three F-measures of each answer, and 1."""
        pairs = zip(answers.tolist(), target.tolist(), strict=True)
        found = [[*best_rouge(answer, references_of(wanted)), 1.0] for answer, wanted in pairs]
        return np.array(found, dtype=np.float64).reshape(-1, len(NAMES) + 1)

    def figure(self, name: str, sums: np.ndarray) -> np.ndarray:
        return np.asarray(sums[..., NAMES.index(name)] / sums[..., -1])

    def facts(self, answers: np.ndarray, target: np.ndarray, states: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """How it was counted, and how long answers and references are, in words."""
        references = [references_of(wanted) for wanted in target.tolist()]
        said = [len(words_of(answer)) for answer in answers.tolist()]
        wanted = [float(np.mean([len(words_of(one)) for one in of_row])) for of_row in references]
        return {
            "signatures": {"ROUGE": SIGNATURE},
            "references_a_text": round(float(np.mean([len(of_row) for of_row in references])), 2),
            "words": {"answers": round(float(np.mean(said)), 1), "references": round(float(np.mean(wanted)), 1)},
        }

    def shown(
        self,
        answers: np.ndarray,
        target: np.ndarray,
        values: Mapping[str, Any],
        states: Sequence[Mapping[str, Any]],
    ) -> dict[str, Any]:
        """Texts from the worst to the best by the mean of ROUGE-1 and -L, evenly."""
        tallies = self.tally(answers, target, states)
        scores = tallies[:, [0, 2]].mean(axis=1)
        order = np.argsort(scores, kind="stable")
        chosen = order[np.unique(np.linspace(0, len(order) - 1, MOST_SHOWN).astype(np.int64))]
        source = source_of(values)
        items = [
            {
                "source": as_lines(source[row] or ""),
                "reference": "\n".join(references_of(target[row])),
                "answer": answers[row],
                "score": round(float(scores[row]), 3),
            }
            for row in chosen.tolist()
        ]
        return {"kind": "texts", "items": items}
