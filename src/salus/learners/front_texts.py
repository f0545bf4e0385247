"""What a table learner sees of texts: a few dense columns and, for each answer, how much its words speak for it.

Every n-gram that several train texts have has a row of weights. The dense columns are the strongest directions of TF-IDF weighted counts (latent
semantic analysis, Deerwester et al. 1990, by a randomised decomposition, Halko et al. 2011); the others are linear models over
all buckets. A model that has seen a row speaks too surely of it, so train rows are answered by models of the other folds.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from salus.learners.base import Part, Prepared
from salus.learners.graphs import GraphBuilder

DENSE = 32  # columns a text column
FEWEST_TEXTS = 2  # that have an n-gram, for it to count
MAX_KEPT = 120_000  # n-grams, the most frequent ones
MAX_ANSWERS = 20  # classes, or targets, with a column of their own
FOLDS = 4
MAX_ROWS = 100_000  # of train that are learned from
SVM_COST = 0.5  # on five sets of texts within 0.003 of the best of 0.1, 0.3 and 1
RIDGE_PENALTY = 1.0
TINY = 1e-12


@dataclass(frozen=True)
class TextFeatures:
    """columns: text columns. places: int32 (buckets + 1,) each, the row of every n-gram, 0 for those that do not count.
    weights: float32 (kept + 1, W + 1) each; the last column is the squared rarity of the n-gram, row 0 is zeros.
    answered: how many of the W columns, the last ones, speak for an answer.
    held: for each column what the train rows, in the order of `rows`, were answered out of fold, float32 (B, answered)."""

    columns: tuple[str, ...]
    places: list[np.ndarray]
    weights: list[np.ndarray]
    answered: int
    held: list[np.ndarray] = field(repr=False)
    rows: np.ndarray = field(repr=False)

    @classmethod
    def fit(cls, columns: Sequence[str], prepared: Prepared) -> TextFeatures:
        texts = prepared.train.feeds["texts"]
        answers = _answers(prepared)
        buckets = [int(c.state["buckets"]) for c in prepared.schema.inputs if c.kind == "text" and c.state is not None]
        places, weights, held = [], [], []
        for column, size in enumerate(buckets):
            places.append(places_of(texts[:, column], size))
            found, out_of_fold = _learn(places[-1][texts[:, column]], answers, prepared)
            weights.append(found)
            held.append(out_of_fold)
        return cls(tuple(columns), places, weights, answers.shape[1], held, prepared.train.rows)

    @property
    def nbytes(self) -> int:
        """Memory, about."""
        return sum(array.nbytes for array in (*self.places, *self.weights, *self.held))

    @property
    def widths(self) -> list[int]:
        """Columns that each text column gives."""
        return [weights.shape[1] - 1 for weights in self.weights]

    @property
    def names(self) -> list[tuple[str, str]]:
        """(name, column) of every feature."""
        found = []
        for column, width in zip(self.columns, self.widths, strict=True):
            found += [(f"{column}.direction_{n}", column) for n in range(width - self.answered)]
            found += [(f"{column}.words_for_{n}", column) for n in range(self.answered)]
        return found

    def nodes(self, builder: GraphBuilder) -> str:
        """The graph value (rows, features)."""
        texts = builder.feed("texts", np.int32, ("rows", len(self.columns), "grams"))
        parts = []
        for column, (places, weights) in enumerate(zip(self.places, self.weights, strict=True)):
            table = builder.constant(weights)
            ids = builder.node("Gather", texts, builder.constant(column, np.int64), axis=1)
            rows = builder.node("Gather", builder.constant(places, np.int32), ids, axis=0)
            wanted = builder.node("Cast", rows, to=1)  # whole numbers below 2^24 are exact
            parts.append(builder.each(wanted, ("grams",), weights.shape[1] - 1, _summed(table, weights.shape[1] - 1)))
        return builder.node("Concat", *parts, axis=1) if len(parts) > 1 else parts[0]

    def learning(self, features: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Features of some of the train rows themselves, with what was answered out of fold in its place."""
        order = np.argsort(self.rows, kind="stable")
        places = order[np.searchsorted(self.rows, rows, sorter=order)]
        assert np.array_equal(self.rows[places], rows), "only rows that it was fitted on are learned from"
        changed, end = features.copy(), 0
        for width, held in zip(self.widths, self.held, strict=True):
            end += width
            changed[:, end - self.answered : end] = held[places]
        return changed


def _summed(table: str, width: int) -> Any:
    """The work on one text (1, L): the mean of its rows of `table`, weighted to length one."""

    def work(builder: GraphBuilder, item: str) -> str:
        rows = builder.node("Gather", table, builder.node("Cast", item, to=7), axis=0)
        sums = builder.node("ReduceSum", rows, builder.constant([1], np.int64), keepdims=0)
        axis = builder.constant([1], np.int64)
        features = builder.node(
            "Slice", sums, builder.constant([0], np.int64), builder.constant([width], np.int64), axis
        )
        square = builder.node("Gather", sums, builder.constant([width], np.int64), axis=1)
        return builder.node("Div", features, builder.node("Sqrt", builder.node("Add", square, builder.constant(TINY))))

    return work


