"""From the answers of all contestants on one set to its figures: losses, AUC, accuracy, ranks, and paired differences.

The loss that ranks is the log loss for classes in tables, the root mean squared error for numbers, and the share of wrong answers
for recordings and pictures. Intervals of 95 %: bootstrap over test rows, over people where a set names them; with fewer than
`FEW_UNITS` people a t-interval over their means.
"""

from __future__ import annotations

import json
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np

DRAWS = 2000
FEW_UNITS = 20
SMALLEST = 1e-6  # probabilities are kept away from 0 and 1 by this much
T_95 = {
    1: 12.71,
    2: 4.303,
    3: 3.182,
    4: 2.776,
    5: 2.571,
    6: 2.447,
    7: 2.365,
    8: 2.306,
    9: 2.262,
    10: 2.228,
    14: 2.145,
    19: 2.093,
}


def score_set(about: dict[str, Any], cache: Path, names: list[str], ours: str) -> dict[str, Any]:
    """The figures of one set from the folds that every present contestant has answered."""
    read = {name: _read(cache / "answers" / about["name"] / name, len(about["folds"])) for name in names}
    present = {name: folds for name, folds in read.items() if folds}
    shared = sorted(set.intersection(*(set(folds) for folds in present.values()))) if present else []
    positions = np.concatenate(
        [np.array(about["folds"][fold], dtype=np.int64) for fold in shared] or [np.zeros(0, int)]
    )
    truth = np.array(about["truth"])[positions]
    units = None if about["units"] is None else np.array(about["units"])[positions]
    losses, contestants = {}, {}
    for name, folds in present.items():
        scores = np.concatenate([folds[fold][0] for fold in shared]) if shared else np.zeros(0)
        losses[name] = row_losses(scores, truth, about)
        contestants[name] = _described([folds[fold][1] for fold in sorted(folds)], scores, truth, about)
        contestants[name]["loss"] = _value(_mean(losses[name]), about)
        contestants[name]["interval"] = _interval(losses[name], None, units, about)
    for place, name in enumerate(sorted(losses, key=lambda each: contestants[each]["loss"]), start=1):
        contestants[name]["rank"] = place
    versus = {
        name: _interval(losses[ours], losses[name], units, about) for name in losses if ours in losses and name != ours
    }
    loss = "log loss" if _ranks_by_log_loss(about) else "RMSE" if about["levels"] is None else "share wrong"
    return {
        "family": about["family"],
        "loss": loss,
        "rows": len(about["truth"]),
        "judged": len(positions),
        "folds": len(shared),
        "units": None if units is None else len(np.unique(units)),
        "contestants": contestants,
        "ours_minus": versus,
    }


def row_losses(scores: np.ndarray, truth: np.ndarray, about: dict[str, Any]) -> np.ndarray:
    """The loss of every row (B,): minus log likelihood, squared error, or 1 where the answer is wrong."""
    if about["levels"] is None:
        return np.asarray((scores.reshape(-1) - truth) ** 2)
    if not _ranks_by_log_loss(about):
        return np.asarray(scores.argmax(axis=1) != truth, dtype=np.float64)
    clipped = np.clip(scores, SMALLEST, 1)
    clipped /= clipped.sum(axis=1, keepdims=True)
    return np.asarray(-np.log(clipped[np.arange(len(truth)), truth]))


def auc(scores: np.ndarray, truth: np.ndarray) -> float | None:
    """Of two classes, or the mean of each class against the rest; scores (B, K)."""
    classes = [1] if scores.shape[1] == 2 else range(scores.shape[1])
    areas = []
    for code in classes:
        positive = truth == code
        if 0 < positive.sum() < len(truth):
            ranks = _mid_ranks(scores[:, code])
            above = ranks[positive].sum() - positive.sum() * (positive.sum() + 1) / 2
            areas.append(above / (positive.sum() * (~positive).sum()))
    return float(mean(areas)) if areas else None


def _mid_ranks(values: np.ndarray) -> np.ndarray:
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    return np.asarray((np.cumsum(counts) - (counts - 1) / 2)[inverse])


def _read(folder: Path, folds: int) -> dict[int, tuple[np.ndarray, dict[str, Any]]]:
    found = {}
    for fold in range(folds):
        path = folder / str(fold)
        if (path / "result.json").exists():
            found[fold] = (np.load(path / "scores.npy"), json.loads((path / "result.json").read_bytes()))
    return found


def _described(
    results: list[dict[str, Any]], scores: np.ndarray, truth: np.ndarray, about: dict[str, Any]
) -> dict[str, Any]:
    """Means over folds of what a fit costs, and the metrics beside the loss, over all folds together."""
    described: dict[str, Any] = {
        name: float(mean(result[name] for result in results))
        for name in ("fit_s", "processor_s", "size_bytes", "one_row_ms")
    }
    described |= {
        "budget_s": results[0]["budget_s"],
        "threads": results[0]["threads"],
        "versions": results[0]["versions"],
    }
    described["won"] = [_won(result["details"]) for result in results]
    if about["levels"] is not None and len(scores):
        described["accuracy"] = float(np.mean(scores.argmax(axis=1) == truth))
        described["auc"] = auc(scores, truth) if results[0]["probabilities"] else None
    return described


def _won(details: dict[str, Any]) -> str:
    won = details.get("won") or (details.get("learner") or {}).get("name") or ""
    return str(won)


def _ranks_by_log_loss(about: dict[str, Any]) -> bool:
    return about["levels"] is not None and about["family"] == "tables"


def _mean(losses: np.ndarray) -> float:
    return float(np.mean(losses)) if len(losses) else float("nan")


def _value(loss: float, about: dict[str, Any]) -> float:
    """The loss as it is told: the root of squared errors."""
    return float(np.sqrt(loss)) if about["levels"] is None else float(loss)


def _interval(
    mine: np.ndarray, other: np.ndarray | None, units: np.ndarray | None, about: dict[str, Any]
) -> list[float]:
    """[difference, low, high] of two contestants, or [low, high] of one."""
    codes = np.arange(len(mine)) if units is None else np.unique(units, return_inverse=True)[1]
    count = int(codes.max()) + 1 if len(codes) else 0
    if count < 2:
        return []
    weight = np.bincount(codes, minlength=count).astype(np.float64)
    sums = [np.bincount(codes, each, minlength=count) for each in (mine, other) if each is not None]
    if count < FEW_UNITS:
        told = [np.sqrt(each / weight) if about["levels"] is None else each / weight for each in sums]
        means = told[0] - (told[1] if other is not None else 0.0)
        centre, half = float(means.mean()), _t(count - 1) * float(means.std(ddof=1)) / count**0.5
        return [centre - half, centre + half] if other is None else [centre, centre - half, centre + half]
    generator = np.random.default_rng(0)
    draws = np.empty(DRAWS)
    for at in range(DRAWS):
        drawn = np.bincount(generator.integers(0, count, count), minlength=count)
        total = drawn @ weight
        values = [_value(float(drawn @ each) / total, about) for each in sums]
        draws[at] = values[0] - (values[1] if other is not None else 0.0)
    low, high = (float(edge) for edge in np.quantile(draws, [0.025, 0.975]))
    if other is None:
        return [low, high]
    return [_value(float(mine.mean()), about) - _value(float(other.mean()), about), low, high]


def _t(freedom: int) -> float:
    """The 97.5 % point of Student's t; between the kept ones the next smaller, which is wider."""
    return T_95[max(each for each in T_95 if each <= freedom)]
