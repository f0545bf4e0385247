"""Fine-tuning from a folder that a person named: first a linear head over what the model makes of every row, then all of it.

The head is the fast first stage: every row goes through the model once and the head is solved for (ridge, logistic regression).
Where the budget has room for it, all weights are then taught further from there, at a low rate, and kept only if rows held out are
answered better (Howard and Ruder 2018; Kumar et al. 2022 show why the head should come first). Knows torch. How a folder is opened
stands in `start_folder`.
"""

from __future__ import annotations

import json
import time
from abc import abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from pydantic import Field

from salus.core.context import Context
from salus.core.durable import write_file
from salus.core.errors import SalusError
from salus.learners.base import Fitted, Learner, LearnerConfig, Prepared, Proposal, searched
from salus.learners.deep import DeepConfig, Goal, Lecture, course_of, measured_step_s, refit_of, taught, told
from salus.learners.folds import held_out, loss_of
from salus.learners.graphs import cleaned
from salus.learners.linear import Solver
from salus.learners.networks.started import Seen, Started, StartedPictures, StartedTexts, backbone_of
from salus.learners.options import config_from
from salus.learners.pictures import pixels_of
from salus.learners.start_folder import Start, start_named
from salus.learners.torch_export import exported
from salus.tasks.base import Task
from salus.training.batches import Batches, step_generator
from salus.training.loop import Course, threads

CHUNK_ROWS = 32
SEEN = "seen"  # the output of the backbone's own graph
PENALTIES = (1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0)
ITERATIONS = 200
MEASURED_SHARE, MEASURED_S = 0.05, 4.0
HEAD_SHARE = 1.15  # times the seconds of seeing all rows: solving for the head too
RESERVED_SHARE = 0.2  # of the budget: looking at rows held out, and writing the graph
FEWEST_EPOCHS = 0.3  # fewer teach less than they cost


class StartedConfig(DeepConfig):
    start: str = Field("", max_length=200, description="the folder to start from, as --from opened it")
    tuned: bool = Field(True, description="whether all weights learn after the head, and not the head alone")
    epochs: float = searched(
        3.0, 1.0, 8.0, log=True, gt=0, le=100, description="how often every row is seen, where the budget allows"
    )
    length: int = Field(128, ge=4, le=512, description="pieces of a text that are read")
    batch_rows: int = Field(16, ge=2, le=8192, description="rows a step")
    optimiser: Literal["sgd", "adam"] = Field("adam", description="sgd with Nesterov momentum 0.9, or adam")
    learning_rate: float = searched(
        5e-5, 1e-5, 3e-4, log=True, gt=0, le=10, description="the highest rate of the schedule"
    )
    weight_decay: float = Field(1e-2, ge=0, le=1, description="how much weights shrink, times the rate, a step")
    label_smoothing: float = Field(0.0, ge=0, lt=1, description="share of a label that is given to all classes")
    clip_norm: float = Field(1.0, ge=0, description="longest gradient, longer ones are shortened; 0: any")
    ema: float = Field(0.0, ge=0, lt=1, description="memory of the running average of weights; 0: none")


class StartedFitted(Fitted):
    """backbone: names the weights below the head where these are still those that were started from."""

    def __init__(
        self, network: Started, feed: str, sample: np.ndarray, goal: Goal, count: int, backbone: str | None
    ) -> None:
        self._network, self._feed, self._sample, self._goal, self._threads = network, feed, sample, goal, count
        self._backbone = backbone

    def raw(self, feeds: Mapping[str, np.ndarray]) -> np.ndarray:
        with threads(self._threads):
            return _asked(self._network, feeds[self._feed], self._network, self._goal.classes)

    def export(self, path: Path) -> None:
        output = "scores" if self._goal.classification else "values"
        rows = {self._feed: torch.from_numpy(np.repeat(self._sample, 3, axis=0))}
        with torch.no_grad():
            if self._backbone is None:
                write_file(path, exported(self._network, rows, output))
                return
            key = (self._backbone, self._sample.shape)
            if key not in _graphs:
                _graphs.clear()
                _graphs[key] = exported(Seen(self._network), rows, SEEN)
            write_file(path, with_head(_graphs[key], self._network, output))


