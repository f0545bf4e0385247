"""How good drawn pictures are, by what a network that learned the labels of real ones sees in them.

`frechet`: the distance of two normal laws of features (Fréchet; Heusel et al. 2017), drawn pictures against those that were learned from.
`class_accuracy`: share of drawn pictures that show the label that was asked for. `manifold_recall`: share of real pictures that lie
among drawn ones, `manifold_precision`: of drawn ones among real ones; among: nearer to one of them than its third neighbour is
(Kynkäänniemi et al. 2019). Every figure is also given of real pictures: no drawing can be better than that says.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from salus.evaluation.measures.base import Known, Measure
from salus.tasks.image_generation import CRITIC, label_column, pictures_of, png_of

REFERENCE_ROWS = 10_000  # real pictures that were learned from, by which drawn ones are measured
NEIGHBOURS = 3
CHUNK_ROWS = 500
FRECHET_DRAWS = 10  # of every hundred: each takes an eigenvalue decomposition
CLASSES_SHOWN, PICTURES_SHOWN, NEIGHBOURS_SHOWN = 12, 12, 8
GAP = 2  # pixels between pictures of a strip
CORRECT, LABELLED, COVERED, INSIDE, COUNT, FIRST_FEATURE = range(6)


class Pictures(Measure):
    """Before it is `informed` it knows nothing that sees."""

    metrics: ClassVar[tuple[str, ...]] = ("frechet", "class_accuracy", "manifold_recall", "manifold_precision")

    def __init__(self, known: Known | None = None) -> None:
        self._known = known
        self._real: tuple[np.ndarray, np.ndarray] | None = None  # what is seen of the rows that judge

    def informed(self, known: Known) -> Measure:
        found = Pictures(known)
        return found if found._levels else UnlabelledPictures(known)

    def tally(self, answers: np.ndarray, target: np.ndarray, states: Sequence[Mapping[str, Any]]) -> np.ndarray:
        real = self._seen_real(target, states)[1]
        scores, features = self._seen(list(answers))
        found = np.empty((len(answers), FIRST_FEATURE + features.shape[1]))
        found[:, CORRECT], found[:, LABELLED] = _correct(scores, self._codes)
        found[:, COVERED], found[:, INSIDE] = among(real, features), among(features, real)
        found[:, COUNT] = 1
        found[:, FIRST_FEATURE:] = features
        return found

    def figure(self, name: str, sums: np.ndarray) -> np.ndarray:
        above, below = {
            "class_accuracy": (CORRECT, LABELLED),
            "manifold_recall": (COVERED, COUNT),
            "manifold_precision": (INSIDE, COUNT),
        }[name]
        with np.errstate(invalid="ignore"):
            return np.asarray(sums[..., above] / sums[..., below])

    def values(self, name: str, tallies: np.ndarray, counts: np.ndarray) -> np.ndarray:
        if name != "frechet":
            found = self.figure(name, counts @ tallies[:, :FIRST_FEATURE])
            return np.asarray(np.nan_to_num(found)) if len(counts) == 1 else found
        distances = np.full(len(counts), np.nan)
        for draw, weights in enumerate(counts[:FRECHET_DRAWS]):
            distances[draw] = frechet(tallies[:, FIRST_FEATURE:], weights, *self._law)
        return distances

    def facts(self, answers: np.ndarray, target: np.ndarray, states: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """What the same figures are of real pictures, and by whose eyes."""
        scores, features = self._seen_real(target, states)
        step = max(1, len(self._reference[1]) // len(features))
        learned = self._reference[1][::step][: len(features)]
        correct, labelled = _correct(scores, self._codes)
        real = {
            "frechet": frechet(features, np.ones(len(features)), *self._law),
            "class_accuracy": float(correct.sum() / max(1.0, labelled.sum())),
            "manifold_recall": float(among(features, learned).mean()),
            "manifold_precision": float(among(learned, features).mean()),
        }
        real = {name: real[name] for name in self.metrics}
        sees = "the features that table learners see" if not scores.shape[1] else "a network that learned the labels"
        critic = {"sees": sees, "labels": scores.shape[1], "features": features.shape[1]}
        return {"real": real, "critic": critic | {"reference_rows": len(self._reference[0])}}

    def shown(
        self, answers: np.ndarray, target: np.ndarray, values: Mapping[str, Any], states: Sequence[Mapping[str, Any]]
    ) -> dict[str, Any]:
        name = label_column(values)
        labels = np.asarray(values[name], dtype=object) if name else np.full(len(answers), None, dtype=object)
        items: list[dict[str, Any]] = [{"what": "real", **self.facts(answers, target, states)}]
        for label in sorted(set(labels), key=str)[:CLASSES_SHOWN]:
            rows = np.flatnonzero(labels == label)[:PICTURES_SHOWN]
            real = pictures_of(target[rows], states[0])
            items.append({"what": "label", "label": label, "drawn": strip(answers[rows]), "real": strip(real)})
        pictures, learned = self._reference
        chosen = np.linspace(0, len(answers) - 1, min(NEIGHBOURS_SHOWN, len(answers))).astype(np.int64)
        features = self._seen([answers[row] for row in chosen])[1]
        nearest = np.argsort(_squares(features, learned), axis=1, kind="stable")[:, : PICTURES_SHOWN // 2]
        for row, places in zip(chosen, nearest, strict=True):
            near = strip([pictures[place] for place in places])
            items.append({"what": "nearest", "label": labels[row], "drawn": strip([answers[row]]), "real": near})
        return {"kind": "pictures", "items": items}

    def _seen(self, pictures: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """Scores (B, K), K 0 without labels, and features (B, D)."""
        assert self._known is not None, "informed before it measures"
        parts = [
            self._known.run(CRITIC, {"image_0": np.stack(pictures[start : start + CHUNK_ROWS])}, ["seen"])[0]
            for start in range(0, len(pictures), CHUNK_ROWS)
        ]
        seen = np.concatenate(parts).astype(np.float64)
        return seen[:, : self._classes], seen[:, self._classes :]

    def _seen_real(self, target: np.ndarray, states: Sequence[Mapping[str, Any]]) -> tuple[np.ndarray, np.ndarray]:
        """The same of the rows that judge, which are always the same ones."""
        if self._real is None:
            self._real = self._seen(pictures_of(target, states[0]))
        return self._real

    @cached_property
    def _levels(self) -> list[str]:
        """Labels that the critic knows; it needs two."""
        assert self._known is not None, "informed before it measures"
        columns = [column for column in self._known.schema.inputs if column.kind == "category"]
        levels = list((columns[0].state or {})["levels"]) if columns else []
        return levels if len(levels) > 1 else []

    @property
    def _classes(self) -> int:
        return len(self._levels)

    @cached_property
    def _codes(self) -> np.ndarray:
        """What was asked for in each row; -1 for nothing that the critic knows."""
        assert self._known is not None, "informed before it measures"
        places = {level: place for place, level in enumerate(self._levels)}
        name = label_column(self._known.values)
        count = len(next(iter(self._known.values.values())))
        asked = self._known.values[name] if name else [None] * count
        return np.array([-1 if label is None else places.get(label, -1) for label in asked], dtype=np.int64)

    @cached_property
    def _reference(self) -> tuple[list[np.ndarray], np.ndarray]:
        """Pictures that were learned from, and their features."""
        assert self._known is not None, "informed before it measures"
        target = self._known.train_target
        rows = np.unique(np.linspace(0, len(target) - 1, min(len(target), REFERENCE_ROWS)).astype(np.int64))
        state = self._known.schema.targets[0].state or {}
        pictures = pictures_of(target[rows], state)
        return pictures, self._seen(pictures)[1]

    @cached_property
    def _law(self) -> tuple[np.ndarray, np.ndarray, float]:
        """The normal law of the reference: mean, root of the covariance, trace of it."""
        features = self._reference[1]
        covariance = np.atleast_2d(np.cov(features, rowvar=False))
        values, vectors = np.linalg.eigh(covariance)
        root = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
        return features.mean(axis=0), root, float(np.trace(covariance))


class UnlabelledPictures(Pictures):
    """Of pictures without labels, or with a single one: nothing is obeyed."""

    metrics = ("frechet", "manifold_recall", "manifold_precision")


def frechet(features: np.ndarray, weights: np.ndarray, mean: np.ndarray, root: np.ndarray, trace: float) -> float:
    """The squared Fréchet distance of the normal law of features (B, D), each counted `weights` (B,) times, to another one."""
    count = weights.sum()
    middle = weights @ features / count
    centred = (features - middle) * np.sqrt(weights)[:, None]
    covariance = centred.T @ centred / max(count - 1, 1)
    shared = np.linalg.eigvalsh(root @ covariance @ root)
    apart = float(
        ((middle - mean) ** 2).sum() + np.trace(covariance) + trace - 2 * np.sqrt(np.maximum(shared, 0)).sum()
    )
    return max(0.0, apart)


def among(asked: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Whether each of `asked` (A, D) is nearer to one of `others` (B, D) than the third neighbour of that one is: (A,) of 0 and 1."""
    place = min(NEIGHBOURS, len(others) - 1)
    radii = np.concatenate(
        [np.partition(_squares(chunk, others), place, axis=1)[:, place] for chunk in _chunks(others)]
    )
    return np.concatenate([(_squares(chunk, others) <= radii).any(axis=1) for chunk in _chunks(asked)]).astype(float)


def strip(pictures: Sequence[np.ndarray] | np.ndarray) -> str:
    """Pictures side by side, as a data: address."""
    height, _, channels = pictures[0].shape
    gap = np.full((height, GAP, channels), 255, dtype=np.uint8)
    parts = [part for picture in pictures for part in (picture, gap)][:-1]
    return "data:image/png;base64," + base64.b64encode(png_of(np.concatenate(parts, axis=1))).decode()


def _correct(scores: np.ndarray, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(B,) whether the label that was asked for is seen, and whether one was asked for."""
    labelled = (codes >= 0) & (scores.shape[1] > 0)
    said = scores.argmax(axis=1) if scores.shape[1] else codes
    return ((said == codes) & labelled).astype(float), labelled.astype(float)


def _chunks(features: np.ndarray) -> list[np.ndarray]:
    return [features[start : start + CHUNK_ROWS] for start in range(0, len(features), CHUNK_ROWS)]


def _squares(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Squared distances (A, B), in float32."""
    a, b = first.astype(np.float32), second.astype(np.float32)
    found = (a**2).sum(axis=1)[:, None] + (b**2).sum(axis=1)[None] - 2 * a @ b.T
    return np.asarray(np.maximum(found, 0))
