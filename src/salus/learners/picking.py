"""What all learners share that summarise by picking sentences: how long an answer becomes, in which order its sentences stand, what a
repetition costs, and the graph that says all of it.

A learner says how much each sentence is worth; see `tasks/summarization` for how sentences are picked by that. The length follows
the train answers: its logarithm is a line over that of the source. What is left open is tried out on rows held out.
Knows ONNX. Does not know how a learner learns.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from salus.core.context import Context
from salus.core.durable import write_file
from salus.data.kinds.text import MAX_CHARACTERS
from salus.data.sentences import FEATURES, sentences_of
from salus.learners.base import Fitted, Learner, LearnerConfig, Part, Prepared, Proposal
from salus.learners.graphs import GraphBuilder
from salus.learners.options import config_from
from salus.tasks.base import Task
from salus.tasks.rouge import rouge, words_of
from salus.tasks.summarization import (
    ABSENT,
    BY_SCORE,
    CLAUSES,
    REPEATING,
    SCORES,
    WANTED,
    picked,
    references_of,
    source_of,
)

FACTORS = (0.4, 0.6, 0.8, 1.0, 1.2, 1.5, 2.0)  # times the expected length
COSTS = (0.0, 0.5, 1.5)  # of a repetition, in deviations of the scores of a text
MOST_TRIED = 300  # rows that what is open is tried out on
ASKED_ROWS = 64
PRESENT, WORDS = FEATURES.index("present"), FEATURES.index("words")


class PickingConfig(LearnerConfig):
    """What is none is tried out on rows held out."""

    length: float | None = Field(None, gt=0, le=10, description="times the words that train answers to such texts have")
    by_score: bool | None = Field(
        None, description="whether the best sentence comes first, or all stand as in the text"
    )
    repeating: float | None = Field(
        None, ge=0, le=100, description="what a sentence loses whose words were all said before, in units of the scores"
    )


@dataclass(frozen=True)
class Policy:
    """How sentences are picked. words wanted: factor * exp(intercept + slope * log(1 + words of the source))."""

    slope: float
    intercept: float
    factor: float = 1.0
    by_score: bool = False
    repeating: float = 0.0
    clauses: bool = False

    def wanted(self, features_BSF: np.ndarray) -> np.ndarray:
        """(B,)."""
        words = (np.expm1(features_BSF[:, :, WORDS]) * features_BSF[:, :, PRESENT]).sum(axis=1)
        return np.asarray(self.factor * np.exp(self.intercept + self.slope * np.log1p(words)))


@dataclass(frozen=True)
class Texts:
    """Rows as words: sentences of each source, and its references."""

    sentences: list[list[list[str]]]
    references: list[list[list[str]]]

    @classmethod
    def of(cls, part: Part, most: int, clauses: bool) -> Texts:
        sources = [(text or "")[:MAX_CHARACTERS] for text in source_of(part.values)]
        sentences = [[words_of(one) for one in sentences_of(text, most, clauses)] for text in sources]
        return cls(sentences, [[words_of(one) for one in references_of(text)] for text in part.target])

    def taken(self, rows: Sequence[int]) -> Texts:
        return Texts([self.sentences[row] for row in rows], [self.references[row] for row in rows])


class Scorer(ABC):
    """How much sentences are worth."""

    @abstractmethod
    def scores(self, feeds: Mapping[str, np.ndarray]) -> np.ndarray:
        """(B, S) by the learner's own library; of absent sentences anything."""

    @abstractmethod
    def nodes(self, builder: GraphBuilder, sentences: str) -> str:
        """The same as nodes of a graph. sentences: the feed (B, S, F)."""


class PickingFitted(Fitted):
    def __init__(self, scorer: Scorer, policy: Policy, sentences: int, details: dict[str, Any]) -> None:
        self._scorer, self._policy, self._sentences = scorer, policy, sentences
        self.details = details
        self.refit = {"length": policy.factor, "by_score": policy.by_score, "repeating": policy.repeating}

    def raw(self, feeds: Mapping[str, np.ndarray]) -> np.ndarray:
        features = feeds["sentences"]
        found = np.zeros((len(features), SCORES + features.shape[1]), np.float32)
        found[:, WANTED] = self._policy.wanted(features)
        found[:, REPEATING], found[:, BY_SCORE] = self._policy.repeating, float(self._policy.by_score)
        found[:, CLAUSES] = float(self._policy.clauses)
        found[:, SCORES:] = masked(self._scorer.scores(feeds), features)
        return found

    def export(self, path: Path) -> None:
        builder, policy = GraphBuilder(), self._policy
        sentences = builder.feed("sentences", np.float32, ("rows", self._sentences, len(FEATURES)))
        present = builder.node("Gather", sentences, builder.constant(PRESENT, np.int64), axis=2)
        logs = builder.node("Gather", sentences, builder.constant(WORDS, np.int64), axis=2)
        each = builder.node("Mul", builder.node("Sub", builder.node("Exp", logs), builder.constant(1.0)), present)
        words = builder.node("ReduceSum", each, builder.constant([1], np.int64), keepdims=1)
        line = builder.node(
            "Mul",
            builder.node("Log", builder.node("Add", words, builder.constant(1.0))),
            builder.constant(policy.slope),
        )
        line = builder.node("Add", line, builder.constant(policy.intercept + float(np.log(policy.factor))))
        wanted = builder.node("Exp", line)
        nothing = builder.node("Mul", words, builder.constant(0.0))
        said = builder.node(
            "Add", nothing, builder.constant([policy.repeating, float(policy.by_score), float(policy.clauses)])
        )
        scores = builder.node("Mul", self._scorer.nodes(builder, sentences), present)
        away = builder.node("Mul", builder.node("Sub", present, builder.constant(1.0)), builder.constant(-ABSENT))
        row = builder.node("Concat", wanted, said, builder.node("Add", scores, away), axis=1)
        write_file(path, builder.finish("summary", row, SCORES + self._sentences))