_graphs: dict[
    tuple[str, tuple[int, ...]], bytes
] = {}  # of the backbone that is started from: folds differ in their heads


def with_head(graph: bytes, network: Started, output: str) -> bytes:
    """The graph of a backbone with the head behind it."""
    import onnx
    from onnx import helper, numpy_helper

    model = onnx.load_from_string(graph)
    scale = network.scale.numpy()
    weights = (network.head.weight.detach().numpy() * scale[:, None]).T
    shift = network.head.bias.detach().numpy() * scale + network.shift.numpy()
    for name, value in (("head_weights", weights), ("head_shift", shift)):
        model.graph.initializer.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
    model.graph.node.append(helper.make_node("MatMul", [SEEN, "head_weights"], ["head_product"], name="head_product"))
    model.graph.node.append(helper.make_node("Add", ["head_product", "head_shift"], [output], name="head_sum"))
    del model.graph.output[:]
    model.graph.output.append(helper.make_tensor_value_info(output, onnx.TensorProto.FLOAT, ("rows", len(shift))))
    return cleaned(model)


class StartedLearner(Learner):
    """A learner says of which kind its inputs are and how its network is made."""

    Config: ClassVar[type[LearnerConfig]] = StartedConfig
    config: StartedConfig
    KIND: ClassVar[str]
    FEED: ClassVar[str]

    @abstractmethod
    def network(self, start: Start, prepared: Prepared, outputs: int) -> Started:
        """The network with a head of zeros."""

    @classmethod
    def learns(cls, task: Task, kinds: frozenset[str]) -> bool:
        return task.plain and kinds == {cls.KIND}

    @classmethod
    def propose(cls, prepared: Prepared, options: Mapping[str, Any], budget_s: float, context: Context) -> Proposal:
        config = config_from(StartedConfig, options, cls.name)
        learner, rows = cls(config), len(prepared.train) + len(prepared.validation)
        network = learner._made(prepared)
        sample = prepared.train.feeds[cls.FEED][:CHUNK_ROWS]
        limit_s = min(MEASURED_S, MEASURED_SHARE * budget_s)
        with threads(prepared.threads):
            seconds = []
            for _ in range(2):
                began = time.monotonic()
                _asked(network, sample, network.seen, network.width)
                seconds.append(time.monotonic() - began)
            seeing_s = HEAD_SHARE * rows * min(seconds) / len(sample)
        course = learner._course(network, prepared, config.steps or 1)
        step_s = measured_step_s(lambda: course, prepared.threads, limit_s, context)
        epoch = Batches(len(prepared.train), config.batch_rows, prepared.seed).steps_per_epoch
        left_s = budget_s * (1 - RESERVED_SHARE) - seeing_s - limit_s
        room = max(0, int(left_s / step_s))
        steps = config.steps or min(max(1, round(config.epochs * epoch)), room)
        if config.steps is None and steps < FEWEST_EPOCHS * epoch:
            config = config.model_copy(update={"tuned": False})
        config = config.model_copy(update={"steps": steps or None})
        expected_s = seeing_s + (steps * step_s if config.tuned else 0.0)
        notes = {"seeing_s": round(seeing_s, 2), "step_ms": round(step_s * 1000, 1), "epochs": round(steps / epoch, 2)}
        return Proposal(config.model_dump(mode="json"), round(expected_s / (1 - RESERVED_SHARE), 3), notes)

    def fit(self, prepared: Prepared, context: Context) -> Fitted:
        if prepared.classification and len(np.unique(prepared.train.target)) < 2:
            raise SalusError("learner_one_class", where=f"the learner {self.name}", found=1)
        start, goal = start_named(self.config.start), Goal.of(prepared)
        network = self._made(prepared)
        with threads(prepared.threads):
            penalty, alone = self._head(network, prepared, goal, context)
        details: dict[str, Any] = {"start": start.told, "penalty": penalty, "tuned": False}
        if alone is not None:
            details["head_loss"] = round(alone, 6)
        refit: dict[str, Any] = {"tuned": False}
        if self.config.tuned:
            network, more, refit = self._tuned(network, prepared, alone, context)
            details |= more
        network.requires_grad_(False)
        if not goal.classification:
            network.scale.copy_(torch.from_numpy(goal.deviation))
            network.shift.copy_(torch.from_numpy(goal.mean))
        feed = prepared.train.feeds[self.FEED]
        backbone = None if details["tuned"] else start.name
        fitted = StartedFitted(network.eval(), self.FEED, feed[:1], goal, prepared.threads, backbone)
        fitted.details, fitted.refit = details, refit
        return fitted

    def _made(self, prepared: Prepared) -> Started:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(prepared.seed)
            return self.network(start_named(self.config.start), prepared, prepared.classes)

    def _head(self, network: Started, prepared: Prepared, goal: Goal, context: Context) -> tuple[float, float | None]:
        """Solves for the head; the penalty that did best on rows held out (of train, in turn, where there are no others), and how well."""
        seen = _asked(network, prepared.train.feeds[self.FEED], network.seen, network.width, context)
        held = _asked(network, prepared.validation.feeds[self.FEED], network.seen, network.width, context)
        wanted = goal.values(prepared.train.target).numpy()
        if len(held):
            sides = [(seen, wanted, held, goal.values(prepared.validation.target).numpy())]
        else:
            pairs = held_out(prepared.train, prepared.classification, prepared.seed)
            sides = [(seen[a], wanted[a], seen[b], wanted[b]) for a, b in pairs]
        losses = dict.fromkeys(PENALTIES, 0.0)
        for features, truth, asked, target in sides:
            solver = Solver.of("l2", features, truth, prepared, ITERATIONS)
            for penalty in sorted(losses, reverse=True):
                context.stop_if_asked(f"the learner {self.name}")
                weights, intercepts = solver.solve(penalty)
                losses[penalty] += loss_of(asked @ weights + intercepts, target, prepared.classification) / len(sides)
        best = min(losses, key=lambda tried: losses[tried])
        weights, intercepts = Solver.of("l2", seen, wanted, prepared, ITERATIONS).solve(best)
        with torch.no_grad():
            network.head.weight.copy_(torch.from_numpy(weights.T))
            network.head.bias.copy_(torch.from_numpy(intercepts))
        return best, losses[best] if len(held) else None

    def _tuned(
        self, network: Started, prepared: Prepared, alone: float | None, context: Context
    ) -> tuple[Started, dict[str, Any], dict[str, Any]]:
        """The network taught further, or as it was where that answers rows held out no better."""
        before = {name: value.clone() for name, value in network.state_dict().items()}
        batches = Batches(len(prepared.train), self.config.batch_rows, prepared.seed)
        steps = self.config.steps or max(1, round(self.config.epochs * batches.steps_per_epoch))

        def again() -> Course:
            network.load_state_dict(before)
            return self._course(network, prepared, steps)

        course, progress = taught(self.name, self.config, prepared, again, context)
        details = told(course, progress, batches.steps_per_epoch)
        best = min((loss for _, loss in progress.checks), default=None)
        if best is not None and alone is not None and best >= alone:
            network.load_state_dict(before)
            return network, details | {"tuned": False}, {"tuned": False}
        return network, details | {"tuned": True}, refit_of(course, progress)

    def _course(self, network: Started, prepared: Prepared, steps: int) -> Course:
        goal, feed = Goal.of(prepared), prepared.train.feeds[self.FEED]
        target = goal.values(prepared.train.target)
        batches = Batches(len(prepared.train), self.config.batch_rows, prepared.seed)
        held = (
            torch.from_numpy(prepared.validation.feeds[self.FEED]),
            goal.values(prepared.validation.target),
        )

        def batch(step: int) -> tuple[torch.Tensor, torch.Tensor]:
            rows = batches.rows_of(step)
            torch.manual_seed(int(step_generator(prepared.seed, step).integers(2**62)))  # what it leaves out by chance
            return torch.from_numpy(_cut(feed[rows])), target[torch.from_numpy(rows)]

        return course_of(self.config, Lecture(network, batch, held), goal, steps)