def places_of(ids_BL: np.ndarray, buckets: int, most: int = MAX_KEPT) -> np.ndarray:
    """The row of weights of every n-gram, int32 (buckets + 1,): of the `most` most frequent ones 1 and more, of the others 0."""
    counts = np.bincount(ids_BL.ravel(), minlength=buckets + 1)
    counts[0] = 0
    kept = np.sort(np.argsort(-counts, kind="stable")[: min(most, int((counts >= FEWEST_TEXTS).sum()))])
    places = np.zeros(buckets + 1, dtype=np.int32)
    places[kept] = np.arange(1, len(kept) + 1)
    return places


def _learn(rows_BL: np.ndarray, answers: np.ndarray, prepared: Prepared) -> tuple[np.ndarray, np.ndarray]:
    """Weights (kept + 1, W + 1) of one column, and what its train rows were answered out of fold."""
    generator = np.random.default_rng(prepared.seed)
    counts = np.bincount(rows_BL.ravel()).astype(np.float64)
    rarity = np.log((1 + len(rows_BL)) / (1 + counts)) + 1
    rarity[0] = 0.0
    matrix = _sparse(rows_BL, rarity)
    chosen = np.sort(generator.permutation(len(rows_BL))[:MAX_ROWS])
    directions = _directions(matrix[chosen], prepared.seed)
    spoken = _linear(matrix[chosen], answers[chosen], prepared)
    held = np.zeros(answers.shape, dtype=np.float32)
    for inside in _folds(prepared.train, generator):
        others = chosen[~inside[chosen]]
        held[inside] = matrix[inside] @ _linear(matrix[others], answers[others], prepared)
    learned = np.concatenate([directions, spoken], axis=1) * rarity[:, None]
    weights = np.concatenate([learned, rarity[:, None] ** 2], axis=1).astype(np.float32)
    return weights, held


def _sparse(rows_BL: np.ndarray, rarity: np.ndarray) -> Any:
    """Rows of length one, float64 CSR (B, kept + 1)."""
    from scipy import sparse

    present = rows_BL > 0
    ends = np.concatenate([[0], np.cumsum(present.sum(axis=1))])
    columns = rows_BL[present]
    values = rarity[columns]
    lengths = np.sqrt(np.add.reduceat(np.append(values**2, 0.0), ends[:-1]) * (np.diff(ends) > 0))
    values = values / np.repeat(np.maximum(lengths, TINY), np.diff(ends))
    return sparse.csr_matrix((values, columns, ends), shape=(len(rows_BL), len(rarity)))


def _directions(matrix: Any, seed: int) -> np.ndarray:
    """(kept + 1, D): the strongest directions, each as the same signs on every run."""
    from sklearn.utils.extmath import randomized_svd

    used = int((matrix.getnnz(axis=0) > 0).sum())
    size = min(DENSE, matrix.shape[0] - 1, used - 1)
    if size < 1:
        return np.zeros((matrix.shape[1], 0))
    _, _, directions = randomized_svd(matrix, size, n_iter=3, random_state=seed)
    found: np.ndarray = directions.T
    return found


def _linear(matrix: Any, answers: np.ndarray, prepared: Prepared) -> np.ndarray:
    """(kept + 1, A): a linear model of each answer, without its constant."""
    from sklearn.linear_model import Ridge
    from sklearn.svm import LinearSVC

    columns = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a model that is not quite at its best is good enough for a feature
        for answer in answers.T:
            if len(np.unique(answer)) < 2:
                columns.append(np.zeros(matrix.shape[1]))
            elif prepared.classification:
                model = LinearSVC(C=SVM_COST, random_state=prepared.seed, max_iter=1000, tol=1e-3)
                columns.append(model.fit(matrix, answer).coef_[0])
            else:
                columns.append(Ridge(RIDGE_PENALTY, solver="sparse_cg", tol=1e-4).fit(matrix, answer).coef_)
    return np.stack(columns, axis=1)


def _answers(prepared: Prepared) -> np.ndarray:
    """What words may speak for, (B, A): whether it is a class (the second of two, or each of the most frequent), or the targets,
    standardised."""
    target = prepared.train.target
    if not prepared.classification:
        scaled: np.ndarray = (target - target.mean(axis=0)) / np.maximum(target.std(axis=0), TINY)
        return scaled[:, :MAX_ANSWERS]
    if prepared.classes == 2:
        second: np.ndarray = np.equal(target, 1)[:, None].astype(np.int64)
        return second
    frequent = np.argsort(-np.bincount(target, minlength=prepared.classes), kind="stable")[:MAX_ANSWERS]
    each: np.ndarray = np.equal(target[:, None], np.sort(frequent)).astype(np.int64)
    return each


def _folds(train: Part, generator: np.random.Generator) -> Iterator[np.ndarray]:
    """Masks of the rows that are answered together; rows of one group are never parted."""
    units = np.arange(len(train)) if train.groups is None else np.unique(train.groups, return_inverse=True)[1]
    fold_of_unit = generator.permutation(units.max() + 1) % FOLDS if len(units) else np.zeros(0, dtype=np.int64)
    for fold in range(FOLDS):
        inside: np.ndarray = fold_of_unit[units] == fold
        if inside.any():
            yield inside
