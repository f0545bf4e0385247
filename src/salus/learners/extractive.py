"""Summaries made of the text's own sentences: a small network learns from answers that people wrote what a sentence is worth.

Answers do not say which sentences they were made of, so that is worked out first: by how much each sentence has of the answer (ROUGE),
and which ones together have most of it, taken greedily (Nallapati et al. 2017, SummaRuNNer). Where one sentence is enough, the
network learns what each would be worth alone; else which ones belong to the answer. Knows torch. What is done with the
worth of sentences stands in `picking`.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from pydantic import Field
from torch.nn import functional

from salus.core.context import Context
from salus.data.sentences import FEATURES, GRAM_BUCKETS
from salus.learners.base import Fitted, Part, Prepared, Proposal, searched
from salus.learners.deep import Lecture, Loss, TaughtConfig, course_with, quickest, refit_of, steps_within, taught, told
from salus.learners.graphs import GraphBuilder
from salus.learners.networks.picking import PickingNetwork
from salus.learners.options import config_from
from salus.learners.picking import PRESENT, PickingConfig, PickingFitted, PickingLearner, Scorer, Texts, clauses_in
from salus.tasks.rouge import f_measure, rouge
from salus.training.batches import Batches, step_generator
from salus.training.loop import Course, threads

FEWEST_TEXTS = 3  # train sentences that have an n-gram, for it to count
MOST_KEPT = 50_000  # n-grams, the most frequent ones
ALONE = 1.6  # sentences of an answer, up to which each is judged by itself
SHARPNESS = 10.0  # how much more a sentence counts that has more of the answer
SEVERAL = 12  # sentences that an answer is made of at most
RESERVED_SHARE, MEASURED_SHARE, MEASURED_S = 0.15, 0.08, 3.0
LABELLED_S = 3e-4  # seconds for what one sentence has of its answer, about


class ExtractiveConfig(PickingConfig, TaughtConfig):
    epochs: float = searched(
        4.0, 2.0, 10.0, log=True, gt=0, le=1000, description="how often every text is seen, where the budget allows"
    )
    learns_from: Literal["auto", "worth", "membership"] = Field(
        "auto", description="what each sentence is worth alone, or which belong to the answer; auto: by how many do"
    )
    dimensions: int = Field(32, ge=2, le=512, description="numbers of an n-gram")
    width: int = Field(48, ge=4, le=1024, description="units of the hidden layer")
    dropout: float = searched(0.3, 0.0, 0.6, ge=0, lt=1, description="share of numbers left out while learning")
    batch_rows: int = Field(32, ge=2, le=8192, description="texts a step")
    optimiser: Literal["sgd", "adam"] = Field("adam", description="sgd with Nesterov momentum 0.9, or adam")
    learning_rate: float = searched(
        3e-3, 1e-3, 1e-2, log=True, gt=0, le=10, description="the highest rate of the schedule"
    )
    weight_decay: float = Field(1e-2, ge=0, le=1, description="how much weights shrink, times the rate, a step")
    clip_norm: float = Field(1.0, ge=0, description="longest gradient, longer ones are shortened; 0: any")


class Worth(Scorer):
    """A network, and which n-grams it knows: lookup int64 (buckets + 1,), 0 for those that it does not."""

    def __init__(self, network: PickingNetwork, lookup: np.ndarray, count: int) -> None:
        self._network, self._lookup, self._threads = network, lookup, count

    def scores(self, feeds: Mapping[str, np.ndarray]) -> np.ndarray:
        with threads(self._threads), torch.inference_mode():
            found: np.ndarray = self._network(packed(feeds, self._lookup)).numpy()
        return found

    def nodes(self, builder: GraphBuilder, sentences: str) -> str:
        grams = builder.feed("sentence_grams", np.int32, ("rows", "sentences", "grams"))
        rows = builder.node("Gather", builder.constant(self._lookup, np.int64), grams, axis=0)
        return self._network.nodes(builder, sentences, rows)


class Extractive(PickingLearner):
    name: ClassVar[str] = "extractive"
    Config: ClassVar[type[PickingConfig]] = ExtractiveConfig
    config: ExtractiveConfig

    @classmethod
    def propose(cls, prepared: Prepared, options: Mapping[str, Any], budget_s: float, context: Context) -> Proposal:
        config = config_from(ExtractiveConfig, options, cls.name)
        sentences = int((prepared.train.feeds["sentences"][:, :, PRESENT] > 0).sum())
        labelling_s = LABELLED_S * sentences * (1 + len(prepared.validation) / max(1, len(prepared.train)))
        limit_s = min(MEASURED_S, MEASURED_SHARE * budget_s)
        lookup = lookup_of(prepared.train)
        unlabelled = np.zeros((*prepared.train.feeds["sentences"].shape[:2], 3), np.float32)
        unlabelled[:, :, 0] = prepared.train.feeds["sentences"][:, :, PRESENT]
        no_rows = (torch.zeros(0), torch.zeros(0))

        def making(trial: ExtractiveConfig) -> Callable[[], Course]:
            return lambda: _course(trial, prepared, lookup, unlabelled, no_rows, "worth")

        chosen, step_s, notes = quickest(config, making, prepared, limit_s, context)
        epoch = Batches(len(prepared.train), config.batch_rows, prepared.seed).steps_per_epoch
        left_s = budget_s * (1 - RESERVED_SHARE) - limit_s - labelling_s
        steps = config.steps or min(max(1, round(config.epochs * epoch)), steps_within(left_s, step_s, epoch))
        chosen = chosen.model_copy(update={"steps": steps})
        told_of = {"step_ms": notes, "labelling_s": round(labelling_s, 2), "epochs": round(steps / epoch, 2)}
        expected_s = (labelling_s + steps * step_s) / (1 - RESERVED_SHARE)
        return Proposal(chosen.model_dump(mode="json"), round(expected_s, 3), told_of)

    def teach(self, prepared: Prepared, context: Context) -> tuple[Scorer, dict[str, Any]]:
        config, lookup, clauses = self.config, lookup_of(prepared.train), clauses_in(prepared)
        train = labels_of(prepared.train, clauses, context)
        held = (
            packed(prepared.validation.feeds, lookup),
            torch.from_numpy(labels_of(prepared.validation, clauses, context)),
        )
        taken = float(train[:, :, 1].sum() / max(1, len(train)))
        way = config.learns_from
        if way == "auto":
            way = "worth" if taken <= ALONE else "membership"
        course, progress = taught(
            self.name, config, prepared, lambda: _course(config, prepared, lookup, train, held, way), context
        )
        network = course.network
        assert isinstance(network, PickingNetwork)
        network.requires_grad_(False)
        epoch = Batches(len(prepared.train), config.batch_rows, prepared.seed).steps_per_epoch
        details = told(course, progress, epoch) | {"learns_from": way, "sentences_of_an_answer": round(taken, 2)}
        self._stopped = refit_of(course, progress)
        return Worth(network, lookup, prepared.threads), details

    def fit(self, prepared: Prepared, context: Context) -> Fitted:
        fitted = super().fit(prepared, context)
        assert isinstance(fitted, PickingFitted)
        fitted.refit = {**fitted.refit, **self._stopped}
        return fitted


def lookup_of(part: Part) -> np.ndarray:
    """The row of the table, from 1, of every n-gram that some train sentences have; 0 for all others: int64 (buckets + 1,)."""
    counts = np.bincount(part.feeds["sentence_grams"].ravel(), minlength=GRAM_BUCKETS + 1)
    counts[0] = 0
    enough = int((counts >= FEWEST_TEXTS).sum())
    kept = np.sort(np.argsort(-counts, kind="stable")[: min(MOST_KEPT, enough)])
    lookup = np.zeros(len(counts), dtype=np.int64)
    lookup[kept] = np.arange(1, len(kept) + 1)
    return lookup


def packed(feeds: Mapping[str, np.ndarray], lookup: np.ndarray) -> torch.Tensor:
    """What the network takes: (B, S, F + G)."""
    grams = lookup[feeds["sentence_grams"]].astype(np.float32)
    return torch.from_numpy(np.concatenate([feeds["sentences"], grams], axis=2))


def labels_of(part: Part, clauses: bool, context: Context) -> np.ndarray:
    """Float32 (B, S, 3) of sentences: 1 where there is one, 1 where it belongs to the answer, and what it has of the answer alone: the mean
    of its ROUGE-1 and -L."""
    features = part.feeds["sentences"]
    labels = np.zeros((*features.shape[:2], 3), np.float32)
    labels[:, :, 0] = features[:, :, PRESENT]
    if not len(part):
        return labels
    texts = Texts.of(part, features.shape[1], clauses)
    for row, (sentences, references) in enumerate(zip(texts.sentences, texts.references, strict=True)):
        if row % 64 == 0:
            context.stop_if_asked("working out which sentences answers are made of")
        labels[row, belonging(sentences, references), 1] = 1
        for place, words in enumerate(sentences):
            found = np.max([rouge(words, reference) for reference in references], axis=0)
            labels[row, place, 2] = found[[0, 2]].mean()
    return labels


def belonging(sentences: Sequence[Sequence[str]], references: Sequence[Sequence[str]]) -> list[int]:
    """The sentences that together have most of a reference, taken one by one as long as the mean of ROUGE-1 and -2 grows; of
    several references those of the one that they fit best."""
    found = [_greedy(sentences, reference) for reference in references]
    return max(found, key=lambda pair: pair[0])[1] if found else []


def _greedy(sentences: Sequence[Sequence[str]], reference: Sequence[str]) -> tuple[float, list[int]]:
    counted, wanted = [_counted(words) for words in sentences], _counted(reference)
    lengths = np.array([len(words) for words in sentences])
    tables = []
    for order in range(2):
        items = list(wanted[order])
        table = np.array([[of_one[order].get(item, 0) for item in items] for of_one in counted], dtype=np.int64)
        tables.append(
            (table.reshape(len(sentences), len(items)), np.array([wanted[order][i] for i in items], np.int64))
        )
    held, total, best, taken = [np.zeros(len(w), np.int64) for _, w in tables], 0, 0.0, list[int]()
    while len(taken) < min(SEVERAL, len(sentences)):
        common = [np.minimum(table + had, most).sum(axis=1) for (table, most), had in zip(tables, held, strict=True)]
        figures = np.array(
            [
                f_measure(int(one), int(total + n), len(reference))
                + f_measure(int(two), int(max(0, total + n - 1)), max(0, len(reference) - 1))
                for one, two, n in zip(*common, lengths, strict=True)
            ]
        )
        figures[taken] = -1
        place = int(figures.argmax())
        if figures[place] <= best + 1e-9:
            break
        best = float(figures[place])
        taken.append(place)
        total += int(lengths[place])
        held = [had + table[place] for (table, _), had in zip(tables, held, strict=True)]
    return best, taken


def _counted(words: Sequence[str]) -> tuple[Counter[Any], Counter[Any]]:
    return Counter(words), Counter(itertools.pairwise(words))


def _course(
    config: ExtractiveConfig,
    prepared: Prepared,
    lookup: np.ndarray,
    labels: np.ndarray,
    held: tuple[torch.Tensor, torch.Tensor],
    way: str,
) -> Course:
    feeds = prepared.train.feeds
    features = feeds["sentences"][feeds["sentences"][:, :, PRESENT] > 0]
    mean, deviation = np.zeros(len(FEATURES)), np.ones(len(FEATURES))
    if len(features):
        mean, deviation = features.mean(axis=0), np.maximum(features.std(axis=0), 0.05)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(prepared.seed)
        network = PickingNetwork(
            mean, deviation, int(lookup.max()) + 1, config.dimensions, config.width, config.dropout
        )
    batches = Batches(len(prepared.train), config.batch_rows, prepared.seed)
    wanted = torch.from_numpy(labels)

    def batch(step: int) -> tuple[torch.Tensor, torch.Tensor]:
        rows = batches.rows_of(step)
        torch.manual_seed(
            int(step_generator(prepared.seed, step).integers(2**62))
        )  # what the network itself leaves out
        return packed({name: feeds[name][rows] for name in ("sentences", "sentence_grams")}, lookup), wanted[rows]

    loss = LOSSES[way]
    return course_with(config, Lecture(network, batch, held), loss, loss, config.steps or 4 * batches.steps_per_epoch)


def _worth_loss(scores_BS: torch.Tensor, labels_BS3: torch.Tensor) -> torch.Tensor:
    """Cross-entropy between how the network and how the answer shares weight out over the sentences of a text."""
    absent = labels_BS3[:, :, 0] < 0.5
    wanted = (SHARPNESS * labels_BS3[:, :, 2]).masked_fill(absent, -1e4).softmax(dim=1)
    return -(wanted * scores_BS.masked_fill(absent, -1e4).log_softmax(dim=1)).sum(dim=1).mean()


def _membership_loss(scores_BS: torch.Tensor, labels_BS3: torch.Tensor) -> torch.Tensor:
    """Cross-entropy of each sentence."""
    each = functional.binary_cross_entropy_with_logits(scores_BS, labels_BS3[:, :, 1], reduction="none")
    present = labels_BS3[:, :, 0]
    return (each * present).sum() / present.sum().clamp(min=1)


LOSSES: dict[str, Loss] = {"worth": _worth_loss, "membership": _membership_loss}