class PretrainedText(StartedLearner):
    name: ClassVar[str] = "pretrained_text"
    KIND, FEED = "text", "pieces"

    @classmethod
    def reads(cls, options: Mapping[str, Any]) -> Mapping[str, Mapping[str, Any]]:
        config = config_from(StartedConfig, options, cls.name)
        start = start_named(config.start)
        where = f"the folder {start.name.partition('@')[0]}"
        if start.tokenizer is None:
            raise SalusError("start_incomplete", where=where, expected="tokenizer.json", found="no such file")
        if int(start.config.get("pad_token_id") or 0) != 0:
            expected = "a model of texts whose padding is piece 0, such as BERT"
            raise SalusError("start_unknown", where=where, expected=expected, found=start.config["model_type"])
        tokenizer = json.loads(start.tokenizer)
        length = min(config.length, int(start.config.get("max_position_embeddings", config.length)))
        tokenizer["padding"] = None
        tokenizer["truncation"] = {"direction": "Right", "max_length": length, "strategy": "LongestFirst", "stride": 0}
        return {"text": {"pieces": tokenizer, "grams": False}}

    def network(self, start: Start, prepared: Prepared, outputs: int) -> Started:
        backbone = backbone_of(start.config, start.tensors, f"the folder {start.name}")
        width = int(start.config.get("hidden_size") or start.config.get("dim") or 0)
        return StartedTexts(backbone, width, prepared.train.feeds[self.FEED].shape[1], outputs)


