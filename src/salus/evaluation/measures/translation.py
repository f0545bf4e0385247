"""Translations against references: BLEU (Papineni et al. 2002) and chrF (Popović 2015), as sacreBLEU counts them.

Both are functions of sums over sentences, so intervals come from drawing sentences. Knows texts. Does not know languages but by
their script: Chinese, Japanese and Korean answers are counted by sacreBLEU's own rules for them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, Literal

import numpy as np

from salus.evaluation.measures.base import MOST_SHOWN, Measure
from salus.tasks.wording import share_without_spaces

ORDERS = 4  # n-grams of BLEU
CHARACTERS = 6  # n-grams of chrF
BETA = 2  # how much more recall counts, in chrF
MANY = 0.3  # of the characters without spaces: the text is of such a script


class TranslationMeasure(Measure):
    metrics = ("bleu", "chrf")

    def tally(self, answers: np.ndarray, target: np.ndarray, states: Sequence[Mapping[str, Any]]) -> np.ndarray:
        """BLEU: lengths of answer and reference, matches and n-grams of each order; chrF: n-grams of answer, reference, both."""
        bleu, chrf = _Metrics(rules_for(target)).pair
        rows = []
        for said, wanted in zip(answers.tolist(), target.tolist(), strict=True):
            counted = bleu._extract_corpus_statistics([said], [[wanted]])[0]
            rows.append([*counted, *chrf._extract_corpus_statistics([said], [[wanted]])[0]])
        return np.array(rows, dtype=np.float64)

    def figure(self, name: str, sums: np.ndarray) -> np.ndarray:
        of_bleu = 2 + 2 * ORDERS
        return _bleu(sums[..., :of_bleu]) if name == "bleu" else _chrf(sums[..., of_bleu:])

    def facts(self, answers: np.ndarray, target: np.ndarray, states: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        bleu, chrf = _Metrics(rules_for(target)).pair
        bleu.corpus_score(answers.tolist()[:1], [target.tolist()[:1]])
        chrf.corpus_score(answers.tolist()[:1], [target.tolist()[:1]])
        return {"signatures": {"bleu": str(bleu.get_signature()), "chrf": str(chrf.get_signature())}}

    def shown(
        self,
        answers: np.ndarray,
        target: np.ndarray,
        values: Mapping[str, Any],
        states: Sequence[Mapping[str, Any]],
    ) -> dict[str, Any]:
        """Sentences from the worst to the best by chrF, evenly."""
        scores = _chrf(self.tally(answers, target, states)[:, 2 + 2 * ORDERS :])
        order = np.argsort(scores, kind="stable")
        chosen = order[np.unique(np.linspace(0, len(order) - 1, MOST_SHOWN).astype(np.int64))]
        source = next(iter(values.values()))
        items = [
            {
                "source": source[row],
                "reference": target[row],
                "answer": answers[row],
                "score": round(float(scores[row]), 1),
            }
            for row in chosen.tolist()
        ]
        return {"kind": "texts", "items": items}


def rules_for(texts: np.ndarray) -> Literal["zh", "13a"]:
    """How sacreBLEU cuts such texts into words."""
    sample = "".join(texts[:: max(1, len(texts) // 500)].tolist())
    return "zh" if share_without_spaces(sample) > MANY else "13a"


class _Metrics:
    def __init__(self, rules: str) -> None:
        self.rules = rules

    @cached_property
    def pair(self) -> tuple[Any, Any]:
        from sacrebleu.metrics.bleu import BLEU
        from sacrebleu.metrics.chrf import CHRF

        return BLEU(tokenize=self.rules), CHRF()


def _bleu(sums: np.ndarray) -> np.ndarray:
    """(..., 2 + 2 N): lengths of answer and reference, matches of each order, n-grams of each order. Smoothed as sacreBLEU does
    (exponential, Chen and Cherry 2014)."""
    answer, reference = sums[..., 0], sums[..., 1]
    right, total = sums[..., 2 : 2 + ORDERS], sums[..., 2 + ORDERS : 2 + 2 * ORDERS]
    with np.errstate(divide="ignore", invalid="ignore"):
        missing = np.cumsum((right == 0) & (total > 0), axis=-1)
        precision = np.where(right > 0, right, 0.5**missing) / total
        logs = np.where(total > 0, np.log(precision), -np.inf).mean(axis=-1)
        brevity = np.where(answer < reference, np.exp(1 - reference / np.maximum(answer, 1e-9)), 1.0)
    return np.where(right[..., 0] > 0, 100 * brevity * np.exp(logs), 0.0)


def _chrf(sums: np.ndarray) -> np.ndarray:
    """(..., 3 N): n-grams of the answer, of the reference, of both, order by order. Orders that are missing do not count."""
    counts = sums.reshape(*sums.shape[:-1], CHARACTERS, 3)
    said, wanted, both = counts[..., 0], counts[..., 1], counts[..., 2]
    there = (said > 0) & (wanted > 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        precision = np.where(there, both / said, 0.0).sum(axis=-1) / np.maximum(there.sum(axis=-1), 1)
        recall = np.where(there, both / wanted, 0.0).sum(axis=-1) / np.maximum(there.sum(axis=-1), 1)
        score = (1 + BETA**2) * precision * recall / (BETA**2 * precision + recall)
    return np.where(precision + recall > 0, 100 * score, 0.0)
