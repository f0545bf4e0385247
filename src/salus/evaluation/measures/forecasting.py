"""How good forecasts are: squared and absolute errors, in deviations of train and as they are, beside repeating the last season, and
whether the stated quantiles hold.

Knows forecasts (`tasks/forecasting`), whose states say what errors are scaled by. Neighbouring origins share most of their future, so
intervals must be taken over blocks of them: the view on the data makes every block a group.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from salus.evaluation.measures.base import Measure
from salus.tasks.forecasting import LEVELS, times_of

CHUNK_ROWS = 256
PLAIN = 7  # sums before those of single channels
SHOWN_ROWS = 3
SHOWN_CHANNELS = 4
SHOWN_PAST = 3  # times the horizon, of the history that is drawn
MOST_POINTS = 480
STATED = (0, len(LEVELS) - 1)  # the quantiles 0.1 and 0.9, between which 80 % should lie


class Forecasts(Measure):
    """scaled_mse, scaled_mae: in deviations of each channel over the steps that were learned from. mase: absolute errors over those of
    repeating the last season there (Hyndman and Koehler 2006). quantile_loss: twice the pinball loss over the absolute values, the
    mean of nine quantiles, every channel weighing alike. coverage_80: how often the truth lies between the quantiles 0.1 and 0.9."""

    metrics = ("scaled_mse", "scaled_mae", "mase", "quantile_loss", "coverage_80", "rmse", "mae")

    def tally(self, answers: np.ndarray, target: np.ndarray, states: Sequence[Mapping[str, Any]]) -> np.ndarray:
        parts = [np.zeros((0, PLAIN + 2 * len(states[0]["names"])))]
        for said, truth in _chunks(answers, target):
            parts.append(_tally(said, truth, states[0]))
        return np.concatenate(parts)

    def figure(self, name: str, sums: np.ndarray) -> np.ndarray:
        rows = sums[..., 0]
        if name == "quantile_loss":
            channels = (sums.shape[-1] - PLAIN) // 2
            pinball, size = sums[..., PLAIN : PLAIN + channels], sums[..., PLAIN + channels :]
            return np.asarray((pinball / np.maximum(size, 1e-12)).mean(axis=-1))
        place = {"scaled_mse": 1, "scaled_mae": 2, "mase": 3, "coverage_80": 4, "rmse": 5, "mae": 6}[name]
        found = np.asarray(sums[..., place] / rows)
        return np.sqrt(found) if name == "rmse" else found

    def facts(self, answers: np.ndarray, target: np.ndarray, states: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """Errors by step ahead and by channel, in deviations of train, and how often the truth lies below each stated quantile."""
        state, count = states[0], len(answers)
        deviation, scale = np.asarray(state["deviation"]), np.asarray(state["scale"])
        horizon, channels = int(state["horizon"]), len(state["names"])
        square, below = np.zeros((horizon, channels)), np.zeros(len(LEVELS))
        covered, size = np.zeros((horizon, channels)), np.zeros((horizon, channels))
        for said, truth in _chunks(answers, target):
            apart = truth - said[..., 0]
            square += ((apart / deviation) ** 2).sum(axis=0)
            size += np.abs(apart).sum(axis=0)
            below += (truth[..., None] <= said[..., 1:]).mean(axis=(1, 2)).sum(axis=0)
            covered += _covered(said, truth).sum(axis=0)
        square, size, covered = square / count, size / count, covered / count
        return {
            "season": state["season"],
            "step_s": state.get("step_s"),
            "months": state.get("months"),
            "by_step": {
                "scaled_mse": np.round(square.mean(axis=1), 6).tolist(),
                "coverage_80": np.round(covered.mean(axis=1), 4).tolist(),
            },
            "by_channel": [
                {
                    "name": name,
                    "scaled_mse": float(square[:, place].mean()),
                    "mae": float(size[:, place].mean()),
                    "mase": float(size[:, place].mean() / scale[place]),
                    "coverage_80": float(covered[:, place].mean()),
                }
                for place, name in enumerate(state["names"])
            ],
            "below": [[level, round(float(share), 4)] for level, share in zip(LEVELS, below / count, strict=True)],
        }

    def shown(
        self,
        answers: np.ndarray,
        target: np.ndarray,
        values: Mapping[str, Any],
        states: Sequence[Mapping[str, Any]],
    ) -> dict[str, Any]:
        """A forecast that is as good as most, a good one and a poor one, of the first channels."""
        names = list(states[0]["names"])
        losses = np.concatenate([_tally(said, truth, states[0])[:, 1] for said, truth in _chunks(answers, target)])
        order = np.argsort(losses, kind="stable")
        rows = [int(order[round(share * (len(order) - 1))]) for share in (0.5, 0.1, 0.9)]
        items = []
        for row in dict.fromkeys(rows[:SHOWN_ROWS]):
            for place, name in enumerate(names[:SHOWN_CHANNELS]):
                answer, truth = answers[row], np.asarray(target[row])[:, place]
                past = values[name][row]
                kept = min(SHOWN_PAST * len(truth), MOST_POINTS)
                past = np.zeros(0) if past is None else np.asarray(past[-kept:], dtype=np.float64)
                times = times_of(answer)
                items.append(
                    {
                        "channel": name,
                        "row": row,
                        "loss": round(float(losses[row]), 5),
                        "past": _plain(past),
                        "truth": _plain(truth[:MOST_POINTS]),
                        "mean": _plain(answer.values[:MOST_POINTS, place, 0]),
                        "bands": [
                            [_plain(answer.values[:MOST_POINTS, place, 1 + low]) for low in ends]
                            for ends in (STATED, (2, 6))
                        ],
                        "from": times[0] if times else None,
                    }
                )
        return {"kind": "traces", "items": items}


def _chunks(answers: np.ndarray, target: np.ndarray) -> Any:
    """(said (B, H, C, 1 + Q), truth (B, H, C)) as float64, some rows at a time."""
    for start in range(0, len(answers), CHUNK_ROWS):
        some = answers[start : start + CHUNK_ROWS]
        said = np.stack([answer.values for answer in some]).astype(np.float64)
        yield said, np.stack(list(target[start : start + CHUNK_ROWS])).astype(np.float64)


def _tally(said: np.ndarray, truth: np.ndarray, state: Mapping[str, Any]) -> np.ndarray:
    apart = truth - said[..., 0]
    deviation, scale = np.asarray(state["deviation"]), np.asarray(state["scale"])
    beyond = truth[..., None] - said[..., 1:]
    levels = np.asarray(LEVELS)
    pinball = 2 * np.maximum(levels * beyond, (levels - 1) * beyond).mean(axis=3).sum(axis=1)
    each = (
        (apart / deviation) ** 2,
        np.abs(apart / deviation),
        np.abs(apart / scale),
        _covered(said, truth),
        apart**2,
        np.abs(apart),
    )
    means = [part.mean(axis=(1, 2)) for part in each]
    plain = np.stack([np.ones(len(said)), *means], axis=1)
    return np.concatenate([plain, pinball, np.abs(truth).sum(axis=1)], axis=1)


def _covered(said: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """1.0 where the truth lies between the outermost quantiles (B, H, C)."""
    low, high = said[..., 1 + STATED[0]], said[..., 1 + STATED[1]]
    return ((truth >= low) & (truth <= high)).astype(np.float64)


def _plain(values: np.ndarray) -> list[float | None]:
    return [float(f"{value:.6g}") if np.isfinite(value) else None for value in np.asarray(values, dtype=np.float64)]