class PretrainedImage(StartedLearner):
    name: ClassVar[str] = "pretrained_image"
    KIND, FEED = "image", "image_0"

    def network(self, start: Start, prepared: Prepared, outputs: int) -> Started:
        where = f"the folder {start.name}"
        if pixels_of(prepared.train.feeds).shape[3] not in (1, 3) or "image_1" in prepared.train.feeds:
            raise SalusError(
                "start_unknown", where=where, expected="one picture a row, grey or in colours", found="more"
            )
        backbone = backbone_of(start.config, start.tensors, where)
        width = start.config.get("hidden_size") or (start.config.get("hidden_sizes") or [0])[-1]
        colours = tuple(
            np.asarray(start.pictures.get(name, [0.5] * 3), dtype=np.float64) for name in ("image_mean", "image_std")
        )
        side = _side_of(start)
        if any(of.shape != (3,) for of in colours) or not 8 <= side <= 1024:
            raise SalusError("start_unknown", where=where, expected="colours and a size of pictures", found=str(side))
        return StartedPictures(backbone, int(width), side, (colours[0], colours[1]), outputs)


def _side_of(start: Start) -> int:
    """The side of the pictures that the model has learned from."""
    said = start.config.get("image_size") or start.pictures.get("crop_size") or start.pictures.get("size") or 224
    if isinstance(said, dict):
        said = said.get("height") or said.get("shortest_edge") or 224
    return int(said) if isinstance(said, int) else 0


def _cut(feed: np.ndarray) -> np.ndarray:
    """Pieces without the places that no row of a batch needs; pictures as they are."""
    if feed.ndim != 3:
        return np.ascontiguousarray(feed)
    return np.ascontiguousarray(feed[:, :, : max(1, int((feed > 0).sum(axis=2).max(initial=1)))])


def _asked(
    network: Started,
    feed: np.ndarray,
    what: Callable[[torch.Tensor], torch.Tensor],
    width: int,
    context: Context | None = None,
) -> np.ndarray:
    """What the network makes of rows, some at a time; float64 (B, width)."""
    network.eval()
    parts = [np.zeros((0, width))]
    with torch.inference_mode():
        for start in range(0, len(feed), CHUNK_ROWS):
            if context is not None:
                context.stop_if_asked("seeing all rows")
            parts.append(what(torch.from_numpy(_cut(feed[start : start + CHUNK_ROWS]))).double().numpy())
    return np.concatenate(parts)
