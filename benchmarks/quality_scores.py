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
FAILURE = "failure.txt"  # beside the answers that a fit did not give
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
        contestants[name]["loss"] = float(_told(np.mean(losses[name]), about)) if shared else float("nan")
    own, versus = _intervals(losses, units, about, ours) if losses else ({}, {})
    for name, interval in own.items():
        contestants[name]["interval"] = interval
    for place, name in enumerate(sorted(losses, key=lambda each: contestants[each]["loss"]), start=1):
        contestants[name]["rank"] = place
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
        "failures": {name: texts for name in names if (texts := _failures(cache / "answers" / about["name"] / name))},
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


def _failures(folder: Path) -> list[str]:
    """The last line of what each fit said that gave no answers."""
    paths = sorted(path for path in folder.glob(f"*/{FAILURE}") if not (path.parent / "result.json").exists())
    return [(path.read_text(encoding="utf-8").strip().splitlines() or [""])[-1][:200] for path in paths]


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


def _intervals(
    losses: dict[str, np.ndarray], units: np.ndarray | None, about: dict[str, Any], ours: str
) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    """[low, high] of every contestant, and [difference, low, high] of ours minus each other one."""
    names = list(losses)
    rows = len(losses[names[0]])
    codes = np.arange(rows) if units is None else np.unique(units, return_inverse=True)[1]
    count = int(codes.max()) + 1 if rows else 0
    if count < 2:
        return {name: [] for name in names}, {}
    weight = np.bincount(codes, minlength=count).astype(np.float64)
    sums = np.stack([np.bincount(codes, losses[name], minlength=count) for name in names], axis=1)
    if count < FEW_UNITS:
        values = _told(sums / weight[:, None], about)  # (units, contestants)
        edges = _by_t
    else:
        generator = np.random.default_rng(0)
        values = np.empty((DRAWS, len(names)))
        for at in range(DRAWS):
            drawn = np.bincount(generator.integers(0, count, count), minlength=count).astype(np.float64)
            values[at] = _told(drawn @ sums / (drawn @ weight), about)
        edges = _by_quantiles
    own = {name: edges(values[:, at]) for at, name in enumerate(names)}
    if ours not in names:
        return own, {}
    mine = names.index(ours)
    totals = values.mean(axis=0) if count < FEW_UNITS else _told(sums.sum(axis=0) / weight.sum(), about)
    versus = {
        name: [float(totals[mine] - totals[at]), *edges(values[:, mine] - values[:, at])]
        for at, name in enumerate(names)
        if at != mine
    }
    return own, versus


def _told(loss: np.ndarray, about: dict[str, Any]) -> np.ndarray:
    """Losses as they are told: the root of squared errors."""
    return np.sqrt(loss) if about["levels"] is None else loss


def _by_quantiles(values: np.ndarray) -> list[float]:
    return [float(edge) for edge in np.quantile(values, [0.025, 0.975])]


def _by_t(values: np.ndarray) -> list[float]:
    centre, half = float(values.mean()), _t(len(values) - 1) * float(values.std(ddof=1)) / len(values) ** 0.5
    return [centre - half, centre + half]


def _t(freedom: int) -> float:
    """The 97.5 % point of Student's t; between the kept ones the next smaller, which is wider."""
    return T_95[max(each for each in T_95 if each <= freedom)]