class PickingLearner(Learner):
    """A learner says what sentences are worth; the rest is done here."""

    Config: ClassVar[type[PickingConfig]] = PickingConfig
    config: PickingConfig

    @classmethod
    def learns(cls, task: Task, kinds: frozenset[str]) -> bool:
        return task.name == "summarization"

    @classmethod
    def propose(cls, prepared: Prepared, options: Mapping[str, Any], budget_s: float, context: Context) -> Proposal:
        config = config_from(cls.Config, options, cls.name)
        rows = min(MOST_TRIED, len(prepared.train))
        return Proposal(config.model_dump(mode="json"), round(0.1 + 0.01 * rows, 3))

    @abstractmethod
    def teach(self, prepared: Prepared, context: Context) -> tuple[Scorer, dict[str, Any]]:
        """What sentences are worth, and details for the report."""

    def fit(self, prepared: Prepared, context: Context) -> Fitted:
        context.stop_if_asked(f"the learner {self.name}")
        scorer, details = self.teach(prepared, context)
        lengths = replace(lengths_of(prepared.train), clauses=clauses_in(prepared))
        policy = tried_out(scorer, lengths, self.config, prepared, context)
        details |= {"length": policy.factor, "by_score": policy.by_score, "repeating": round(policy.repeating, 4)}
        return PickingFitted(scorer, policy, prepared.train.feeds["sentences"].shape[1], details)


def clauses_in(prepared: Prepared) -> bool:
    """Whether what is picked from are clauses."""
    state = prepared.schema.inputs[0].state or {}
    return bool(state["sentences"]["clauses"])


def masked(scores: np.ndarray, features_BSF: np.ndarray) -> np.ndarray:
    """Scores (B, S) with ABSENT where there is no sentence."""
    present = features_BSF[:, :, PRESENT]
    return np.asarray(scores * present - (present - 1) * ABSENT)


def lengths_of(part: Part) -> Policy:
    """The line that the lengths of answers follow, by least squares of logarithms."""
    features = part.feeds["sentences"]
    sources = Policy(1.0, 0.0).wanted(features)
    answers = [np.mean([len(words_of(one)) for one in references_of(text)]) for text in part.target]
    x, y = np.log(sources), np.log1p(np.asarray(answers))
    spread = float(np.var(x))
    slope = float(np.clip(np.mean((x - x.mean()) * (y - y.mean())) / spread, 0.0, 1.5)) if spread > 1e-6 else 0.0
    return Policy(slope, float(y.mean() - slope * x.mean()))


def tried_out(scorer: Scorer, policy: Policy, config: PickingConfig, prepared: Prepared, context: Context) -> Policy:
    """The policy with what the config leaves open as it does best on rows held out (without such, on rows that were learned from)."""
    settled = replace(
        policy, factor=config.length or 1.0, by_score=bool(config.by_score), repeating=config.repeating or 0.0
    )
    part = prepared.validation if len(prepared.validation) else prepared.train
    rows = np.unique(np.linspace(0, len(part) - 1, min(MOST_TRIED, len(part))).astype(np.int64))
    features = part.feeds["sentences"][rows]
    texts = Texts.of(part, features.shape[1], policy.clauses).taken(rows.tolist())
    scores = asked(scorer, {name: feed[rows] for name, feed in part.feeds.items()})
    deviation = float(
        np.mean([scores[row, : len(words)].std() for row, words in enumerate(texts.sentences) if words] or [0])
    )
    costs = [round(cost * deviation, 6) for cost in COSTS]
    open_: dict[str, Sequence[Any]] = {
        "factor": FACTORS if config.length is None else (),
        "by_score": (False, True) if config.by_score is None else (),
        "repeating": costs if config.repeating is None else (),
    }
    best = figure_of(settled, scores, features, texts)
    for name, choices in open_.items():
        for choice in choices:
            context.stop_if_asked("trying out lengths")
            trial = replace(settled, **{name: choice})
            found = figure_of(trial, scores, features, texts)
            if found > best + 1e-9:
                best, settled = found, trial
    return settled


def figure_of(policy: Policy, scores: np.ndarray, features_BSF: np.ndarray, texts: Texts) -> float:
    """The mean of ROUGE-1 and -L of what is picked."""
    found = []
    for row, wanted in enumerate(policy.wanted(features_BSF).tolist()):
        words = texts.sentences[row]
        taken = picked(scores[row, : len(words)], words, wanted, policy.repeating)
        order = taken if policy.by_score else sorted(taken)
        answer = [word for place in order for word in words[place]]
        found.append(np.max([rouge(answer, reference) for reference in texts.references[row]], axis=0))
    return float(np.mean(np.asarray(found)[:, [0, 2]])) if found else 0.0


def asked(scorer: Scorer, feeds: Mapping[str, np.ndarray]) -> np.ndarray:
    """Scores of all rows, some at a time."""
    rows = len(feeds["sentences"])
    parts = [
        scorer.scores({name: feed[start : start + ASKED_ROWS] for name, feed in feeds.items()})
        for start in range(0, rows, ASKED_ROWS)
    ]
    return np.concatenate(parts) if parts else np.zeros((0, feeds["sentences"].shape[1]))
