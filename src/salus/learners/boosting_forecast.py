"""Boosted trees on lags: what the closed-form forecast misses, learned from the newest values, those of the same place in earlier seasons,
the place in day and week of the step that is forecast, what is known of that step beforehand, and what the other channels last said.

A row of the trees is one step ahead of one channel. Everything that is compared with a threshold is made by single float32 operations in
one order, the same in numpy and in the graph, so that no rounding sends a row another way. Knows LightGBM; the trees become nodes
in `trees`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from salus.core.context import Context
from salus.data.kinds.stamp import STAMP_PARTS
from salus.learners.base import LearnerConfig, Part, Prepared, Proposal, searched
from salus.learners.forecasts import ForecastLearner, Mean, Scales, told_in
from salus.learners.graphs import GraphBuilder
from salus.learners.linear_forecast import LinearForecast, Weights
from salus.learners.options import config_from
from salus.learners.trees import ensemble_nodes, parse_trees

CHUNK_ROWS = 64
NEWEST = (1, 2, 3, 6)  # steps back
SEASONS = 4  # earlier seasons whose value at the same place is seen
MOST_OTHERS = 16  # channels whose newest value is seen
WAVES = (("day_sine", "day_cosine", 86400.0), ("week_sine", "week_cosine", 604800.0))
HELD_CELLS = 60_000  # steps of channels by which it is known when to end
CELLS_A_SECOND = 8e5  # steps of channels that a tree of 31 leaves is grown from, on one thread


class BoostingForecastConfig(LearnerConfig):
    trees: int = Field(200, ge=1, le=2000, description="most trees")
    leaves: int = searched(15, 4, 63, ge=2, le=255, description="of a tree")
    learning_rate: float = searched(0.05, 0.01, 0.2, log=True, gt=0, le=1, description="share of a tree that is taken")
    min_leaf_rows: int = searched(200, 20, 1000, log=True, ge=1, description="fewest steps of channels in a leaf")
    most_cells: int = Field(
        300_000, ge=100, description="steps of channels that are learned from; more are left out by chance"
    )
    patience_trees: int = Field(20, ge=1, description="trees without a smaller error on rows held out that end it")


@dataclass(frozen=True)
class Lags:
    """Which numbers a row of the trees is made of. same: int64 (H, S), places in the history of the same place in earlier seasons.
    turns: float32 (waves, 2, H), cosine and sine of how far each wave turns until a step ahead."""

    scales: Scales
    newest: tuple[int, ...]
    same: np.ndarray
    turns: np.ndarray

    @classmethod
    def of(cls, scales: Scales, step_s: float) -> Lags:
        steps, ahead, season = scales.steps, np.arange(scales.horizon), scales.season
        newest = tuple(back for back in NEWEST if back <= steps)
        first = ahead - season * (ahead // season + 1)  # of the newest season, from the end of the history
        same = np.stack([first - season * earlier for earlier in range(SEASONS)], axis=1) + steps
        known = (same >= 0).all(axis=0) if season > 1 else np.zeros(SEASONS, dtype=bool)
        waves = WAVES if "stamp" in scales.told and step_s > 0 else ()
        angles = [2 * np.pi * (ahead + 1) * step_s / period_s for _, _, period_s in waves]
        turns = np.array([[np.cos(angle), np.sin(angle)] for angle in angles], dtype=np.float32)
        return cls(scales, newest, same[:, known], turns.reshape(len(waves), 2, scales.horizon))

    @property
    def others(self) -> int:
        count = len(self.scales.mean)
        return count if 1 < count <= MOST_OTHERS else 0

    @property
    def known(self) -> int:
        """Columns of which the steps ahead are known."""
        return self.scales.told.get("ahead", (0,))[0]

    @property
    def width(self) -> int:
        return 2 + len(self.newest) + int(self.same.shape[1]) + 2 * len(self.turns) + self.others + self.known

    def table(self, x_BCT: np.ndarray, told: Mapping[str, np.ndarray]) -> np.ndarray:
        """Float32 (B, K, H, F)."""
        rows, count, ahead = len(x_BCT), self.scales.targets, self.scales.horizon
        newest_BC = x_BCT[:, :, -1]
        x_BKT = x_BCT[:, :count] - newest_BC[:, :count, None]
        found = np.zeros((rows, count, ahead, self.width), dtype=np.float32)
        found[..., 0] = np.arange(ahead, dtype=np.float32)
        found[..., 1] = np.arange(count, dtype=np.float32)[:, None]
        place = 2
        for back in self.newest:
            # The newest value itself, then what came before it less it.
            found[..., place] = (newest_BC[:, :count] if back == 1 else x_BKT[:, :, -back])[:, :, None]
            place += 1
        found[..., place : place + self.same.shape[1]] = x_BKT[:, :, self.same]
        place += self.same.shape[1]
        for (sine, cosine, _), turn in zip(WAVES, self.turns, strict=False):
            up, over = (told["stamp"][:, STAMP_PARTS.index(name)][:, None] for name in (sine, cosine))
            found[..., place] = (up * turn[0] + over * turn[1])[:, None]
            found[..., place + 1] = (over * turn[0] - up * turn[1])[:, None]
            place += 2
        if self.others:
            found[..., place : place + self.others] = newest_BC[:, None, None, :]
            place += self.others
        if self.known:
            found[..., place:] = told["ahead"].transpose(0, 2, 1)[:, None]
        return found

    def nodes(self, builder: GraphBuilder, x: str, told: Mapping[str, str]) -> str:
        """The same as a value (B * K * H, F)."""
        scales, count, ahead = self.scales, self.scales.targets, self.scales.horizon
        last = builder.constant([scales.steps - 1], np.int64)
        newest = builder.node("Gather", x, last, axis=2)  # (B, C, 1)
        of_targets = builder.node("Gather", x, builder.constant(np.arange(count), np.int64), axis=1)
        newest_targets = builder.node("Gather", newest, builder.constant(np.arange(count), np.int64), axis=1)
        less = builder.node("Sub", of_targets, newest_targets)
        nothing = builder.node(
            "Mul",
            builder.node("Unsqueeze", newest_targets, builder.constant([3], np.int64)),
            builder.constant(np.zeros((1, 1, ahead, 1))),
        )  # (B, K, H, 1)
        first = np.zeros((1, count, ahead, 2), dtype=np.float32)
        first[..., 0], first[0, :, :, 1] = np.arange(ahead), np.arange(count)[:, None]
        parts = [builder.node("Add", nothing, builder.constant(first))]
        for back in self.newest:
            place = builder.constant([scales.steps - back], np.int64)
            value = newest_targets if back == 1 else builder.node("Gather", less, place, axis=2)
            parts.append(
                builder.node("Add", nothing, builder.node("Unsqueeze", value, builder.constant([3], np.int64)))
            )
        if self.same.shape[1]:
            parts.append(builder.node("Gather", less, builder.constant(self.same, np.int64), axis=2))
        parts += self._wave_nodes(builder, told, nothing)
        if self.others:
            every = builder.node("Reshape", newest, builder.constant([0, 1, 1, self.others], np.int64))
            parts.append(builder.node("Add", nothing, every))
        if self.known:
            by_step = builder.node("Transpose", told["ahead"], perm=[0, 2, 1])
            parts.append(
                builder.node("Add", nothing, builder.node("Unsqueeze", by_step, builder.constant([1], np.int64)))
            )
        table = builder.node("Concat", *parts, axis=3)
        return builder.node("Reshape", table, builder.constant([-1, self.width], np.int64))

    def _wave_nodes(self, builder: GraphBuilder, told: Mapping[str, str], nothing: str) -> list[str]:
        found = []
        shape = builder.constant([-1, 1, self.scales.horizon, 1], np.int64)
        for (sine, cosine, _), turn in zip(WAVES, self.turns, strict=False):
            up, over = (
                builder.node("Gather", told["stamp"], builder.constant([STAMP_PARTS.index(name)], np.int64), axis=1)
                for name in (sine, cosine)
            )
            along, across = builder.constant(turn[0]), builder.constant(turn[1])
            pairs = (("Add", up, over), ("Sub", over, up))
            for operator, main, other in pairs:
                turned = builder.node(operator, builder.node("Mul", main, along), builder.node("Mul", other, across))
                found.append(builder.node("Add", nothing, builder.node("Reshape", turned, shape)))
        return found


class Boosted(Mean):
    """Linear weights, and trees for what they miss."""

    def __init__(self, linear: Weights, booster: Any, lags: Lags) -> None:
        self._linear, self._booster, self._lags = linear, booster, lags

    def said(self, x_BCT: np.ndarray, told: Mapping[str, np.ndarray]) -> np.ndarray:
        linear = self._linear.said(x_BCT, told)
        if self._booster is None or not len(x_BCT):
            return linear
        parts = []
        for start in range(0, len(x_BCT), CHUNK_ROWS):
            some = slice(start, start + CHUNK_ROWS)
            table = self._lags.table(x_BCT[some], told_in(told, some))
            said = self._booster.predict(table.reshape(-1, self._lags.width), num_threads=1)
            parts.append(said.reshape(table.shape[:3]))
        return np.asarray(linear + np.concatenate(parts))

    def nodes(self, builder: GraphBuilder, x: str, told: Mapping[str, str]) -> str:
        linear = self._linear.nodes(builder, x, told)
        if self._booster is None:
            return linear
        trees = [(tree, 0) for tree in parse_trees(self._booster.model_to_string())]
        said = ensemble_nodes(builder, self._lags.nodes(builder, x, told), trees, 1)
        scales = self._lags.scales
        shape = builder.constant([-1, scales.targets, scales.horizon], np.int64)
        return builder.node("Add", linear, builder.node("Reshape", said, shape))


class BoostingForecast(ForecastLearner):
    name: ClassVar[str] = "boosting_forecast"
    Config: ClassVar[type[LearnerConfig]] = BoostingForecastConfig
    config: BoostingForecastConfig

    @classmethod
    def propose(cls, prepared: Prepared, options: Mapping[str, Any], budget_s: float, context: Context) -> Proposal:
        config = config_from(BoostingForecastConfig, options, cls.name)
        scales = Scales.of(prepared.schema)
        linear_s = LinearForecast.propose(prepared, {}, budget_s, context).expected_s
        cells = min(config.most_cells, len(prepared.train) * scales.targets * scales.horizon)
        tree_s = cells / CELLS_A_SECOND / 8 + 0.002
        trees = max(10, min(config.trees, int((0.8 * budget_s - linear_s) / tree_s)))
        if "trees" not in options:
            config = config.model_copy(update={"trees": trees})
        return Proposal(config.model_dump(mode="json"), round(linear_s + config.trees * tree_s + 1, 3))

    def teach(self, prepared: Prepared, scales: Scales, context: Context) -> tuple[Mean, dict[str, Any]]:
        linear, _ = LinearForecast(LinearForecast.Config()).teach(prepared, scales, context)
        assert isinstance(linear, Weights)
        future = prepared.schema.targets[0]
        lags = Lags.of(scales, float((future.options | (future.state or {})).get("step_s") or 0.0))
        generator = np.random.default_rng([prepared.seed, 7])
        train = _cells(prepared.train, lags, linear, self.config.most_cells, generator, context)
        held = _cells(prepared.validation, lags, linear, HELD_CELLS, generator, context)
        booster, trees, losses = self._grown(train, held, prepared, context)
        return Boosted(linear, booster, lags), {"trees": trees, "columns": lags.width, **losses}

    def _grown(
        self,
        train: tuple[np.ndarray, np.ndarray],
        held: tuple[np.ndarray, np.ndarray],
        prepared: Prepared,
        context: Context,
    ) -> tuple[Any, int, dict[str, float]]:
        """The trees as they are exported (None where they make nothing better), their number, and losses without and with them."""
        import lightgbm

        config = self.config
        data = lightgbm.Dataset(*train, free_raw_data=False)
        checks = [lightgbm.Dataset(*held, reference=data, free_raw_data=False)] if len(held[1]) else []
        before = float(np.mean(held[1] ** 2)) if checks else float("inf")
        best: dict[str, float] = {"loss": before, "tree": 0 if checks else config.trees}

        def watch(state: Any) -> None:
            context.stop_if_asked("growing trees")
            if checks and float(state.evaluation_result_list[0][2]) < best["loss"]:
                best.update(loss=float(state.evaluation_result_list[0][2]), tree=state.iteration + 1)

        stopping = [lightgbm.early_stopping(config.patience_trees, verbose=False)] if checks else []
        parameters = {
            "objective": "regression",
            "boost_from_average": False,
            "metric": "l2",
            "num_leaves": config.leaves,
            "min_data_in_leaf": max(1, min(config.min_leaf_rows, len(train[1]) // 8)),
            "learning_rate": config.learning_rate,
            "feature_fraction": 0.7,
            "lambda_l2": 10.0,
            "seed": prepared.seed,
            "deterministic": True,
            "force_row_wise": True,
            "num_threads": 1,  # so few cells: on a busy machine two threads wait for each other five times as long
            "verbosity": -1,
        }
        booster = lightgbm.train(parameters, data, config.trees, valid_sets=checks, callbacks=[watch, *stopping])
        if not best["tree"]:
            return None, 0, {"loss_before": round(before, 6)}
        # Written and read again with the best trees only, so that what answers is what is exported.
        again = lightgbm.Booster(model_str=booster.model_to_string(num_iteration=int(best["tree"])))
        losses = {"loss_before": round(before, 6), "loss": round(best["loss"], 6)} if checks else {}
        return again, int(best["tree"]), losses


def _cells(
    part: Part, lags: Lags, linear: Weights, most: int, generator: np.random.Generator, context: Context
) -> tuple[np.ndarray, np.ndarray]:
    """Rows of the trees (N, F), float32, and what the linear forecast misses there (N,), drawn evenly by chance from a part."""
    scales = lags.scales
    share = min(1.0, most / max(1, len(part) * scales.targets * scales.horizon))
    tables, missed = [np.zeros((0, lags.width), dtype=np.float32)], [np.zeros(0, dtype=np.float32)]
    for start in range(0, len(part), CHUNK_ROWS):
        context.stop_if_asked("making lags")
        some = slice(start, start + CHUNK_ROWS)
        x_BCT = scales.standard(part.feeds["history"][some])
        told = told_in(part.feeds, some)
        apart = scales.standard_target(part.target[some]) - linear.said(x_BCT, told)
        drawn = generator.random(apart.shape) < share
        tables.append(lags.table(x_BCT, told)[drawn])
        missed.append(apart[drawn])
    return np.concatenate(tables), np.concatenate(missed)
